// Whose trust a package is held against: the home's, or a folder's named by --trust, or nobody's. Called by `verify`, `inspect` and `trust`.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../clock.ts';
import { hostConfigPath, type ResolvedConfig } from '../config.ts';
import type { RevocationList } from '../trust/revocation.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import { verifyPackage, type Verification, type VerifyOptions } from '../trust/verify.ts';
import { configOf } from './context.ts';
import { trustOfFolder, trustOfHome } from './home-trust.ts';
import { plain, type Io } from './io.ts';

/** Verifies with both implementations, whatever was verified before. Reports broken trust records as talk. */
export async function verifyFor(io: Io, path: string, trustDir: string | undefined): Promise<Verification> {
  return (await judgementFor(io, path, trustDir)).verification;
}

export interface Judgement {
  readonly verification: Verification;
  readonly trust: TrustStore | null;
  readonly revocations: RevocationList | null;
  /** Whose home it is held against; undefined without one, or with --trust. */
  readonly home: ResolvedConfig | undefined;
  /** Where what is known of packages lies beside the trust records; undefined where there is no home, nor a folder like its `manifests/trust`. */
  readonly trustDir: string | undefined;
  /** The same of the home, where something may be written. */
  readonly homeTrustDir: string | undefined;
}

/** The same, with what it was held against. */
export async function judgementFor(io: Io, path: string, trustDir: string | undefined): Promise<Judgement> {
  const context = await trustFor(io, trustDir);
  const verification = await verifyPackage(resolve(io.cwd, path), { ...context, now: systemClock.now(), secondOpinion: 'always' });
  const home = hasHome(io) ? configOf(io) : undefined;
  const homeTrustDir = home && join(home.manifestsDir, 'trust');
  const named = trustDir === undefined ? undefined : resolve(io.cwd, trustDir);
  return { verification, trust: context.trust, revocations: context.revocations, home: trustDir === undefined ? home : undefined, homeTrustDir, trustDir: named !== undefined && existsSync(join(named, 'publishers')) ? named : homeTrustDir };
}

async function trustFor(io: Io, trustDir: string | undefined): Promise<Pick<VerifyOptions, 'trust' | 'revocations' | 'profile' | 'strict'>> {
  const home = hasHome(io) ? configOf(io) : undefined;
  const { profile, strict } = home ?? { profile: 'local', strict: false } as const;
  if (!home && trustDir === undefined) return { trust: null, revocations: null, profile, strict };
  const now = systemClock.now();
  const { trust, revocations, diagnostics } = trustDir === undefined && home ? await trustOfHome(home, now) : await trustOfFolder(resolve(io.cwd, trustDir ?? '.'), now);
  for (const { message, fix } of diagnostics) io.say(plain(`${message} ${fix}`));
  return { trust, revocations, profile, strict };
}

/** A home that was asked for must be there; the current directory is one only if it looks like one. */
export function hasHome(io: Io): boolean {
  return io.options.home !== undefined || Boolean(io.env['GATEHOUSE_HOME']) || existsSync(hostConfigPath(io.cwd));
}
