// `ctx.message.send` with the host's rules: what a call sends is sent once the call has committed, and not at all when it throws.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { MessageClient } from '../context.ts';
import { PluginError } from '../plugin-error.ts';
import { utf8Length } from '../utf8.ts';

export interface SentMessage {
  readonly instance: string;
  readonly conversation: string;
  readonly text: string;
}

export interface SendRules {
  /** The instance that sends. */
  readonly instance: string;
  readonly sendTo: readonly string[] | undefined;
  /** Of the message the call is made for. */
  readonly hops: number;
}

export interface FakeSend {
  readonly send: MessageClient['send'];
  /** Sends what the call sent. Without it, nothing happened. */
  readonly commit: () => void;
}

const KEYS: ReadonlySet<string> = new Set(['instance', 'conversation', 'text']);
const HALF_PAIR = /\p{Surrogate}/u;

let ids = 0;

export function fakeSend(sent: SentMessage[], { instance, sendTo, hops }: SendRules): FakeSend {
  const written: SentMessage[] = [];
  return {
    async send(message) {
      if (sendTo === undefined) throw denied(instance, '');
      checkMessage(message);
      if (!sendTo.includes(message.instance)) throw denied(instance, ` for '${message.instance}'`);
      if (hops >= BOUNDS.messageHops) throw new PluginError('MESSAGE_HOPS', `'${instance}' may not send because of a message that is ${hops} sends away from one that came from outside; ${BOUNDS.messageHops} is the limit.`);
      if (written.length >= BOUNDS.sendsPerCall) throw new PluginError('QUOTA_EXCEEDED', `'${instance}' has used up its quota for message.send: ${BOUNDS.sendsPerCall} in one call.`);
      written.push(structuredClone(message));
      ids += 1;
      return { messageId: `sent-${ids}` };
    },
    commit: () => void sent.push(...written.splice(0)),
  };
}

function checkMessage(message: SentMessage): void {
  const { instance, conversation, text } = message;
  const unknown = Object.keys(message).find((key) => !KEYS.has(key));
  if (unknown !== undefined) throw wrong(`/${unknown}`, 'it is not known here');
  if (typeof instance !== 'string' || !/^[a-z][a-z0-9-]{0,63}$/.test(instance)) throw wrong('/instance', 'it is no name of an instance');
  if (typeof conversation !== 'string' || conversation === '' || conversation.length > 256 || HALF_PAIR.test(conversation)) throw wrong('/conversation', 'it has 1 to 256 characters');
  if (typeof text !== 'string' || text.trim() === '' || utf8Length(text) > BOUNDS.messageTextBytes) throw wrong('/text', `it has 1 to ${BOUNDS.messageTextBytes} bytes`);
}

const denied = (instance: string, value: string) => new PluginError('CAPABILITY_DENIED', `'${instance}' may not use message.send${value}. A unit test grants it through \`sendTo\`.`);
const wrong = (path: string, problem: string) => new PluginError('CAPABILITY_ARGUMENT', `'message.send' was called with a wrong argument at ${path}: ${problem}.`);
