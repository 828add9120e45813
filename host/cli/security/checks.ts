// The security audit: every check by its name, in the order a person would read them, and the run of them all. Called by commands/security.ts; docs/operate.md has the same table.
import { problemOf } from '../../errors.ts';
import { readHome, SEVERITIES, type AuditedHome, type AuditSources, type Repair, type SecurityCheck, type Severity, type Sighting } from './check.ts';
import { anyOrigin, believedSenders, egressExceptions, failsOpen, notStrict, openBind, openChannels, plainHttp, unsafeSettings } from './exposure.ts';
import { adminToken, dataModes, manifestsWritable, misplacedKeys, packagesWritable, privateKeys, secretFiles } from './file-modes.ts';
import { gateBypass, gateLate, gateRelaxed, missingWalls, weakConfinement } from './lenience.ts';
import { believedProxies, certificates, exemptPrefixes, noLimits, otherOrigins } from './network.ts';
import { markedSecrets, secretsInFiles } from './plain-secrets.ts';
import { endlessAdmins } from './tokens.ts';
import { brokenTrust, collisions, developmentTrust, endedKeys, endingKeys, endingReleases, endlessKeys, freshReleases, lenientScans, noReviews, reviewersOwnPlugins, rollbackAllowed, staleRevocations, unpinned } from './trusted-releases.ts';
import { configOrigins, largeQuota, manyOrigins, noQuota, raisedLimits, sendsElsewhere, writeTools } from './wide-grants.ts';

/** What keeps a check from being answered; nobody knows then what it would have found. */
const unexamined: SecurityCheck = {
  severity: 'high',
  why: 'What cannot be read cannot be judged.',
  look: ({ diagnostics }) => diagnostics.filter(({ stage, severity }) => stage === 'discover' && severity === 'fatal').map(({ manifest = '', message, fix }) => ({ where: manifest, found: message, fix })),
};

export const SECURITY_CHECKS = {
  unexamined,
  'unsafe-settings': unsafeSettings,

  'admin-token': adminToken,
  'private-keys': privateKeys,
  'misplaced-keys': misplacedKeys,
  'data-modes': dataModes,
  'secret-files': secretFiles,
  'manifests-writable': manifestsWritable,
  'packages-writable': packagesWritable,
  'secrets-in-files': secretsInFiles,
  'marked-secrets': markedSecrets,
  'endless-admins': endlessAdmins,

  'open-bind': openBind,
  'plain-http': plainHttp,
  certificates,
  'exempt-prefixes': exemptPrefixes,
  'other-origins': otherOrigins,
  'believed-proxies': believedProxies,
  'no-limits': noLimits,
  'not-strict': notStrict,
  'egress-exceptions': egressExceptions,
  'open-channels': openChannels,
  'any-origin': anyOrigin,
  'believed-senders': believedSenders,
  'fails-open': failsOpen,

  'broken-trust': brokenTrust,
  'reviewers-own-plugins': reviewersOwnPlugins,
  'stale-revocations': staleRevocations,
  'no-reviews': noReviews,
  'fresh-releases': freshReleases,
  'lenient-scans': lenientScans,
  'development-trust': developmentTrust,
  'ending-keys': endingKeys,
  'ended-keys': endedKeys,
  'endless-keys': endlessKeys,
  'ending-releases': endingReleases,
  unpinned,
  'rollback-allowed': rollbackAllowed,
  collisions,

  'many-origins': manyOrigins,
  'config-origins': configOrigins,
  'no-quota': noQuota,
  'large-quota': largeQuota,
  'sends-elsewhere': sendsElsewhere,
  'write-tools': writeTools,
  'raised-limits': raisedLimits,

  'gate-bypass': gateBypass,
  'gate-late': gateLate,
  'gate-relaxed': gateRelaxed,
  'weak-confinement': weakConfinement,
  'missing-walls': missingWalls,
} as const satisfies Readonly<Record<string, SecurityCheck>>;
export type SecurityCheckName = keyof typeof SECURITY_CHECKS;

/** A sighting with what its check says of it. */
export interface SecurityFinding {
  readonly check: string;
  readonly severity: Severity;
  readonly where: string;
  readonly found: string;
  readonly why: string;
  readonly fix: string;
  /** What `--fix` would do; absent when only a person can. */
  readonly repair?: Repair;
}

export interface SecurityAudit {
  /** Nothing is high or worse. */
  readonly ok: boolean;
  readonly counts: Readonly<Record<Severity, number>>;
  /** The worst first. */
  readonly findings: readonly SecurityFinding[];
}

/** Looks at the files of a home, and at the store where no host holds it; changes nothing. */
export async function auditSecurity(sources: AuditSources): Promise<SecurityAudit> {
  const home = await readHome(sources);
  const found = (await Promise.all(Object.entries<SecurityCheck>(SECURITY_CHECKS).map(([name, check]) => findingsOf(name, check, home)))).flat();
  const findings = found.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const count = (severity: Severity) => findings.filter((each) => each.severity === severity).length;
  return { ok: count('critical') + count('high') === 0, counts: { critical: count('critical'), high: count('high'), medium: count('medium'), low: count('low'), info: count('info') }, findings };
}

async function findingsOf(name: string, check: SecurityCheck, home: AuditedHome): Promise<SecurityFinding[]> {
  try {
    const sightings = await check.look(home);
    return sightings.map((sighting) => findingOf(name, check, sighting, home));
  } catch (thrown) {
    return [findingOf('unexamined', unexamined, { where: name, found: `the check ${name} could not be made: ${problemOf(thrown)}`, fix: 'Mend what keeps it from being read, and audit again.' }, home)];
  }
}

function findingOf(name: string, { severity, exposed, why }: SecurityCheck, { where, found, fix, repair }: Sighting, { isExposed }: AuditedHome): SecurityFinding {
  return { check: name, severity: isExposed ? (exposed ?? severity) : severity, where, found, why, fix, ...(repair ? { repair } : {}) };
}
