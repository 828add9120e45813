// One enablement by itself: its package, its release, and every rule between the two. Finds all that is wrong, not the first. Called by resolve.ts.
import type { Grant } from '../../schemas/capability.ts';
import type { SecretReference } from '../../schemas/enablement.ts';
import type { Lock } from '../../schemas/lock.ts';
import type { Limits, PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { ScanResult } from '../../schemas/scan.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { readManifest } from '../trust/manifest.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import type { RevocationList } from '../trust/revocation.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import { verifyPackage, type Claims, type VerifiedRelease, type VerifyOptions } from '../trust/verify.ts';
import type { ApprovalBook } from './approval-book.ts';
import { ADMISSION_RULES } from './admission/admission.ts';
import type { Settings } from './admission/rule.ts';
import type { LoadedEnablement } from './discover.ts';
import { judgeGrant } from '../trust/powers/grants.ts';
import { LIMIT_NAMES, limitsOf } from '../trust/powers/limits.ts';
import { grantsDigest } from './grants-digest.ts';
import type { History } from './history.ts';
import { locatePackage } from './package-source.ts';
import { resolveGrant, resolvePluginConfig } from './plugin-config.ts';
import { ingressHandles, ingressKeyProblem } from './ingress-key.ts';
import type { Place, Scans } from './scans.ts';
import type { Sightings } from './sightings.ts';
import { headerProblem, readSecret, SHORTEST_SECRET, type SecretPlaces } from './secrets.ts';

export interface ResolveContext {
  readonly config: ResolvedConfig;
  readonly trust: TrustStore;
  readonly revocations: RevocationList;
  readonly approvals: ApprovalBook;
  readonly history: History;
  readonly env: SecretPlaces['env'];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly secondOpinion: VerifyOptions['secondOpinion'];
  /** The instance for which an operator agrees, with this look, to whatever its files lead to. */
  readonly agreed?: string;
  /** In strict: what may run and nothing else. */
  readonly lock?: Lock | undefined;
  /** Null where files alone are looked at, and nobody can say when they came. */
  readonly sightings: Sightings | null;
  readonly scans: Scans;
  /** Ids of all plugins that enablements name. */
  readonly installed: readonly string[];
}

/** One thing that is wrong, or with `warning` only worth knowing. */
export interface Finding {
  readonly rule: string;
  readonly error: GatehouseError;
  readonly warning?: true;
  /** The instance runs from another file, which the collision policy chose. */
  readonly superseded?: true;
  /** Epoch milliseconds from which on it is no refusal any more. */
  readonly untilMs?: number;
}

/** An enablement with all that is known about it; it may run when `findings` holds only warnings. */
export interface Candidate extends Omit<Settings, 'grantsDigest'> {
  readonly loaded: LoadedEnablement;
  readonly findings: Finding[];
  /** Where its package lies; absent when none was found. */
  readonly packagePath?: string;
  /** What the package on disk says it is, believed or not. */
  readonly claims?: Claims;
  /** Absent when the package was refused. */
  readonly release?: VerifiedRelease;
  /** What a refused package says of itself. Only ever a reason to be more careful: a gate that cannot run must deny. */
  readonly claimed?: PluginManifest;
  /** Absent when the package was refused. */
  readonly grantsDigest?: string;
  /** Absent while it is still being looked through. */
  readonly scan?: ScanResult;
}

export async function examine(loaded: LoadedEnablement, context: ResolveContext): Promise<Candidate> {
  const findings: Finding[] = [];
  const nobody = nobodyAs(loaded, findings);
  const packagePath = await attempt(findings, 'package', () => locatePackage(context.config.home, loaded));
  return packagePath === undefined ? nobody : await examinePackage(packagePath, loaded, context, findings);
}

/** The same for a package wherever it lies: what it would be as this instance. */
export async function examinePackage(packagePath: string, loaded: LoadedEnablement, context: ResolveContext, findings: Finding[] = []): Promise<Candidate> {
  const nobody = nobodyAs(loaded, findings);
  const { trust, revocations, now, secondOpinion, config: { profile, strict } } = context;
  const verification = await verifyPackage(packagePath, { trust, revocations, now, secondOpinion, profile, strict });
  const nothing = { ...nobody, packagePath, claims: verification.claims };
  if (!verification.ok) {
    findings.push({ rule: 'release', error: verification.error });
    const claimed = await claimedManifest(packagePath);
    return claimed ? { ...nothing, claimed } : nothing;
  }
  const { release } = verification;
  if (release.manifest.id !== loaded.enablement.plugin) {
    findings.push({ rule: 'plugin', error: new GatehouseError('PACKAGE_OTHER_PLUGIN', { source: release.path, found: release.manifest.id, plugin: loaded.enablement.plugin }) });
    return nothing;
  }
  context.sightings?.see(release.packageDigest);
  const wrongSettings: Finding[] = [];
  const applicant = { release, loaded, context, scan: await context.scans.of(release, placeOf(release, context)), settings: await settings(release.manifest, loaded, context, wrongSettings) };
  for (const [rule, judge] of Object.entries(ADMISSION_RULES)) {
    const { refusals = [], warnings = [], untilMs } = judge(applicant);
    findings.push(...refusals.map((error): Finding => ({ rule, error, ...(untilMs === undefined ? {} : { untilMs }) })), ...warnings.map((error): Finding => ({ rule, error, warning: true })));
  }
  findings.push(...wrongSettings);
  return { ...nothing, release, ...applicant.settings, ...(applicant.scan ? { scan: applicant.scan } : {}) };
}

const nobodyAs = (loaded: LoadedEnablement, findings: Finding[]): Candidate => ({ loaded, findings, limits: limitsOf({}, {}), grants: [], config: {}, secrets: {} });

const placeOf = ({ manifest }: VerifiedRelease, { config, trust, installed, history }: ResolveContext): Place => ({ trust: config.trust, records: trust.records, installed, isSettled: history.hasRun(manifest.id) });

/** What the instance would run with; what is wrong with it goes to `findings`. */
async function settings(manifest: PluginManifest, { enablement }: LoadedEnablement, { config: host, env }: ResolveContext, findings: Finding[]): Promise<Settings> {
  const { instance } = enablement;
  const limits = limitsOf(manifest.limits ?? {}, enablement.limits);
  for (const raised of raisedLimits(manifest.limits ?? {}, limits)) findings.push({ rule: 'limits', warning: true, error: new GatehouseError('LIMIT_RAISED', { instance, ...raised }) });

  for (const grant of enablement.grants) {
    const finding = judgeGrant(manifest.capabilities ?? [], grant);
    if (finding) findings.push({ rule: 'grants', error: new GatehouseError(finding.code, { grant: grant.name, instance, plugin: manifest.id, ...finding }) });
  }

  const config = await attempt(findings, 'config', () => resolvePluginConfig(instance, manifest.config, enablement.config));
  const grants: Grant[] = [];
  for (const grant of config ? enablement.grants : []) {
    const resolved = await attempt(findings, 'config', () => resolveGrant(instance, grant, config ?? {}, host.egress));
    if (resolved) grants.push(resolved);
  }

  const secrets: Record<string, SecretReference> = {};
  const references: Record<string, SecretReference> = {};
  for (const handle of handlesOf(manifest, grants)) {
    const reference = Object.hasOwn(enablement.secrets, handle) ? enablement.secrets[handle] : undefined; // 'constructor' is a handle, too
    if (reference) references[handle] = reference;
    const reading = readSecret(reference, { home: host.home, env });
    const unfit = reading.ok ? ((isSentInHeader(handle, grants) ? headerProblem(reading.value) : undefined) ?? ingressKeyProblem(manifest.channel, handle, reading.value)) : undefined;
    if (!reading.ok) findings.push({ rule: 'secrets', error: new GatehouseError(reading.code, { instance, handle, problem: reading.problem }) });
    else if (unfit !== undefined) findings.push({ rule: 'secrets', error: new GatehouseError('SECRET_UNUSABLE', { instance, handle, problem: unfit }) });
    else if (reference) secrets[handle] = reference;
    if (reading.ok && reading.value.length < SHORTEST_SECRET) {
      findings.push({ rule: 'secrets', warning: true, error: new GatehouseError('SECRET_SHORT', { instance, handle, length: reading.value.length, least: SHORTEST_SECRET }) });
    }
  }
  const digest = grantsDigest({ manifest, grants, limits, secrets: references, onQuarantine: enablement.onQuarantine });
  return { limits, grants, config: config ?? {}, secrets, grantsDigest: digest };
}

/** Granted handles, and those the host verifies ingress with: these need no grant. */
function handlesOf({ channel }: PluginManifest, grants: readonly Grant[]): ReadonlySet<string> {
  const granted = grants.flatMap((grant) => (grant.name === 'secret.use' ? [grant.handle] : []));
  return new Set([...granted, ...ingressHandles(channel)]);
}

function isSentInHeader(handle: string, grants: readonly Grant[]): boolean {
  return grants.some((grant) => grant.name === 'secret.use' && grant.handle === handle && 'header' in grant.inject);
}

function raisedLimits(asked: Limits, resolved: Required<Limits>): { limit: string; value: number; asked: number }[] {
  const own = limitsOf(asked, {});
  return LIMIT_NAMES.filter((name) => resolved[name] > own[name]).map((limit) => ({ limit, value: resolved[limit], asked: own[limit] }));
}

async function claimedManifest(path: string): Promise<PluginManifest | undefined> {
  const { files } = await attempt([], 'package', () => readPackage(path)) ?? {};
  const bytes = files?.get(MANIFEST_FILE);
  return bytes && (await attempt([], 'manifest', () => readManifest(bytes, MANIFEST_FILE)));
}

/** The result, or undefined with a finding. */
async function attempt<T>(findings: Finding[], rule: string, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    findings.push({ rule, error: thrown });
    return undefined;
  }
}
