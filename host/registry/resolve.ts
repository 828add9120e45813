// From enablements to what runs, what does not, and why: every finding at once. `check` and `start` both ask here, through survey.ts.
import type { Grant } from '../../schemas/capability.ts';
import type { Diagnostic } from '../../schemas/control.ts';
import type { SecretReference } from '../../schemas/enablement.ts';
import type { Limits, PluginKind, PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { ScanResult } from '../../schemas/scan.ts';
import type { Claims, VerifiedRelease } from '../trust/verify.ts';
import { isMendable, stateFor } from './admission/admission.ts';
import { decisionsFor } from './admission/approvals.ts';
import { isSuperseded, judgeTogether, mayRun } from './among.ts';
import { diagnosticOf, severityFor } from './diagnostics.ts';
import type { LoadedEnablement } from './discover.ts';
import type { ResolvedEnablement } from './enablement-file.ts';
import { examine, type Candidate, type Finding, type ResolveContext } from './examine.ts';

/** An instance that may run, with everything it runs with. */
export interface ResolvedPlugin {
  readonly instance: string;
  readonly kind: PluginKind;
  readonly enablement: ResolvedEnablement;
  /** The enablement's file, relative to the home. */
  readonly manifestFile: string;
  readonly packagePath: string;
  readonly release: VerifiedRelease;
  readonly limits: Required<Limits>;
  /** Origins that the manifest leaves to the config are filled in; grants without any are gone. */
  readonly grants: readonly Grant[];
  /** The plugin's own defaults applied. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Every handle the instance or its ingress needs; each reference led to a value. */
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** Of what its files give it: what approvals of it are bound to. */
  readonly grantsDigest: string;
  /** Reviewers who approved exactly this; as many as are asked for, or more. */
  readonly approvedBy: readonly string[];
  readonly required: boolean;
  readonly order: number;
  readonly onQuarantine?: 'hold' | 'bypass' | 'exit';
  readonly scan?: ScanResult;
}

/** An enabled instance that may not run, by its first finding. */
export interface RefusedPlugin {
  readonly instance: string;
  readonly loaded: LoadedEnablement;
  readonly state: 'rejected' | 'pending-approval' | 'revoked';
  readonly code: string;
  readonly message: string;
  /** Epoch milliseconds at which it is worth another look, though nobody changes anything. */
  readonly untilMs?: number;
  /** The name of the check that refused it. */
  readonly rule: string;
  /** Where its package lies; absent when none was found. */
  readonly packagePath?: string;
  /** What the package on disk says it is, believed or not. */
  readonly claims?: Claims;
  /** Absent when the package itself was refused. */
  readonly release?: VerifiedRelease;
  readonly grantsDigest?: string;
  /** What it would run with, where all that is wrong with it is to be waited for. */
  readonly wouldRun?: ResolvedPlugin;
  /** Verified, or else only claimed: enough to know that a gate is missing, never enough to run anything. */
  readonly manifest?: PluginManifest;
  readonly scan?: ScanResult;
}

export interface Resolution {
  readonly plugins: readonly ResolvedPlugin[];
  readonly refused: readonly RefusedPlugin[];
  readonly disabled: readonly LoadedEnablement[];
  readonly diagnostics: readonly Diagnostic[];
}

export async function resolve(enablements: readonly LoadedEnablement[], context: ResolveContext): Promise<Resolution> {
  const candidates = await Promise.all(enablements.filter(({ enablement }) => enablement.enabled).map((loaded) => examine(loaded, context)));
  judgeTogether(candidates, context.config.collision);
  return {
    plugins: candidates.filter(mayRun).flatMap((candidate) => resolvedOf(candidate, context)),
    refused: candidates.filter((each) => !mayRun(each) && !isSuperseded(each)).map((candidate) => refusedOf(candidate, context)),
    disabled: enablements.filter(({ enablement }) => !enablement.enabled),
    diagnostics: candidates.flatMap((candidate) => candidate.findings.map((finding) => findingOf(candidate, finding))),
  };
}

function resolvedOf({ loaded, release, limits, grants, config, secrets, grantsDigest, scan }: Candidate, { approvals }: ResolveContext): ResolvedPlugin[] {
  const { enablement, file } = loaded;
  const { instance, required, order, onQuarantine } = enablement;
  if (!release || grantsDigest === undefined) return [];
  const approvedBy = decisionsFor({ instance, release, grantsDigest }, approvals).approvals.map(({ reviewer }) => reviewer);
  return [
    {
      instance, kind: release.manifest.kind, enablement, manifestFile: file, packagePath: release.path, release, limits, grants, config, secrets, grantsDigest, approvedBy, required, order,
      ...(onQuarantine === undefined ? {} : { onQuarantine }),
      ...(scan ? { scan } : {}),
    },
  ];
}

function refusedOf(candidate: Candidate, context: ResolveContext): RefusedPlugin {
  const { loaded, findings, packagePath, claims, release, claimed, grantsDigest, scan } = candidate;
  const refusals = findings.filter(({ warning }) => !warning);
  const { rule = '', error } = refusals.find((each) => stateFor(each.error.code) === 'revoked') ?? refusals.find((each) => stateFor(each.error.code) !== 'pending-approval') ?? refusals[0] ?? {};
  const manifest = release?.manifest ?? claimed;
  const [wouldRun] = refusals.every(({ error: { code } }) => isMendable(code)) ? resolvedOf(candidate, context) : [];
  const untils = refusals.flatMap(({ untilMs }) => untilMs ?? []);
  return {
    instance: loaded.enablement.instance,
    loaded,
    state: stateFor(error?.code),
    code: error?.code ?? 'INTERNAL',
    message: error?.message ?? '',
    rule,
    ...(untils.length === 0 ? {} : { untilMs: Math.min(...untils) }),
    ...(packagePath === undefined ? {} : { packagePath }),
    ...(claims ? { claims } : {}),
    ...(release ? { release } : {}),
    ...(wouldRun ? { wouldRun } : {}),
    ...(grantsDigest === undefined ? {} : { grantsDigest }),
    ...(manifest ? { manifest } : {}),
    ...(scan ? { scan } : {}),
  };
}

function findingOf({ loaded: { file, enablement } }: Candidate, { rule, error, warning, superseded }: Finding): Diagnostic {
  const { plugin, instance } = enablement;
  return diagnosticOf(error, { severity: warning || superseded ? 'warning' : severityFor(enablement), stage: 'resolve', rule, manifest: file, plugin, instance });
}
