// The only place that asks what time it is. Everything that waits or stamps takes a Clock.

/** Wall-clock time in milliseconds since the epoch, and monotonic time for durations. */
export interface Clock {
  now(): number;
  monotonicMs(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** RFC 3339, UTC, milliseconds. A busy host stamps many things within one millisecond, so the last text is kept. */
export function toTimestamp(epochMs: number): string {
  if (epochMs !== lastMs) {
    lastMs = epochMs;
    lastText = new Date(epochMs).toISOString();
  }
  return lastText;
}

let lastMs = Number.NaN;
let lastText = '';
