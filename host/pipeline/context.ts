// What travels through the stages: one context per message and direction, filled in as it goes. Contexts live in memory only; what must survive is in the commits.
import type { MediaBlock } from '../../schemas/media.ts';
import type { InstanceId, MessageId, SessionKey } from '../../schemas/ids.ts';
import type { Action, GateMark, InboundMessage, Message, Reply, StageRecord } from '../../schemas/message.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { Kept } from '../media/media-store.ts';
import type { ErrorCode } from '../errors.ts';
import type { Key } from '../store/store.ts';
import { addressingIn, addressingOf } from './commands/address.ts';
import type { Parsed } from './commands/parse.ts';
import type { DeliveryProgress, MessageRow, SessionRow } from '../store/tables.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';
import type { Room } from './lanes/lane-room.ts';
import type { Calling } from './plugin-calls.ts';
import type { Policy } from './policy.ts';
import { judgedOf, withoutOriginals, type Judged } from './gating/provenance.ts';
import type { Recorded } from './run-stages.ts';
import { speakerOf, type Standing } from './verifying/speaker.ts';
import { whereaboutsOf } from './sessions/whereabouts.ts';

/** A message on its way in, from the channel's hands to the accept commit. */
export interface InboundContext extends Recorded {
  messageId: MessageId;
  readonly instance: InstanceId;
  readonly policy: Policy;
  readonly arrived: InboundMessage;
  readonly stages: StageRecord[];
  /** Writes of the plugin calls made for it; they ride in the accept commit. */
  readonly scopes: CallScope[];
  readonly receivedAtMs: number;
  readonly sessionKey: SessionKey;
  /** Sessions and people it tells the whereabouts of; none with the defaults. */
  readonly reaches: readonly string[];
  readonly dedupeKey: Key;
  readonly senderVerified?: true;
  /** What its request proves of who speaks. */
  readonly standing: Standing;
  /** Where admit took a place for it: in the lane of its session, or beside it. */
  reserved?: 'lane' | 'aside';
  /** The gate it was held for, when it comes back from there. */
  readonly heldBy?: string;
  /** The version of its row there, expected by the commit that takes it over. */
  readonly heldVersion?: number;
  /** Set by normalize; moderation may replace it. */
  text: string;
  /** Set by moderation: labels of gates and flags of the host, and who did what. */
  flags: string[];
  provenance?: GateMark[];
  /** sha256 of the text as the channel handed it over, once normalize or a gate has changed it. */
  originalSha256?: string;
  /** Set by normalize: the blocks of `arrived`, tidied; the media stage replaces what it stores. */
  media: readonly MediaBlock[];
  /** Set by the media stage: what its files add to the accept commit. */
  kept?: Kept;
  /** Set by normalize, and again by moderation when it replaces the text. */
  parsed: Parsed;
  wasMentioned: boolean;
  /** Set by admit, where a mention is required. */
  repliesToBot: boolean;
  /** Set by admit: sends of plugins that led to it, 0 for what people write. */
  hops: number;
  /** Set by accept: what has to leave the lane for it. */
  room?: Room | undefined;
  /** Set by accept: its place in the lane, and what it committed. */
  place?: string;
  row?: MessageRow;
  session?: SessionRow;
}

/** A reply on its way through sanitize and screen. */
export interface DraftReply extends Judged {
  readonly replyTo?: string;
  readonly media?: Reply['media'];
  /** The message it edits or reacts to; then it is none of its own. */
  readonly edits?: string;
  readonly reacts?: string;
  /** Given before it is stored to a reply that was shown while it came into being. */
  readonly id?: MessageId;
  /** What its channel said to it before it was stored. */
  readonly offered?: Offered;
}

/** A reply that its channel was asked about already. */
export interface Offered {
  readonly row: MessageRow;
  /** Empty when there is nothing to do: then it is delivered as soon as it is stored. */
  readonly actions: readonly Action[];
  readonly remoteId?: string;
  readonly record: StageRecord;
}

/** An accepted message at the head of its lane. */
export interface LaneContext extends Recorded {
  readonly messageId: MessageId;
  readonly instance: InstanceId;
  readonly row: MessageRow;
  readonly message: Message;
  readonly session: SessionRow;
  readonly sessionKey: SessionKey;
  /** Its place in the lane. */
  readonly place: string;
  /** Tries before this one, and those of them that failed in the work itself. */
  readonly attempts: number;
  readonly failures: number;
  readonly stages: StageRecord[];
  readonly scopes: CallScope[];
  /** Who answered; undefined when no skill did. */
  answeredBy?: string;
  replies: readonly DraftReply[];
  /** Where its channel wants the answer; absent, it goes to the thread of the question. */
  answerThread?: string | null;
  /** Replies refused on the way out; they leave a reason and no content. */
  refused: number;
  /** Why, when it was not a gate. */
  refusal?: ErrorCode;
  /** The other messages of the run, where it has any. */
  readonly group?: LaneGroup;
  /** The call of a skill that is under way. */
  calling?: Calling | undefined;
  /** Why it is to end without an answer. It can commit nothing any more. */
  cancelled?: Cancellation;
  /** Its answer is being stored: too late to end it. */
  isConcluding?: true;
}

/** `newer`: another message came. `stopped`: somebody wants no answer. `stuck`: it made no step for too long. */
export type Cancellation = 'newer' | 'stopped' | 'stuck';

/** Messages that end with the run of another. */
export interface LaneGroup {
  /** Answered with it, or overtaken by it. */
  readonly fate: 'collected' | 'superseded';
  /** In order, with their places in the lane. */
  readonly others: readonly { readonly place: string; readonly row: MessageRow }[];
  /** Places of messages that ended as dropped before, and of which the run is told. */
  readonly told: readonly string[];
  readonly collected: number;
  readonly dropped: number;
}

/** An outbound message at the head of its delivery lane. */
export interface DeliveryContext extends Recorded {
  readonly messageId: string;
  /** As it is to be sent; shape fits it to the channel. */
  row: MessageRow;
  readonly attempts: number;
  readonly failures: number;
  /** Those of the failures that were the remote's, and tries that only waited for quota or room. */
  remote: number;
  postponed: number;
  /** Tries that the remote answered with “too many”. */
  limited: number;
  /** Actions of the piece under way that are performed, by this try or an earlier one. */
  readonly done: Set<string>;
  /** Set by shape where the channel has limits: the pieces it leaves in, and what they were cut by. */
  pieces?: readonly string[];
  limits?: TextLimits | undefined;
  /** Pieces that are sent; a message that leaves whole is one. */
  piece: number;
  /** What the remote calls what is sent. */
  readonly remoteIds: string[];
  /** It may have been sent before: an earlier try ended so, or a host that is gone. */
  isDoubtful: boolean;
  /** Set by deliver: how this try failed, and how long the remote asked to be left alone. */
  failed?: DeliveryProgress['failed'];
  restMs?: number;
  /** What the channel said to it before it was stored, until it was used. */
  offered?: Offered | undefined;
  /** The channel has taken it; after that it is never sent again by this host. */
  sent: boolean;
  readonly stages: StageRecord[];
  readonly scopes: CallScope[];
}

/** A stored inbound message as skills see it. */
export function messageOf(row: MessageRow): Message {
  return withoutOriginals({
    id: row.id,
    senderMessageId: row.senderMessageId ?? row.id,
    instance: row.instance,
    conversation: row.conversation,
    sender: row.sender,
    ...judgedOf(row),
    mentions: [...row.mentions],
    media: [...row.media],
    ...(row.replyTo === undefined ? {} : { replyTo: row.replyTo }),
    ...whereaboutsOf(row),
    ...speakerOf(row),
    ...addressingOf(row),
    at: row.at,
    ...(row.hops === undefined ? {} : { hops: row.hops }),
    stages: [...row.stages],
  });
}

/** A message on its way in, as gates see it. */
export function asMessage(context: InboundContext, at: string): Message {
  const { arrived } = context;
  return {
    id: context.messageId,
    senderMessageId: arrived.id,
    instance: context.instance,
    conversation: arrived.conversation,
    sender: arrived.sender,
    ...judgedOf(context),
    mentions: arrived.mentions ?? [],
    media: [...context.media],
    ...(arrived.replyTo === undefined ? {} : { replyTo: arrived.replyTo }),
    ...whereaboutsOf(arrived),
    ...speakerOf(context),
    ...addressingIn(context),
    at,
    ...(context.hops > 0 ? { hops: context.hops } : {}),
    stages: context.stages,
  };
}
