// What the store still holds when the host starts: messages without an answer and replies without a delivery, streamed page by page.
import { epochMsOf } from '../ids.ts';
import type { Queued } from '../store/lanes.ts';
import { scan, type Store } from '../store/store.ts';
import { deliveries, lanes, type DeliveryRow, type LaneRow } from '../store/tables.ts';
import type { DeliveryItem } from './delivery/delivery-work.ts';
import type { LaneItem } from './lanes/lane-work.ts';

const PAGE = 2000;

/** `recoveredAtMs`: when this host began to look. Lane entries by session, oldest first. Their messages are read when their turn comes, so 100,000 of them cost little memory. */
export async function* waitingMessages(store: Store, recoveredAtMs: number): AsyncGenerator<readonly Queued<LaneItem>[]> {
  for await (const rows of scan(store, lanes, lanes.prefix(), PAGE)) {
    yield rows.map(({ key, value }) => ({
      lane: value.sessionKey,
      item: { place: String(key[1]), messageId: value.messageId, attempts: value.attempts, recoveredAtMs, ...kept(value) },
      ...waitOf(value),
      ...(value.debounceMs === undefined ? {} : { debounce: { ms: value.debounceMs, sinceMs: epochMsOf(String(key[1])) } }),
    }));
  }
}

/** Commands of the host are told apart, and wait beside the lanes. */
export async function* inLanes(pages: AsyncIterable<readonly Queued<LaneItem>[]>, onAside: (queued: Queued<LaneItem>) => void): AsyncGenerator<readonly Queued<LaneItem>[]> {
  for await (const page of pages) {
    for (const queued of page) if (queued.item.aside) onAside(queued);
    yield page.some(({ item }) => item.aside) ? page.filter(({ item }) => !item.aside) : page;
  }
}

function kept({ failures, taken, dropped, aside }: LaneRow): Pick<LaneItem, 'failures' | 'taken' | 'dropped' | 'aside'> {
  return { ...(failures === undefined ? {} : { failures }), ...(taken === undefined ? {} : { taken }), ...(dropped === undefined ? {} : { dropped }), ...(aside && { aside }) };
}

/** `isFresh`: made by this process while the search goes on, and queued by who made it. */
export async function* waitingDeliveries(store: Store, laneOf: (item: DeliveryItem) => string, isFresh: (messageId: string) => boolean, recoveredAtMs: number): AsyncGenerator<readonly Queued<DeliveryItem>[]> {
  for await (const rows of scan(store, deliveries, deliveries.prefix(), PAGE)) {
    yield rows.filter(({ key }) => !isFresh(String(key[1]))).map(({ key, value }) => {
      const item: DeliveryItem = { messageId: String(key[1]), instance: value.instance, conversation: value.conversation, attempts: value.attempts, recoveredAtMs, ...(value.sinceMs === undefined ? {} : { sinceMs: value.sinceMs }), ...(value.failures === undefined ? {} : { failures: value.failures }), ...(value.progress === undefined ? {} : { progress: value.progress }) };
      return { lane: laneOf(item), item, ...waitOf(value) };
    });
  }
}

/** Who waited for a plugin that was away asks anew: this host has started all of them. A remote's quota is as it was. */
function waitOf(row: LaneRow | DeliveryRow): { readonly notBeforeMs?: number } {
  const { attempts, failures = 0, notBeforeMs } = row;
  const isLimited = 'progress' in row && row.progress?.failed?.class === 'rate-limited';
  return notBeforeMs === undefined || (attempts > 0 && failures === 0 && !isLimited) ? {} : { notBeforeMs };
}
