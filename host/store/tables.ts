// Every table of the store: its name, its key layout, its row and who writes it. Nobody else spells a table name or a key.
import { hash } from 'node:crypto';
import type { ApprovalPredicate } from '../../schemas/approval.ts';
import type { AuditEntry, TreeHead } from '../../schemas/audit.ts';
import type { MessageView, PluginState } from '../../schemas/control.ts';
import type { Grain, StatKind } from '../../schemas/costs.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import type { ConversationId, InstanceId, MessageId, SessionKey } from '../../schemas/ids.ts';
import type { Direction, Message, Room, StageRecord } from '../../schemas/message.ts';
import type { QueueMode } from '../../schemas/policy.ts';
import type { ScanView } from '../../schemas/scan.ts';
import type { ModerationSection, PluginKind } from '../../schemas/plugin-manifest.ts';
import { packEnding, packMessage, unpackEnding, unpackMessage, type StoredEnding, type StoredMessage } from './message-record.ts';
import type { Trigger } from '../../schemas/quarantine.ts';
import type { DeliveryFailure } from '../../schemas/control.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';
import type { Key, Table } from './store.ts';

/** First part of every key that belongs to the operator's organisation; the only one until there are tenants. */
export const TENANT = 'default';

type Parts = readonly (string | number)[];
/** The leading parts of a key: what a range may be restricted to. */
type Leading<P extends Parts> = P extends readonly [...infer First extends Parts, string | number] ? P | Leading<First> : P;

/** A table and its key layout. Host tables have no tenant in their keys: they speak of this machine's store, or of bytes alone. */
export interface TableDeclaration<Row, P extends Parts> extends Table<Row> {
  /** For people: the key parts in order. */
  readonly layout: string;
  /** For people: the only parts of the host that write it. */
  readonly writtenBy: string;
  key(...parts: P): Key;
  /** All keys that start with these parts; none means the whole table. */
  prefix(...parts: Leading<P>): Key;
}

type Packing<Row> = Pick<Table<Row>, 'pack' | 'unpack'>;

function tenantTable<Row, P extends Parts>(name: string, layout: string, writtenBy: string, packing: Packing<Row> = {}): TableDeclaration<Row, P> {
  return { ...packing, name, layout: `[tenant, ${layout}]`, writtenBy, key: (...parts) => [TENANT, ...parts], prefix: (...parts) => [TENANT, ...parts] };
}

function hostTable<Row, P extends Parts>(name: string, layout: string, writtenBy: string): TableDeclaration<Row, P> {
  return { name, layout: `[${layout}]`, writtenBy, key: (...parts) => parts, prefix: (...parts) => parts };
}

// ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A message with everything known about it; `MessageView` is what the control plane shows of it. */
export interface MessageRow extends Omit<MessageView, 'id' | 'instance' | 'conversation' | 'thread' | 'text' | 'media' | 'flags' | 'stages' | 'remoteIds'>, Pick<Message, 'command' | 'wasMentioned' | 'repliesToBot'> {
  readonly id: MessageId;
  readonly instance: InstanceId;
  readonly conversation: ConversationId;
  readonly thread?: string;
  readonly text: string;
  readonly mentions: readonly string[];
  readonly media: readonly MediaBlock[];
  /** What the sender marked as quoted: the sender's own id. */
  readonly replyTo?: string;
  readonly sessionKey: SessionKey;
  readonly flags: readonly string[];
  readonly stages: readonly StageRecord[];
  /** Outbound: the host's id of the message it answers (`inReplyTo` is the sender's own id of it). */
  readonly answers?: string;
  readonly code?: string;
  readonly reason?: string;
  /** Its place in its conversation when that is not its id. */
  readonly place?: string;
  /** The dead letter it was put back to work from; removed by the commit that ends the work well. */
  readonly letter?: string;
  /** Outbound: the message that it edits, or reacts to. */
  readonly edits?: string;
  readonly reacts?: string;
  /** Outbound: what the remote calls it, one for each piece it left in, where that is known. */
  readonly remoteIds?: readonly string[];
  /** W3C `traceparent` of the work that stored it, where that was sampled: its trace goes on from there, also in another process. */
  readonly trace?: string;
}

export const messages = tenantTable<MessageRow, [messageId: string]>('messages', 'messageId', 'pipeline: accept, respond, settle; operator sends', { pack: packMessage, unpack: unpackMessage });

/** The same rows as they are stored, for whoever looks at many and shows few: most of the work of reading one is its record of stages. */
export const packedMessages = tenantTable<StoredMessage, [messageId: string]>(messages.name, 'messageId', messages.writtenBy);

export interface ConversationRow {
  readonly direction: Direction;
  /** When it is not the place. */
  readonly messageId?: string;
}

/**
 * The order of a conversation, of what is over. A reply gets its id in the commit that stores it, and the id is its place. Whatever had its id earlier gets a place
 * of its own with that commit, or a reader whose cursor is past the id by then would never see it.
 */
export const conversations = tenantTable<ConversationRow, [instance: string, conversation: string, place: string]>('conversations', 'instance, conversation, place (the message id, or a later UUIDv7)', 'pipeline: accept, respond, settle; operator sends');

/** What became of a sender's message id. `denied` is the content-free tombstone: nothing of the message, only hash, decision and reason. */
export interface DedupeRow {
  readonly messageId: string | null;
  readonly outcome: 'accepted' | 'denied' | 'held';
  readonly code?: string;
  readonly reason?: string;
  readonly atMs: number;
}

/** Keys come from `dedupeKey`. */
export const dedupe = tenantTable<DedupeRow, [instance: string, keyHash: string]>('dedupe', 'instance, sha256(conversation, senderMessageId)', 'pipeline: accept, moderate; the sweeper after 7 days');

/** One layout for every outcome, hashed because a denial may keep nothing of the message; so one read answers "seen before?". */
export function dedupeKey(instance: string, conversation: string, senderMessageId: string): Key {
  return dedupe.key(instance, hash('sha256', JSON.stringify([conversation, senderMessageId]), 'hex'));
}

export interface SessionRow {
  readonly startedAt: string;
  readonly lastAt: string;
  readonly messages: number;
  /** 1 when absent; one more with every reset. */
  readonly generation?: number;
}

/** Keys come from `session-keys.ts`. */
export const sessions = tenantTable<SessionRow, [sessionKey: string]>('sessions', 'sessionKey', 'pipeline: accept; operator: reset');

/** A place from which somebody wrote. */
export interface Route {
  readonly instance: InstanceId;
  readonly conversation: ConversationId;
  readonly thread?: string;
  readonly account?: string;
  readonly atMs: number;
}

/** The latest first. */
export interface RouteRow {
  readonly routes: readonly Route[];
}

export const routes = tenantTable<RouteRow, [target: string]>('routes', 'session key, or @identity:<name>', 'pipeline: accept; the sweeper');

/** A place as its channel tells of it. */
export interface RoomRow {
  readonly kind: Room['kind'];
  readonly name?: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** How many rows it has in `participants`. */
  readonly participants: number;
}

export const rooms = tenantTable<RoomRow, [instance: string, conversation: string]>('rooms', 'instance, conversation', 'pipeline: accept; the sweeper');

/** Somebody who spoke there. */
export interface ParticipantRow {
  readonly name?: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export const participants = tenantTable<ParticipantRow, [instance: string, conversation: string, sender: string]>('participants', 'instance, conversation, sender', 'pipeline: accept; the sweeper, with its room');

// ── Work that waits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// Both queues are keyed by time alone, not by conversation: rows come in at the end and go near the front, so however many conversations there are, the same
// few pages are touched. Within a lane the order is the same.

/** An accepted message waiting for its answer; removed by the commit that answers it. */
export interface LaneRow {
  readonly sessionKey: SessionKey;
  /** A command of the host: it waits beside the lane of its session. */
  readonly aside?: true;
  readonly messageId: MessageId;
  readonly attempts: number;
  /** Those of the attempts that failed in the work itself. */
  readonly failures?: number;
  /** Epoch milliseconds before which it is not tried. */
  readonly notBeforeMs?: number;
  /** It waits for others, from the moment in its place on: so long nobody may have written. */
  readonly debounceMs?: number;
  /** First of a run whose try has failed: how many messages that run takes. */
  readonly taken?: number;
  /** Its message was dropped, and the next run is told of it: how many dropped messages it stands for. */
  readonly dropped?: number;
}

export const lanes = tenantTable<LaneRow, [place: string]>('lanes', 'place (UUIDv7 given by the commit that accepts, so that order is the order of commits)', 'pipeline: accept, respond');

/** The mode an operator gave the lane of one session. */
export interface QueueModeRow {
  readonly mode: QueueMode;
}

export const queueModes = tenantTable<QueueModeRow, [sessionKey: string]>('queueModes', 'sessionKey', 'operator: queue mode');

/** An outbound message waiting to be sent; removed by settle. */
export interface DeliveryRow {
  readonly instance: InstanceId;
  readonly conversation: ConversationId;
  readonly attempts: number;
  readonly failures?: number;
  readonly notBeforeMs?: number;
  readonly progress?: DeliveryProgress;
  /** Epoch milliseconds since when it waits, where that is not the moment in its id: it was replayed. */
  readonly sinceMs?: number;
}

/** What earlier tries at a delivery came to. */
export interface DeliveryProgress {
  /** Its actions that are performed, named by their content; they are not performed again. */
  readonly done?: readonly string[];
  /** Tries that failed at the remote; `failures` counts them too. */
  readonly remote?: number;
  /** Tries that only waited for quota or room. */
  readonly postponed?: number;
  /** Tries that the remote answered with “too many”. */
  readonly limited?: number;
  /** A try may have arrived, and no later one has found out. */
  readonly doubtful?: true;
  /** Of a message that leaves in pieces: how many are sent, and the limits it was cut by. They hold until all are, whatever the operator says meanwhile. */
  readonly pieces?: { readonly sent: number; readonly of: number; readonly limits: TextLimits };
  /** What the remote calls what is sent of it. */
  readonly remoteIds?: readonly string[];
  /** How the last try failed. After `unknown` a channel that can is asked whether the remote has it. */
  readonly failed?: { readonly class: DeliveryFailure; readonly problem: string };
}

/** The remote of an instance asked to be left alone until then. */
export interface PauseRow {
  readonly untilMs: number;
}

export const pauses = tenantTable<PauseRow, [instance: string]>('pauses', 'instance', 'pipeline: a try that failed');

export const deliveries = tenantTable<DeliveryRow, [messageId: string]>('deliveries', 'messageId', 'pipeline: respond, settle; operator sends');

/** Work that ended without success. The message itself stays in `messages`; `work` names the queue a replay puts it back into. */
export interface DeadLetterRow {
  readonly id: string;
  readonly messageId: MessageId;
  readonly instance: InstanceId;
  readonly conversation: ConversationId;
  readonly direction: Direction;
  readonly work:
    | { readonly kind: 'respond'; readonly sessionKey: SessionKey; readonly aside?: true }
    /** What of it was done stays done: a replay goes on behind it. */
    | ({ readonly kind: 'deliver' } & Pick<DeliveryProgress, 'done' | 'pieces' | 'remoteIds' | 'failed'>);
  readonly stage: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly at: string;
  /** The plugin instance that had the work when it ended. */
  readonly by?: string;
  /** How often it was put back to work. */
  readonly replays?: number;
  /** Put back to work then, and not over yet: the letter goes with the commit that ends the work well. */
  readonly replayedAt?: string;
}

export const deadLetters = tenantTable<DeadLetterRow, [id: string]>('deadLetters', 'id', 'pipeline: respond, settle; operator: replay, drop; the sweeper');

/** A dead letter that an operator wants replayed, among many: the replay worker takes them up one after the other. */
export interface LetterReplayRow {
  /** Guards were overruled. */
  readonly force: boolean;
  readonly actor: string;
}

export const letterReplays = tenantTable<LetterReplayRow, [letterId: string]>('letterReplays', 'dead letter id', 'operator: replay of many; the replay worker');

/** A message committed before moderation because its gate is quarantined with `onQuarantine: "hold"`. */
export interface HeldRow {
  readonly instance: string;
  /** Last part of its dedupe key. */
  readonly keyHash: string;
  /** The message as `held-seal.ts` seals it: a gate may still refuse it, and free pages of a store keep what was removed. */
  readonly sealed: string;
  readonly sizeBytes: number;
  readonly heldAtMs: number;
}

export const held = tenantTable<HeldRow, [gate: string, messageId: string]>('held', 'gate instance, messageId', 'pipeline: hold, release');

// ── What plugins own ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface KvRow {
  readonly value: unknown;
  /** What the entry counts against the quota: key and value as JSON, in UTF-8 bytes. */
  readonly sizeBytes: number;
}

export const kv = tenantTable<KvRow, [instance: string, key: string]>('kv', 'instance, key', 'capability kv, inside respond’s commit');

export interface KvUsageRow {
  readonly bytes: number;
}

export const kvUsage = tenantTable<KvUsageRow, [instance: string]>('kvUsage', 'instance', 'capability kv, with each kv write');

// ── The life of plugins ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Where an instance stands; survives restarts so that quarantine and disable do. */
export interface PluginRow {
  readonly plugin: string;
  /** Null while nothing genuine is known of it. */
  readonly kind: PluginKind | null;
  /** What it moderates: a gate whose package cannot be read any more still has to deny. */
  readonly moderation?: ModerationSection;
  readonly version: string | null;
  readonly digest: string | null;
  readonly state: PluginState;
  readonly actor: string;
  readonly reason: string;
  readonly code?: string;
  readonly message?: string;
  readonly at: string;
  /** The highest version this instance ever ran: less is a rollback. */
  readonly highestVersion: string | null;
  /** Who signed what it was last taken up with, and another whom an operator agreed to since. Absent before anything was taken up. */
  readonly signer?: { readonly keyid: string; readonly development: boolean; readonly agreed?: string };
  /** Epoch milliseconds of recent strikes, oldest first. */
  readonly strikesAtMs: readonly number[];
  /** Released from quarantine, and waiting for approvals since. */
  readonly isReturning?: true;
  /** Present while quarantined. */
  readonly quarantine?: { readonly at: string; readonly actor: string; readonly reason: string; readonly code: string; readonly evidenceDigest?: string; readonly trigger?: Trigger };
}

export const plugins = tenantTable<PluginRow, [instance: string]>('plugins', 'instance', 'registry');

export interface TransitionRow {
  readonly from: PluginState;
  readonly to: PluginState;
  readonly actor: string;
  readonly reason: string;
  readonly code?: string;
  readonly evidenceDigest?: string;
  readonly at: string;
}

export const transitions = tenantTable<TransitionRow, [instance: string, id: string]>('transitions', 'instance, id (UUIDv7)', 'registry; bounded per instance');

export interface VersionRow {
  readonly digest: string;
  /** When it last became active. */
  readonly seenAt: string;
}

export const versions = tenantTable<VersionRow, [plugin: string, version: string]>('versions', 'plugin, version', 'registry, when an instance becomes active');

export interface VerificationRow {
  readonly verifiedAt: string;
}

/** Package digests whose signature a second, independent implementation has confirmed. */
export const verifications = hostTable<VerificationRow, [packageDigest: string]>('verifications', 'packageDigest', 'registry, after verifying');

// ── Trust that was taken back, or handed on ─────────────────────────────────────────────────────────────────────────────────

/** What was revoked once stays so until somebody lifts it, whatever the lists say later. */
export interface RevocationRow {
  readonly keyid?: string;
  readonly digest?: string;
  readonly id?: string;
  readonly range?: string;
  readonly reason?: string;
  /** When it was revoked, by its list, or else when it was first seen. */
  readonly at: string;
  /** `file`, `list:<issuer>`, or who asked. */
  readonly by: string;
}

export const revocations = hostTable<RevocationRow, [id: string]>('revocations', 'key, digest or plugin with range, as text', 'registry: a look at the home; operator: revoke, lift');

/** The newest signed list of an issuer: an older one is refused. */
export interface RevocationListRow {
  readonly sequence: number;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly digest: string;
}

export const revocationLists = hostTable<RevocationListRow, [issuer: string]>('revocationLists', 'issuer', 'registry: a look at the home');

/** The one key that a key has introduced. */
export interface KeySuccessionRow {
  readonly publisher: string;
  readonly newKeyid: string;
  readonly digest: string;
  readonly acceptedAt: string;
}

export const keySuccessions = hostTable<KeySuccessionRow, [oldKeyid: string]>('keySuccessions', 'key id of the old key', 'registry: a look at the home');

export interface SightingRow {
  /** Epoch milliseconds. */
  readonly firstSeenMs: number;
}

/** When this host first saw each release. */
export const sightings = hostTable<SightingRow, [packageDigest: string]>('sightings', 'packageDigest', 'registry, with each look at the home');

/** An approval or rejection that a look has found, or one that was taken back: putting its file back does not revive it, and taking the file of a rejection away does not end it. */
export interface ApprovalRow {
  /** RFC 3339. */
  readonly seenAt: string;
  readonly rejection?: RejectionRow;
  readonly revoked?: { readonly at: string; readonly actor: string; readonly reason: string };
}

/** What a reviewer signed, and when the key counts. */
export interface RejectionRow extends ApprovalPredicate {
  /** `<plugin id>-<version>`. */
  readonly subject: string;
  readonly keyid: string;
  /** Where it was, relative to the home. */
  readonly file: string;
  readonly key: { readonly notBefore?: string; readonly notAfter?: string };
}

export const approvals = hostTable<ApprovalRow, [approvalId: string]>('approvals', 'approvalId', 'registry, at a look that finds it or its revocation');
/** What the scanner said of a package. */
export type ScanRow = Omit<ScanView, 'id'>;

export const scans = tenantTable<ScanRow, [id: string]>('scans', 'id (UUIDv7)', 'registry, with each look at the home; bounded per plugin');

/** The operator's lists as they were last told of in the transparency log, each entry as `<kind>: <what>`. */
export interface TrustListsRow {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly at: string;
}

export const trustLists = hostTable<TrustListsRow, [which: 'latest']>('trustLists', 'which', 'registry: a look at the home');

// ── The host ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TokenRow {
  readonly id: string;
  /** Hex sha256 of the secret half. */
  readonly secretSha256: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
  /** To the minute. */
  readonly lastUsedAt?: string;
  /** The token that took its place. */
  readonly rotatedTo?: string;
}

export const tokens = tenantTable<TokenRow, [tokenId: string]>('tokens', 'tokenId', 'control plane');

/** A mutation of the API that came with a key of its own. */
export interface RequestKeyRow {
  /** When it came first. */
  readonly atMs: number;
  readonly method: string;
  /** Below /api/v1, with `:name` for parameters. */
  readonly path: string;
  /** Hex sha256 of what was asked. */
  readonly fingerprint: string;
  /** `gone`: it was carried out, and its answer is not kept. */
  readonly state: 'begun' | 'answered' | 'gone';
  /** What it made, written by the commit that made it. */
  readonly bound?: string;
  /** JSON. */
  readonly answer?: string;
}

export const requestKeys = tenantTable<RequestKeyRow, [tokenId: string, keyHash: string]>('requestKeys', 'tokenId, sha256(key)', 'control plane; operator sends; bounded, for a day');

/** host.json as it was at one time. */
export interface ConfigRow {
  readonly at: string;
  readonly actor: string;
  readonly hash: string;
  readonly text: string;
  readonly reason?: string;
}

export const configs = tenantTable<ConfigRow, [id: string]>('configs', 'id (UUIDv7)', 'config desk; bounded');

/** Somebody who asked to speak to a channel instance, or was invited to. */
export interface PairingRow {
  readonly instance: string;
  /** Who was paired with one plugin is a stranger to another that takes its name. */
  readonly plugin: string;
  readonly state: 'pending' | 'approved' | 'denied' | 'revoked';
  /** As the channel named them. Absent for who came by an invite and has said nothing yet. */
  readonly sender?: { readonly id: string; readonly name?: string };
  /** `code`, or `invite:<id>`. */
  readonly via: string;
  readonly requestedAt: string;
  /** While it is pending. */
  readonly code?: { readonly salt: string; readonly sha256: string; readonly expiresAtMs: number };
  readonly decidedAt?: string;
  readonly decidedBy?: string;
}

export const pairings = tenantTable<PairingRow, [id: string]>('pairings', 'hex sha256 of instance, plugin and who, 32 digits', 'pairing: admit, the operator, an invite; the sweeper');

/** Which of them wait for an operator: few for each instance, so that strangers cannot fill the store. */
export interface PendingPairingRow {
  readonly expiresAtMs: number;
}

export const pendingPairings = tenantTable<PendingPairingRow, [instance: string, id: string]>('pendingPairings', 'instance, pairing', 'pairing: admit, the operator; the sweeper');

/** A secret that lets so many conversations in. */
export interface InviteRow {
  readonly instance: string;
  readonly plugin: string;
  /** Hex sha256 of the secret half. */
  readonly secretSha256: string;
  readonly label?: string;
  readonly uses: number;
  readonly used: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAtMs: number;
  readonly withdrawnAt?: string;
}

export const invites = tenantTable<InviteRow, [id: string]>('invites', 'id, sixteen hex digits', 'pairing: the operator, who redeems one; the sweeper');

/** A try at a migration that has not come to its end: which opening of the store it was, and the name of the copy from before it. */
interface MigratingRow {
  readonly epoch: number;
  readonly copy: string;
}

/** What the wall clock said, in epoch milliseconds: when it was believed last, and when anybody looked. `waitedMs`: for so long it has been doubted. */
export interface ClockRow {
  readonly believedMs: number;
  readonly seenMs: number;
  readonly waitedMs?: number;
}

export type MetaRow = { readonly schema: number } | { readonly epoch: number } | MigratingRow | ClockRow | { readonly generation: number };

/** Facts about the store itself. */
export const meta = hostTable<MetaRow, [fact: 'schema' | 'epoch' | 'migrating' | 'clock' | 'sessions']>('meta', 'fact', 'store: opening, migrations; pipeline: the doubt of the clock, the generation of forgotten sessions');

export interface EgressBytesRow {
  /** UTC, `2026-11-21`. */
  readonly day: string;
  readonly bytes: number;
}

/** What each instance has sent and received today; rows of days that are over go once a day. */
export const egressBytes = tenantTable<EgressBytesRow, [instance: string]>('egressBytes', 'instance', 'egress, once a second');

/** How one plugin, tool or channel did in one hour or UTC day, and what it cost. Whole numbers throughout. */
export interface RollupRow {
  readonly ok: number;
  readonly failed: number;
  readonly denied: number;
  /** Of a plugin: calls that reached its code. */
  readonly calls: number;
  readonly codes: Readonly<Record<string, number>>;
  readonly cpuUs: number;
  readonly wallUs: number;
  readonly hostCalls: number;
  readonly egressBytes: number;
  readonly kvBytes: number;
}

/** Ordered by time within a grain, so that a period is a range and what is over lies in front. */
export const rollups = tenantTable<RollupRow, [grain: Grain, start: string, by: StatKind, name: string]>('rollups', 'grain (hour or day), its beginning (RFC 3339), plugin or tool or channel, name', 'costs, once a second');

/** A file that messages carry; its bytes are in `data/media`, named by the digest. */
export interface MediaRow {
  readonly sizeBytes: number;
  /** Found in its bytes. */
  readonly mimeType: string;
  readonly width?: number;
  readonly height?: number;
  readonly firstAtMs: number;
}

export const media = hostTable<MediaRow, [digest: string]>('media', 'hex sha256 of the bytes', 'pipeline: accept; the sweeper');

/** For whom a file is kept. One that nobody uses goes with the next sweep. */
export interface MediaUseRow {
  readonly sizeBytes: number;
  /** When a message brought it last. */
  readonly lastAtMs: number;
}

export const mediaUses = tenantTable<MediaUseRow, [digest: string, instance: string]>('mediaUses', 'hex sha256 of the bytes, instance', 'pipeline: accept; the sweeper');

/** A skill that was handed a file in a message: it may send it on, as it may repeat a text. Goes with the file. */
export interface MediaReaderRow {
  readonly atMs: number;
}

export const mediaReaders = tenantTable<MediaReaderRow, [digest: string, skill: string]>('mediaReaders', 'hex sha256 of the bytes, skill instance', 'pipeline: respond; the sweeper');

/** How a message ended for good: an inbound one answered or not, an outbound one delivered. */
export interface EndingRow extends Pick<MessageRow, 'outcome' | 'stages' | 'place' | 'code' | 'remoteIds' | 'ranWith' | 'collected' | 'dropped'> {}

/** Beside the message, so that its text is written once: rows of one moment lie together, and are small. Read both with `readMessage` or `withEnding`. */
export const endings = tenantTable<EndingRow, [messageId: string]>('endings', 'messageId', 'pipeline: respond, settle', { pack: packEnding, unpack: unpackEnding });

/** As `packedMessages`. */
export const packedEndings = tenantTable<StoredEnding, [messageId: string]>(endings.name, 'messageId', endings.writtenBy);

/** A signed request that was taken. */
export interface ReplayRow {
  /** Epoch milliseconds: until then its own time would let it pass once more. */
  readonly untilMs: number;
}

export const replays = tenantTable<ReplayRow, [instance: string, digest: string]>('replays', 'instance, sha256 of what was signed', 'ingress, for routes that declare a time; the sweeper after that');

/** An entry of the transparency log as its leaf was hashed: `JSON.stringify` of `entry` gives those bytes again. */
export interface AuditEntryRow {
  readonly entry: AuditEntry;
  /** Base64 of the leaf hash. */
  readonly leaf: string;
}

/** Keys come from `auditKey`. */
export const auditEntries = hostTable<AuditEntryRow, [place: string]>('auditEntries', 'index, sixteen digits', 'transparency log');

export const auditKey = (index: number): Key => auditEntries.key(String(index).padStart(16, '0'));

/** Base64 of the hash of a complete subtree of two or more leaves: `level` l covers 2^l leaves. Leaves themselves are in `auditEntries`. */
export const auditNodes = hostTable<string, [level: number, index: number]>('auditNodes', 'level, index', 'transparency log, with the entry that completes it');

/** The tree head of the last commit to the log. */
export const auditHeads = hostTable<TreeHead, [which: 'latest']>('auditHeads', 'which', 'transparency log, with every entry');

/** A file of the home as the transparency log last told of it. */
export interface AuditFileRow {
  readonly digest: string;
}

export const auditFiles = hostTable<AuditFileRow, [path: string]>('auditFiles', 'path below the home', 'home record, with the entry that tells of it');

/** Every table there is; the engine opens exactly these. */
export const TABLES: readonly TableDeclaration<unknown, never>[] = [
  meta, messages, conversations, dedupe, sessions, lanes, queueModes, deliveries, pauses, deadLetters, letterReplays, held,
  kv, kvUsage, plugins, transitions, versions, revocations, revocationLists, keySuccessions, routes, rooms, participants, verifications, sightings, scans, tokens, requestKeys, configs, egressBytes, rollups, endings, replays, media, mediaUses, mediaReaders,
  auditEntries, auditNodes, auditHeads, auditFiles, approvals, trustLists, pairings, pendingPairings, invites,
];
