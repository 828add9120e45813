// What reviewers sign and how the host knows them: approval statements, reviewers' trust records, their key files, and the list of approvals that were taken back.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest, InstanceName, KeyId, Publisher, Timestamp } from './ids.ts';
import { rawKey } from './release.ts';

export const APPROVAL_PREDICATE_TYPE = 'https://gatehouse.dev/plugin-approval/v1';

/** A person who reviews; the name of a trust record. */
export const Reviewer = Type.String({ ...Publisher });
export type Reviewer = Static<typeof Reviewer>;

/** First half of sha256 over the exact signed statement, in hex: the same approval has the same id however its envelope is written. */
export const ApprovalId = Type.String({ pattern: '^[0-9a-f]{32}$', description: '32 hexadecimal digits in lower case' });
export type ApprovalId = Static<typeof ApprovalId>;

export const ApprovalDecision = oneOf('approve', 'reject');
export type ApprovalDecision = Static<typeof ApprovalDecision>;

/** `packageDigest` and `grantsDigest` say what was seen; an approval counts for exactly that, in exactly this instance. */
export const ApprovalPredicate = closed({
  packageDigest: Digest,
  grantsDigest: Digest,
  signedBy: Type.Optional({ ...KeyId, description: 'Whose release was seen; the same content signed by another key is then not approved. `approve` always writes it.' }),
  instance: InstanceName,
  reviewer: Reviewer,
  decision: ApprovalDecision,
  note: text(2000, { minLength: 1 }),
  issuedAt: Timestamp,
  expiresAt: Type.Optional(Timestamp),
});
export type ApprovalPredicate = Static<typeof ApprovalPredicate>;

/** in-toto Statement v1; the one subject is the package, `<plugin id>-<version>` with the hex of its package digest. */
export const ApprovalStatement = closed(
  {
    _type: Type.Literal('https://in-toto.io/Statement/v1'),
    subject: Type.Array(closed({ name: text(200, { minLength: 1 }), digest: closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }) }), { minItems: 1, maxItems: 1 }),
    predicateType: Type.Literal(APPROVAL_PREDICATE_TYPE),
    predicate: ApprovalPredicate,
  },
  { title: 'Gatehouse plugin approval' },
);
export type ApprovalStatement = Static<typeof ApprovalStatement>;

const ReviewerKey = closed({ keyid: KeyId, publicKey: rawKey, notBefore: Type.Optional(Timestamp), notAfter: Type.Optional(Timestamp) });

/** `manifests/trust/reviewers/<reviewer>.json`; all keys of a record are one person's. */
export const ReviewerRecord = closed({ $schema: Type.Optional(text(300)), reviewer: Reviewer, keys: Type.Array(ReviewerKey, { minItems: 1, maxItems: 16 }) }, { title: 'Gatehouse reviewer trust record' });
export type ReviewerRecord = Static<typeof ReviewerRecord>;

const base64 = (bytes: number) => Type.String({ minLength: Math.ceil(bytes / 3) * 4, maxLength: Math.ceil(bytes / 3) * 4, description: `${bytes} bytes in standard padded base64.` });

/** The private half is sealed with a passphrase. The cost is bounded on both sides: below it guessing is cheap, above it a changed file could make a machine work for ever. */
export const SealedKeyFile = closed(
  {
    reviewer: Reviewer,
    keyid: KeyId,
    publicKey: rawKey,
    kdf: closed({ name: Type.Literal('scrypt'), n: Type.Unsafe<number>(Type.Integer({ enum: [2 ** 17, 2 ** 18, 2 ** 19, 2 ** 20] })), r: Type.Literal(8), p: whole(1, 4), salt: base64(32) }),
    cipher: closed({ name: Type.Literal('chacha20-poly1305'), nonce: base64(12) }),
    sealed: base64(48),
  },
  { title: 'Gatehouse sealed reviewer key' },
);
export type SealedKeyFile = Static<typeof SealedKeyFile>;

/** `manifests/approvals/revoked.json`: approvals and rejections that were taken back; putting the file of one back does not revive it. */
export const RevokedApprovals = closed(
  {
    $schema: Type.Optional(text(300)),
    revoked: Type.Array(closed({ id: ApprovalId, at: Timestamp, actor: text(200, { minLength: 1 }), reason: text(1000, { minLength: 1 }) }), { maxItems: 10_000 }),
  },
  { title: 'Gatehouse revoked approvals' },
);
export type RevokedApprovals = Static<typeof RevokedApprovals>;
