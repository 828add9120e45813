// The whole look at a home: enablements, trust, revocations, and what they come to. `check` reports it, `start` runs it, a running host holds it against what it runs; all from the same files.
import type { ApprovalView } from '../../schemas/control.ts';
import type { Lock } from '../../schemas/lock.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { hostConfigPath, publisherFolders, trustPolicyOf } from '../config.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import type { ApprovalTarget } from '../trust/approvals.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import type { Learned, TrustMemory } from '../trust/trust-memory.ts';
import { subjectOf, type Approvable } from './admission/approvals.ts';
import { approvalViews, unusedApprovals, type ApprovalBook } from './approval-book.ts';
import { discover, type Earlier, type LoadedEnablement } from './discover.ts';
import type { ResolveContext } from './examine.ts';
import { lookAtLock } from './lock-look.ts';
import { resolve, type Resolution } from './resolve.ts';
import { lookAtReviews, type UnderstoodReviews } from './review-look.ts';
import { earliestAfter, lookAtTrust, type UnderstoodTrust } from './trust-look.ts';

/** What was understood at a look; at the next one it goes on counting wherever something cannot be read. */
export interface Understood {
  readonly enablements: readonly LoadedEnablement[];
  readonly trust: UnderstoodTrust;
  readonly reviews: UnderstoodReviews;
  /** What is known to be revoked. */
  readonly revocations: RevocationList;
  readonly policy: TrustPolicy;
  readonly lock: Lock | undefined;
}

export interface Survey extends Resolution {
  readonly approvals: ApprovalBook;
  /** Every approval there is, and what becomes of it. */
  readonly approvalViews: readonly ApprovalView[];
  readonly understood: Understood;
  /** To be remembered before anything of this is taken up. */
  readonly learned: Learned;
  /** Where each revocation stands that a list names now, by id: `file`, or `list:<issuer>`. */
  readonly listed: ReadonlyMap<string, string>;
  /** The next moment, in milliseconds since the epoch, at which time alone changes what counts: something expires, or begins to count. */
  readonly changesAt: number | undefined;
}

/** How a running host looks. */
export interface LastLook extends Earlier {
  readonly understood: Understood;
  /** Whether this package runs: what runs goes on while the list of revocations cannot be read, and nothing else begins. */
  isRunning(packageDigest: string): boolean;
  /** What runs, for approvals of it. */
  readonly targets: readonly ApprovalTarget[];
}

export interface SurveyContext extends Omit<ResolveContext, 'trust' | 'revocations' | 'approvals' | 'lock' | 'installed'> {
  /** For whoever makes the lock: what would run without it. */
  readonly unlocked?: true;
  /** What was revoked before, and what else files alone do not say. */
  readonly memory: TrustMemory;
  readonly last?: Omit<LastLook, 'enablements'>;
}

/** Reads only files; findings are values, and all of them. With `NO_HISTORY` it cannot know of rollbacks. */
export async function survey({ last, memory, unlocked, ...context }: SurveyContext): Promise<Survey> {
  const { now } = context;
  const { home, strict } = context.config;
  const [discovery, trust, policy, { lock, diagnostics: ofLock }] = await Promise.all([
    discover(context.config, last && { ...last, enablements: last.understood.enablements }),
    lookAtTrust({ home, publishers: publisherFolders(context.config), files: trustFilesOf(context.config), strict, memory, now, last: last && { ...last, understood: last.understood.trust } }),
    readPolicy(context, last),
    lookAtLock({ ...context.config, strict: strict && !unlocked }, last),
  ]);
  const { understood, revocations, learned } = trust;
  const config = { ...context.config, trust: policy };
  const reviews = await lookAtReviews({ ...context, publishers: understood.store, revocations: revocations.counts, last: last && { understood: last.understood.reviews, isUnsettled: last.isUnsettled } });
  const installed = discovery.enablements.map(({ enablement }) => enablement.plugin);
  const resolution = await resolve(discovery.enablements, { ...context, config, installed, trust: reviews.publishers, revocations: revocations.counts, approvals: reviews.book, lock });
  const views = approvalViews(reviews.book, home, [...targetsOf(resolution), ...(last?.targets ?? [])]);
  const switchedOff = new Set(resolution.disabled.map(({ enablement }) => enablement.instance));
  const unused = unusedApprovals(views.filter(({ instance }) => !switchedOff.has(instance)), reviews.book);
  const waits = resolution.refused.flatMap(({ untilMs }) => untilMs ?? []);
  const ends = resolution.plugins.flatMap(({ release: { expiresAt } }) => (expiresAt === undefined ? [] : [Date.parse(expiresAt)]));
  return {
    ...resolution,
    diagnostics: [...discovery.diagnostics, ...trust.diagnostics, ...reviews.diagnostics, ...ofLock, ...unused, ...resolution.diagnostics],
    understood: { enablements: discovery.enablements, trust: understood, reviews: reviews.understood, revocations: revocations.understood, policy, lock },
    approvals: reviews.book,
    approvalViews: views,
    learned,
    listed: revocations.listed,
    changesAt: earliestAfter(now, [...ends, ...waits, ...reviews.instants, ...(trust.changesAt === undefined ? [] : [trust.changesAt])]),
  };
}

/** What the files lead to, whether or not it may run. */
function targetsOf({ plugins, refused }: Resolution): ApprovalTarget[] {
  return [...plugins, ...refused].flatMap(({ instance, release, grantsDigest }) => (release && grantsDigest !== undefined ? [targetOf({ instance, release, grantsDigest })] : []));
}

export function targetOf({ instance, release: { manifest, packageDigest, keyid, publisher }, grantsDigest }: Approvable): ApprovalTarget {
  return { instance, subject: subjectOf(manifest), packageDigest, grantsDigest, keyid, publisher };
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
