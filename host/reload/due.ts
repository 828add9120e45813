// The next moment at which time alone changes what may run, such as a release that has been known for long enough. Kept by reload.ts, which looks then.
import type { Clock } from '../clock.ts';

/** No sooner again, so that a clock that stands still keeps nobody busy. */
const LEAST_MS = 100;
/** No later: timers count in 31 bits, and a clock may be set. */
const MOST_MS = 3_600_000;

export class Due implements Disposable {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Epoch milliseconds; in the place of what was expected before. */
  expect(atMs: number | undefined): void {
    clearTimeout(this.#timer);
    if (atMs === undefined) return;
    const inMs = atMs - this.#clock.now();
    this.#timer = setTimeout(this.#onDue, Math.min(Math.max(inMs, LEAST_MS), MOST_MS)).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
