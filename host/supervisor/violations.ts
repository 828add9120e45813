// Counts what an instance was caught at and refused: one refusal is a mistake, a streak of them is an attempt. plugin-life.ts tells it and quarantines by its word.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';

/** `reach`: asked for a power, an operation or an address beyond its grants. `leak`: had a secret of its own sent back to it. */
export type Violation = 'reach' | 'leak';

interface Limit {
  readonly most: number;
  readonly windowMs: number;
  /** For people, after the count. */
  readonly words: string;
}

/** A plugin may look whether it has an optional power, at every message if it must; a search for gaps is faster. */
const LIMITS: Readonly<Record<Violation, Limit>> = {
  reach: { most: BOUNDS.refusalsPerMinute, windowMs: 60_000, words: 'refusals within a minute' },
  leak: { most: BOUNDS.leaksPerHour, windowMs: 3_600_000, words: 'answers within an hour that held a secret of its own' },
};

export class Violations {
  readonly #clock: Clock;
  /** Of each instance and kind, the times of the newest `most`, as a ring. */
  readonly #rings = new Map<string, { readonly times: number[]; next: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why the instance has to go, once it is one too many; counting begins afresh then. */
  count(instance: string, violation: Violation): string | undefined {
    const { most, windowMs, words } = LIMITS[violation];
    const nowMs = this.#clock.monotonicMs();
    const key = `${violation} ${instance}`;
    let ring = this.#rings.get(key);
    if (!ring) this.#rings.set(key, (ring = { times: [], next: 0 }));
    ring.times[ring.next] = nowMs;
    ring.next = (ring.next + 1) % most;
    const oldest = ring.times[ring.next];
    if (oldest === undefined || nowMs - oldest >= windowMs) return undefined;
    this.#rings.delete(key);
    return `${most} ${words}`;
  }

  /** What it did in an earlier life no longer counts. */
  forget(instance: string): void {
    for (const violation of ['reach', 'leak'] as const) this.#rings.delete(`${violation} ${instance}`);
  }
}
