// A clock that stands still until a test turns it.
import type { Clock } from '../../host/clock.ts';

export interface HandClock extends Clock {
  turn(ms: number): void;
}

/** Begins at a day like any other; wall clock and monotonic time move together. */
export function aHandClock(startMs = Date.UTC(2026, 0, 15)): HandClock {
  let passedMs = 0;
  return {
    now: () => startMs + Math.floor(passedMs),
    monotonicMs: () => passedMs,
    turn: (ms) => void (passedMs += ms),
  };
}
