// Signed releases and trust: DSSE envelope, in-toto statement, key files, trust records.
import { Type, type Static } from 'typebox';
import { closed, text } from './closed.ts';
import { KeyId, PluginId, Publisher, Timestamp, Version } from './ids.ts';

/** DSSE v1 (https://github.com/secure-systems-lab/dsse); exactly one signature, standard padded base64. */
export const DsseEnvelope = closed({
  payloadType: Type.Literal('application/vnd.in-toto+json'),
  payload: Type.String({ minLength: 4 }),
  signatures: Type.Array(closed({ keyid: KeyId, sig: Type.String({ minLength: 88, maxLength: 88 }) }), { minItems: 1, maxItems: 1 }),
});
export type DsseEnvelope = Static<typeof DsseEnvelope>;

export const RELEASE_PREDICATE_TYPE = 'https://gatehouse.dev/plugin-release/v1';

/** Where a release was made from, as its publisher says: which repository, which commit, and what built it. It is a claim until somebody rebuilds it; `verify --rebuild` does. */
export const Provenance = closed({
  source: Type.String({ pattern: '^https?://[a-z0-9.-]+(:\\d{1,5})?(/[A-Za-z0-9._~+-]+)+/?$', maxLength: 300, description: 'the address of a repository, as https://git.example/acme/weather: no user, query or fragment' }),
  commit: Type.String({ pattern: '^([0-9a-f]{40}|[0-9a-f]{64})$', description: 'a whole commit id: 40 or 64 hexadecimal digits in lower case' }),
  builder: Type.Optional(Type.String({ pattern: '^[ -~]{1,200}$', maxLength: 200, description: 'what built it, in 1 to 200 printable ASCII characters' })),
});
export type Provenance = Static<typeof Provenance>;

/** in-toto Statement v1 (https://in-toto.io/Statement/v1); `subject` names every file but the envelope, bytewise sorted. */
export const ReleaseStatement = closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject: Type.Array(closed({ name: text(500, { minLength: 1 }), digest: closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }) }), { minItems: 1, maxItems: 1000 }),
  predicateType: Type.Literal(RELEASE_PREDICATE_TYPE),
  predicate: closed({ id: PluginId, version: Version, publisher: Publisher, issuedAt: Timestamp, expiresAt: Type.Optional(Timestamp), provenance: Type.Optional(Provenance) }),
});
export type ReleaseStatement = Static<typeof ReleaseStatement>;

/** A raw Ed25519 key. */
export const rawKey = Type.String({ minLength: 44, maxLength: 44, description: '32 bytes in standard padded base64.' });

export const KeyFile = closed({ publisher: Publisher, keyid: KeyId, publicKey: rawKey, privateKey: rawKey });
export type KeyFile = Static<typeof KeyFile>;

export const TrustedKey = closed({ keyid: KeyId, publicKey: rawKey, notBefore: Type.Optional(Timestamp), notAfter: Type.Optional(Timestamp), development: Type.Optional(Type.Boolean()) });
export type TrustedKey = Static<typeof TrustedKey>;

export const TrustRecord = closed(
  {
    $schema: Type.Optional(text(300)),
    publisher: Publisher,
    prefixes: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}\\.([a-z][a-z0-9-]{0,39}\\.){0,3}$', maxLength: 130, description: 'the beginning of plugin ids with its dot, as acme.' }), { minItems: 1, maxItems: 64 }),
    keys: Type.Array(TrustedKey, { minItems: 1, maxItems: 64 }),
  },
  { title: 'Gatehouse publisher trust record' },
);
export type TrustRecord = Static<typeof TrustRecord>;
