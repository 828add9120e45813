// Per-minute quotas: one token bucket per instance and capability, refilled evenly. A full minute's worth may be spent at once.
import type { Clock } from '../clock.ts';

interface Bucket {
  tokens: number;
  refilledAt: number;
}

export class MinuteQuotas {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one from the bucket; false when it is empty. */
  take(name: string, perMinute: number): boolean {
    return takeToken(this.#buckets, name, perMinute / 60_000, perMinute, this.#clock.monotonicMs());
  }
}

/** Buckets per sender for admission; bounded, the longest unused goes first. */
export class SenderRates {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, most = 50_000) {
    this.#clock = clock;
    this.#most = most;
  }

  take(sender: string, perSecond: number, burst: number): boolean {
    const taken = takeToken(this.#buckets, sender, perSecond / 1000, burst, this.#clock.monotonicMs());
    const used = this.#buckets.get(sender);
    if (used) {
      // A map keeps the order of insertion: put in again, it is the last to go.
      this.#buckets.delete(sender);
      this.#buckets.set(sender, used);
    }
    if (this.#buckets.size > this.#most) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return taken;
  }
}

function takeToken(buckets: Map<string, Bucket>, name: string, perMs: number, most: number, nowMs: number): boolean {
  const bucket = buckets.get(name);
  if (!bucket) {
    buckets.set(name, { tokens: most - 1, refilledAt: nowMs });
    return true;
  }
  bucket.tokens = Math.min(most, bucket.tokens + (nowMs - bucket.refilledAt) * perMs);
  bucket.refilledAt = nowMs;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}
