// What the control plane may see of deliveries: those that wait, oldest first, and any one by the id of its message.
import type { DeliveryView } from '../../../schemas/control.ts';
import { toTimestamp } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readMessage } from '../../store/messages.ts';
import { filteredPage, idsOf, within, type Page, type PageQuery, type Span } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import { deliveries, packedMessages, type DeliveryRow, type MessageRow } from '../../store/tables.ts';

export interface DeliveryFilter extends PageQuery, Span {
  readonly instance?: string;
  readonly conversation?: string;
  /** Those that wait, unless said otherwise. */
  readonly state?: DeliveryView['state'];
  /** Oldest first unless said otherwise. */
  readonly sort?: 'at' | '-at';
}

/** What waits is read from its queue, what is over from the messages that went out. */
export function listDeliveries(store: Store, { state = 'waiting', sort, instance, conversation, since, until, ...page }: DeliveryFilter): Promise<Page<DeliveryView>> {
  const isOf = (row: Pick<DeliveryRow, 'instance' | 'conversation'>) => (instance === undefined || row.instance === instance) && (conversation === undefined || row.conversation === conversation);
  const asked = { ...page, newestFirst: sort === '-at', ...idsOf({ since, until }) };
  if (state !== 'waiting') {
    return filteredPage(store, packedMessages, asked, async (stored, id) => {
      if (stored.direction !== 'outbound' || !isOf(stored) || !within(stored.at, { since, until })) return undefined;
      const message = await readMessage(store, id);
      const waiting = (await store.get(deliveries, deliveries.key(id)))?.value;
      const view = message && viewOf(message, waiting);
      return view?.state === state ? view : undefined;
    });
  }
  return filteredPage(store, deliveries, asked, async (row, id) => {
    if (!isOf(row)) return undefined;
    const message = await readMessage(store, id);
    return message && within(message.at, { since, until }) ? viewOf(message, row) : undefined;
  });
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
