// The whole look at a home: enablements, trust, revocations, and what they come to. `check` reports it, `start` runs it, a running host holds it against what it runs; all from the same files.
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { hostConfigPath, publisherFolders, trustPolicyOf } from '../config.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import type { Learned, TrustMemory } from '../trust/trust-memory.ts';
import { discover, type Earlier, type LoadedEnablement } from './discover.ts';
import type { ResolveContext } from './examine.ts';
import { resolve, type Resolution } from './resolve.ts';
import { earliestAfter, lookAtTrust, type UnderstoodTrust } from './trust-look.ts';

/** What was understood at a look; at the next one it goes on counting wherever something cannot be read. */
export interface Understood {
  readonly enablements: readonly LoadedEnablement[];
  readonly trust: UnderstoodTrust;
  /** What is known to be revoked. */
  readonly revocations: RevocationList;
  readonly policy: TrustPolicy;
}

export interface Survey extends Resolution {
  readonly understood: Understood;
  /** To be remembered before anything of this is taken up. */
  readonly learned: Learned;
  /** Ids of the revocations that a list names now. */
  readonly listed: ReadonlySet<string>;
  /** The next moment, in milliseconds since the epoch, at which time alone changes what counts: something expires, or begins to count. */
  readonly changesAt: number | undefined;
}

/** How a running host looks. */
export interface LastLook extends Earlier {
  readonly understood: Understood;
  /** Whether this package runs: what runs goes on while the list of revocations cannot be read, and nothing else begins. */
  isRunning(packageDigest: string): boolean;
}

export interface SurveyContext extends Omit<ResolveContext, 'trust' | 'revocations'> {
  /** What was revoked before, and what else files alone do not say. */
  readonly memory: TrustMemory;
  readonly last?: Omit<LastLook, 'enablements'>;
}

/** Reads only files; findings are values, and all of them. With `NO_HISTORY` it cannot know of rollbacks. */
export async function survey({ last, memory, ...context }: SurveyContext): Promise<Survey> {
  const { now } = context;
  const { home, strict } = context.config;
  const [discovery, trust, policy] = await Promise.all([
    discover(context.config, last && { ...last, enablements: last.understood.enablements }),
    lookAtTrust({ home, publishers: publisherFolders(context.config), files: trustFilesOf(context.config), strict, memory, now, last: last && { ...last, understood: last.understood.trust } }),
    readPolicy(context, last),
  ]);
  const { understood, revocations, learned } = trust;
  const config = { ...context.config, trust: policy };
  const resolution = await resolve(discovery.enablements, { ...context, config, trust: understood.store, revocations: revocations.counts });
  const ends = resolution.plugins.flatMap(({ release: { expiresAt } }) => (expiresAt === undefined ? [] : [Date.parse(expiresAt)]));
  return {
    ...resolution,
    diagnostics: [...discovery.diagnostics, ...trust.diagnostics, ...resolution.diagnostics],
    understood: { enablements: discovery.enablements, trust: understood, revocations: revocations.understood, policy },
    learned,
    listed: revocations.listed,
    changesAt: earliestAfter(now, [...ends, ...(trust.changesAt === undefined ? [] : [trust.changesAt])]),
  };
}

/** The block `trust` of host.json. A running host reads it at every look; where it cannot be read, the last one goes on counting, and whoever reads the file for the rest of it says so. */
async function readPolicy({ config: { home, trust }, env }: Pick<SurveyContext, 'config' | 'env'>, last: SurveyContext['last']): Promise<TrustPolicy> {
  if (!last) return trust;
  try {
    return trustPolicyOf(await readRegularFile(hostConfigPath(home)), { home, env });
  } catch {
    return last.understood.policy;
  }
}
