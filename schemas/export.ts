// What `gatehouse export` writes and `gatehouse import` reads, line by line: a first line, records, a last line. A record holds what the host relies on, and never a secret, the hash of one, or a key.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { DeliveryFailure, MessageView } from './control.ts';
import { InstanceName, PluginId, Timestamp } from './ids.ts';
import { MEDIA_PER_MESSAGE, MediaBlock } from './media.ts';
import { Direction, Message, Sender, StageRecord } from './message.ts';
import { QueueMode } from './policy.ts';
import { TextLimits } from './text-limits.ts';

export const DATA_EXPORT = { format: 'gatehouse-export', version: 1 } as const;

/** What may be asked for; the default is all of it. */
export const EXPORT_PARTS = ['messages', 'sessions', 'dead-letters', 'kv', 'pairings'] as const;
export type ExportPart = (typeof EXPORT_PARTS)[number];

const count = whole(0, Number.MAX_SAFE_INTEGER);
const hostId = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', description: 'an id of a host (UUID version 7)' });
const sessionKey = text(600, { minLength: 1 });
const conversation = text(256, { minLength: 1 });

/** The first line. `version` rises when a host that knows the one before could read a file wrongly. */
export const ExportFirstLine = closed({
  format: Type.Literal(DATA_EXPORT.format),
  version: whole(1, 1_000_000),
  gatehouse: text(64, { description: 'The version of the host that wrote it.' }),
  at: Timestamp,
  what: Type.Array(oneOf(...EXPORT_PARTS), { minItems: 1, maxItems: EXPORT_PARTS.length, uniqueItems: true }),
});
export type ExportFirstLine = Static<typeof ExportFirstLine>;

/** A sender's message id was seen: a redelivery is no new message. */
export const DedupeRecord = closed({
  kind: Type.Literal('dedupe'),
  instance: InstanceName,
  keyHash: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'sha256 of conversation and the sender\'s own message id' }),
  messageId: Type.Union([hostId, Type.Null()]),
  outcome: oneOf('accepted', 'denied'),
  code: Type.Optional(text(100)),
  reason: Type.Optional(text(1000)),
  atMs: count,
});

/** The store keeps a walk as one line of text: these are the characters that part it. */
const word = { maxLength: 40, pattern: '^[^@:; #]*$', description: 'a word without @ : ; # and blanks' };
const ExportedStage = closed({ ...StageRecord.properties, stage: Type.String(word), decision: Type.String(word), durationMs: Type.Number({ minimum: 0, maximum: 1e9 }) });

const { senderMessageId, inReplyTo, room, thread, account, senderVerified, hops, ranWith, collected, dropped, code, remoteIds, originalSha256, provenance } = MessageView.properties;
const { mentions, flags, replyTo, command, wasMentioned, repliesToBot } = Message.properties;

/** A message whose work is over, with how it ended. */
export const MessageRecord = closed({
  kind: Type.Literal('message'),
  id: hostId,
  instance: InstanceName,
  conversation,
  thread, account, room,
  sender: Sender,
  direction: Direction,
  outcome: oneOf('answered', 'unanswered', 'denied', 'delivered', 'dropped', 'dead-lettered'),
  sessionKey,
  at: Timestamp,
  text: text(4 * BOUNDS.messageTextBytes),
  mentions,
  media: Type.Array(MediaBlock, { maxItems: MEDIA_PER_MESSAGE }),
  flags,
  command, wasMentioned, repliesToBot,
  senderMessageId, inReplyTo, replyTo, senderVerified, hops, originalSha256, provenance,
  answers: Type.Optional(hostId),
  edits: Type.Optional(text(64)),
  reacts: Type.Optional(text(64)),
  remoteIds, ranWith, collected, dropped, code,
  reason: Type.Optional(text(1000)),
  place: Type.Optional(hostId),
  stages: Type.Array(ExportedStage, { maxItems: 10_000 }),
});

export const DeadLetterRecord = closed({
  kind: Type.Literal('dead-letter'),
  id: hostId,
  messageId: hostId,
  instance: InstanceName,
  conversation,
  direction: Direction,
  work: Type.Union([
    closed({ kind: Type.Literal('respond'), sessionKey, aside: Type.Optional(Type.Literal(true)) }),
    closed({
      kind: Type.Literal('deliver'),
      done: Type.Optional(Type.Array(text(256), { maxItems: 100_000 })),
      pieces: Type.Optional(closed({ sent: whole(0, 10_000), of: whole(1, 10_000), limits: TextLimits })),
      remoteIds: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
      failed: Type.Optional(closed({ class: DeliveryFailure, problem: text(1000) })),
    }),
  ]),
  stage: text(40),
  code: text(100),
  reason: text(1000),
  attempts: whole(0, 1_000_000),
  at: Timestamp,
  by: Type.Optional(InstanceName),
  replays: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
});

export const SessionRecord = closed({ kind: Type.Literal('session'), key: sessionKey, startedAt: Timestamp, lastAt: Timestamp, messages: count, generation: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)) });

/** Where a session or a person was heard last, and so can be written to. */
export const RouteRecord = closed({
  kind: Type.Literal('route'),
  target: text(700, { minLength: 1 }),
  routes: Type.Array(closed({ instance: InstanceName, conversation, thread, account, atMs: count }), { minItems: 1, maxItems: BOUNDS.routesPerTarget }),
});

export const QueueModeRecord = closed({ kind: Type.Literal('queue-mode'), key: sessionKey, mode: QueueMode });

/** One entry of a plugin's own space. The value is JSON inside a text, for a plugin may name its members as no strict reader allows. */
export const KvRecord = closed({ kind: Type.Literal('kv'), instance: InstanceName, key: text(BOUNDS.kvKeyBytes, { minLength: 1 }), json: text(BOUNDS.kvValueBytes, { minLength: 1, description: 'the value, as JSON.stringify writes it' }) });

/** Somebody an operator has decided on. Who still waits for that is not exported, and neither is a code or an invite: they are secrets. */
export const PairingRecord = closed({
  kind: Type.Literal('pairing'),
  id: Type.String({ pattern: '^[0-9a-f]{32}$', description: '32 hexadecimal digits in lower case' }),
  instance: InstanceName,
  plugin: PluginId,
  state: oneOf('approved', 'denied', 'revoked'),
  sender: Type.Optional(Sender),
  via: text(40),
  requestedAt: Timestamp,
  decidedAt: Type.Optional(Timestamp),
  decidedBy: Type.Optional(text(200)),
});

const total = Type.Optional(count);

/** The last line: without it a file is not whole. */
export const ExportLastLine = closed({
  end: closed({
    counts: closed({ dedupe: total, 'dead-letter': total, message: total, session: total, route: total, 'queue-mode': total, kv: total, pairing: total }),
    inWork: { ...count, description: 'Messages that were left out because their work was not over.' },
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of every byte before this line.' }),
  }),
});
export type ExportLastLine = Static<typeof ExportLastLine>;

/** One line. */
export const ExportLine = Type.Union([ExportFirstLine, DedupeRecord, DeadLetterRecord, MessageRecord, SessionRecord, RouteRecord, QueueModeRecord, KvRecord, PairingRecord, ExportLastLine], { title: 'Gatehouse export, one line', description: 'One line.' });
export type ExportKindName = keyof ExportLastLine['end']['counts'];
