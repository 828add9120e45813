// The verdict on a package: may these exact bytes run here? Each question is one check; nothing inside is believed before its signature holds. Used by the registry, `verify` and `inspect`.
import { createHash } from 'node:crypto';
import semver from 'semver';
import type { Profile } from '../../schemas/host-config.ts';
import { HOST_API_VERSION, type PluginManifest } from '../../schemas/plugin-manifest.ts';
import type { Provenance, ReleaseStatement } from '../../schemas/release.ts';
import { toTimestamp } from '../clock.ts';
import { GatehouseError, type ErrorCode, type Fields } from '../errors.ts';
import { newCheckList, type Check, type CheckList } from './checks.ts';
import { ENVELOPE_FILE, preAuthEncoding, readEnvelope, type Envelope } from './dsse.ts';
import { isWithin } from './key-window.ts';
import { isCanonicalSignature, verifyWithNode, verifyWithTweetnacl } from './keys.ts';
import { readManifest } from './manifest.ts';
import { MANIFEST_FILE, SCRIPT_FILE } from './package-names.ts';
import { readPackage, type PackageFiles } from './package.ts';
import type { RevocationList } from './revocation.ts';
import { packageDigest, readStatement, subjectOf } from './statement.ts';
import type { TrustStore, TrustedSigner } from './trust-store.ts';

export interface VerifyOptions {
  /** null where no operator's trust is at hand: everything that needs a public key is then not checked. Never null where the release is to run. */
  readonly trust: TrustStore | null;
  readonly revocations: RevocationList | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether TweetNaCl is asked each time, or once per envelope; `digest` is `sha256:` over the envelope's exact bytes, which bind signature, key and content. */
  readonly secondOpinion: 'always' | { known(digest: string): boolean; remember(digest: string): void };
  readonly profile: Profile;
  readonly strict: boolean;
}

/** A release whose every check passed. `files` and `source` are the verified bytes, and the bytes that run. */
export interface VerifiedRelease {
  readonly manifest: PluginManifest;
  readonly packageDigest: string;
  readonly keyid: string;
  readonly publisher: string;
  /** Signed with a development key. */
  readonly development: boolean;
  readonly issuedAt: string;
  readonly expiresAt?: string;
  /** What the publisher says it was made from. */
  readonly provenance?: Provenance;
  /** The text of plugin.js. */
  readonly source: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly path: string;
}

/** What the package says of itself, for reports; null where it was not read. Believe it only beside `ok: true`. */
export interface Claims {
  readonly packageDigest: string | null;
  readonly id: string | null;
  readonly version: string | null;
  readonly publisher: string | null;
  readonly keyid: string | null;
}

/** What the examination came upon, as far as it got; for reports. What stands behind a failed or missing check is no more than a claim. */
export interface Seen {
  readonly found?: PackageFiles;
  readonly envelope?: Envelope;
  readonly statement?: ReleaseStatement;
  readonly manifest?: PluginManifest;
  /** Whose key the signature was held against. */
  readonly signer?: TrustedSigner;
}

export type Verification = { readonly checks: readonly Check[]; readonly claims: Claims; readonly seen: Seen } & (
  | { readonly ok: true; readonly release: VerifiedRelease }
  | { readonly ok: false; readonly error: GatehouseError }
);

/** Examines a package, folder or .tgz, by the checks of checks.ts. Refusals are values; only a defect throws. */
export async function verifyPackage(path: string, options: VerifyOptions): Promise<Verification> {
  const checks = newCheckList();
  const claims: { -readonly [Key in keyof Claims]: Claims[Key] } = { packageDigest: null, id: null, version: null, publisher: null, keyid: null };
  const seen: { -readonly [Key in keyof Seen]: Seen[Key] } = {};
  try {
    const found = (seen.found = await checks.runAsync('package', () => readPackage(path), describePackage));
    const subject = subjectOf(found.files);
    const digest = (claims.packageDigest = packageDigest(subject));
    const envelope = (seen.envelope = checks.run('envelope', () => envelopeOf(found), ({ keyid }) => `one signature, by ${keyid}`));
    claims.keyid = envelope.keyid;
    const signers = checkSignature(envelope, found, options, checks);
    seen.signer = signers[0];

    const statement = (seen.statement = checks.run('statement', () => readStatement(envelope.payload, path), describeStatement));
    const { id, version, publisher, issuedAt, expiresAt, provenance } = statement.predicate;
    Object.assign(claims, { id, version, publisher });
    checks.run('files', () => checkFiles(subject, statement, path), () => `exactly the ${subject.length} files that the release names`);
    const manifest = (seen.manifest = checks.run('manifest', () => readManifest(contentOf(found, MANIFEST_FILE), MANIFEST_FILE), ({ kind, displayName }) => `${kind} '${displayName}'`));
    checks.run('identity', () => checkIdentity(statement, manifest, path), () => 'statement and manifest agree');

    const signer = (seen.signer = signers.find((each) => each.publisher === publisher) ?? signers[0]);
    checkRules({ statement, manifest, digest, keyid: envelope.keyid, signer }, options, checks);
    if (checks.failure) return { ok: false, error: checks.failure, checks: checks.list(), claims, seen };
    const release: VerifiedRelease = {
      manifest, packageDigest: digest, keyid: envelope.keyid, publisher, development: signer?.development ?? false, issuedAt, ...(expiresAt === undefined ? {} : { expiresAt }), ...(provenance && { provenance }),
      source: contentOf(found, SCRIPT_FILE).toString('utf8'), files: found.files, path: found.path,
    };
    return { ok: true, release, checks: checks.list(), claims, seen };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { ok: false, error: thrown, checks: checks.list(), claims, seen };
  }
}

const NO_TRUST = 'no trust records were given, and without the public key nobody can tell';

/** The signers of a key whose signature holds, by both opinions; none where nobody's trust was given. */
function checkSignature(envelope: Envelope, found: PackageFiles, { trust, secondOpinion }: VerifyOptions, checks: CheckList): readonly TrustedSigner[] {
  if (!trust) {
    checks.skip(['trust', 'signature-node', 'signature-tweetnacl', 'prefix', 'key-valid', 'development'], NO_TRUST);
    return [];
  }
  const { keyid, signature, payload } = envelope;
  const signers = trust.signers(keyid);
  const { publicKey } = checks.run('trust', () => signers[0] ?? refuseKey(nameFrom(found), keyid, trust), () => signers.map(({ publisher, source }) => `publisher '${publisher}' (${source})`).join(', '));
  const message = preAuthEncoding(payload);
  const agrees = (verify: typeof verifyWithNode) => verify(publicKey, message, signature);
  const disputed = (accepting: string, refusing: string) => refuse('SIGNATURE_DISPUTED', { plugin: nameFrom(found).plugin, keyid, accepting, refusing, expected: 'one answer of both implementations', found: `yes of ${accepting}, no of ${refusing}` });
  checks.run('signature-node', () => {
    if (agrees(verifyWithNode)) return;
    if (agrees(verifyWithTweetnacl)) disputed('tweetnacl', 'node:crypto');
    refuseSignature(nameFrom(found).plugin, envelope);
  }, () => 'verified by node:crypto');
  const digest = `sha256:${createHash('sha256').update(contentOf(found, ENVELOPE_FILE)).digest('hex')}`;
  const known = secondOpinion !== 'always' && secondOpinion.known(digest);
  checks.run('signature-tweetnacl', () => known || agrees(verifyWithTweetnacl) || disputed('node:crypto', 'tweetnacl'), () => (known ? 'verified by tweetnacl when this envelope was first seen' : 'verified by tweetnacl'));
  if (secondOpinion !== 'always' && !known) secondOpinion.remember(digest);
  return signers;
}

function envelopeOf({ files, path }: PackageFiles): Envelope {
  const bytes = files.get(ENVELOPE_FILE) ?? refuse('RELEASE_UNSIGNED', { source: path, expected: ENVELOPE_FILE, found: [...files.keys()].slice(0, 20).join(', ') });
  return readEnvelope(bytes, path);
}

function checkFiles(actual: ReleaseStatement['subject'], { subject: named }: ReleaseStatement, source: string): void {
  const found = new Map(actual.map(({ name, digest }) => [name, digest.sha256]));
  for (const { name, digest } of named) {
    const sha256 = found.get(name);
    if (sha256 === undefined) refuse('RELEASE_FILES', { source, problem: `${JSON.stringify(name)} is missing`, file: name, expected: `sha256:${digest.sha256}`, found: 'no such file' });
    if (sha256 !== digest.sha256) refuse('RELEASE_FILES', { source, problem: `${JSON.stringify(name)} was changed: sha256 ${digest.sha256} was signed, ${sha256} is there`, file: name, expected: `sha256:${digest.sha256}`, found: `sha256:${sha256}` });
    found.delete(name);
  }
  const [extra] = found;
  if (extra !== undefined) refuse('RELEASE_FILES', { source, problem: `${JSON.stringify(extra[0])} is not part of the release`, file: extra[0], expected: 'no such file', found: `sha256:${extra[1]}` });
}

function checkIdentity({ predicate }: ReleaseStatement, manifest: PluginManifest, source: string): void {
  const name = (each: { id: string; version: string; publisher: string }) => `'${each.id}' ${each.version} of '${each.publisher}'`;
  if (name(predicate) !== name(manifest)) refuse('RELEASE_IDENTITY', { source, claimed: name(predicate), expected: name(predicate), found: name(manifest) });
}

interface Subject {
  readonly statement: ReleaseStatement;
  readonly manifest: PluginManifest;
  readonly digest: string;
  readonly keyid: string;
  /** Absent when no trust was given. */
  readonly signer: TrustedSigner | undefined;
}

/** What the operator's rules say of a release whose content is known to be its publisher's. */
function checkRules({ statement, manifest, digest, keyid, signer }: Subject, { revocations, now, profile, strict }: VerifyOptions, checks: CheckList): void {
  const { id, version, publisher, issuedAt, expiresAt } = statement.predicate;
  if (signer) {
    const prefixes = signer.prefixes.join(', ');
    const mayName = signer.publisher === publisher && signer.prefixes.some((prefix) => id.startsWith(prefix));
    checks.rule('prefix', mayName, `'${signer.publisher}' may sign ${prefixes}`, 'KEY_PREFIX', { plugin: id, keyid, publisher: signer.publisher, prefixes, expected: `an id of '${signer.publisher}' under ${prefixes}`, found: `'${id}' of '${publisher}'` });
    const { notBefore = 'the beginning', notAfter = 'further notice' } = signer;
    // A thief of an old key can backdate a release, so the window must hold the present as well as the day of issue (attack 105 freeze).
    const inWindow = isWithin(signer, now) && isWithin(signer, Date.parse(issuedAt));
    checks.rule('key-valid', inWindow, `from ${notBefore} to ${notAfter}`, 'KEY_EXPIRED', { keyid, notBefore, notAfter, issuedAt, expected: `from ${notBefore} to ${notAfter}`, found: `issued ${issuedAt}, and it is ${toTimestamp(now)}` });
    const acceptable = !signer.development || (profile === 'local' && !strict);
    checks.rule('development', acceptable, signer.development ? 'a development key, good for this profile only' : 'not a development key', 'KEY_DEVELOPMENT', { plugin: id, keyid, profile, strict, expected: 'a publisher key, or profile local without strict', found: `a development key in profile ${profile}${strict ? ', strict' : ''}` });
  }
  checks.rule('expiry', expiresAt === undefined || now < Date.parse(expiresAt), expiresAt === undefined ? 'never expires' : `expires ${expiresAt}`, 'RELEASE_EXPIRED', { plugin: id, expiresAt, expected: `a time before ${expiresAt}`, found: toTimestamp(now) });
  if (revocations) {
    const reason = revocations.reasonFor({ keyid, digest, id, version });
    checks.rule('revocation', reason === undefined, 'neither key, digest nor version is revoked', 'REVOKED', { plugin: id, problem: reason, expected: 'not revoked', found: reason });
  } else {
    checks.skip(['revocation'], 'no revocation list was given');
  }
  checks.rule('hostApi', semver.satisfies(HOST_API_VERSION, manifest.hostApi), `${manifest.hostApi} holds ${HOST_API_VERSION}`, 'HOST_API_MISMATCH', { plugin: id, range: manifest.hostApi, offered: HOST_API_VERSION, expected: manifest.hostApi, found: HOST_API_VERSION });
}

/** Which keys could have signed it, of the publisher that it claims to come from. */
function refuseKey(named: { readonly plugin: string; readonly publisher: string }, keyid: string, { records }: TrustStore): never {
  const keys = records.flatMap(({ record }) => (record.publisher === named.publisher ? record.keys.map((key) => key.keyid) : []));
  const known = keys.length === 0 ? `there is no record of '${named.publisher}'` : `its keys are ${keys.join(', ')}`;
  return refuse('KEY_UNTRUSTED', { ...named, keyid, known, expected: keys.length === 0 ? `a trust record of '${named.publisher}' with ${keyid}` : keys.join(', '), found: keyid });
}

function refuseSignature(plugin: string, { keyid, payload, signature }: Envelope): never {
  const hash = createHash('sha256').update(payload).digest('hex');
  const problem = isCanonicalSignature(signature) ? `it is not over the payload with sha256 ${hash}` : 'it is not in the one form of a signature (RFC 8032 §5.1.7)';
  return refuse('RELEASE_SIGNATURE', { plugin, keyid, problem, expected: `a signature by ${keyid} over sha256:${hash}`, found: signature.toString('base64') });
}

/** What a package that cannot be believed calls itself, for messages only. */
function nameFrom(found: PackageFiles): { plugin: string; publisher: string } {
  try {
    const { id, publisher } = readManifest(contentOf(found, MANIFEST_FILE), MANIFEST_FILE);
    return { plugin: id, publisher };
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return { plugin: found.path, publisher: 'unknown' };
    throw thrown;
  }
}

function contentOf({ files, path }: PackageFiles, name: string): Buffer {
  return files.get(name) ?? refuse('PACKAGE_INVALID', { source: path, problem: `it has no ${name}` });
}

function describePackage({ files }: PackageFiles): string {
  return `${files.size} files, ${[...files.values()].reduce((sum, content) => sum + content.length, 0)} bytes`;
}

function describeStatement({ predicate }: ReleaseStatement): string {
  return `release of ${predicate.id} ${predicate.version} by ${predicate.publisher}, issued ${predicate.issuedAt}`;
}

function refuse(code: ErrorCode, fields: Fields): never {
  throw new GatehouseError(code, fields);
}
