// Whether the disk has room for another commit. `lmdb.ts` asks before each one, and refuses it while there is none.
//
// LMDB itself survives a write that fails: the transaction is gone, and the next one may succeed. But lmdb-js 3.5.6 then describes the failure in a buffer of 100
// bytes that the description does not always fit (mdb.c, `last_error`), and the process may abort. Nothing that was acknowledged is lost by that either;
// a host that refuses and goes on is better than one that ends.
import { statfsSync } from 'node:fs';
import type { Clock } from '../clock.ts';

const MIB = 2 ** 20;
/** What must be left, also for the commits under way since the last look. Of a small disk a twentieth. */
const LEAST_FREE_BYTES = 16 * MIB;
const LEAST_FREE_SHARE = 1 / 20;
/** How long one look counts; it costs some microseconds. */
const LOOK_EVERY_MS = 20;

export class DiskRoom {
  readonly #dir: string;
  readonly #clock: Clock;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #freeBytes = Infinity;
  #leastBytes = 0;

  constructor(dir: string, clock: Clock) {
    this.#dir = dir;
    this.#clock = clock;
  }

  /** What to say when there is too little; undefined when there is enough. */
  problem(): string | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs >= LOOK_EVERY_MS) {
      const { bavail, blocks, bsize } = statfsSync(this.#dir);
      this.#freeBytes = bavail * bsize;
      this.#leastBytes = Math.min(LEAST_FREE_BYTES, blocks * bsize * LEAST_FREE_SHARE);
      this.#lookedAtMs = nowMs;
    }
    return this.#freeBytes < this.#leastBytes ? `the disk has only ${Math.floor(this.#freeBytes / MIB)} MiB left` : undefined;
  }
}
