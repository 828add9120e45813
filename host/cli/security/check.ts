// What a check of the security audit is, what it sees, and what it says. One file an idea beside this one; checks.ts has their order.
import type { Diagnostic } from '../../../schemas/control.ts';
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import type { Clock } from '../../clock.ts';
import { publisherFolders, type ResolvedConfig } from '../../config.ts';
import type { GatehouseError } from '../../errors.ts';
import type { ResolvedEnablement } from '../../registry/enablement-file.ts';
import { reviewersFolder } from '../../registry/review-look.ts';
import { loadReviewers } from '../../trust/reviewers.ts';
import { loadRevokers } from '../../trust/revokers.ts';
import { trustFilesOf } from '../../trust/trust-files.ts';
import { loadTrust, type TrustStore } from '../../trust/trust-store.ts';
import type { VerifiedRelease } from '../../trust/verify.ts';
import { examineConfinement } from '../../sandbox/demand.ts';
import { surveyFiles } from '../files-survey.ts';

/** The worst first. `info` is nothing to mend, only to know. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What `--fix` may do: nothing that takes a power away from a plugin, or a file's content from who wrote it. */
export type Repair =
  | { readonly kind: 'chmod'; readonly path: string; /** Octal, as chmod(1) takes it. */ readonly mode: string }
  | { readonly kind: 'pin'; readonly path: string; readonly digest: string };

/** One thing a check found. */
export interface Sighting {
  /** A file, an instance or a setting. */
  readonly where: string;
  readonly found: string;
  readonly fix: string;
  readonly repair?: Repair;
}

export interface SecurityCheck {
  readonly severity: Severity;
  /** Where others than this machine reach the host; as `severity` when absent. */
  readonly exposed?: Severity;
  /** Why it matters, in one sentence; docs/operate.md has the same. */
  readonly why: string;
  readonly look: (home: AuditedHome) => readonly Sighting[] | Promise<readonly Sighting[]>;
}

/** An enabled instance, as far as its package could be read. */
export interface AuditedInstance {
  readonly name: string;
  /** Its enablement, relative to the home. */
  readonly file: string;
  readonly enablement: ResolvedEnablement;
  /** Absent when its package was refused. */
  readonly release?: VerifiedRelease;
  /** What a refused package says of itself counts too: more is asked of it, never less. */
  readonly manifest?: PluginManifest;
}

export interface KeyHolder {
  readonly name: string;
  readonly keys: readonly { readonly keyid: string; readonly notAfter?: string; readonly development?: boolean }[];
  readonly source: string;
}

/** Everything the checks look at, read once. */
export interface AuditedHome {
  readonly config: ResolvedConfig;
  /** What of the settings would refuse a start. */
  readonly unsafe: readonly GatehouseError[];
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Whether others than this machine reach the host: by its address, or through a proxy. */
  readonly isExposed: boolean;
  readonly instances: readonly AuditedInstance[];
  readonly trust: TrustStore;
  /** Everybody whose keys count for something, and where that is said. */
  readonly keyHolders: readonly KeyHolder[];
  /** What holds a sandbox on this machine. */
  readonly confinement: Awaited<ReturnType<typeof examineConfinement>>;
  /** Of the whole look at the home. */
  readonly diagnostics: readonly Diagnostic[];
}

export type AuditSources = Pick<AuditedHome, 'config' | 'unsafe' | 'env' | 'clock'>;

export async function readHome(sources: AuditSources): Promise<AuditedHome> {
  const { config, env } = sources;
  const [{ plugins, refused, diagnostics }, { store: trust }, { revokers }, confinement] = await Promise.all([surveyFiles(config, env), loadTrust(publisherFolders(config)), loadRevokers(trustFilesOf(config).revokers), examineConfinement(config)]);
  const { store: reviewers } = await loadReviewers(reviewersFolder(config));
  const keyHolders = [
    ...trust.records.map(({ record: { publisher: name, keys }, source }) => ({ name, keys, source })),
    ...reviewers.records.map(({ record: { reviewer: name, keys }, source }) => ({ name, keys, source })),
    ...revokers.records.map(({ record: { revoker: name, keys }, source }) => ({ name, keys, source })),
  ];
  const instances = [
    ...plugins.map(({ instance, manifestFile, enablement, release }) => ({ name: instance, file: manifestFile, enablement, release, manifest: release.manifest })),
    ...refused.map(({ instance, loaded, release, manifest }) => ({ name: instance, file: loaded.file, enablement: loaded.enablement, ...(release ? { release } : {}), ...(manifest ? { manifest } : {}) })),
  ];
  return { ...sources, isExposed: config.profile !== 'local' || config.policy.isPublic, instances: instances.sort((a, b) => (a.name < b.name ? -1 : 1)), trust, keyHolders, confinement, diagnostics };
}
