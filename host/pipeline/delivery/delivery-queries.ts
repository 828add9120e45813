// What the control plane may see of deliveries: those that wait, oldest first, and any one by the id of its message.
import type { DeliveryView } from '../../../schemas/control.ts';
import { toTimestamp } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readMessage } from '../../store/messages.ts';
import { filteredPage, type Page, type PageQuery } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import { deliveries, type DeliveryRow, type MessageRow } from '../../store/tables.ts';

export interface DeliveryFilter extends PageQuery {
  readonly instance?: string;
  readonly conversation?: string;
}

export function listDeliveries(store: Store, { instance, conversation, ...page }: DeliveryFilter): Promise<Page<DeliveryView>> {
  return filteredPage(store, deliveries, page, async (row, id) => {
    if ((instance !== undefined && row.instance !== instance) || (conversation !== undefined && row.conversation !== conversation)) return undefined;
    const message = await readMessage(store, id);
    return message && viewOf(message, row);
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
