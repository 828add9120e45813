// The channel contract, version 2: what goes into each handler of a channel and what comes out. The SDK types handlers by it, the host holds inputs and results against it.
import { Type, type Static } from 'typebox';
import type { Ability, OptionalAbility } from './abilities.ts';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { SecretHandle, Timestamp } from './ids.ts';
import { LinkedBlob } from './media.ts';
import { Action, ChannelRequest, Delivery, ReceiveResult, Sender, SendResult } from './message.ts';

const externalId = text(256, { minLength: 1 });
const messageText = text(BOUNDS.messageTextBytes);
const reason = text(500);
const attempt = whole(1, 1000);
const thread = Type.Optional(externalId);
const nothing = closed({});
const yes = closed({ ok: Type.Literal(true) });

/** What the host is to do, under the channel's grants. Fewer than a `send` may ask for: each of these is one small thing. */
const fewActions = closed({ actions: Type.Array(Action, { maxItems: 16 }) });

/** Before any traffic, whenever a sandbox is new: are the credentials there, and does the remote take them? Runs again after every restart, so twice must do no harm. */
export const StartInput = nothing;
export const StartResult = Type.Union([
  yes,
  closed({ ok: Type.Literal(false), reason, retry: Type.Optional(Type.Boolean({ default: true, description: 'False when only the operator can put it right.' })) }),
]);

/** The instance leaves: it was switched off or removed, or the host stops. Not told to one that crashes, nor to one that another sandbox takes over from. */
export const StopInput = nothing;
export const StopResult = Type.Null();

/** Asked every now and then while the channel is up. */
export const HealthInput = nothing;
export const HealthResult = closed({ ok: Type.Boolean(), detail: Type.Optional(reason) });

/** A request that the host found to be genuine, before `receive` sees it. The answer may only add doubt. */
export const VerifyInput = ChannelRequest;
export const VerifyResult = Type.Union([yes, closed({ ok: Type.Literal(false), reason })]);

/** Text on its way to the remote, in the remote's own markup. Pure: the same text for the same text. */
export const SanitizeInput = closed({ text: messageText });
export const SanitizeResult = closed({ text: messageText });

/** Where the bytes behind a reference are, and what the host must send along to get them. */
export const MediaInput = closed({ conversation: externalId, media: LinkedBlob });
export const MediaResult = closed({
  request: closed({ url: text(2000, { minLength: 1 }), headers: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), text(8192))), secrets: Type.Optional(Type.Array(SecretHandle, { maxItems: 8 })) }),
});

/** A delivered message says something else from now on. `id` is that of its delivery, `remoteIds` what the remote called it, one for each piece that it left in, where that is known. */
export const EditInput = closed({ id: text(64), remoteIds: Type.Optional(Type.Array(externalId, { maxItems: BOUNDS.piecesPerDelivery })), conversation: externalId, thread, text: messageText, attempt });

/** A mark on a message of the remote, put there or taken away. `message` is the sender's own id. */
export const ReactInput = closed({ conversation: externalId, message: externalId, emoji: text(64, { minLength: 1 }), remove: Type.Boolean(), attempt });

/** Somebody writes there, or has stopped. Never tried again. */
export const TypingInput = closed({ conversation: externalId, thread, on: Type.Boolean() });

/**
 * A reply while it comes into being: `text` is all of it so far, `delta` what came since the call before, `sequence` counts from 1. The last has `done`; the reply itself follows
 * as `send`, under the same `id`, unless it is `withdrawn`: then there is none, and what was shown is to go. Never tried again.
 */
export const StreamInput = closed({ id: text(64), conversation: externalId, thread, inReplyTo: Type.Union([externalId, Type.Null()]), text: messageText, delta: messageText, sequence: whole(1, 1_000_000), done: Type.Boolean(), withdrawn: Type.Optional(Type.Literal(true)) });

/** Which thread an answer to this message goes to; null for none. */
export const ThreadsInput = closed({ conversation: externalId, message: externalId, thread });
export const ThreadsResult = closed({ thread: Type.Union([externalId, Type.Null()]) });

/** Whether this message speaks to the bot, beyond what `mentions` and `replyTo` of it say. */
export const MentionsInput = closed({ conversation: externalId, sender: Sender, text: messageText, mentions: Type.Array(text(256), { maxItems: 100 }), replyTo: Type.Optional(externalId) });
export const MentionsResult = closed({ mentioned: Type.Boolean() });

/** All commands there are, for a remote that offers them to its users. Comes again whenever they change. */
export const CommandsInput = closed({ commands: Type.Array(closed({ name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }), description: text(200) }), { maxItems: 100 }) });

/** Names at the remote, for an operator who looks for somebody to write to. */
export const DirectoryInput = closed({ kind: oneOf('person', 'room'), text: text(256), limit: whole(1, 50) });
export const DirectoryResult = closed({ items: Type.Array(closed({ id: externalId, name: text(256) }), { maxItems: 50 }) });

/** Whether the remote has what was sent under this id (the `id` of a `send`). Asked before a send is repeated that may have been carried out; a handler that cannot tell throws. */
export const LookupInput = closed({ id: text(64), conversation: externalId, thread, text: messageText, at: Timestamp });
export const LookupResult = closed({ found: Type.Boolean(), remoteId: Type.Optional(externalId) });

/** Every handler of a channel. */
export const CHANNEL_HANDLERS = {
  receive: { input: ChannelRequest, output: ReceiveResult },
  send: { input: Delivery, output: SendResult },
  start: { input: StartInput, output: StartResult },
  stop: { input: StopInput, output: StopResult },
  health: { input: HealthInput, output: HealthResult },
  verify: { input: VerifyInput, output: VerifyResult },
  sanitize: { input: SanitizeInput, output: SanitizeResult },
  media: { input: MediaInput, output: MediaResult },
  edit: { input: EditInput, output: fewActions },
  react: { input: ReactInput, output: fewActions },
  typing: { input: TypingInput, output: fewActions },
  stream: { input: StreamInput, output: fewActions },
  threads: { input: ThreadsInput, output: ThreadsResult },
  mentions: { input: MentionsInput, output: MentionsResult },
  commands: { input: CommandsInput, output: fewActions },
  directory: { input: DirectoryInput, output: DirectoryResult },
  lookup: { input: LookupInput, output: LookupResult },
} as const satisfies Record<Ability, unknown>;

type Inputs = { readonly [A in Ability]: Static<(typeof CHANNEL_HANDLERS)[A]['input']> };
type Outputs = { readonly [A in Ability]: Static<(typeof CHANNEL_HANDLERS)[A]['output']> };

export type HandlerInput<A extends Ability> = Inputs[A];
export type HandlerOutput<A extends Ability> = Outputs[A];

/** What holds for a channel without the handler, in a sentence for authors and operators. `host/pipeline/channel-defaults.ts` does it. */
export const WITHOUT: Readonly<Record<OptionalAbility, string>> = {
  start: 'it is active as soon as its script is loaded and its secrets are there',
  stop: 'it leaves without a word',
  health: 'it is healthy while its sandbox lives',
  verify: "the host's own check of the signature decides alone",
  sanitize: 'text goes out as the host made it',
  media: 'a reference is fetched at its own address, with nothing added',
  edit: 'what was sent stays as it is',
  react: 'no mark is set',
  typing: 'nobody is told that somebody writes',
  stream: 'a reply goes out once, when it is whole',
  threads: 'an answer goes to the thread of the message it answers',
  mentions: 'what `receive` says of mentions stands',
  commands: 'the remote is told of no commands; those that are typed work all the same',
  directory: 'nobody is found',
  lookup: 'a send that may have been carried out is repeated under its id',
};
