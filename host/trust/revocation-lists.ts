// Lists of revocations that somebody signs for many hosts: written by `trust sign-revocations`, read by registry/revocations.ts. Their numbers only go up, and they expire, so that nobody can hold one back for long.
import { createHash } from 'node:crypto';
import { REVOCATION_LIST_PREDICATE_TYPE, RevocationListStatement } from '../../schemas/revocation.ts';
import { GatehouseError } from '../errors.ts';
import { canonicalJson } from './canonical-json.ts';
import { CLOCK_SKEW_MS, isWithin } from './key-window.ts';
import type { SigningKey } from './keys.ts';
import { revocationsIn, wrongRange, type Revocation } from './revocation.ts';
import type { Revokers } from './revokers.ts';
import { believe, openSigned, payloadDigest, writeSigned } from './signed-statement.ts';
import { isInstant } from './statement.ts';

/** What the store remembers of an issuer's newest list. */
export interface RememberedList {
  readonly sequence: number;
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** Of the payload: a second list with the same number is somebody's fraud. */
  readonly digest: string;
}

export interface SignedList extends RememberedList {
  readonly issuer: string;
  readonly keyid: string;
  readonly revocations: readonly Revocation[];
  readonly source: string;
}

export interface ListContext {
  readonly source: string;
  readonly revokers: Revokers;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly remembered: (issuer: string) => RememberedList | undefined;
  /** Why a key counts no more, if so. */
  readonly revokedKey: (keyid: string) => string | undefined;
}

/** A list that counts. An expired one does, too: that it is stale is the caller's to say. Throws REVOCATION_LIST. */
export function readSignedList(bytes: Uint8Array, { source, revokers, now, remembered, revokedKey }: ListContext): SignedList {
  const refuse = (problem: string): never => {
    throw new GatehouseError('REVOCATION_LIST', { source, problem });
  };
  const envelope = openSigned(bytes, source, 'REVOCATION_LIST');
  const { keyid, payload } = envelope;
  const key = revokers.key(keyid) ?? refuse(`it is signed by ${keyid}, which no record in manifests/trust/revokers names`);
  const why = revokedKey(keyid);
  if (why !== undefined) refuse(why);
  const digest = payloadDigest(payload);
  const before = remembered(key.revoker);
  const { predicate, subject } = believe(envelope, { source, schema: RevocationListStatement, code: 'REVOCATION_LIST', publicKey: key.publicKey, isKnown: (each) => each === before?.digest });
  const { issuer, sequence, issuedAt, expiresAt, ...revoked } = predicate;
  if (issuer !== key.revoker) refuse(`it calls itself a list of '${issuer}', and ${keyid} is a key of '${key.revoker}'`);
  if (subject[0]?.name !== issuer || subject[0].digest.sha256 !== predicateDigest(predicate)) refuse('its subject is not its content');
  for (const time of [issuedAt, expiresAt]) if (!isInstant(time)) refuse(`there is no such time as ${time}`);
  if (issuedAt >= expiresAt) refuse('it expires before it is issued');
  if (Date.parse(issuedAt) > now + CLOCK_SKEW_MS) refuse(`it was issued at ${issuedAt}, which is still to come`);
  if (!isWithin(key, now) || !isWithin(key, Date.parse(issuedAt))) refuse(`the key ${keyid} is valid from ${key.notBefore ?? 'the beginning'} to ${key.notAfter ?? 'further notice'}`);
  const range = wrongRange(revoked);
  if (range !== undefined) refuse(`'${range}' is not a semver range`);
  if (before && sequence < before.sequence) refuse(`it is number ${sequence} of '${issuer}', and number ${before.sequence} was here before`);
  if (before?.sequence === sequence && before.digest !== digest) refuse(`another list with the number ${sequence} of '${issuer}' was here before`);
  return { issuer, keyid, sequence, issuedAt, expiresAt, digest, source, revocations: revocationsIn(revoked) };
}

export type ListContent = Omit<RevocationListStatement['predicate'], 'issuer'>;

/** The signed list as its file stands; the key's name is the issuer. */
export function writeSignedList(key: SigningKey, content: ListContent): Buffer {
  const predicate: RevocationListStatement['predicate'] = { issuer: key.publisher, ...content };
  const statement: RevocationListStatement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: key.publisher, digest: { sha256: predicateDigest(predicate) } }],
    predicateType: REVOCATION_LIST_PREDICATE_TYPE,
    predicate,
  };
  return writeSigned(key, statement);
}

const predicateDigest = (predicate: RevocationListStatement['predicate']) => createHash('sha256').update(canonicalJson(predicate)).digest('hex');
