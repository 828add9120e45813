// Messages and what travels with them: the canonical message, what channels hand in and take out, sessions, decisions, outcomes.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { CommandName, InstanceName, SecretHandle, Timestamp } from './ids.ts';
import { ArrivingMedia, MEDIA_PER_MESSAGE, MediaBlock } from './media.ts';

const externalId = text(256, { minLength: 1 });
const messageText = text(BOUNDS.messageTextBytes);
/** Flags that only the host sets, each followed by `:` and the gate's instance. */
export const HOST_MARKS = ['bypassed', 'timeout', 'would-deny', 'would-modify', 'unjudged'] as const;
const hops = Type.Optional(whole(1, 1000, { description: 'How many sends of plugins lie between this message and one that came from outside; absent when none do.' }));

export const Direction = oneOf('inbound', 'outbound');
export type Direction = Static<typeof Direction>;

export const Sender = closed({ id: externalId, name: Type.Optional(text(256)) });
export type Sender = Static<typeof Sender>;

/** The place a conversation is, as far as its channel tells: two people, a closed group, or a channel that anybody may read. */
export const Room = closed({ kind: oneOf('direct', 'group', 'channel'), name: Type.Optional(text(256)) });
export type Room = Static<typeof Room>;

/** Where in its channel a message was said. A channel names what it has; what it does not have stays absent. */
const whereabouts = {
  room: Type.Optional(Room),
  thread: Type.Optional(text(256, { minLength: 1, description: 'The thread of the conversation it belongs to.' })),
  account: Type.Optional(text(256, { minLength: 1, description: 'The account of the channel it came to, where the channel serves several.' })),
};

const media = Type.Array(MediaBlock, { maxItems: MEDIA_PER_MESSAGE });

/** What a channel's `receive` returns for each message that arrived. */
export const InboundMessage = closed({
  id: externalId,
  conversation: externalId,
  sender: Sender,
  text: messageText,
  mentions: Type.Optional(Type.Array(text(256), { maxItems: 100 })),
  media: Type.Optional(Type.Array(ArrivingMedia, { maxItems: MEDIA_PER_MESSAGE })),
  replyTo: Type.Optional(externalId),
  at: Type.Optional(Timestamp),
  ...whereabouts,
});
export type InboundMessage = Static<typeof InboundMessage>;

const hostId = text(64, { minLength: 1 });

/**
 * A reply is a message of its own unless it names another of the conversation by the host's id. `edits`: an earlier message of the same skill, by the id that sending it
 * gave, or its reply to a message, by the id of that one; its text is replaced. `reacts`: a message that came in; the text, one emoji, is put on it. A channel that
 * cannot edit gets the text as a message of its own; one that cannot react gets nothing.
 */
export const Reply = closed({
  text: messageText,
  media: Type.Optional(media),
  replyTo: Type.Optional(externalId),
  edits: Type.Optional(hostId),
  reacts: Type.Optional(hostId),
});
export type Reply = Static<typeof Reply>;

/** One step of the record every message carries; `instance` and `cpuUs` where a plugin did the work. */
export const StageRecord = closed({
  stage: text(40),
  decision: text(40),
  reason: Type.Optional(text(500)),
  durationMs: Type.Number({ minimum: 0 }),
  instance: Type.Optional(InstanceName),
  cpuUs: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER)),
  calls: Type.Optional(whole(2, Number.MAX_SAFE_INTEGER, { description: 'Where one record speaks of several calls.' })),
  hostCalls: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  egressBytes: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
  kvBytes: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
});
export type StageRecord = Static<typeof StageRecord>;

/** What a text asks for by name: `/time Europe/Vienna` is `{ name: 'time', arguments: 'Europe/Vienna' }`. The host has checked that the sender may. */
export const Command = closed({ name: CommandName, arguments: text(BOUNDS.commandArguments) });
export type Command = Static<typeof Command>;
const label = Type.String({ minLength: 1, maxLength: 100, pattern: `^(?!(${HOST_MARKS.join('|')}):)`, description: "a word of the gate's own, not one that begins as the host's flags do" });
const labels = Type.Array(label, { maxItems: 32 });

/** Hex sha256 of a text in UTF-8. */
const TextHash = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** What a gate left on a message that went on. The host writes it, so it says who did what whatever the labels say. */
export const GateMark = closed({
  gate: InstanceName,
  effect: oneOf('modify', 'flag', ...HOST_MARKS),
  labels: Type.Optional(labels),
  before: Type.Optional(TextHash),
  after: Type.Optional(TextHash),
});
export type GateMark = Static<typeof GateMark>;

/** What was done to a text between its arrival and here; both absent while nothing was. `originalSha256` and the marks' `before` are for gates and operators: a short text can be guessed from its hash. */
export const provenance = {
  originalSha256: Type.Optional(TextHash),
  provenance: Type.Optional(Type.Array(GateMark, { maxItems: 4096 })),
};

/** The canonical message, as skills and moderation see it. */
export const Message = closed({
  id: text(64),
  senderMessageId: externalId,
  instance: InstanceName,
  conversation: externalId,
  sender: Sender,
  text: messageText,
  mentions: Type.Array(text(256), { maxItems: 100 }),
  media,
  replyTo: Type.Optional(externalId),
  ...whereabouts,
  at: Timestamp,
  senderVerified: Type.Optional(Type.Literal(true, { description: 'Whoever signed the request has authenticated the sender; absent when that is only claimed.' })),
  flags: Type.Array(text(100), { maxItems: 4096 }),
  stages: Type.Array(StageRecord, { maxItems: 200 }),
  command: Type.Optional(Command),
  wasMentioned: Type.Optional(Type.Literal(true, { description: 'It names this instance; absent when it does not, or the instance has no names.' })),
  repliesToBot: Type.Optional(Type.Literal(true, { description: 'It answers a reply of this host; looked up only where a mention is required.' })),
  ...provenance,
  hops,
  collected: Type.Optional(whole(2, BOUNDS.collectMessages, { description: 'How many messages it stands for, whose texts it has in order; id, sender and time are those of the last.' })),
  dropped: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER, { description: 'How many messages were dropped in its favour or since the run before: nobody answers them.' })),
});
export type Message = Static<typeof Message>;

/** `id` names the session since its last reset: what a skill keeps under it belongs to what has been said since then. */
export const Session = closed({ key: text(600), id: text(700), startedAt: Timestamp, messages: whole(0, Number.MAX_SAFE_INTEGER) });
export type Session = Static<typeof Session>;

/** What became of a message. `held` waits for a quarantined gate; `replayed` marks a dead letter put back to work. */
export const Outcome = oneOf('accepted', 'answered', 'unanswered', 'denied', 'held', 'pending', 'delivered', 'dead-lettered', 'dropped');
export type Outcome = Static<typeof Outcome>;

const reason = text(500);

/** What a moderation plugin decides. A value, never an exception. */
export const Decision = Type.Union([
  closed({ effect: Type.Literal('pass') }),
  closed({ effect: Type.Literal('deny'), reason }),
  closed({ effect: Type.Literal('modify'), text: messageText, reason, labels: Type.Optional(labels) }),
  closed({ effect: Type.Literal('flag'), labels, reason }),
]);
export type Decision = Static<typeof Decision>;

const stringMap = Type.Record(Type.String({ maxLength: 200 }), text(8192));

/** What the host hands to a channel's `receive`. */
export const ChannelRequest = Type.Union([
  closed({ kind: Type.Literal('http'), method: text(10), path: text(2000), params: stringMap, query: stringMap, headers: stringMap, body: Type.String() }),
  closed({ kind: oneOf('open', 'frame', 'close'), connection: text(64), conversation: externalId, query: stringMap, text: Type.Optional(Type.String()) }),
]);
export type ChannelRequest = Static<typeof ChannelRequest>;

export const HttpResponse = closed({ status: whole(200, 599), headers: Type.Optional(stringMap), body: Type.Optional(Type.Union([Type.String({ maxLength: BOUNDS.resultBytes }), Type.Record(Type.String(), Type.Unknown()), Type.Array(Type.Unknown())])) });
export type HttpResponse = Static<typeof HttpResponse>;

/** Work a channel asks the host to perform for it, under the channel's own grants. */
export const Action = Type.Union([
  closed({ remoteId: Type.Optional(Type.String({ pattern: '^(/[^/]{0,100}){1,8}$', description: 'JSON Pointer (RFC 6901) into the JSON answer: where the remote says what it calls the message.' })), request: closed({ method: oneOf('GET', 'POST', 'PUT', 'PATCH', 'DELETE'), url: text(2000), headers: Type.Optional(stringMap), body: Type.Optional(text(BOUNDS.resultBytes)), secrets: Type.Optional(Type.Array(SecretHandle, { maxItems: 8 })) }) }),
  closed({ frame: Type.Union([closed({ connection: text(64) }), closed({ conversation: externalId })]), text: text(BOUNDS.resultBytes) }),
]);
export type Action = Static<typeof Action>;

export const ReceiveResult = closed({
  messages: Type.Optional(Type.Array(InboundMessage, { maxItems: BOUNDS.messagesPerReceive })),
  respond: Type.Optional(HttpResponse),
  actions: Type.Optional(Type.Array(Action, { maxItems: BOUNDS.actionsPerCall })),
});
export type ReceiveResult = Static<typeof ReceiveResult>;

const remoteId = text(256, { minLength: 1 });

/** `remoteId`: what the remote calls the message, where the channel knows it without asking; else an action may find it in its answer. */
export const SendResult = closed({ actions: Type.Array(Action, { maxItems: BOUNDS.actionsPerCall }), remoteId: Type.Optional(remoteId) });
export type SendResult = Static<typeof SendResult>;

/** What the host hands to a channel's `send`; `inReplyTo` is the sender's own id, `thread` and `account` are those of the message it answers. `id` is the idempotency key, of a piece of a longer message `<message id>/<index>`. */
export const Delivery = closed({
  id: text(64),
  part: Type.Optional(closed({ of: text(64), index: whole(1, 10_000), count: whole(2, 10_000) })),
  conversation: externalId,
  inReplyTo: Type.Union([externalId, Type.Null()]),
  thread: whereabouts.thread,
  account: whereabouts.account,
  text: messageText,
  media: Type.Optional(media),
  at: Timestamp,
  attempt: whole(1, 1000),
  hops,
});
export type Delivery = Static<typeof Delivery>;

export const RespondResult = Type.Union([closed({ replies: Type.Array(Reply, { maxItems: BOUNDS.repliesPerMessage }) }), Type.Null()]);
export type RespondResult = Static<typeof RespondResult>;

/** One line of a conversation as `ctx.message.list` returns it. With `edits` its text replaces that of an earlier reply; with `reacts` it is an emoji on the message of that sender's id. */
export const ConversationItem = closed({ id: text(64), direction: Direction, text: messageText, media: Type.Optional(media), inReplyTo: Type.Optional(externalId), at: Timestamp, edits: Type.Optional(hostId), reacts: Type.Optional(externalId) });
export type ConversationItem = Static<typeof ConversationItem>;
