// Whose trust a package is held against: the home's, or a folder's named by --trust, or nobody's. Called by `verify`, `inspect` and `trust`.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { hostConfigPath, publisherFolders } from '../config.ts';
import { systemClock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { revocationsFile } from '../registry/survey.ts';
import { loadRevocations } from '../trust/revocation.ts';
import { loadTrust } from '../trust/trust-store.ts';
import { verifyPackage, type Verification, type VerifyOptions } from '../trust/verify.ts';
import { configOf } from './context.ts';
import { plain, type Io } from './io.ts';

/** Verifies with both implementations, whatever was verified before. Reports broken trust records as talk. */
export async function verifyFor(io: Io, path: string, trustDir: string | undefined): Promise<Verification> {
  return verifyPackage(resolve(io.cwd, path), { ...(await trustFor(io, trustDir)), now: systemClock.now(), secondOpinion: 'always' });
}

async function trustFor(io: Io, trustDir: string | undefined): Promise<Pick<VerifyOptions, 'trust' | 'revocations' | 'profile' | 'strict'>> {
  const home = hasHome(io) ? configOf(io) : undefined;
  const { profile, strict } = home ?? { profile: 'local', strict: false } as const;
  if (!home && trustDir === undefined) return { trust: null, revocations: null, profile, strict };
  const where = trustDir === undefined && home ? { publishers: publisherFolders(home), revocations: revocationsFile(home) } : foldersUnder(resolve(io.cwd, trustDir ?? '.'));
  const { store, diagnostics } = await loadTrust(where.publishers);
  for (const { message, fix } of diagnostics) io.say(plain(`${message} ${fix}`));
  return { trust: store, revocations: await loadRevocations(where.revocations), profile, strict };
}

/** A home that was asked for must be there; the current directory is one only if it looks like one. */
function hasHome(io: Io): boolean {
  return io.options.home !== undefined || Boolean(io.env['GATEHOUSE_HOME']) || existsSync(hostConfigPath(io.cwd));
}

/** --trust names either a folder like a home's `manifests/trust`, or the folder with the records itself. */
function foldersUnder(dir: string): { readonly publishers: string[]; readonly revocations: string } {
  // One that is not there would hold no records, and the answer would blame the package.
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new GatehouseError('FILE_UNREADABLE', { file: dir, problem: 'there is no such folder of trust records' });
  const publishers = join(dir, 'publishers');
  if (existsSync(publishers)) return { publishers: [publishers], revocations: join(dir, 'revocations.json') };
  return { publishers: [dir], revocations: basename(dir) === 'publishers' ? join(dirname(dir), 'revocations.json') : join(dir, 'trust', 'revocations.json') };
}
