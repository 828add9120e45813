// Whether a message is meant for this instance at all. admit.ts asks before anything is spent on it; the why is decision 0028.
import { MessageId } from '../../../schemas/ids.ts';
import type { Store } from '../../store/store.ts';
import { messages } from '../../store/tables.ts';
import type { InboundContext } from '../context.ts';
import type { Verdict } from '../stage.ts';

/** Undefined when it is. Sets `repliesToBot`, which is looked up only where it decides. */
export async function notForUs(context: InboundContext, store: Pick<Store, 'get'>): Promise<Verdict | undefined> {
  const { arrived, parsed, policy } = context;
  if (parsed.kind === 'text' && parsed.elsewhere) return ignored('it is a command for somebody else');
  if (!policy.admit.requireMention || arrived.room?.kind === 'direct' || context.wasMentioned) return undefined;
  context.repliesToBot = arrived.replyTo !== undefined && (await isOwnReply(context, arrived.replyTo, store));
  return context.repliesToBot ? undefined : ignored('it mentions nobody here');
}

/** `replyTo` is the host's id of a reply, as channels hand it out with `send`. One read. */
async function isOwnReply({ instance, arrived }: InboundContext, replyTo: string, store: Pick<Store, 'get'>): Promise<boolean> {
  if (!MessageId.is(replyTo)) return false;
  const row = (await store.get(messages, messages.key(replyTo)))?.value;
  return row?.direction === 'outbound' && row.instance === instance && row.conversation === arrived.conversation;
}

const ignored = (reason: string): Verdict => ({ decision: 'ignore', code: 'NOT_ADDRESSED', reason });
