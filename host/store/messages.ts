// Messages as they are now: the row of a message with how it ended. Everybody who shows or pages messages reads through this; the pipeline's own queues hold messages that have not ended.
import { put, type Put, type Store } from './store.ts';
import { endings, messages, type EndingRow, type MessageRow } from './tables.ts';

/** Undefined when there is none. */
export async function readMessage(store: Store, id: string): Promise<MessageRow | undefined> {
  const row = (await store.get(messages, messages.key(id)))?.value;
  return row && (await withEnding(store, row));
}

export async function withEnding(store: Store, row: MessageRow): Promise<MessageRow> {
  const ending = (await store.get(endings, endings.key(row.id)))?.value;
  return ending ? { ...row, ...ending } : row;
}

/** What the commit that ends a message writes of it. */
export function endingOf(row: MessageRow): Put {
  const { id, outcome, stages, place, code, remoteIds } = row;
  const ending: EndingRow = { outcome, stages, ...(place === undefined ? {} : { place }), ...(code === undefined ? {} : { code }), ...(remoteIds === undefined ? {} : { remoteIds }) };
  return put(endings, endings.key(id), row.ranWith === undefined && row.collected === undefined && row.dropped === undefined ? ending : { ...ending, ...companyOf(row) });
}

/** What messages that shared a run say of each other; only what is there. */
export function companyOf({ ranWith, collected, dropped }: MessageRow): Pick<MessageRow, 'ranWith' | 'collected' | 'dropped'> {
  return { ...(ranWith !== undefined && { ranWith }), ...(collected !== undefined && { collected }), ...(dropped !== undefined && { dropped }) };
}
