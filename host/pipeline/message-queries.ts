// What the control plane may see of messages: newest first, filtered, page by page.
import { setImmediate } from 'node:timers/promises';
import type { MessageView } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import { readMessage, withEnding } from '../store/messages.ts';
import type { Store } from '../store/store.ts';
import { messages, type MessageRow } from '../store/tables.ts';
import { judgedOf } from './provenance.ts';
import { whereaboutsOf } from './whereabouts.ts';

export interface MessageFilter {
  readonly instance?: string;
  readonly conversation?: string;
  readonly outcome?: string;
  readonly direction?: 'inbound' | 'outbound';
  /** Id of the last item of the page before. */
  readonly cursor?: string;
  /** 1 to 200, default 50. */
  readonly limit?: number;
}

const DEFAULT_LIMIT = 50;
const MOST = 200;
/** Rows looked at for one page; a rare filter over a large store answers with a short page and a cursor instead of a long wait. */
const MOST_SCANNED = 20_000;
const CHUNK = 500;

export async function listMessages(store: Store, filter: MessageFilter): Promise<{ readonly items: readonly MessageView[]; readonly cursor: string | null }> {
  const limit = Math.min(MOST, Math.max(1, filter.limit ?? DEFAULT_LIMIT));
  const items: MessageView[] = [];
  let before = filter.cursor;
  for (let scanned = 0; scanned < MOST_SCANNED; scanned += CHUNK) {
    const rows = await store.range(messages, messages.prefix(), { reverse: true, limit: CHUNK, ...(before === undefined ? {} : { to: messages.key(before) }) });
    for (const { value } of rows) {
      if (!concerns(value, filter)) continue;
      const row = await withEnding(store, value);
      if (filter.outcome !== undefined && row.outcome !== filter.outcome) continue;
      items.push(viewOf(row));
      if (items.length === limit) return { items, cursor: row.id };
    }
    before = rows.at(-1)?.value.id;
    await setImmediate(); // a rare filter reads many pages, and others want to run
    if (rows.length < CHUNK || before === undefined) return { items, cursor: null };
  }
  return { items, cursor: before ?? null };
}

/** Throws MESSAGE_NOT_FOUND. */
export async function showMessage(store: Store, id: string): Promise<MessageView> {
  const row = await readMessage(store, id);
  if (!row) throw new GatehouseError('MESSAGE_NOT_FOUND', { id: id.slice(0, 100) });
  return viewOf(row);
}

function concerns(row: MessageRow, { instance, conversation, direction }: MessageFilter): boolean {
  return (instance === undefined || row.instance === instance) && (conversation === undefined || row.conversation === conversation) && (direction === undefined || row.direction === direction);
}

function viewOf(row: MessageRow): MessageView {
  return {
    id: row.id,
    instance: row.instance,
    conversation: row.conversation,
    sender: row.sender,
    direction: row.direction,
    outcome: row.outcome,
    ...judgedOf(row),
    ...(row.media.length === 0 ? {} : { media: [...row.media] }),
    ...(row.senderMessageId === undefined ? {} : { senderMessageId: row.senderMessageId }),
    ...(row.inReplyTo === undefined ? {} : { inReplyTo: row.inReplyTo }),
    ...whereaboutsOf(row),
    at: row.at,
    ...(row.hops === undefined ? {} : { hops: row.hops }),
    stages: [...row.stages],
  };
}
