// The transparency log as it crosses borders: entries, signed tree heads, proofs, the lines of an export and the verdict on one.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { KeyId, Timestamp } from './ids.ts';

/** Dotted lower-case words, the thing before what was done to it: `plugin.quarantine`, `approval.add`, `api.plugins.disable`. */
export const AuditAction = Type.String({ pattern: '^[a-z][a-z0-9-]*(\\.[a-z0-9-]+)*$', maxLength: 100, description: 'dotted words in lower case, as plugin.quarantine' });

/** `begun`: an operator's action is about to be carried out; its end follows as an entry of its own. `refused`: by policy or because it made no sense. `failed`: by a fault. */
export const AuditOutcome = oneOf('begun', 'done', 'refused', 'failed');
export type AuditOutcome = Static<typeof AuditOutcome>;

/** What more there is to say: flat, bounded, never a secret and never the text of a message. */
export const AuditDetail = Type.Record(Type.String({ pattern: '^[a-zA-Z][a-zA-Z0-9]{0,39}$' }), Type.Union([text(1000), Type.Number(), Type.Boolean(), Type.Null(), Type.Array(text(200), { maxItems: 50 })]), { maxProperties: 20 });
export type AuditDetail = Static<typeof AuditDetail>;

const index = whole(0, Number.MAX_SAFE_INTEGER);
const sha256Hex = Type.String({ pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits in lower case' });
const signature = Type.String({ minLength: 88, maxLength: 88, description: '64 bytes in standard padded base64' });
const rawKey = Type.String({ minLength: 44, maxLength: 44, description: '32 bytes in standard padded base64' });

/** One entry. Its leaf in the tree is the UTF-8 of exactly this object as `JSON.stringify` writes it, keys in this order. */
export const AuditEntry = closed(
  {
    index,
    at: Timestamp,
    /** `host`, `file` (somebody edited the home), `command line` (while no host ran), `reviewer:<name>` (who signed an approval), or `token:<id>`. */
    actor: text(200),
    action: AuditAction,
    /** What it was done to: an instance, a file of the home, a path of the API. */
    resource: text(500),
    outcome: AuditOutcome,
    detail: Type.Optional(AuditDetail),
  },
  { title: 'Gatehouse audit entry' },
);
export type AuditEntry = Static<typeof AuditEntry>;

/** The whole log in one hash, signed by the host's log key over the text of `host/trust/log/tree-head.ts`. */
export const TreeHead = closed({ size: index, root: sha256Hex, at: Timestamp, keyid: KeyId, signature }, { title: 'Gatehouse audit tree head' });
export type TreeHead = Static<typeof TreeHead>;

export const AuditHead = closed({ ...TreeHead.properties, publicKey: rawKey }, { title: 'Gatehouse audit tree head with its key' });
export type AuditHead = Static<typeof AuditHead>;

/** RFC 6962 §2.1.1: `path` leads from the leaf to the root. Whoever has the entry, the path and a head they believe needs nobody else. */
export const AuditProof = closed({ format: Type.Literal('gatehouse-audit-proof/1'), entry: AuditEntry, leaf: sha256Hex, path: Type.Array(sha256Hex, { maxItems: 64 }), head: AuditHead }, { title: 'Gatehouse audit inclusion proof' });
export type AuditProof = Static<typeof AuditProof>;

/** RFC 6962 §2.1.2: the log of `first` entries is the beginning of the one of `head.size`. */
export const AuditConsistency = closed({ first: index, path: Type.Array(sha256Hex, { maxItems: 128 }), head: AuditHead }, { title: 'Gatehouse audit consistency proof' });
export type AuditConsistency = Static<typeof AuditConsistency>;

/** `manifests/trust/log.json`: whose tree heads count for this home. One key for each data directory that ran it. */
export const LogTrust = closed({ $schema: Type.Optional(text(300)), keys: Type.Array(closed({ keyid: KeyId, publicKey: rawKey, since: Timestamp }), { minItems: 1, maxItems: 64 }) }, { title: 'Gatehouse log keys' });
export type LogTrust = Static<typeof LogTrust>;

// ---- An export: one line of JSON each, exactly as `JSON.stringify` writes them: header, then entries with a checkpoint after each block of them, then the tree head.

export const EXPORT_FORMAT = 'gatehouse-audit/1';
/** Entries between two checkpoints. */
export const BLOCK_ENTRIES = 256;

export const ExportHeader = closed({ format: Type.Literal(EXPORT_FORMAT), keyid: KeyId, publicKey: rawKey });
export type ExportHeader = Static<typeof ExportHeader>;

/** Signed like a head, but never taken for one. `leaves` are the leaf hashes of the block before it: they say which of its entries is wrong. */
export const ExportCheckpoint = closed({ checkpoint: closed({ size: index, root: sha256Hex, signature, leaves: Type.Array(sha256Hex, { minItems: 1, maxItems: BLOCK_ENTRIES }) }) });
export type ExportCheckpoint = Static<typeof ExportCheckpoint>;

export const ExportEnd = closed({ head: TreeHead });
export type ExportEnd = Static<typeof ExportEnd>;

// ---- What verifying comes to

export const AuditFault = closed({
  kind: oneOf('edited', 'missing', 'moved', 'inserted', 'unconfirmed', 'header', 'checkpoint', 'head', 'cut', 'truncated', 'rewritten', 'malformed'),
  /** Line of the file, from 1. */
  line: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  /** Entries it is about, both included. */
  from: Type.Optional(index),
  to: Type.Optional(index),
  message: text(1000),
});
export type AuditFault = Static<typeof AuditFault>;

export const AuditVerdict = closed({
  ok: Type.Boolean(),
  /** Entries that are confirmed. */
  entries: index,
  root: Type.Union([sha256Hex, Type.Null()]),
  /** What the verdict rests on: a key named on the command line, the home's log.json, or nothing but the file itself. */
  anchor: closed({ kind: oneOf('key', 'home', 'none'), keyid: Type.Union([KeyId, Type.Null()]), source: text(1000) }),
  remembered: Type.Union([closed({ size: index, root: sha256Hex, at: Timestamp }), Type.Null()]),
  faults: Type.Array(AuditFault),
  notes: Type.Array(text(1000)),
});
export type AuditVerdict = Static<typeof AuditVerdict>;
