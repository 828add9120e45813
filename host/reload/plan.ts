// What a look at the home comes to, as a list of changes: pure, from what runs and what the files say. reload.ts carries them out.
import { isDeepStrictEqual } from 'node:util';
import semver from 'semver';
import type { Grant } from '../../schemas/capability.ts';
import type { PluginState } from '../../schemas/control.ts';
import type { ErrorCode } from '../errors.ts';
import type { Findings } from '../registry/instance.ts';
import { isAvailable, isComing } from '../registry/lifecycle.ts';
import { commonGrants } from '../trust/powers/grants.ts';
import type { RefusedPlugin, ResolvedPlugin } from '../registry/resolve.ts';
import type { VerifiedRelease } from '../trust/verify.ts';
import { isWider, powerChanges, type PowerChanges, type Powers } from '../trust/powers/powers.ts';

/** An instance as it stands. */
export interface Standing {
  readonly instance: string;
  readonly state: PluginState;
  /** What it was taken up with. */
  readonly findings: Findings;
  /** Its sandbox is being replaced: one change at a time. */
  readonly isBusy: boolean;
  /** What a sandbox needed that did not pass its self test: not tried again until the files ask for something else. */
  readonly failed?: SandboxNeeds;
}

/** What the look found. */
export interface Sighting {
  readonly found: ReadonlyMap<string, Findings>;
  /** Why a release that runs may run no more, wherever the files lead by now. */
  readonly withdrawalOf: (running: ResolvedPlugin, now: Findings | undefined) => Withdrawal | undefined;
  /** Whether this path, or anything below it, is still being written. */
  readonly isUnsettled: (path: string) => boolean;
  /** The instance for which somebody agreed to what is wider, and to another try of what failed. */
  readonly confirmed?: string | undefined;
  /** Grants with the addresses of a config filled in. */
  readonly resolveGrants: (instance: string, grants: readonly Grant[], config: ResolvedPlugin['config']) => Grant[];
}

export interface Withdrawal {
  readonly by: 'revocation' | 'trust' | 'lists' | 'lock' | 'approvals' | 'scan';
  readonly code: ErrorCode;
  readonly message: string;
}

/** What cannot change in a running sandbox. */
export interface SandboxNeeds {
  readonly digest: string;
  readonly config: ResolvedPlugin['config'];
  readonly limits: ResolvedPlugin['limits'];
}

export type Change =
  /** Stopped at once, by the list of revocations. */
  | { readonly kind: 'revoke'; readonly instance: string; readonly message: string; readonly found: Findings | undefined }
  /** Stopped at once: trust was taken back, the operator's lists say so, or approvals are asked for that it does not have. Then placed by what the files say. */
  | { readonly kind: 'withdraw'; readonly instance: string; readonly code: string; readonly message: string; readonly found: Findings | undefined }
  /** Stopped at once and kept for evidence: the scanner blocks what it runs. */
  | { readonly kind: 'condemn'; readonly instance: string; readonly code: ErrorCode; readonly message: string; readonly release: VerifiedRelease; readonly found: Findings | undefined }
  /** Its package on disk is something else than what runs, and nothing that may run. */
  | { readonly kind: 'drift'; readonly instance: string; readonly found: Findings; readonly problem: string; readonly expected: string; readonly actual: string | null }
  | { readonly kind: 'remove'; readonly instance: string }
  | { readonly kind: 'disable'; readonly instance: string; readonly found: Findings }
  /** More than it may do now, another signer, or an older version; held back until somebody agrees. */
  | { readonly kind: 'hold'; readonly instance: string; readonly powers: PowerChanges; readonly from: ReleaseName; readonly to: ReleaseName }
  /** What its files say now cannot be taken up; what runs goes on. */
  | { readonly kind: 'refuse'; readonly instance: string; readonly code: string; readonly message: string }
  /** What its files ask for did not pass its self test, and they still ask for it. */
  | { readonly kind: 'keep'; readonly instance: string }
  /** Other settings: `what` names them; `restart` when a running sandbox cannot learn them. */
  | { readonly kind: 'reconfigure'; readonly instance: string; readonly found: Findings; readonly what: readonly string[]; readonly restart: boolean }
  | { readonly kind: 'upgrade'; readonly instance: string; readonly found: Findings; readonly from: string; readonly to: string }
  /** It does not run, and its files say something new: placed, and started if it may. */
  | { readonly kind: 'add'; readonly instance: string; readonly found: Findings }
  /** Not now: its files are being written, or its sandbox is being replaced. */
  | { readonly kind: 'wait'; readonly instance: string; readonly until: 'settled' | 'free' }
  | { readonly kind: 'unchanged'; readonly instance: string };

/** What a person tells releases apart by. */
export interface ReleaseName {
  readonly version: string;
  readonly keyid: string;
}

type ChangeOf<K extends Change['kind']> = Extract<Change, { kind: K }>;

/** In the order in which they are begun: what must stop stops first. */
const ORDER: readonly Change['kind'][] = ['revoke', 'condemn', 'withdraw', 'drift', 'remove', 'disable', 'hold', 'refuse', 'keep', 'reconfigure', 'upgrade', 'add', 'wait', 'unchanged'];

export function planOf(standings: readonly Standing[], sighting: Sighting): Change[] {
  const known = new Set(standings.map(({ instance }) => instance));
  const newcomers = [...sighting.found].filter(([instance]) => !known.has(instance)).map(([, found]) => arrival(found, sighting));
  return [...standings.flatMap((each) => changesOf(each, sighting)), ...newcomers].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

function changesOf(standing: Standing, sighting: Sighting): Change[] {
  const { instance, state, findings } = standing;
  const now = sighting.found.get(instance);
  if (state === 'draining' || state === 'stopped') return [{ kind: 'wait', instance, until: 'free' }];
  const before = findings.resolved;
  if (!before || !runs(state)) return [atRest(standing, now, sighting)];

  const withdrawal = sighting.withdrawalOf(before, now);
  if (withdrawal?.by === 'revocation') return [{ kind: 'revoke', instance, message: withdrawal.message, found: now }, ...(now?.resolved ? [{ kind: 'add', instance, found: now } as const] : [])];
  if (withdrawal?.by === 'scan') return [{ kind: 'condemn', instance, code: withdrawal.code, message: withdrawal.message, release: before.release, found: now }];
  if (withdrawal) return [{ kind: 'withdraw', instance, code: withdrawal.code, message: withdrawal.message, found: now }];
  if (!now || now.enablement.plugin !== findings.enablement.plugin) return [{ kind: 'remove', instance }];
  if (!now.enablement.enabled) return [{ kind: 'disable', instance, found: now }];
  if (now.refused) return refusal(standing, before, now.refused, now, sighting);
  return now.resolved ? settled(standing, before, now.resolved, now, sighting) : [{ kind: 'unchanged', instance }];
}

const runs = (state: PluginState) => isAvailable(state) || isComing(state);

// --- What does not run ---------------------------------------------------------------------------------------------------------------------------------

function arrival(found: Findings, sighting: Sighting): ChangeOf<'add' | 'wait'> {
  const { instance } = found.enablement;
  return isHalfWritten(found, sighting) ? { kind: 'wait', instance, until: 'settled' } : { kind: 'add', instance, found };
}

function atRest({ instance, state, findings }: Standing, now: Findings | undefined, sighting: Sighting): Change {
  if (!now) return { kind: 'remove', instance };
  if (isHalfWritten(now, sighting)) return { kind: 'wait', instance, until: 'settled' };
  if (isDeepStrictEqual(faceOf(findings), faceOf(now))) return { kind: 'unchanged', instance };
  // Quarantine ends by release alone, and what is switched off stays off; what their files say of them counts all the same.
  if (state === 'quarantined') return now.enablement.enabled ? { kind: 'reconfigure', instance, found: now, what: whatDiffers(findings, now), restart: false } : { kind: 'disable', instance, found: now };
  if (state === 'disabled' && !now.enablement.enabled) return { kind: 'reconfigure', instance, found: now, what: whatDiffers(findings, now), restart: false };
  return { kind: 'add', instance, found: now };
}

function isHalfWritten({ refused }: Findings, { isUnsettled }: Sighting): boolean {
  return refused?.packagePath !== undefined && isUnsettled(refused.packagePath);
}

// --- What runs and is refused --------------------------------------------------------------------------------------------------------------------------

function refusal(standing: Standing, before: ResolvedPlugin, refused: RefusedPlugin, now: Findings, sighting: Sighting): Change[] {
  const { instance, findings } = standing;
  const { code, message, release, grantsDigest, wouldRun } = refused;
  const what = isAboutPackageOf(before, findings, refused) ? whatHappenedTo(before.release, refused) : 'edited';
  const isUnapproved = code === 'APPROVAL_MISSING' || code === 'APPROVAL_REJECTED' || code === 'SCAN_WARNING';
  const isWhatRuns = release?.packageDigest === before.release.packageDigest && grantsDigest === before.grantsDigest;
  // Approvals asked for what runs stop it; approvals missing for what shall replace it do not.
  if (what === 'distrusted' || (what === 'edited' && isUnapproved && isWhatRuns)) return [{ kind: 'withdraw', instance, code, message, found: now }];
  if (what === 'edited' && code === 'SIGNER_CHANGED' && wouldRun) return [unlessBusy(standing, holdOf(instance, before, wouldRun)), ...meanwhile(standing, before, wouldRun, now, sighting)];
  const inPart = isUnapproved ? lessened : meanwhile;
  if (what === 'edited') return [{ kind: 'refuse', instance, code, message }, ...(wouldRun ? inPart(standing, before, wouldRun, now, sighting) : [])];
  if (sighting.isUnsettled(before.packagePath)) return [{ kind: 'wait', instance, until: 'settled' }];
  return [{ kind: 'drift', instance, found: now, problem: message, expected: before.release.packageDigest, actual: refused.claims?.packageDigest ?? null }];
}

/** As it was approved, without what its file no longer grants. */
function lessened(standing: Standing, before: ResolvedPlugin, _: ResolvedPlugin, now: Findings, sighting: Sighting): Change[] {
  const { instance, findings } = standing;
  const grants = commonGrants(findings.enablement.grants, now.enablement.grants);
  if (grants.length === findings.enablement.grants.length && isDeepStrictEqual(sorted(grants), sorted(findings.enablement.grants))) return [];
  const enablement = { ...findings.enablement, grants };
  const resolved = { ...before, enablement, grants: sighting.resolveGrants(instance, grants, before.config) };
  return [taken(standing, before, resolved, { file: findings.file, enablement, resolved }, sighting)];
}

const sorted = (grants: readonly Grant[]) => grants.map((grant) => JSON.stringify(grant)).sort();

/** Whether it was the package of what runs that was looked at, and not one the operator leads to instead. */
function isAboutPackageOf({ packagePath }: ResolvedPlugin, { enablement }: Findings, { packagePath: seen, rule, loaded }: RefusedPlugin): boolean {
  if (seen !== undefined) return seen === packagePath;
  return rule === 'package' && loaded.enablement.source === enablement.source && loaded.enablement.version === enablement.version;
}

/** Checks of the package itself. The others hold it against what the operator set, or against its neighbours: a release they refuse is genuine. */
const PACKAGE_RULES: ReadonlySet<string> = new Set(['package', 'release', 'plugin', 'version', 'digest', 'rollback', 'same-version', 'ui']);

/** Broken by a change of bytes; everything else that a check finds in bytes that did not change is a matter of whom the operator trusts, or of time. */
const BROKEN: ReadonlySet<string> = new Set<ErrorCode>(['RELEASE_SIGNATURE', 'RELEASE_ENVELOPE', 'RELEASE_IDENTITY', 'RELEASE_FILES', 'RELEASE_UNSIGNED']);

function whatHappenedTo({ packageDigest, keyid }: VerifiedRelease, { claims, rule, code }: RefusedPlugin): 'edited' | 'drifted' | 'distrusted' {
  if (!PACKAGE_RULES.has(rule)) return 'edited';
  if (!claims || claims.packageDigest !== packageDigest || claims.keyid !== keyid) return 'drifted';
  if (rule !== 'release') return 'edited';
  return BROKEN.has(code) ? 'drifted' : 'distrusted';
}

// --- What runs and may go on ---------------------------------------------------------------------------------------------------------------------------

function settled(standing: Standing, before: ResolvedPlugin, after: ResolvedPlugin, now: Findings, sighting: Sighting): Change[] {
  const { instance } = standing;
  const hold = holdOf(instance, before, after);
  // A reviewer's word for exactly this is agreement, too; but one for an older version may be as old as that.
  const isAgreed = sighting.confirmed === instance || (after.approvedBy.length > 0 && !isRollback(hold));
  if (isAgreed || (!isWider(hold.powers) && !isRollback(hold))) return [taken(standing, before, after, now, sighting)];
  return [unlessBusy(standing, hold), ...meanwhile(standing, before, after, now, sighting)];
}

/** What is under way may be just this, agreed to a moment ago; whether it is shows when it has ended. */
const unlessBusy = ({ instance, isBusy }: Standing, hold: ChangeOf<'hold'>): Change => (isBusy ? { kind: 'wait', instance, until: 'free' } : hold);

function holdOf(instance: string, before: ResolvedPlugin, after: ResolvedPlugin): ChangeOf<'hold'> {
  const nameOf = ({ release: { manifest, keyid } }: ResolvedPlugin): ReleaseName => ({ version: manifest.version, keyid });
  return { kind: 'hold', instance, powers: powerChanges(powersOf(before), powersOf(after)), from: nameOf(before), to: nameOf(after) };
}

/** Permitted by the enablement, which may have said so for another occasion. */
export const isRollback = ({ from, to }: Pick<ChangeOf<'hold'>, 'from' | 'to'>): boolean => semver.lt(to.version, from.version);

/** What takes effect of an edit while the rest of it waits: what got less. */
function meanwhile(standing: Standing, before: ResolvedPlugin, after: ResolvedPlugin, now: Findings, sighting: Sighting): Change[] {
  const kept = withoutWidening(standing.findings, before, now, after, sighting);
  return kept.resolved ? [taken(standing, before, kept.resolved, kept, sighting)].filter(({ kind }) => kind !== 'unchanged') : [];
}

/** What an instance is given. */
export const powersOf = ({ release, grants, limits, enablement }: ResolvedPlugin): Powers => ({ manifest: release.manifest, grants, limits, limitsGiven: enablement.limits });

function taken({ instance, findings, isBusy, failed }: Standing, before: ResolvedPlugin, after: ResolvedPlugin, now: Findings, { confirmed }: Sighting): Change {
  if (isDeepStrictEqual(faceOf(findings), faceOf(now))) return { kind: 'unchanged', instance };
  const needs = needsOf(after);
  const restart = !isDeepStrictEqual(needsOf(before), needs);
  if (restart && isBusy) return { kind: 'wait', instance, until: 'free' };
  if (restart && failed && confirmed !== instance && isDeepStrictEqual(failed, needs)) return { kind: 'keep', instance };
  if (before.release.packageDigest !== after.release.packageDigest) return { kind: 'upgrade', instance, found: now, from: before.release.manifest.version, to: after.release.manifest.version };
  return { kind: 'reconfigure', instance, found: now, what: whatDiffers(findings, now), restart };
}

export function needsOf({ release: { packageDigest }, config, limits }: ResolvedPlugin): SandboxNeeds {
  return { digest: packageDigest, config, limits };
}

/**
 * What takes effect while the wider part waits. Grants are what both sides allow, so that what the operator took away is gone at once. All else of the edit
 * counts too, unless bytes or config changed: those belong together with the grants they were written for.
 */
function withoutWidening(findings: Findings, before: ResolvedPlugin, now: Findings, after: ResolvedPlugin, { resolveGrants }: Sighting): Findings {
  const belongTogether = before.release.packageDigest !== after.release.packageDigest || !isDeepStrictEqual(before.config, after.config);
  const base = belongTogether || !now.resolved ? findings : now;
  const enablement = { ...base.enablement, grants: commonGrants(findings.enablement.grants, now.enablement.grants) };
  const grants = resolveGrants(before.instance, enablement.grants, before.config);
  const resolved = base.resolved && { ...base.resolved, enablement, grants };
  return { file: base.file, enablement, ...(resolved ? { resolved } : {}) };
}

// --- Comparing -----------------------------------------------------------------------------------------------------------------------------------------

/** Everything of findings that can make a difference; of a release, its digest and its key say it all. */
function faceOf({ file, enablement, resolved, refused }: Findings): Record<string, unknown> {
  const { release, enablement: _, manifestFile: __, grantsDigest: ___, approvedBy: ____, scan: _____, packagePath, ...settings } = resolved ?? {};
  return {
    ...enablement, ...settings, file,
    source: [enablement.source, packagePath],
    digest: [enablement.digest, release?.packageDigest],
    signature: release?.keyid,
    refused: refused && `${refused.state} ${refused.code} ${refused.grantsDigest} ${refused.message}`,
  };
}

/** Names of what differs, as an operator calls them. */
function whatDiffers(before: Findings, after: Findings): string[] {
  const [one, other] = [faceOf(before), faceOf(after)];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => !isDeepStrictEqual(one[name], other[name])).sort();
}
