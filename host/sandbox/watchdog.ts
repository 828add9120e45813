// One timer for all sandboxes: looks often at those with work under way, rarely at the rest. sandbox-process.ts says what looking means.
import type { Clock } from '../clock.ts';

export interface Watched {
  /** Looks at deadlines, memory and CPU. False when there is nothing to watch for now. */
  tick(nowMs: number): boolean;
  /** Looks at a sandbox that should be idle. */
  sweep(nowMs: number): void;
}

/** Often enough to stop a growth of 1 GB/s within a few tens of megabytes. */
const TICK_MS = 10;
const SWEEP_MS = 2000;
/** When this process itself was away, answers are waiting to be read: they are read, by the next tick, before anybody is judged late. */
const LATE_MS = 100;

export class Watchdog implements Disposable {
  readonly #clock: Clock;
  readonly #busy = new Set<Watched>();
  readonly #enrolled = new Set<Watched>();
  #ticking: NodeJS.Timeout | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #waited = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches until `retire`. */
  enroll(sandbox: Watched): void {
    this.#enrolled.add(sandbox);
    this.#sweeping ??= setInterval(this.#sweep, SWEEP_MS).unref();
  }

  /** Watches closely until its `tick` says false. */
  attend(sandbox: Watched): void {
    this.#busy.add(sandbox);
    if (this.#ticking) return;
    this.#tickedAt = this.#clock.monotonicMs();
    this.#ticking = setInterval(this.#tick, TICK_MS);
  }

  retire(sandbox: Watched): void {
    this.#busy.delete(sandbox);
    this.#enrolled.delete(sandbox);
    if (this.#enrolled.size === 0) this[Symbol.dispose]();
  }

  readonly #tick = (): void => {
    const nowMs = this.#clock.monotonicMs();
    const wasAway = nowMs - this.#tickedAt > LATE_MS;
    this.#tickedAt = nowMs;
    this.#waited = wasAway && !this.#waited;
    if (this.#waited) return;
    for (const sandbox of this.#busy) if (!sandbox.tick(nowMs)) this.#busy.delete(sandbox);
    if (this.#busy.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  };

  readonly #sweep = (): void => {
    const nowMs = this.#clock.monotonicMs();
    for (const sandbox of this.#enrolled) if (!this.#busy.has(sandbox)) sandbox.sweep(nowMs);
  };

  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
    clearInterval(this.#sweeping);
    this.#ticking = this.#sweeping = undefined;
  }
}
