// Forgets what need not be kept: dedupe keys after 7 days, held messages after 24 hours. Works in small steps beside the traffic, once an hour.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { scan, type Store } from '../store/store.ts';
import { dedupe } from '../store/tables.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { Held } from './held.ts';

const PAGE_ROWS = 500;

export interface SweepParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly held: Pick<Held, 'expire'>;
}

/** One pass over everything; what it does not get to is left for the next. */
export function sweeper(parts: SweepParts): WorkerSpec {
  return { name: 'sweeper', everyMs: 60 * 60_000, deadlineMs: 30 * 60_000, run: (signal) => sweep(parts, signal) };
}

async function sweep({ clock, store, held }: SweepParts, signal: AbortSignal): Promise<void> {
  const before = clock.now() - BOUNDS.dedupeWindowMs;
  for await (const page of scan(store, dedupe, dedupe.prefix(), PAGE_ROWS)) {
    if (signal.aborted) return;
    const old = page.filter(({ value }) => value.atMs < before);
    // Expected as read: a key written anew in between is a new message's. All at once, so that they share a flush.
    await Promise.all(old.map(({ key, version }) => store.commit({ expect: [{ table: dedupe, key, version }], remove: [{ table: dedupe, key }] })));
  }
  await held.expire();
}
