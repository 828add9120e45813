// The whole look at a home: enablements, trust, revocations, and what they come to. `check` reports it, `start` runs it, a running host holds it against what it runs; all from the same files.
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { hostConfigPath, publisherFolders, trustPolicyOf } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import { loadRevocations, type RevocationList } from '../trust/revocation.ts';
import { loadTrust, type TrustStore } from '../trust/trust-store.ts';
import { diagnosticOf } from './diagnostics.ts';
import { discover, type Earlier, type LoadedEnablement } from './discover.ts';
import type { ResolveContext } from './examine.ts';
import { resolve, type Resolution } from './resolve.ts';

/** What was understood at a look; at the next one it goes on counting wherever something cannot be read. */
export interface Understood {
  readonly enablements: readonly LoadedEnablement[];
  readonly trust: { readonly store: TrustStore; readonly diagnostics: readonly Diagnostic[] };
  readonly revocations: RevocationList;
  readonly policy: TrustPolicy;
}

export interface Survey extends Resolution {
  readonly understood: Understood;
}

/** How a running host looks. */
export interface LastLook extends Earlier {
  readonly understood: Understood;
  /** Whether this package runs: what runs goes on while the list of revocations cannot be read, and nothing else begins. */
  isRunning(packageDigest: string): boolean;
}

export interface SurveyContext extends Omit<ResolveContext, 'trust' | 'revocations'> {
  readonly last?: Omit<LastLook, 'enablements'>;
}

/** Reads only files; findings are values, and all of them. With `NO_HISTORY` it cannot know of rollbacks. */
export async function survey({ last, ...context }: SurveyContext): Promise<Survey> {
  const [discovery, trust, revocations, policy] = await Promise.all([
    discover(context.config, last && { ...last, enablements: last.understood.enablements }),
    readTrust(publisherFolders(context.config), last),
    readRevocations(context.config.home, revocationsFile(context.config), last),
    readPolicy(context, last),
  ]);
  const config = { ...context.config, trust: policy };
  const resolution = await resolve(discovery.enablements, { ...context, config, trust: trust.counts.store, revocations: revocations.counts });
  return {
    ...resolution,
    diagnostics: [...discovery.diagnostics, ...trust.diagnostics, ...revocations.diagnostics, ...resolution.diagnostics],
    understood: { enablements: discovery.enablements, trust: trust.counts, revocations: revocations.understood, policy },
  };
}

export const revocationsFile = ({ manifestsDir }: { readonly manifestsDir: string }): string => join(manifestsDir, 'trust', 'revocations.json');

type Last = SurveyContext['last'];

/** Records that hold together count. While the host runs, a mistake in one of them takes trust from nobody: until it is mended, the records count as they last did. */
async function readTrust(folders: readonly string[], last: Last): Promise<{ readonly counts: Understood['trust']; readonly diagnostics: readonly Diagnostic[] }> {
  if (!last) {
    const found = await loadTrust(folders);
    return { counts: found, diagnostics: found.diagnostics };
  }
  const { trust: before } = last.understood;
  const asBefore = (file: string, problem: string) => {
    const error = new GatehouseError('FILE_UNREADABLE', { file, problem });
    return { counts: before, diagnostics: [diagnosticOf(error, { severity: 'degraded', stage: 'trust', rule: 'trust-record', manifest: file })] };
  };
  if (folders.some((folder) => last.isUnsettled(folder))) return { counts: before, diagnostics: [] };
  const gone = folders.find((folder) => !existsSync(folder) && before.store.records.some(({ source }) => dirname(source) === folder));
  if (gone !== undefined) return asBefore(gone, 'the folder is gone');
  let found: Understood['trust'];
  try {
    found = await loadTrust(folders);
  } catch (thrown) {
    return asBefore(folders.join(', '), problemOf(thrown));
  }
  const known = new Set(before.diagnostics.map(textOf));
  const isWorse = found.diagnostics.some((each) => !known.has(textOf(each)));
  return { counts: isWorse ? before : found, diagnostics: found.diagnostics };
}

/** The block `trust` of host.json. A running host reads it at every look; where it cannot be read, the last one goes on counting, and whoever reads the file for the rest of it says so. */
async function readPolicy({ config: { home, trust }, env }: Pick<SurveyContext, 'config' | 'env'>, last: Last): Promise<TrustPolicy> {
  if (!last) return trust;
  try {
    return trustPolicyOf(await readRegularFile(hostConfigPath(home)), { home, env });
  } catch {
    return last.understood.policy;
  }
}

const textOf = ({ code, manifest, message }: Diagnostic) => `${code} ${manifest} ${message}`;

/** A list that cannot be read is fatal at start: nobody knows what it revokes, and everything counts as revoked. While the host runs, the last list goes on counting, and what does not run yet waits. */
async function readRevocations(home: string, file: string, last: Last): Promise<{ readonly counts: RevocationList; readonly understood: RevocationList; readonly diagnostics: readonly Diagnostic[] }> {
  const isUnsettled = last?.isUnsettled(file) ?? false;
  try {
    const isGoneForNow = !existsSync(file) && (isUnsettled || !existsSync(dirname(file)));
    const list = last && isGoneForNow ? last.understood.revocations : await loadRevocations(file);
    return { counts: list, understood: list, diagnostics: [] };
  } catch (thrown) {
    const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
    const nobodyKnows = 'the list of revocations cannot be read';
    const understood = last?.understood.revocations ?? { reasonFor: () => nobodyKnows };
    const counts: RevocationList = { reasonFor: (release) => understood.reasonFor(release) ?? (last?.isRunning(release.digest ?? '') ? undefined : nobodyKnows) };
    return { counts, understood, diagnostics: isUnsettled ? [] : [diagnosticOf(error, { severity: 'fatal', stage: 'trust', rule: 'revocations', manifest: relative(home, file) })] };
  }
}
