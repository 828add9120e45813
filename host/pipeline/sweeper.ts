// Forgets what need not be kept: dedupe keys after 7 days, signed requests once they are too old to pass again, held messages after 24 hours, places and people nobody has heard of for long, pairings that are over, dead letters as host.json says. Works in small steps beside the traffic, once an hour.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { scan, type Key, type Store, type Table } from '../store/store.ts';
import { dedupe, replays } from '../store/tables.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { DeadLetters } from './letters/dead-letters.ts';
import type { Held } from './gating/held.ts';

const PAGE_ROWS = 500;
const DAY_MS = 24 * 60 * 60_000;

/** Of dead letters: how long, and how many. */
export interface Retention {
  readonly retentionDays: number;
  readonly most: number;
}

/** As schemas/host-config.ts declares them. */
export const RETENTION_DEFAULTS: Retention = { retentionDays: 30, most: 100_000 };

export interface SweepParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly held: Pick<Held, 'expire'>;
  /** What senders make rows of. */
  readonly bounded: readonly { trim(): Promise<number> }[];
  readonly deadLetters: Pick<DeadLetters, 'forget'>;
  readonly retention: Retention;
  readonly sweepPairing: (signal: AbortSignal) => Promise<void>;
}

/** One pass over everything; what it does not get to is left for the next. */
export function sweeper(parts: SweepParts): WorkerSpec {
  return { name: 'sweeper', everyMs: 60 * 60_000, deadlineMs: 30 * 60_000, run: (signal) => sweep(parts, signal) };
}

async function sweep({ clock, store, held, bounded, deadLetters, retention, sweepPairing }: SweepParts, signal: AbortSignal): Promise<void> {
  const now = clock.now();
  await forget(store, dedupe, dedupe.prefix(), ({ atMs }) => atMs < now - BOUNDS.dedupeWindowMs, signal);
  await forget(store, replays, replays.prefix(), ({ untilMs }) => untilMs < now, signal);
  for (const each of bounded) if (!signal.aborted) await each.trim();
  if (signal.aborted) return;
  await held.expire();
  await sweepPairing(signal);
  await deadLetters.forget(now - retention.retentionDays * DAY_MS, retention.most, signal);
}

async function forget<Row>(store: Store, table: Table<Row>, prefix: Key, isOld: (row: Row) => boolean, signal: AbortSignal): Promise<void> {
  for await (const page of scan(store, table, prefix, PAGE_ROWS)) {
    if (signal.aborted) return;
    const old = page.filter(({ value }) => isOld(value));
    // Expected as read: a key written anew in between is a new message's. All at once, so that they share a flush.
    await Promise.all(old.map(({ key, version }) => store.commit({ expect: [{ table, key, version }], remove: [{ table, key }] })));
  }
}
