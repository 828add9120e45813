// A clock that stands still until a test turns it.
import { systemClock, type Clock } from '../../host/clock.ts';

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

/** Goes like any clock, and ahead of it by what a test turns: for whole hosts, whose timers run. Time that only passes is not turned. */
export function aClockAhead(): HandClock {
  let aheadMs = 0;
  return { now: () => systemClock.now() + aheadMs, monotonicMs: () => systemClock.monotonicMs(), turn: (ms) => void (aheadMs += ms) };
}
