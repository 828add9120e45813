// What operators decide about the traffic of a channel instance, and of single conversations of it. Each block is a key of the enablement; `rooms` may say the same once more for one conversation.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { LinkRule, MentionRule } from './dialects.ts';
import { CommandName, INSTANCE } from './ids.ts';
import { MEDIA_PER_MESSAGE } from './media.ts';
import { TextLimits } from './text-limits.ts';

/** What is sent away first when the host's queues fill. */
export const Priority = oneOf('low', 'normal', 'high');
export type Priority = Static<typeof Priority>;

/** Who may speak to a channel instance; absent lists admit whoever the channel verified. */
export const AdmitPolicy = closed({
  access: Type.Optional(Type.Unsafe<'open' | 'pairing'>(Type.String({ enum: ['open', 'pairing'], default: 'open', description: 'Whether whoever the channel verified may speak, or only those an operator has let in and those in `allowSenders`.' }))),
  allowSenders: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  denySenders: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  allowConversations: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  senderPerSecond: Type.Optional(whole(1, 1_000_000)),
  senderBurst: Type.Optional(whole(1, 1_000_000)),
  requireVerifiedSender: Type.Optional(Type.Boolean({ default: false, description: 'Whether only messages are taken whose sender somebody has authenticated.' })),
  senderClaims: Type.Optional(oneOf('accept', 'deny')),
  onVerifyFailure: Type.Optional(Type.Unsafe<'refuse' | 'admit'>(Type.String({ enum: ['refuse', 'admit'], default: 'refuse', description: 'What becomes of a request that the channel’s own `verify` could not look at.' }))),
  priority: Type.Optional(Type.Unsafe<Priority>({ ...Priority, default: 'normal', description: 'Which messages are sent away first when the host’s queues fill.' })),
  weight: Type.Optional(whole(1, 100, { default: 1, description: 'Turns that the conversations of this instance have for one of another, while both wait. Not in rooms.' })),
  requireMention: Type.Optional(Type.Boolean({ default: false, description: 'Whether a message must name this instance, or answer it, to be taken. A direct room never asks for it.' })),
  prefixes: Type.Optional(Type.Array(Type.String({ pattern: '^[!#$%&+,./:;=?^~|\\\\]{1,3}$', description: 'signs that stand before a command, such as /' }), { maxItems: 8, uniqueItems: true, default: ['/'] })),
  names: Type.Optional(Type.Array(Type.String({ pattern: '^[\\p{L}\\p{N}]([\\p{L}\\p{M}\\p{N} _.:+-]{0,62}[\\p{L}\\p{M}\\p{N}])?$', description: 'a name that people use, without @: letters and digits, and _ . : + - or spaces between them, 64 in all' }), { maxItems: BOUNDS.ownNames, default: [], description: 'What this instance is called here, its own id on the service among them.' })),
  owners: Type.Optional(Type.Array(text(256, { minLength: 1 }), { maxItems: 256, default: [], description: 'Sender ids that may use the commands that are for owners.' })),
});
export type AdmitPolicy = Static<typeof AdmitPolicy>;

/**
 * What a run of a lane takes. `followup`: the oldest message. `collect`: everything that waits, as one message. `steer`: the newest; what it overtakes is dropped.
 * `interrupt`: as `steer`, and a newer message ends the run that is under way.
 */
export const QueueMode = oneOf('followup', 'collect', 'steer', 'interrupt');
export type QueueMode = Static<typeof QueueMode>;

/** Which message gives way when `cap` of them wait: the one that comes (its sender is told), the oldest, or the oldest with a line about it in the next run. */
export const DropPolicy = oneOf('new', 'old', 'summarize');
export type DropPolicy = Static<typeof DropPolicy>;

/** How the messages of one session wait for their answers. Times in milliseconds. */
export const QueuePolicy = closed({
  mode: Type.Optional(QueueMode),
  debounceMs: Type.Optional(whole(0, 60_000, { description: 'So long nobody may have written before a run begins; ten times as long at most.' })),
  cap: Type.Optional(whole(1, BOUNDS.laneDepthMost, { description: 'Messages that may wait in one lane.' })),
  drop: Type.Optional(DropPolicy),
  maxAgeMs: Type.Optional(whole(1000, 365 * 24 * 3600 * 1000, { description: 'What has waited for longer when the host starts is neither answered nor sent, and becomes a dead letter.' })),
});
export type QueuePolicy = Static<typeof QueuePolicy>;

/** Where neither room nor enablement nor host.json says anything: every message is answered, in order, at once. */
export const QUEUE_DEFAULTS: Required<QueuePolicy> = { mode: 'followup', debounceMs: 0, cap: BOUNDS.laneDepth, drop: 'new', maxAgeMs: 24 * 3600 * 1000 };

const permission = oneOf('allow', 'deny');

/** What may leave through a channel instance, how fast, and how often it is tried. Absent keys leave everything as the channel has it. */
export const OutboundPolicy = closed({
  send: Type.Optional(
    Type.Union([permission, closed({ direct: Type.Optional(permission), group: Type.Optional(permission), channel: Type.Optional(permission) })], {
      description: 'Of all, or by kind of room. Where a kind is denied, a conversation whose kind nobody knows is denied too.',
    }),
  ),
  perSecond: Type.Optional(Type.Number({ minimum: 0.001, maximum: 10_000, description: 'Tries at the remote a second, of the whole instance; in `rooms` those of the room, beside the instance’s own.' })),
  burst: Type.Optional(whole(1, 10_000, { default: 1, description: 'How many of them may go at once after a rest.' })),
  pause: Type.Optional(oneOf('instance', 'conversation')),
  retry: Type.Optional(
    closed({
      attempts: Type.Optional(whole(1, 20, { default: 12 })),
      firstMs: Type.Optional(whole(10, 600_000, { default: 1000 })),
      mostMs: Type.Optional(whole(10, 900_000, { default: 600_000 })),
    }),
  ),
  links: Type.Optional(LinkRule),
  mentions: Type.Optional(MentionRule),
  onSanitizeFailure: Type.Optional(Type.Unsafe<'retry' | 'pass'>(Type.String({ enum: ['retry', 'pass'], default: 'retry', description: 'Whether a text that the channel’s own `sanitize` could not look at waits for it, or leaves as the host made it.' }))),
  chunk: Type.Optional(TextLimits),
  typing: Type.Optional(closed({ afterMs: whole(0, 60_000) })),
  stream: Type.Optional(permission),
});
export type OutboundPolicy = Static<typeof OutboundPolicy>;

/** Which messages make one session, and so share a lane: those of a conversation, of everybody, of a person, of a person on one channel, of a person on one account of a channel. */
export const SessionScope = oneOf('conversation', 'main', 'peer', 'channel-peer', 'account-channel-peer');
export type SessionScope = Static<typeof SessionScope>;

/** When a session is over: never, daily at an hour of a time zone, or after minutes without a message. */
export const SessionReset = closed({
  policy: Type.Optional(Type.Unsafe<'none' | 'daily' | 'idle'>(Type.String({ enum: ['none', 'daily', 'idle'], default: 'none' }))),
  hour: Type.Optional(whole(0, 23, { default: 4 })),
  timeZone: Type.Optional(text(64, { minLength: 1, default: 'UTC', description: 'A name of the IANA time zone database, as Europe/Berlin.' })),
  idleMinutes: Type.Optional(whole(1, 525_600, { default: 60 })),
});
export type SessionReset = Static<typeof SessionReset>;

export const SessionPolicy = closed({
  scope: Type.Optional(Type.Unsafe<SessionScope>({ ...SessionScope, default: 'conversation' })),
  reset: Type.Optional(SessionReset),
});
export type SessionPolicy = Static<typeof SessionPolicy>;

/** What a gate's verdict comes to: it decides (`enforce`), it only leaves a flag (`flag`), or the gate is not asked (`skip`). From the strongest to the weakest. */
export const GATE_MODES = ['enforce', 'flag', 'skip'] as const;
export const GateMode = oneOf(...GATE_MODES);
export type GateMode = Static<typeof GateMode>;

/** By gate instance; a gate that is not named is enforced. How far a gate may be relaxed is said in its own enablement (`relaxTo`). */
export const GatesPolicy = Type.Record(Type.String({ pattern: INSTANCE }), GateMode, { additionalProperties: false, maxProperties: 256 });
export type GatesPolicy = Static<typeof GatesPolicy>;

const roomMedia = {
  inbound: Type.Optional(oneOf('link', 'store', 'refuse')),
  onFailure: Type.Optional(oneOf('link', 'refuse')),
  types: Type.Optional(Type.Array(Type.String({ pattern: '^(\\*/\\*|(image|audio|video|text|application)/([a-z0-9.+-]{1,90}|\\*))$', description: 'a type, as image/png, a family, as image/*, or */* for all' }), { maxItems: 64 })),
  maxBytes: Type.Optional(whole(1, BOUNDS.mediaBytes, { description: 'Of one file.' })),
  maxCount: Type.Optional(whole(0, MEDIA_PER_MESSAGE, { description: 'Blocks of one message.' })),
  outbound: Type.Optional(oneOf('link', 'text', 'reject')),
};

/**
 * What becomes of files, places and people in messages. `inbound`: they go through as links, the host fetches and keeps files, or messages that carry any are refused;
 * `onFailure` says which of the first and the last it is when a file cannot be fetched or kept. `outbound`: what a channel without the ability gets instead of a block.
 */
export const MediaPolicy = closed({ ...roomMedia, quotaBytes: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER, { description: 'Of all files that are kept for one instance.' })), retentionDays: Type.Optional(whole(1, 36_500)) });
export type MediaPolicy = Static<typeof MediaPolicy>;

/** What is kept is kept for an instance, so that quota and retention are nothing a room can say. */
export const RoomMediaPolicy = closed(roomMedia);

/** Where nobody says anything: links, in and out, and nothing is kept. */
export const MEDIA_DEFAULTS: Required<MediaPolicy> = { inbound: 'link', onFailure: 'link', types: ['*/*'], maxBytes: 16 * 1024 * 1024, maxCount: MEDIA_PER_MESSAGE, quotaBytes: 1024 ** 3, retentionDays: 30, outbound: 'link' };

/** How often a channel with a `health` handler is asked, and what follows when it fails. Times in milliseconds; counts are of probes in a row. */
export const HealthPolicy = closed({
  intervalMs: Type.Optional(whole(100, 3_600_000, { description: 'From the end of one probe to the next.' })),
  deadlineMs: Type.Optional(whole(10, 60_000, { description: 'What is not answered by then has failed.' })),
  failures: Type.Optional(whole(1, 1000, { description: 'So many make the instance impaired.' })),
  recoveries: Type.Optional(whole(1, 1000, { description: 'So many that go well make it active again.' })),
  reconnectAfter: Type.Optional(whole(1, 10_000, { description: 'After so many that failed another sandbox is tried; again after pauses that double.' })),
});
export type HealthPolicy = Static<typeof HealthPolicy>;

export const HEALTH_DEFAULTS: Required<HealthPolicy> = { intervalMs: 30_000, deadlineMs: 5000, failures: 3, recoveries: 1, reconnectAfter: 6 };

/** The blocks a channel's enablement may have, by their key. Documentation and tests list their keys from here. */
export const POLICY_BLOCKS = { admit: AdmitPolicy, media: MediaPolicy, queue: QueuePolicy, outbound: OutboundPolicy, session: SessionPolicy, health: HealthPolicy } as const;

/** What holds for one command; whatever is absent is as who offers the command says. */
export const CommandPolicy = closed({
  allow: Type.Optional(Type.Union([oneOf('everyone', 'owners'), Type.Array(text(256, { minLength: 1 }), { maxItems: 1000 })])),
  enabled: Type.Optional(Type.Boolean({ default: true, description: 'False: there is no such command here, and the message is a text like any other.' })),
});
export type CommandPolicy = Static<typeof CommandPolicy>;

/** By command name, of plugins and of the host alike. */
export const CommandsPolicy = Type.Record(CommandName, CommandPolicy, { maxProperties: 256, additionalProperties: false });
export type CommandsPolicy = Static<typeof CommandsPolicy>;

/** What is said about one conversation; whatever is absent is as for the instance. */
export const RoomPolicy = closed({ admit: Type.Optional(AdmitPolicy), commands: Type.Optional(CommandsPolicy), gates: Type.Optional(GatesPolicy), media: Type.Optional(RoomMediaPolicy), queue: Type.Optional(QueuePolicy), outbound: Type.Optional(OutboundPolicy), session: Type.Optional(SessionPolicy) });
export type RoomPolicy = Static<typeof RoomPolicy>;

/** By conversation id. */
export const Rooms = Type.Record(Type.String({ minLength: 1, maxLength: 256 }), RoomPolicy, { maxProperties: 10_000 });
export type Rooms = Static<typeof Rooms>;
