// Bodies of the control plane: what scripts and the command line exchange with a running host.
import { Type, type Static } from 'typebox';
import { ABILITIES } from './abilities.ts';
import { ApprovalDecision, ApprovalId, Reviewer } from './approval.ts';
import { DirectoryResult } from './channel.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { Digest, InstanceName, KeyId, PluginId, Timestamp } from './ids.ts';
import { MEDIA_PER_MESSAGE, MediaBlock } from './media.ts';
import { Direction, Outcome, provenance, Room, Sender, Session, StageRecord } from './message.ts';
import { EffectiveLimits } from './plugin-manifest.ts';
import { HealthPolicy, QueueMode } from './policy.ts';
import { RebuildVerdict } from './rebuild.ts';
import { Provenance } from './release.ts';
import { ScanOutcome, ScanRisk } from './scan.ts';
import { TextLimits } from './text-limits.ts';
import { Grant } from './capability.ts';

export const Severity = oneOf('fatal', 'degraded', 'warning');

/** One finding about configuration, packages or trust; codes are stable and listed in docs/errors.md. */
export const Diagnostic = closed({
  code: text(100),
  severity: Severity,
  plugin: Type.Optional(text(200)),
  instance: Type.Optional(text(200)),
  manifest: Type.Optional(text(1000)),
  stage: text(40),
  rule: text(100),
  message: text(4000),
  fix: text(2000),
});
export type Diagnostic = Static<typeof Diagnostic>;

export const PluginState = oneOf(
  'discovered', 'verified', 'scanned', 'pending-approval', 'approved', 'starting', 'active', 'impaired', 'backoff',
  'hibernated', 'draining', 'stopped', 'disabled', 'rejected', 'quarantined', 'revoked',
);
export type PluginState = Static<typeof PluginState>;

/** One thing that took effect at a look at the home while the host runs. */
export const ReloadChange = closed({
  kind: oneOf('added', 'removed', 'enabled', 'disabled', 'upgraded', 'reconfigured', 'narrowed', 'drifted', 'condemned', 'revoked', 'withdrawn'),
  instance: InstanceName,
  from: Type.Optional(text(64, { description: 'Version, of an upgrade.' })),
  to: Type.Optional(text(64)),
  what: Type.Optional(Type.Array(text(100), { maxItems: 64, description: 'Settings that changed.' })),
});
export type ReloadChange = Static<typeof ReloadChange>;

/** `POST /api/v1/reload`. */
export const ReloadView = closed({
  at: Timestamp,
  durationMs: Type.Number({ minimum: 0 }),
  changes: Type.Array(ReloadChange),
  refused: Type.Array(Diagnostic, { description: 'What the files say and is not taken up.' }),
});
export type ReloadView = Static<typeof ReloadView>;

/** When its sandbox is started again. Delays in milliseconds, each a fifth more or less. */
export const RetryView = closed({
  firstDelayMs: Type.Number({ minimum: 0, description: 'Before the second restart of a row; the first comes at once, each further one doubles it.' }),
  mostDelayMs: Type.Number({ minimum: 0 }),
  stableMs: Type.Number({ minimum: 0, description: 'Up for so long, it begins a new row.' }),
  strikes: whole(1, 1000, { description: 'So many within `windowMs` end in quarantine.' }),
  windowMs: Type.Number({ minimum: 0 }),
});
export type RetryView = Static<typeof RetryView>;

const counter = whole(0, Number.MAX_SAFE_INTEGER);

/** One name that a channel's service knows. */
export const DirectoryItem = DirectoryResult.properties.items.items;
export type DirectoryItem = Static<typeof DirectoryItem>;

/** Of a channel: what it can do, and how it does. */
export const ChannelView = closed({
  declared: Type.Array(oneOf(...ABILITIES), { description: 'What its manifest says.' }),
  effective: Type.Array(oneOf(...ABILITIES), { description: 'Declared, and there: what the host makes use of. Empty before its first sandbox.' }),
  without: Type.Record(text(40), text(200), { description: 'What holds in the place of each ability it lacks.' }),
  tries: Type.Optional(Type.Record(oneOf('failed', 'away', 'remote', 'postponed', 'limited'), closed({ attempts: whole(1, 1000), firstMs: counter, mostMs: counter }), { description: 'How often a delivery is tried and how long it waits, by what went wrong; rooms may say otherwise of `remote`.' })),
  limits: Type.Optional(TextLimits),
  health: Type.Optional(closed({ policy: Type.Required(HealthPolicy), healthy: Type.Boolean(), failures: counter, probes: counter, reconnects: counter, problem: Type.Optional(text(4000)) })),
});
export type ChannelView = Static<typeof ChannelView>;

export const PluginView = closed({
  instance: InstanceName,
  plugin: PluginId,
  kind: Type.Union([text(40), Type.Null()]),
  version: Type.Union([text(64), Type.Null()]),
  digest: Type.Union([Digest, Type.Null()]),
  state: PluginState,
  required: Type.Boolean(),
  grants: Type.Array(Grant),
  restarts: whole(0, Number.MAX_SAFE_INTEGER),
  strikes: whole(0, Number.MAX_SAFE_INTEGER),
  cpuMs: Type.Number({ minimum: 0 }),
  calls: whole(0, Number.MAX_SAFE_INTEGER),
  grantsDigest: Type.Optional({ ...Digest, description: 'Of all that its files give it: grants with every origin filled in, limits, secrets by reference, ingress verification, onQuarantine. Approvals are bound to it.' }),
  scan: Type.Optional(closed({ outcome: ScanOutcome, risk: ScanRisk, findings: whole(0, 1000), at: Timestamp }, { description: 'What the scanner says of its package.' })),
  startPosition: Type.Optional(whole(1, 1_000_000, { description: 'Its place among those the host starts: required ones first, then by order, then by id.' })),
  limits: Type.Optional(EffectiveLimits),
  madeFrom: Type.Optional({ ...Provenance, description: 'The repository and commit its publisher says it was made from.' }),
  rebuild: Type.Optional(closed({ verdict: RebuildVerdict, at: Timestamp }, { description: 'The newest verdict of building its package again from source.' })),
  retry: Type.Optional(RetryView),
  channel: Type.Optional(ChannelView),
  code: Type.Optional(text(100)),
  message: Type.Optional(text(4000)),
  diagnostics: Type.Optional(Type.Array(Diagnostic, { description: 'What its files say and is not taken up.' })),
});
export type PluginView = Static<typeof PluginView>;

export const MessageView = closed({
  id: text(64),
  instance: InstanceName,
  conversation: text(256),
  sender: Sender,
  direction: Direction,
  outcome: Outcome,
  text: Type.Optional(Type.String()),
  media: Type.Optional(Type.Array(MediaBlock, { maxItems: MEDIA_PER_MESSAGE })),
  senderMessageId: Type.Optional(text(256)),
  inReplyTo: Type.Optional(text(256)),
  room: Type.Optional(Room),
  thread: Type.Optional(text(256)),
  account: Type.Optional(text(256)),
  at: Timestamp,
  senderVerified: Type.Optional(Type.Literal(true)),
  /** Sends of plugins between this message and one from outside; absent when there are none. */
  hops: Type.Optional(whole(1, 1000)),
  /** The message whose run ended this one: with an answer to both, or because it came later. */
  ranWith: Type.Optional(text(64)),
  /** Of a message that ran for others: how many it stood for, itself included, and how many were dropped before it. */
  collected: Type.Optional(whole(2, 1_000_000)),
  dropped: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  code: Type.Optional(text(100)),
  remoteIds: Type.Optional(Type.Array(text(256), { description: 'What the remote calls it, one for each piece it left in.' })),
  flags: Type.Optional(Type.Array(text(100))),
  ...provenance,
  stages: Type.Optional(Type.Array(StageRecord)),
});
export type MessageView = Static<typeof MessageView>;

const amount = whole(0, Number.MAX_SAFE_INTEGER);

/** What one plugin instance took of a message's way. */
export const PluginCost = closed({ instance: InstanceName, calls: whole(1, Number.MAX_SAFE_INTEGER), wallMs: Type.Number({ minimum: 0 }), cpuMs: Type.Number({ minimum: 0 }), hostCalls: amount, egressBytes: amount, kvBytes: amount });
export type PluginCost = Static<typeof PluginCost>;

/** One message with its whole walk: what each stage decided, what plugins cost, and the replies with theirs. */
export const MessageDetail = closed({
  ...MessageView.properties,
  costs: Type.Array(PluginCost, { description: 'By instance, the dearest first; replies included.' }),
  replies: Type.Optional(Type.Array(MessageView, { description: 'Of an inbound message: what was said to it.' })),
});
export type MessageDetail = Static<typeof MessageDetail>;

/** Where a lane stands: in work, waiting for its turn, or until a moment. `stuck` is in work and has made no step for too long. */
export const LaneState = oneOf('running', 'stuck', 'ready', 'delayed');
export type LaneState = Static<typeof LaneState>;

/** The ordered work of one session, while there is any. */
export const LaneView = closed({
  session: text(600),
  mode: QueueMode,
  state: LaneState,
  depth: whole(0, Number.MAX_SAFE_INTEGER, { description: 'Messages in it: waiting, in work, and on their way in.' }),
  first: Type.Optional(text(64, { description: 'The message in work, or the next one.' })),
  runningSince: Type.Optional(Timestamp),
  nextTryAt: Type.Optional(Timestamp),
});
export type LaneView = Static<typeof LaneView>;

/** `POST /api/v1/lanes/:key/mode`: null goes back to what the policy says. */
export const LaneModeBody = closed({ mode: Type.Union([QueueMode, Type.Null()]) });

/** How the messages of a session wait from now on. */
export const LaneModeView = closed({ session: text(600), mode: Type.Union([QueueMode, Type.Null()]) });
export type LaneModeView = Static<typeof LaneModeView>;

/** Whether there was a run to end. */
export const LaneInterrupted = closed({ session: text(600), interrupted: Type.Boolean() });
export type LaneInterrupted = Static<typeof LaneInterrupted>;

/**
 * What a failed try at a delivery says about the next one. `retryable`: nothing has happened. `rate-limited`: too much for now, of the remote's quota or the host's; nobody's failure.
 * `terminal`: it would be refused again. `unknown`: it may have been carried out all the same.
 */
export const DeliveryFailure = oneOf('retryable', 'rate-limited', 'terminal', 'unknown');
export type DeliveryFailure = Static<typeof DeliveryFailure>;

/** An outbound message on its way, or how it got there. */
export const DeliveryView = closed({
  id: text(64, { description: 'The id of the message.' }),
  instance: InstanceName,
  conversation: text(256),
  partition: text(330, { description: 'Deliveries of one partition leave one after the other.' }),
  state: oneOf('waiting', 'delivered', 'dead-lettered', 'dropped'),
  attempts: Type.Optional(whole(0, 1_000_000, { description: 'Tries at what is under way.' })),
  pieces: Type.Optional(closed({ sent: whole(0, 10_000), of: whole(1, 10_000) })),
  class: Type.Optional(DeliveryFailure),
  problem: Type.Optional(text(1000)),
  nextTryAt: Type.Optional(Timestamp),
  remoteIds: Type.Optional(Type.Array(text(256))),
  at: Timestamp,
});
export type DeliveryView = Static<typeof DeliveryView>;

/** `POST /api/v1/messages`: an outbound message from the operator. */
const sentText = text(65_536, { minLength: 1 });
export const SendMessageBody = Type.Union([
  closed({ channel: InstanceName, to: text(256, { minLength: 1 }), text: sentText }),
  closed({ session: text(400, { minLength: 1, description: 'A key: sent to the place where the session was last heard of.' }), text: sentText }),
  closed({ identity: text(64, { minLength: 1, description: 'A name of `identities`: sent to the place where that person wrote last.' }), text: sentText }),
]);
export type SendMessageBody = Static<typeof SendMessageBody>;

/** What became of a message that was sent; a denial is an answer, not a failure. */
export const Sent = closed({ messageId: text(64), outcome: Outcome, code: Type.Optional(text(100)), reason: Type.Optional(text(1000)) });
export type Sent = Static<typeof Sent>;

/** A place from which a session or a person was heard, and so where they can be written to. */
export const RouteView = closed({ instance: InstanceName, conversation: text(256), thread: Type.Optional(text(256)), account: Type.Optional(text(256)), at: Timestamp });
export type RouteView = Static<typeof RouteView>;

/** A place as its channel tells of it. */
export const RoomView = closed({
  instance: InstanceName,
  conversation: text(256),
  ...Room.properties,
  firstAt: Timestamp,
  lastAt: Timestamp,
  participants: whole(0, 1_000_000, { description: 'How many are known to have spoken there, 500 at most.' }),
  people: Type.Optional(Type.Array(closed({ id: text(256), name: Type.Optional(text(256)), lastAt: Timestamp }))),
});
export type RoomView = Static<typeof RoomView>;

export const SessionView = closed({
  ...Session.properties,
  lastAt: Timestamp,
  waiting: whole(0, Number.MAX_SAFE_INTEGER, { description: 'Messages without an answer yet, the one in work included.' }),
  routes: Type.Optional(Type.Array(RouteView, { description: 'The latest first; of a single session.' })),
  rooms: Type.Optional(Type.Array(RoomView, { description: 'The places it is in, as far as their channels tell.' })),
});
export type SessionView = Static<typeof SessionView>;

export const DeadLetterView = closed({
  id: text(64),
  messageId: text(64),
  instance: InstanceName,
  conversation: text(256),
  direction: Direction,
  stage: text(40),
  by: Type.Optional(InstanceName),
  code: text(100),
  reason: text(1000),
  attempts: whole(0, 1_000_000),
  at: Timestamp,
  replays: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER, { description: 'How often it was put back to work.' })),
  replayedAt: Type.Optional(Timestamp),
});
export type DeadLetterView = Static<typeof DeadLetterView>;

/** One letter with the message it is about and the record of its stages. `text` is the message's, once more. */
export const DeadLetterDetail = closed({ ...DeadLetterView.properties, text: Type.Optional(Type.String()), message: Type.Optional(MessageView) });
export type DeadLetterDetail = Static<typeof DeadLetterDetail>;

/** `POST /api/v1/dead-letters/:id/replay`; without a body as `{}`. `force` overrules the guards. */
export const ReplayBody = closed({ force: Type.Optional(Type.Boolean({ default: false })) });
export type ReplayBody = Static<typeof ReplayBody>;

/** `already`: it was put back before, and its work is not over. */
export const Replayed = closed({ id: text(64), messageId: text(64), status: oneOf('replayed', 'already') });
export type Replayed = Static<typeof Replayed>;

/** The letter whose work was given up. */
export const Dropped = closed({ id: text(64) });
export type Dropped = Static<typeof Dropped>;

/** What became of replaying many. */
export const Marked = closed({
  marked: whole(0, 10_000, { description: 'Letters that the host puts back.' }),
  guarded: Type.Record(text(100), counter, { description: 'Letters that a guard keeps, by its reason.' }),
  more: Type.Boolean({ description: 'Whether there may be more than one request marks.' }),
});
export type Marked = Static<typeof Marked>;

/** `POST /api/v1/dead-letters/replay`: every letter that fits, put back by the host some twenty a second. */
export const ReplayManyBody = closed({
  instance: Type.Optional(InstanceName),
  conversation: Type.Optional(text(256)),
  code: Type.Optional(text(100)),
  stage: Type.Optional(text(40)),
  direction: Type.Optional(Direction),
  since: Type.Optional(Timestamp),
  until: Type.Optional(Timestamp),
  force: Type.Optional(Type.Boolean({ default: false })),
  limit: Type.Optional(whole(1, 10_000, { default: 10_000 })),
});
export type ReplayManyBody = Static<typeof ReplayManyBody>;

/** An approval or a rejection as it lies in manifests/approvals/. */
export const ApprovalView = closed({
  id: ApprovalId,
  subject: text(200, { description: 'The package, as acme.weather-1.2.3.' }),
  instance: InstanceName,
  reviewer: Reviewer,
  keyid: KeyId,
  decision: ApprovalDecision,
  note: text(2000),
  packageDigest: Digest,
  grantsDigest: Digest,
  issuedAt: Timestamp,
  expiresAt: Type.Optional(Timestamp),
  file: text(1000, { description: 'Relative to the home.' }),
  counts: Type.Boolean({ description: 'Whether it approves or rejects something that is enabled now.' }),
  problem: Type.Optional(text(1000, { description: 'Why it does not count.' })),
});
export type ApprovalView = Static<typeof ApprovalView>;

export const DegradedPlugin = closed({ instance: InstanceName, state: PluginState, code: text(100), message: text(4000) });
export type DegradedPlugin = Static<typeof DegradedPlugin>;

export const PluginActionBody = closed({ reason: text(1000, { minLength: 1 }) });

/** RFC 9457 problem details with the host's extension members. */
export const Problem = closed({
  type: text(300),
  title: text(300),
  status: whole(400, 599),
  detail: Type.Optional(text(4000)),
  instance: Type.Optional(text(500)),
  code: text(100),
  reason: Type.Optional(text(1000)),
  retryAfterMs: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER)),
  queue: Type.Optional(text(100)),
  depth: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER)),
});
export type Problem = Static<typeof Problem>;
