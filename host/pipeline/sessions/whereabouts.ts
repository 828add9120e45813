// Where in its channel a message was said: room, thread and account, as far as the channel told. Everybody who copies a message from one form into another takes them along with these.
import type { InboundMessage } from '../../../schemas/message.ts';

type Whereabouts = Pick<InboundMessage, 'room' | 'thread' | 'account'>;

/** Most channels tell none of it, and a message then costs nothing for it. */
const NOWHERE: Whereabouts = {};

/** Only what is there: rows and messages have no member that says nothing. */
export function whereaboutsOf({ room, thread, account }: Whereabouts): Whereabouts {
  if (room === undefined && thread === undefined && account === undefined) return NOWHERE;
  return { ...(room && { room }), ...(thread !== undefined && { thread }), ...(account !== undefined && { account }) };
}

/** What a reply needs besides its conversation to arrive where the question was asked. */
export function placeOf({ thread, account }: Whereabouts): Pick<Whereabouts, 'thread' | 'account'> {
  if (thread === undefined && account === undefined) return NOWHERE;
  return { ...(thread !== undefined && { thread }), ...(account !== undefined && { account }) };
}
