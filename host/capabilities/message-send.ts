// `ctx.message.send({ instance, conversation, text })`: writes to a conversation of a granted channel instance. Buffered in the call like kv writes; durable once, with the commit of the stage that made the call.
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed, text } from '../../schemas/closed.ts';
import { InstanceName } from '../../schemas/ids.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import type { MessageRow } from '../store/tables.ts';
import { operation } from './capability.ts';

interface Request {
  instance: string;
  conversation: string;
  text: string;
}

/** A message as a plugin hands it over; who wrote it is the host's to say. */
export interface Letter extends Request {
  /** The instance that sends it. */
  readonly by: string;
  /** At least 1: this send is one. */
  readonly hops: number;
}

export interface Taken {
  readonly row: MessageRow;
  readonly giveBack: () => void;
}

export interface MessageOutbox {
  /**
   * Judges a letter and makes the message of it, with a place kept in the queue of its conversation until `giveBack`. What gates write meanwhile goes into
   * `scope`. Throws MESSAGE_TARGET, LANE_FULL, HOST_BUSY, CAPABILITY_ARGUMENT, REPLY_DENIED, GATE_…, CALL_OVER.
   */
  take(letter: Letter, scope: CallScope): Promise<Taken>;
}

const request = compileSchema<Request>(closed({ instance: InstanceName, conversation: text(256, { minLength: 1 }), text: text(BOUNDS.messageTextBytes, { minLength: 1 }) }));

export function messageSend(outbox: MessageOutbox) {
  return operation<Request, 'message.send'>({
    op: 'message.send',
    capability: 'message.send',
    request,
    authorize: ({ instance }, grant) => (grant.instances.includes(instance) ? undefined : { value: instance }),
    perMinute: (grant) => grant.quota?.perMinute ?? BOUNDS.sendsPerMinute,
    async perform(args, caller, scope) {
      if (!args.conversation.isWellFormed()) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'message.send', path: '/conversation', problem: 'it holds half of a surrogate pair' });
      if (!scope.maySend) throw new GatehouseError('MESSAGE_UNKEPT', { instance: caller.instance });
      if (scope.hops >= BOUNDS.messageHops) throw new GatehouseError('MESSAGE_HOPS', { instance: caller.instance, hops: scope.hops, limit: BOUNDS.messageHops });
      if (!scope.maySendOneMore()) throw new GatehouseError('QUOTA_EXCEEDED', { instance: caller.instance, capability: 'message.send', quota: `${BOUNDS.sendsPerCall} in one call` });
      const { row, giveBack } = await outbox.take({ ...args, by: caller.instance, hops: scope.hops + 1 }, scope);
      // Registered first: in a call that is over it gives the place back at once, and the send is refused.
      scope.onRelease(giveBack);
      scope.send(row);
      return { messageId: row.id };
    },
  });
}
