// What there is to say about a package, gathered once from one verification: for people, for scripts and as SARIF. Made by `verify` and `inspect`.
import { createHash } from 'node:crypto';
import { LIMITS } from '../../../schemas/bounds.ts';
import type { Limits, PluginManifest } from '../../../schemas/plugin-manifest.ts';
import type { RebuildAttempt } from '../../../schemas/rebuild.ts';
import type { Provenance } from '../../../schemas/release.ts';
import type { ScanResult } from '../../../schemas/scan.ts';
import { GatehouseError, type ErrorCode } from '../../errors.ts';
import { problemWith, type Standings, type StoredApproval } from '../approvals.ts';
import type { Check, CheckName } from '../checks.ts';
import { ENVELOPE_FILE } from '../dsse.ts';
import { readManifest } from '../manifest.ts';
import { MANIFEST_FILE } from '../package-names.ts';
import { describeCapability } from '../powers/describe-capability.ts';
import { describeSender, describeVerification } from '../powers/describe-ingress.ts';
import { hooksInWords } from '../powers/hooks.ts';
import { LIMIT_NAMES, limitsOf } from '../powers/limits.ts';
import { readSbom, type Sbom } from '../sbom.ts';
import type { TrustStore, TrustedSigner } from '../trust-store.ts';
import type { Claims, Verification } from '../verify.ts';
import { settingsOf } from './settings.ts';

/**
 * A field is null where the package, or the trust that was given, does not say; the facts of plugin.json are absent where it cannot be read. Text of the package is
 * as it came: make it safe before printing.
 */
export interface Report extends Claims, Partial<ManifestFacts> {
  /** Every check passed. What the package says of itself counts only then. */
  readonly ok: boolean;
  /** The signature was held against the operator's trust, and it holds. False where no trust was given. */
  readonly vouched: boolean;
  readonly checks: readonly Check[];
  /** Of the first refusal. */
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly fix?: string;
  /** Where a document is wrong, in lines and columns from 1. */
  readonly place?: { readonly line: number; readonly column: number };
  readonly package: { readonly path: string; readonly form: 'folder' | 'archive'; readonly files: number; readonly bytes: number } | null;
  readonly trust: TrustPath | null;
  readonly release: ReleaseFacts | null;
  readonly files: readonly FileFacts[];
  readonly sbom: Sbom | null;
  /** What the scanner says of its bytes and of the place it would run in; null where there is no manifest to hold them against. */
  readonly scan: ScanResult | null;
  /** What reviewers of this home said of exactly this package, whatever instance they spoke of; the newest first. */
  readonly reviews: readonly ReviewFacts[];
  /** Whether it was built again from its source, the newest attempt first; `rebuildProblem` says why what is recorded does not count. */
  readonly rebuilds: readonly RebuildAttempt[];
  readonly rebuildProblem?: string;
}

/** Why this signature counts: which record, which of its prefixes, which of its keys. */
export interface TrustPath {
  readonly publisher: string;
  /** The file of the record. */
  readonly record: string;
  /** Where the record does not name the key itself: the statements that introduced it, from the key that signed back to one of the record. */
  readonly succession: readonly { readonly keyid: string; readonly introducedBy: string; readonly statement: string }[];
  readonly prefixes: readonly string[];
  /** The one that holds the plugin's id; null where none does. */
  readonly matched: string | null;
  /** Every key of the record; `signed` marks the one that signed this. Ends are null where they are open. */
  readonly keys: readonly { readonly keyid: string; readonly notBefore: string | null; readonly notAfter: string | null; readonly development: boolean; readonly signed: boolean }[];
}

export interface ReleaseFacts {
  readonly issuedAt: string;
  readonly expiresAt: string | null;
  readonly provenance: Provenance | null;
}

/** `signed`: as the release names it. `envelope`: the signature itself. `unknown`: no release could be read. */
export interface FileFacts {
  readonly name: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly state: 'signed' | 'changed' | 'missing' | 'extra' | 'envelope' | 'unknown';
  /** What the release names, where that is something else. */
  readonly expected?: string;
}

export interface ReviewFacts extends Pick<StoredApproval, 'id' | 'instance' | 'reviewer' | 'keyid' | 'decision' | 'note' | 'grantsDigest' | 'issuedAt'> {
  readonly expiresAt: string | null;
  /** Why it counts for nothing any more; null where it may. Whether it does is for the grants of the instance to say. */
  readonly problem: string | null;
}

export type ManifestFacts = Readonly<ReturnType<typeof manifestFacts>>;

export interface ReportParts {
  readonly verification: Verification;
  readonly trust: TrustStore | null;
  readonly scan?: ScanResult | undefined;
  /** Every approval and rejection that is known where the package is to run. */
  readonly reviews?: { readonly stored: readonly StoredApproval[]; readonly standings: Standings } | undefined;
  readonly rebuilds?: { readonly attempts: readonly RebuildAttempt[]; readonly problem?: string };
}

export function reportOf({ verification, trust, scan, reviews, rebuilds }: ReportParts): Report {
  const { ok, claims, checks, seen: { found, statement } } = verification;
  const manifest = manifestOf(verification);
  return {
    ...(manifest && manifestFacts(manifest)),
    ok,
    ...claims,
    checks,
    ...(verification.ok ? {} : failureOf(verification.error)),
    vouched: passed(checks, 'signature-node') && passed(checks, 'signature-tweetnacl'),
    package: found ? { path: found.path, form: found.form, files: found.files.size, bytes: [...found.files.values()].reduce((sum, { length }) => sum + length, 0) } : null,
    trust: trustPathOf(verification, trust),
    release: statement ? { issuedAt: statement.predicate.issuedAt, expiresAt: statement.predicate.expiresAt ?? null, provenance: statement.predicate.provenance ?? null } : null,
    files: filesOf(verification),
    sbom: found && manifest ? readSbom(found.files, manifest) : null,
    scan: scan ?? null,
    reviews: reviews ? reviewsOf(claims.packageDigest, reviews) : [],
    rebuilds: rebuilds?.attempts ?? [],
    ...(rebuilds?.problem === undefined ? {} : { rebuildProblem: rebuilds.problem }),
  };
}

function reviewsOf(packageDigest: string | null, { stored, standings }: NonNullable<ReportParts['reviews']>): ReviewFacts[] {
  const about = stored.filter((each) => each.packageDigest === packageDigest).sort((a, b) => (a.issuedAt < b.issuedAt ? 1 : -1));
  return about.map((each) => {
    const { id, instance, reviewer, keyid, decision, note, grantsDigest, issuedAt, expiresAt = null } = each;
    return { id, instance, reviewer, keyid, decision, note, grantsDigest, issuedAt, expiresAt, problem: problemWith(each, standings) ?? null };
  });
}

const passed = (checks: readonly Check[], name: CheckName) => checks.some((each) => each.name === name && each.ok === true);

function failureOf({ code, message, fix, cause }: GatehouseError): Pick<Report, 'code' | 'message' | 'fix' | 'place'> {
  const { line, column } = cause instanceof GatehouseError ? cause.fields : {};
  return { code, message, fix, ...(typeof line === 'number' && typeof column === 'number' && { place: { line, column } }) };
}

/** What plugin.json says, believed or not; undefined where it cannot be read. Also what a scan holds the bytes against. */
export function manifestOf({ seen: { manifest, found } }: Verification): PluginManifest | undefined {
  const bytes = found?.files.get(MANIFEST_FILE);
  if (manifest || !bytes) return manifest;
  try {
    return readManifest(bytes, MANIFEST_FILE);
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return undefined;
    throw thrown;
  }
}

function trustPathOf({ seen: { signer, envelope }, claims: { id } }: Verification, trust: TrustStore | null): TrustPath | null {
  if (!signer) return null;
  const { publisher, prefixes } = signer;
  const { root, succession } = originOf(signer, trust);
  const inRecord = trust?.records.find((each) => each.source === root.source)?.record.keys ?? [root];
  const keys = succession.length === 0 ? inRecord : [...inRecord, signer];
  return {
    publisher, prefixes, record: root.source, succession,
    matched: prefixes.find((prefix) => id?.startsWith(prefix)) ?? null,
    keys: keys.map(({ keyid, notBefore = null, notAfter = null, development = false }) => ({ keyid, notBefore, notAfter, development, signed: keyid === envelope?.keyid })),
  };
}

/** Back from a key to the record that vouches for it, by the statements in between. */
function originOf(signer: TrustedSigner, trust: TrustStore | null): { readonly root: TrustedSigner; readonly succession: TrustPath['succession'] } {
  const succession: TrustPath['succession'][number][] = [];
  let root = signer;
  while (root.introducedBy !== undefined && !succession.some(({ keyid }) => keyid === root.introducedBy)) {
    const { keyid, introducedBy, source, publisher } = root;
    succession.push({ keyid, introducedBy, statement: source });
    const before = trust?.signers(introducedBy).find((each) => each.publisher === publisher);
    if (!before) break;
    root = before;
  }
  return { root, succession };
}

function filesOf({ seen: { found, statement } }: Verification): FileFacts[] {
  const named = new Map(statement?.subject.map(({ name, digest }) => [name, digest.sha256]));
  const there = [...(found?.files ?? [])].map(([name, content]): FileFacts => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const facts = { name, bytes: content.length, sha256 };
    if (name === ENVELOPE_FILE) return { ...facts, state: 'envelope' };
    if (!statement) return { ...facts, state: 'unknown' };
    const expected = named.get(name);
    if (expected === undefined) return { ...facts, state: 'extra' };
    return expected === sha256 ? { ...facts, state: 'signed' } : { ...facts, state: 'changed', expected };
  });
  const missing = [...named].filter(([name]) => found && !found.files.has(name)).map(([name, expected]): FileFacts => ({ name, bytes: null, sha256: null, state: 'missing', expected }));
  return [...there, ...missing];
}

/** What the plugin is, asks for and can be told, in words a person can decide by. */
function manifestFacts(manifest: PluginManifest) {
  const { id, version, publisher, kind, displayName, description, license, repository = null, securityContact = null, hostApi, capabilities = [], limits = {}, requires = [], channel, tools = [] } = manifest;
  return {
    /** What plugin.json calls itself; `id`, `version` and `publisher` are those of the release. */
    claimed: { id, version, publisher },
    kind, displayName, description, license, repository, securityContact, hostApi, requires,
    capabilities: capabilities.map((each) => ({ ...each, meaning: describeCapability(each) })),
    hooks: hooksInWords(manifest),
    ingress: (channel?.ingress ?? []).map(({ method, path, verify, sender }) => ({ method, path, verify: verify.scheme, meaning: `${describeVerification(verify)}${describeSender(verify, sender)}` })),
    text: channel ? (channel.text ?? 'plain') : undefined,
    tools: tools.map(({ name, description: text, effects }) => ({ name, description: text, effects })),
    limits: limitsOf(limits, {}),
    limitFacts: limitFacts(limits),
    config: settingsOf(manifest.config),
  };
}

export interface LimitFacts {
  readonly limit: keyof Limits;
  readonly value: number;
  /** Whether the manifest asks for it; else it is the default. */
  readonly asked: boolean;
  readonly default: number;
  readonly least: number;
  readonly most: number;
}

function limitFacts(asked: Limits): LimitFacts[] {
  const limits = limitsOf(asked, {});
  return LIMIT_NAMES.map((limit) => ({ limit, value: limits[limit], asked: asked[limit] !== undefined, ...LIMITS[limit] }));
}

