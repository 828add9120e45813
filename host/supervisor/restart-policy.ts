// When a sandbox that ended is started again, and when it is not: pure arithmetic, used by supervised-instance.ts.

export interface RestartPolicy {
  /** So many strikes within the window end in quarantine. */
  readonly strikes: number;
  readonly windowMs: number;
  /** Delay before the second restart of a row; each further one doubles it. The first comes at once. */
  readonly baseMs: number;
  readonly mostMs: number;
  /** A sandbox that stayed up this long begins a new row. */
  readonly stableMs: number;
  /** Ends by an outside signal restart at once, up to so many a minute. */
  readonly outsidePerMinute: number;
}

export const DEFAULT_POLICY: RestartPolicy = { strikes: 3, windowMs: 60 * 60_000, baseMs: 250, mostMs: 60_000, stableMs: 60_000, outsidePerMinute: 5 };

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
