// What no longer counts: the operator's list of revocations, lists that somebody signs for many hosts, who may sign them, and keys that follow keys.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest, KeyId, PluginId, Publisher, Timestamp, VersionRange } from './ids.ts';
import { rawKey } from './release.ts';

/** Why and when; for people, and for the record. */
const about = { reason: Type.Optional(text(500)), at: Type.Optional(Timestamp) };

const revoked = (keys: number, digests: number, plugins: number) => ({
  keys: Type.Optional(Type.Array(Type.Union([KeyId, closed({ keyid: KeyId, ...about })]), { maxItems: keys })),
  digests: Type.Optional(Type.Array(Type.Union([Digest, closed({ digest: Digest, ...about })]), { maxItems: digests })),
  plugins: Type.Optional(Type.Array(closed({ id: PluginId, range: VersionRange, ...about }), { maxItems: plugins })),
});

/** `manifests/trust/revocations.json`: keys and digests as plain text, or with reason and time. */
export const Revocations = closed({ $schema: Type.Optional(text(300)), ...revoked(10_000, 100_000, 10_000) }, { title: 'Gatehouse revocations' });
export type Revocations = Static<typeof Revocations>;

export const REVOCATION_LIST_PREDICATE_TYPE = 'https://gatehouse.dev/revocation-list/v1';

const subject = Type.Array(closed({ name: text(500, { minLength: 1 }), digest: closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }) }), { minItems: 1, maxItems: 1 });

/** A list of revocations that a revoker signs; the subject is its issuer, with the digest of the predicate's canonical JSON (RFC 8785). */
export const RevocationListStatement = closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject,
  predicateType: Type.Literal(REVOCATION_LIST_PREDICATE_TYPE),
  predicate: closed({
    issuer: Publisher,
    sequence: whole(1, Number.MAX_SAFE_INTEGER, { description: 'One more with every list; a host never goes back.' }),
    issuedAt: Timestamp,
    expiresAt: Timestamp,
    ...revoked(1000, 5000, 1000),
  }),
});
export type RevocationListStatement = Static<typeof RevocationListStatement>;

export const KEY_SUCCESSION_PREDICATE_TYPE = 'https://gatehouse.dev/key-succession/v1';

/** A publisher's old key introduces the next; the subject is the publisher, with the digest of the new raw key. */
export const KeySuccessionStatement = closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject,
  predicateType: Type.Literal(KEY_SUCCESSION_PREDICATE_TYPE),
  predicate: closed({ publisher: Publisher, oldKeyid: KeyId, newKey: closed({ keyid: KeyId, publicKey: rawKey }), notBefore: Timestamp, issuedAt: Timestamp }),
});
export type KeySuccessionStatement = Static<typeof KeySuccessionStatement>;

/** `manifests/trust/revokers/<revoker>.json`: whose signed lists count. */
export const RevokerRecord = closed(
  {
    $schema: Type.Optional(text(300)),
    revoker: Publisher,
    keys: Type.Array(closed({ keyid: KeyId, publicKey: rawKey, notBefore: Type.Optional(Timestamp), notAfter: Type.Optional(Timestamp) }), { minItems: 1, maxItems: 16 }),
  },
  { title: 'Gatehouse revoker record' },
);
export type RevokerRecord = Static<typeof RevokerRecord>;

/** What is revoked: exactly one of key, digest, and plugin with range. */
const target = { keyid: Type.Optional(KeyId), digest: Type.Optional(Digest), plugin: Type.Optional(PluginId), range: Type.Optional(VersionRange) };

/** Body of `POST /api/v1/revocations` and of `…/lift`. */
export const RevocationBody = closed({ ...target, reason: text(500, { minLength: 1, pattern: '\\S', description: 'text that says something' }) });
export type RevocationBody = Static<typeof RevocationBody>;

/** One thing that is revoked, with who said so first. */
export const RevocationView = closed({
  id: text(400),
  kind: oneOf('key', 'digest', 'plugin'),
  ...target,
  reason: Type.Union([Type.String(), Type.Null()]),
  at: Timestamp,
  by: text(200, { description: '`file`, `list:<issuer>`, or who asked.' }),
  listed: Type.Union([text(200), Type.Null()], { description: 'Where it stands now: `file`, or `list:<issuer>`; null where no list names it any more. It counts all the same.' }),
});
export type RevocationView = Static<typeof RevocationView>;

/** What a revocation, or its lifting, came to. */
export const RevocationResult = closed({
  revocation: RevocationView,
  written: Type.Boolean({ description: 'Whether manifests/trust/revocations.json says so, too; where it cannot be written, the store alone remembers.' }),
  stopped: Type.Array(text(64), { description: 'Instances that ran until now.' }),
  started: Type.Array(text(64), { description: 'Instances that run since.' }),
});
export type RevocationResult = Static<typeof RevocationResult>;
