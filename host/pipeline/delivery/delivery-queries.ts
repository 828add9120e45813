// What the control plane may see of deliveries: those that wait, oldest first, and any one by the id of its message.
import type { DeliveryView } from '../../../schemas/control.ts';
import { toTimestamp } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readMessage } from '../../store/messages.ts';
import type { Store } from '../../store/store.ts';
import { deliveries, type DeliveryRow, type MessageRow } from '../../store/tables.ts';

export interface DeliveryFilter {
  readonly instance?: string;
  readonly conversation?: string;
  /** Id of the last item of the page before. */
  readonly cursor?: string;
  /** 1 to 200, default 50. */
  readonly limit?: number;
}

/** Rows looked at for one page: a rare filter answers with a short page and a cursor instead of a long wait. */
const MOST_SCANNED = 20_000;
const CHUNK = 500;

export async function listDeliveries(store: Store, { instance, conversation, cursor, limit }: DeliveryFilter): Promise<{ readonly items: readonly DeliveryView[]; readonly cursor: string | null }> {
  const most = Math.min(200, Math.max(1, limit ?? 50));
  const items: DeliveryView[] = [];
  let after = cursor;
  for (let scanned = 0; scanned < MOST_SCANNED; scanned += CHUNK) {
    const rows = await store.range(deliveries, deliveries.prefix(), { limit: CHUNK, ...(after === undefined ? {} : { after: deliveries.key(after) }) });
    for (const { key, value } of rows) {
      after = String(key[1]);
      if ((instance !== undefined && value.instance !== instance) || (conversation !== undefined && value.conversation !== conversation)) continue;
      const message = await readMessage(store, after);
      if (message) items.push(viewOf(message, value));
      if (items.length === most) return { items, cursor: after };
    }
    if (rows.length < CHUNK) return { items, cursor: null };
  }
  return { items, cursor: after ?? null };
}

/** Throws MESSAGE_NOT_FOUND, also for what came in. */
export async function showDelivery(store: Store, id: string): Promise<DeliveryView> {
  const message = await readMessage(store, id);
  if (message?.direction !== 'outbound') throw new GatehouseError('MESSAGE_NOT_FOUND', { id: id.slice(0, 100) });
  return viewOf(message, (await store.get(deliveries, deliveries.key(id)))?.value);
}

function viewOf({ id, instance, conversation, outcome, reason, remoteIds, at }: MessageRow, waiting: DeliveryRow | undefined): DeliveryView {
  const { pieces, failed, remoteIds: sent = remoteIds } = waiting?.progress ?? {};
  const state = waiting ? 'waiting' : outcome === 'delivered' || outcome === 'dropped' ? outcome : 'dead-lettered';
  const problem = failed?.problem ?? (waiting ? undefined : reason);
  return {
    id,
    instance,
    conversation,
    partition: `${instance}:${conversation}`,
    state,
    ...(waiting ? { attempts: waiting.attempts } : {}),
    ...(pieces ? { pieces: { sent: pieces.sent, of: pieces.of } } : {}),
    ...(failed ? { class: failed.class } : {}),
    ...(problem === undefined ? {} : { problem: problem.slice(0, 1000) }),
    ...(waiting?.notBeforeMs === undefined ? {} : { nextTryAt: toTimestamp(waiting.notBeforeMs) }),
    ...(sent ? { remoteIds: [...sent] } : {}),
    at,
  };
}
