// Which session a message belongs to: a pure function of the scope an operator chose and the facts of the message. inbound.ts asks for every message, before anything is stored.
import { hash } from 'node:crypto';
import { ConversationId, InstanceId, SessionKey, ThreadId } from '../../../schemas/ids.ts';
import type { SessionScope } from '../../../schemas/policy.ts';

/** What is known of a message. Ids are the channel's own, byte for byte: neither case nor Unicode normal form is changed, or two people could become one. */
export interface SessionFacts {
  readonly instance: string;
  readonly conversation: string;
  /** The sender's id on this channel. */
  readonly sender: string;
  readonly thread?: string;
  readonly account?: string;
  /** Who the operator says that sender is. */
  readonly identity?: string;
}

/** Characters. The key of a plain conversation never has more than 321, and is never hashed. */
export const MOST_KEY_CHARACTERS = 400;

/**
 * No two sets of facts that a scope tells apart have the same key: every part but the last is a fixed word, a name without colon (instances, identities), or
 * escaped; the last is whatever it is. Keys that begin with `@` can be no conversation's, because no instance has such a name.
 *
 * | scope | key |
 * | --- | --- |
 * | `conversation` | `<instance>:<conversation>`, in a thread `@thread:<instance>:<conversation>:<thread>` |
 * | `main` | `@main` |
 * | `peer` | `@identity:<identity>`, else `@peer:<instance>:<sender>`: without a link, the same id on two channels is two people |
 * | `channel-peer` | `@channel:<instance>:` and `identity:<identity>` or `peer:<sender>` |
 * | `account-channel-peer` | `@account:<account>:<instance>:` and `identity:<identity>` or `peer:<sender>` |
 *
 * Beyond MOST_KEY_CHARACTERS a key is `@long:<hex sha256 of the key it would be>`.
 */
export function sessionKey(scope: SessionScope, facts: SessionFacts): SessionKey {
  const key = wholeKey(scope, facts);
  return SessionKey.of(key.length <= MOST_KEY_CHARACTERS ? key : `@long:${hash('sha256', Buffer.from(key, 'utf16le'), 'hex')}`);
}

/** The session of a person the operator gave a name, under the scope `peer`; also where routes to that person are kept. */
export const identityKey = (identity: string): SessionKey => SessionKey.of(`@identity:${identity}`);

function wholeKey(scope: SessionScope, { instance, conversation, sender, thread, account = '', identity }: SessionFacts): string {
  const who = () => (identity === undefined ? `peer:${sender}` : `identity:${identity}`);
  switch (scope) {
    case 'conversation':
      return thread === undefined ? `${instance}:${conversation}` : `@thread:${instance}:${escaped(conversation)}:${thread}`;
    case 'main':
      return '@main';
    case 'peer':
      return identity === undefined ? `@peer:${instance}:${sender}` : identityKey(identity);
    case 'channel-peer':
      return `@channel:${instance}:${who()}`;
    case 'account-channel-peer':
      return `@account:${escaped(account)}:${instance}:${who()}`;
    default:
      return scope satisfies never;
  }
}

/** The conversation that a key of the scope `conversation` speaks of; undefined for every other key, and for one that was hashed. */
export function addressIn(key: string): { readonly instance: InstanceId; readonly conversation: ConversationId; readonly thread?: ThreadId } | undefined {
  const [, instance = '', conversation = '', thread] = /^@thread:([^:]+):([^:]*):(.*)$/s.exec(key) ?? /^([^@:][^:]*):(.+)$/s.exec(key) ?? [];
  const whole = thread === undefined ? conversation : conversation.replaceAll('%3A', ':').replaceAll('%25', '%');
  if (!InstanceId.is(instance) || !ConversationId.is(whole)) return undefined;
  if (thread === undefined) return { instance, conversation: whole };
  return ThreadId.is(thread) ? { instance, conversation: whole, thread } : undefined;
}

/** Whether a session is in a place, as far as its key tells; nothing asked for is everywhere. */
export function isIn(address: { readonly instance: string; readonly conversation: string } | undefined, { instance, conversation }: { readonly instance: string | undefined; readonly conversation: string | undefined }): boolean {
  return (instance === undefined || address?.instance === instance) && (conversation === undefined || address?.conversation === conversation);
}

const escaped = (part: string) => part.replaceAll('%', '%25').replaceAll(':', '%3A');
