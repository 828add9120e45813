// Whom a home trusts and what it revoked, as a host would see it: for commands that judge packages. Called by trust-context.ts and install-package.ts.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { publisherFolders, type ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { lookAtTrust, type TrustLook } from '../registry/trust-look.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { trustFiles, trustFilesOf } from '../trust/trust-files.ts';
import { NO_MEMORY, type TrustMemory } from '../trust/trust-memory.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import { rememberedOf } from './files-survey.ts';

export interface HomeTrust {
  readonly trust: TrustStore;
  readonly revocations: RevocationList;
  readonly diagnostics: readonly Diagnostic[];
}

/** With what the store remembers, unless a host has it open: then by the files alone, which the running host holds against its memory when it takes a package up. */
export async function trustOfHome(config: ResolvedConfig, now: number): Promise<HomeTrust> {
  return trustIn((await lookAtHomeTrust(config, now)).look);
}

export interface HomeTrustLook {
  readonly look: TrustLook;
  readonly memory: TrustMemory;
}

/** The same with everything there is to show of it. */
export async function lookAtHomeTrust(config: ResolvedConfig, now: number): Promise<HomeTrustLook> {
  const memory = (await rememberedOf(config))?.trust ?? NO_MEMORY;
  const look = await lookAtTrust({ home: config.home, publishers: publisherFolders(config), files: trustFilesOf(config), strict: config.strict, memory, now });
  return { look, memory };
}

/** --trust names either a folder like a home's `manifests/trust`, or the folder with the records itself. */
export async function trustOfFolder(dir: string, now: number): Promise<HomeTrust> {
  // One that is not there would hold no records, and the answer would blame the package.
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new GatehouseError('FILE_UNREADABLE', { file: dir, problem: 'there is no such folder of trust records' });
  const own = join(dir, 'publishers');
  const [publishers, trustDir] = existsSync(own) ? [own, dir] : [dir, basename(dir) === 'publishers' ? dirname(dir) : join(dir, 'trust')];
  return trustIn(await lookAtTrust({ home: dir, publishers: [publishers], files: trustFiles(trustDir), strict: false, memory: NO_MEMORY, now }));
}

const trustIn = ({ understood: { store }, revocations, diagnostics }: TrustLook): HomeTrust => ({ trust: store, revocations: revocations.counts, diagnostics });
