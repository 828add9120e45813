// Forgets what need not be kept: dedupe keys after 7 days, signed requests once they are too old to pass again, held messages after 24 hours, places and people nobody has heard of for long, pairings that are over, dead letters as host.json says. Works in small steps beside the traffic, once an hour; nothing by its age while the clock is doubted.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { scan, type Key, type Store, type Table } from '../store/store.ts';
import { dedupe, replays } from '../store/tables.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { DeadLetters } from './letters/dead-letters.ts';
import type { Held } from './gating/held.ts';
import type { WallClock } from './wall-clock.ts';

const PAGE_ROWS = 500;
const DAY_MS = 24 * 60 * 60_000;

/** Of dead letters: how long, and how many. */
export interface LetterRetention {
  readonly retentionDays: number;
  readonly most: number;
}

/** As schemas/host-config.ts declares them. */
export const LETTER_RETENTION_DEFAULTS: LetterRetention = { retentionDays: 30, most: 100_000 };

export interface SweepParts {
  readonly clock: Clock;
  readonly wallClock: Pick<WallClock, 'isBelieved'>;
  readonly store: Store;
  readonly held: Pick<Held, 'expire'>;
  /** What senders make rows of. */
  readonly bounded: readonly { trim(): Promise<number> }[];
  readonly deadLetters: Pick<DeadLetters, 'forget'>;
  readonly retention: LetterRetention;
  readonly sweepPairing: (signal: AbortSignal) => Promise<void>;
}

/** One pass over everything; what it does not get to is left for the next. */
export function sweeper(parts: SweepParts): WorkerSpec {
  return { name: 'sweeper', everyMs: 60 * 60_000, deadlineMs: 30 * 60_000, run: (signal) => sweep(parts, signal) };
}

async function sweep({ clock, wallClock, store, held, bounded, deadLetters, retention, sweepPairing }: SweepParts, signal: AbortSignal): Promise<void> {
  const isBelieved = await wallClock.isBelieved();
  const now = clock.now();
  if (isBelieved) {
    await forget(store, dedupe, dedupe.prefix(), ({ atMs }) => atMs < now - BOUNDS.dedupeWindowMs, signal);
    await forget(store, replays, replays.prefix(), ({ untilMs }) => untilMs < now, signal);
    for (const each of bounded) if (!signal.aborted) await each.trim();
    if (signal.aborted) return;
    await held.expire();
    await sweepPairing(signal);
  }
  // How many there may be, the clock has no part in.
  await deadLetters.forget(isBelieved ? now - retention.retentionDays * DAY_MS : Number.NEGATIVE_INFINITY, retention.most, signal);
}

async function forget<Row>(store: Store, table: Table<Row>, prefix: Key, isOld: (row: Row) => boolean, signal: AbortSignal): Promise<void> {
  for await (const page of scan(store, table, prefix, PAGE_ROWS, { passOver: true })) {
    if (signal.aborted) return;
    const old = page.filter(({ value }) => isOld(value));
    // Expected as read: a key written anew in between is a new message's. All at once, so that they share a flush.
    await Promise.all(old.map(({ key, version }) => store.commit({ expect: [{ table, key, version }], remove: [{ table, key }] })));
  }
}
