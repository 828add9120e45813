// Forgets what need not be kept: dedupe keys after 7 days, held messages after 24 hours. Works in small steps beside the traffic, once an hour.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { scan, type Store } from '../store/store.ts';
import { dedupe } from '../store/tables.ts';
import type { Held } from './held.ts';

const EVERY_MS = 60 * 60 * 1000;
const PAGE_ROWS = 500;

export interface SweeperParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly held: Pick<Held, 'expire'>;
}

export class Sweeper implements Disposable {
  readonly #parts: SweeperParts;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#run(), EVERY_MS);
    this.#timer.unref();
  }

  /** One pass over everything; resolves with how many dedupe keys were forgotten. */
  async sweep(): Promise<number> {
    const { clock, store, held } = this.#parts;
    const before = clock.now() - BOUNDS.dedupeWindowMs;
    let forgotten = 0;
    for await (const page of scan(store, dedupe, dedupe.prefix(), PAGE_ROWS)) {
      if (this.#stopped) return forgotten;
      const old = page.filter(({ value }) => value.atMs < before);
      // Expected as read: a key written anew in between is a new message's. All at once, so that they share a flush.
      const results = await Promise.all(old.map(({ key, version }) => store.commit({ expect: [{ table: dedupe, key, version }], remove: [{ table: dedupe, key }] })));
      forgotten += results.filter((each) => each === 'committed').length;
    }
    await held.expire();
    return forgotten;
  }

  async #run(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      if (!this.#stopped) this.#parts.log.warn({ err: problemOf(error) }, 'the sweep did not finish; it is tried again in an hour');
    }
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}
