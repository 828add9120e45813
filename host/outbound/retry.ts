// Waiting times between tries: exponential, bounded, with jitter so that many failures do not come back at once.

/** Full delays double from `firstMs` up to `mostMs`; between half of one and all of it is waited. `attempt` counts from 1. */
export function backoffMs(attempt: number, firstMs: number, mostMs: number, random: () => number = Math.random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full * (0.5 + random() / 2));
}
