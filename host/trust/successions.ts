// Keys that follow keys: a publisher's old key introduces its next one. Written by `keys succeed`; read with the trust records, to which they add signers and never prefixes.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { KEY_SUCCESSION_PREDICATE_TYPE, KeySuccessionStatement } from '../../schemas/revocation.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Envelope } from './dsse.ts';
import { CLOCK_SKEW_MS, isWithin } from './key-window.ts';
import { readPublicKey, type SigningKey } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import type { RevocationList } from './revocation.ts';
import { believe, openSigned, payloadDigest, writeSigned } from './signed-statement.ts';
import { isInstant } from './statement.ts';
import type { TrustedSigner, TrustStore } from './trust-store.ts';

export const SUCCESSION_SUFFIX = '.dsse.json';
/** Links of one chain, from a key that a record names. */
export const MOST_LINKS = 8;
const MOST_FILES = 256;

/** What the store remembers, by old key: it has introduced one successor, and while it was valid. */
export interface RememberedSuccession {
  readonly publisher: string;
  readonly newKeyid: string;
  /** Of the payload. */
  readonly digest: string;
  readonly acceptedAt: string;
}

export interface Succession {
  readonly publisher: string;
  readonly oldKeyid: string;
  readonly newKeyid: string;
  readonly notBefore: string;
  readonly issuedAt: string;
  readonly digest: string;
  readonly source: string;
}

export interface SuccessionContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What is known to be revoked; a list that cannot be read is no reason to take a key's word back. */
  readonly revocations: RevocationList;
  readonly remembered: (oldKeyid: string) => RememberedSuccession | undefined;
}

export interface Succeeded {
  readonly store: TrustStore;
  /** Those that count, oldest key first. */
  readonly accepted: readonly Succession[];
  readonly refused: readonly { readonly source: string; readonly error: GatehouseError }[];
  /** The same for the operator. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface SuccessionFile {
  readonly source: string;
  readonly bytes: Uint8Array;
}

/** Every `*.dsse.json` of the folder; one that is not there holds none. What cannot be read is reported. */
export async function loadSuccessions(folder: string): Promise<{ readonly files: readonly SuccessionFile[]; readonly diagnostics: readonly Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const files: SuccessionFile[] = [];
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith(SUCCESSION_SUFFIX) && !name.startsWith('.')).sort();
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return { files, diagnostics };
    throw thrown;
  }
  for (const name of names) {
    const source = join(folder, name);
    try {
      if (files.length === MOST_FILES) throw new GatehouseError('KEY_SUCCESSION', { source, problem: `there are more than ${MOST_FILES}` });
      files.push({ source, bytes: await readRegularFile(source) });
    } catch (thrown) {
      diagnostics.push(refusalOf(thrown, source));
    }
  }
  return { files, diagnostics };
}

/**
 * The store with every key that an accepted succession introduces, from the keys of records on, link by link. Where one key introduces two successors that were not
 * here before, neither counts: nobody knows which is meant.
 */
export function withSuccessions(store: TrustStore, files: readonly SuccessionFile[], context: SuccessionContext): Succeeded {
  const refusals: Refusal[] = [];
  const accepted: Succession[] = [];
  const introduced = new Map<string, TrustedSigner>();
  const signersOf = (keyid: string): readonly TrustedSigner[] => {
    const named = store.signers(keyid);
    const heir = introduced.get(keyid);
    return named.length > 0 || !heir ? named : [heir];
  };
  let waiting = files.flatMap((file) => attempt(refusals, file.source, () => ({ ...file, envelope: openSigned(file.bytes, file.source, 'KEY_SUCCESSION') })));
  for (let link = 0; waiting.length > 0 && link < MOST_LINKS; link += 1) {
    const ready = waiting.filter(({ envelope }) => signersOf(envelope.keyid).length > 0);
    waiting = waiting.filter((each) => !ready.includes(each));
    const heirs = ready.flatMap(({ source, envelope }) => attempt(refusals, source, () => judge(source, envelope, signersOf, context)));
    for (const rivals of Map.groupBy(heirs, ({ succession }) => succession.oldKeyid).values()) {
      const [first] = rivals;
      if (!first) continue;
      const differ = rivals.some(({ succession }) => succession.newKeyid !== first.succession.newKeyid);
      for (const { succession, signer } of rivals) {
        const { oldKeyid, newKeyid, source } = succession;
        if (differ) refusals.push({ source, error: refused(source, `${oldKeyid} introduces several successors`) });
        else if (introduced.has(newKeyid) && succession !== first.succession) continue; // said twice
        else if (introduced.has(newKeyid)) refusals.push({ source, error: refused(source, `${newKeyid} was introduced by another key`) });
        else {
          introduced.set(newKeyid, signer);
          accepted.push(succession);
        }
      }
    }
  }
  for (const { source, envelope } of waiting) refusals.push({ source, error: refused(source, `it is signed by ${envelope.keyid}, which is no key of a trusted publisher, nor leads to one within ${MOST_LINKS} links`) });
  return { store: { records: store.records, signers: signersOf }, accepted, refused: refusals, diagnostics: refusals.map(({ source, error }) => refusalOf(error, source)) };
}

function judge(source: string, envelope: Envelope, signersOf: TrustStore['signers'], { now, revocations, remembered }: SuccessionContext): { readonly succession: Succession; readonly signer: TrustedSigner } {
  const refuse = (problem: string): never => {
    throw refused(source, problem);
  };
  const [old, other] = signersOf(envelope.keyid);
  if (!old) return refuse(`it is signed by ${envelope.keyid}, which is not trusted`);
  if (other) return refuse(`${envelope.keyid} is claimed by '${old.publisher}' and by '${other.publisher}'`);
  const digest = payloadDigest(envelope.payload);
  const before = remembered(old.keyid);
  const { predicate, subject } = believe(envelope, { source, schema: KeySuccessionStatement, code: 'KEY_SUCCESSION', publicKey: old.publicKey, isKnown: (each) => each === before?.digest });
  const { publisher, oldKeyid, newKey, notBefore, issuedAt } = predicate;
  if (oldKeyid !== old.keyid) refuse(`it speaks for ${oldKeyid} and is signed by ${old.keyid}`);
  if (publisher !== old.publisher) refuse(`it speaks for '${publisher}', and ${old.keyid} is a key of '${old.publisher}'`);
  const publicKey = publicKeyOf(newKey, refuse);
  if (subject[0]?.name !== publisher || subject[0].digest.sha256 !== rawDigest(publicKey)) refuse('its subject is not the new key');
  for (const time of [notBefore, issuedAt]) if (!isInstant(time)) refuse(`there is no such time as ${time}`);
  if (old.development) refuse('a development key introduces nobody');
  const revoked = revocations.reasonFor({ keyid: old.keyid });
  if (revoked !== undefined) refuse(`${revoked}, and with it every key it introduced`);
  if (signersOf(newKey.keyid).length > 0) refuse(`${newKey.keyid} counts already, by ${signersOf(newKey.keyid).map((each) => each.source).join(', ')}`);
  if (before && before.newKeyid !== newKey.keyid) refuse(`${old.keyid} has introduced ${before.newKeyid} before`);
  if (Date.parse(issuedAt) > now + CLOCK_SKEW_MS) refuse(`it was issued at ${issuedAt}, which is still to come`);
  if (!isWithin(old, Date.parse(issuedAt))) refuse(`${old.keyid} was not valid when it was issued, at ${issuedAt}`);
  // A thief of an expired key can backdate: what was not here while the key was valid comes too late.
  if (before?.digest !== digest && !isWithin(old, now)) refuse(`${old.keyid} is not valid any more, and this was not here while it was`);
  const { prefixes, development } = old;
  return {
    succession: { publisher, oldKeyid, newKeyid: newKey.keyid, notBefore, issuedAt, digest, source },
    signer: { publisher, prefixes, keyid: newKey.keyid, publicKey, notBefore, development, source, introducedBy: oldKeyid },
  };
}

/** What `keys succeed` writes. `now`, `notBefore`: RFC 3339. */
export function writeSuccession(old: SigningKey, heir: Pick<SigningKey, 'keyid' | 'publicKey'>, { issuedAt, notBefore }: { readonly issuedAt: string; readonly notBefore: string }): Buffer {
  const statement: KeySuccessionStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: old.publisher, digest: { sha256: rawDigest(heir.publicKey) } }],
    predicateType: KEY_SUCCESSION_PREDICATE_TYPE,
    predicate: { publisher: old.publisher, oldKeyid: old.keyid, newKey: { keyid: heir.keyid, publicKey: heir.publicKey.toString('base64') }, notBefore, issuedAt },
  };
  return writeSigned(old, statement);
}

const rawDigest = (publicKey: Uint8Array) => createHash('sha256').update(publicKey).digest('hex');

function publicKeyOf({ publicKey, keyid }: { readonly publicKey: string; readonly keyid: string }, refuse: (problem: string) => never): Buffer {
  try {
    return readPublicKey(publicKey, keyid);
  } catch (thrown) {
    return refuse(problemOf(thrown).replace(/\.$/, ''));
  }
}

const refused = (source: string, problem: string) => new GatehouseError('KEY_SUCCESSION', { source, problem });

type Refusal = Succeeded['refused'][number];

function attempt<T>(refusals: Refusal[], source: string, work: () => T): T[] {
  try {
    return [work()];
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    refusals.push({ source, error: thrown });
    return [];
  }
}

function refusalOf(thrown: unknown, source: string): Diagnostic {
  const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('KEY_SUCCESSION', { source, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown });
  return { code: error.code, severity: 'degraded', manifest: source, stage: 'trust', rule: 'key-succession', message: error.message, fix: error.fix };
}
