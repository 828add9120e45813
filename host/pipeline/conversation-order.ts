// A message's line in the order of its conversation. Written with the commit that ends the message's turn (conclude, bury) or stores a message nobody sent in (operators, plugins).
//
// Not with the commit that accepts: its line would lie on a page of its own for every conversation, once there and once more for the reply; written together they
// share it. A conversation read from outside therefore shows turns that are over, in the order in which they ended, and a reader's cursor never skips one.
import type { Ids } from '../ids.ts';
import { readMessage } from '../store/messages.ts';
import { put, type Put, type Store } from '../store/store.ts';
import { conversations, type MessageRow } from '../store/tables.ts';

/** The row with its place; one that has its place keeps it, however often its turn is taken. */
export function placed(row: MessageRow, ids: Ids): MessageRow {
  return row.place === undefined ? { ...row, place: ids.next() } : row;
}

export function lineOf({ id, place, instance, conversation, direction }: MessageRow): Put {
  return put(conversations, conversations.key(instance, conversation, place ?? id), place === undefined ? { direction } : { direction, messageId: id });
}

/** The newest message of a conversation whose turn is over. */
export async function latestOf(store: Store, instance: string, conversation: string): Promise<MessageRow | undefined> {
  const [line] = await store.range(conversations, conversations.prefix(instance, conversation), { reverse: true, limit: 1 });
  return line && (await readMessage(store, line.value.messageId ?? String(line.key.at(-1))));
}
