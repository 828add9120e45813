// Whether something that a sender quotes is a message of this host, by the host's id of it or by what the remote calls it. for-us.ts asks, where a mention is required.
import { MessageId } from '../../../schemas/ids.ts';
import { readMessage } from '../../store/messages.ts';
import type { Store } from '../../store/store.ts';
import { conversations, type MessageRow } from '../../store/tables.ts';

/** People answer what they see: so many of the newest messages of the conversation are looked at, and none that is older. */
const MOST_LOOKED_AT = 50;

/** One read for the host's own ids, which channels get with `send`; for ids of the remote at most as many as are looked at. */
export async function isOwnReply(store: Store, instance: string, conversation: string, quoted: string): Promise<boolean> {
  const isHere = (row: MessageRow | undefined) => row?.direction === 'outbound' && row.instance === instance && row.conversation === conversation;
  if (MessageId.is(quoted) && isHere(await readMessage(store, quoted))) return true;
  const lines = await store.range(conversations, conversations.prefix(instance, conversation), { reverse: true, limit: MOST_LOOKED_AT });
  for (const { key, value } of lines) {
    if (value.direction === 'outbound' && (await readMessage(store, value.messageId ?? String(key.at(-1))))?.remoteIds?.includes(quoted)) return true;
  }
  return false;
}
