// Gathers changes of files until they have settled: due after a time of quiet, and at the latest some time after the first. Used by watcher.ts.
import { sep } from 'node:path';
import type { Clock } from '../clock.ts';

export interface SettlingParts {
  readonly clock: Clock;
  /** So long nothing may have changed. */
  readonly quietMs: number;
  /** So long after the first change the others are not waited for any more. */
  readonly mostMs: number;
  /** Changes that wait for their own quiet alone, whatever else is being written. */
  readonly isUrgent: (path: string) => boolean;
  readonly onDue: () => void;
}

/** Paths remembered at once; beyond that the oldest count as settled. */
const MOST_PATHS = 10_000;

/** Timers may come this much too early. */
const TIMER_MS = 2;

export class Settling implements Disposable {
  readonly #parts: SettlingParts;
  /** When each path last changed, oldest first. */
  readonly #changed = new Map<string, number>();
  #firstAt = 0;
  #lastAt = 0;
  #urgentAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
  }

  changed(path: string): void {
    if (this.#closed) return;
    const now = this.#parts.clock.monotonicMs();
    if (this.#changed.size === 0) this.#firstAt = now;
    this.#lastAt = now;
    if (this.#parts.isUrgent(path)) this.#urgentAt = now;
    this.#changed.delete(path);
    this.#changed.set(path, now);
    const [oldest] = this.#changed.keys();
    if (this.#changed.size > MOST_PATHS && oldest !== undefined) this.#changed.delete(oldest);
    this.#schedule(now);
  }

  /** Whether this path, or anything below it, changed within the time of quiet. */
  isUnsettled(path: string): boolean {
    const now = this.#parts.clock.monotonicMs();
    const below = `${path}${sep}`;
    for (const [each, at] of this.#changed) if (!this.#hasSettled(at, now) && (each === path || each.startsWith(below))) return true;
    return false;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(now: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#due(), Math.max(0, this.#dueAt() - now));
  }

  #dueAt(): number {
    const { quietMs, mostMs } = this.#parts;
    return Math.min(this.#lastAt + quietMs, this.#firstAt + mostMs, (this.#urgentAt ?? Infinity) + quietMs);
  }

  /** What is still being written stays, and is due again. */
  #due(): void {
    const now = this.#parts.clock.monotonicMs();
    for (const [path, at] of this.#changed) if (this.#hasSettled(at, now)) this.#changed.delete(path);
    if (this.#urgentAt !== undefined && this.#hasSettled(this.#urgentAt, now)) this.#urgentAt = undefined;
    if (this.#changed.size > 0) {
      if (now >= this.#firstAt + this.#parts.mostMs - TIMER_MS) this.#firstAt = now;
      this.#schedule(now);
    }
    this.#parts.onDue();
  }

  #hasSettled(at: number, now: number): boolean {
    return now - at >= this.#parts.quietMs - TIMER_MS;
  }
}
