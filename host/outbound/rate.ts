// How fast deliveries may leave: a bucket for each rate an operator set, and the moments remotes asked to be left alone until. Asked by delivery-work.ts before each try.
import type { Clock } from '../clock.ts';
import type { Rate } from './rules.ts';

/**
 * A turn is given, not refused: each asker learns how long its own turn is away, so nobody asks twice and nobody is overtaken. Times are monotonic milliseconds
 * (GCRA: one number a bucket, the moment at which it is full again).
 */
export class Rates {
  readonly #clock: Clock;
  /** By instance, or instance and conversation: when the bucket is full again. As many as an operator has set rates for. */
  readonly #fullAt = new Map<string, number>();
  /** By instance: epoch milliseconds. */
  readonly #pausedUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the next turn of all of the rates, and says in how many milliseconds it comes. */
  take(instance: string, conversation: string, rates: readonly Rate[]): number {
    const now = this.#clock.monotonicMs();
    let turn = now;
    for (const { scope, perSecond, burst } of rates) {
      const key = scope === 'instance' ? instance : `${instance}:${conversation}`;
      const everyMs = 1000 / perSecond;
      const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + everyMs;
      this.#fullAt.set(key, fullAt);
      turn = Math.max(turn, fullAt - burst * everyMs);
    }
    return turn - now;
  }

  /** Nothing of the instance leaves before then. An earlier moment does not take back a later one. */
  pause(instance: string, untilMs: number): void {
    this.#pausedUntil.set(instance, Math.max(untilMs, this.#pausedUntil.get(instance) ?? 0));
  }

  /** How long the instance rests from now, at most `mostMs`: the moment may be of a clock that was set since. */
  pausedForMs(instance: string, mostMs: number): number {
    const untilMs = this.#pausedUntil.get(instance);
    if (untilMs === undefined) return 0;
    const leftMs = Math.min(untilMs - this.#clock.now(), mostMs);
    if (leftMs > 0) return leftMs;
    this.#pausedUntil.delete(instance);
    return 0;
  }
}
