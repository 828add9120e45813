// When a sandbox that ended is started again, and when it is not: pure arithmetic and its figures, used by supervised-instance.ts and supervisor.ts.
import type { Rate } from './allowance.ts';

export interface RestartPolicy {
  /** So many strikes within the window end in quarantine. */
  readonly strikes: number;
  readonly windowMs: number;
  /** Delay before the second restart of a row; each further one doubles it. The first comes at once. */
  readonly baseMs: number;
  readonly mostMs: number;
  /** A sandbox that stayed up this long begins a new row. */
  readonly stableMs: number;
  /** Ends by an outside signal restart at once, whatever the row, at this rate of one instance. */
  readonly outside: Rate;
  /** All instances together: first restarts of a row, and every restart of an instance that stands in the way of messages. */
  readonly first: Rate;
  /** All other instances together, from the second restart of a row on: what goes on crashing waits for its like, not for the innocent. */
  readonly again: Rate;
}

export const DEFAULT_POLICY: RestartPolicy = {
  strikes: 3,
  windowMs: 60 * 60_000,
  baseMs: 250,
  mostMs: 60_000,
  stableMs: 60_000,
  outside: { burst: 30, perMinute: 30 },
  first: { burst: 60, perMinute: 300 },
  again: { burst: 40, perMinute: 60 },
};

/** Delay before restart number `row` (from 0) of a row. `random` in 0..1 spreads the delay by a fifth either way, so that what fell together does not rise together. */
export function backoffMs(policy: RestartPolicy, row: number, random: number): number {
  if (row <= 0) return 0;
  const delayMs = Math.min(policy.mostMs, policy.baseMs * 2 ** (row - 1));
  return Math.round(delayMs * (0.8 + 0.4 * random));
}

/** Those that still count at `now`. */
export function withinWindow<Event extends { readonly at: number }>(events: readonly Event[], now: number, windowMs: number): Event[] {
  return events.filter(({ at }) => now - at < windowMs);
}
