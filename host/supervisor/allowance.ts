// So many at once, then so many a minute: a bucket that tells how long to wait. Used for restarts, of one instance and of all together.

export interface Rate {
  /** How many may come at once after a quiet time. */
  readonly burst: number;
  readonly perMinute: number;
}

export class Allowance {
  readonly #rate: Rate;
  #left: number;
  #countedAtMs = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#left = rate.burst;
  }

  /** 0 when one may go now, which is counted then; else the milliseconds after which to ask again. */
  take(nowMs: number): number {
    const perMs = this.#rate.perMinute / 60_000;
    this.#left = Math.min(this.#rate.burst, this.#left + (nowMs - this.#countedAtMs) * perMs);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return Math.ceil((1 - this.#left) / perMs);
    this.#left -= 1;
    return 0;
  }
}
