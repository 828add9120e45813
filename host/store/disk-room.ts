// Whether the disk takes another commit: it has room, and it can be written at all. `lmdb.ts` asks before each one and refuses it otherwise; media-store.ts asks for room.
//
// LMDB itself survives a write that fails: the transaction is gone, and the next one may succeed. But lmdb-js 3.5.6 then describes the failure in a buffer of 100
// bytes that the description does not always fit (mdb.c, `last_error`), and the process may abort. Nothing that was acknowledged is lost by that either;
// a host that refuses and goes on is better than one that ends.
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';

const MIB = 2 ** 20;
/** What must be left, also for the commits under way since the last look. Of a small disk a twentieth. */
const LEAST_FREE_BYTES = 16 * MIB;
const LEAST_FREE_SHARE = 1 / 20;
/** How long one look counts; it costs some microseconds. */
const LOOK_EVERY_MS = 20;
/** A disk that turns read-only is met by the next write, and none may be LMDB's. One byte costs some two microseconds. */
const PROBE_EVERY_MS = 1;

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

/** The same, and a byte is written to see whether that works: a kernel need not show that a disk takes no more writes (ext4 since 6.12 stays `rw` by its mount flags). */
export class WritableRoom implements Disposable {
  readonly #room: DiskRoom;
  readonly #clock: Clock;
  readonly #probe: number;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #refusal: string | undefined;

  /** Makes `probe` in the folder. Throws what the system says. */
  constructor(dir: string, clock: Clock) {
    this.#room = new DiskRoom(dir, clock);
    this.#clock = clock;
    this.#probe = openSync(join(dir, 'probe'), 'w', 0o600);
  }

  /** What to say when nothing may be written now; undefined when it may. */
  problem(): string | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#probedAtMs >= PROBE_EVERY_MS) {
      this.#refusal = this.#refused();
      this.#probedAtMs = nowMs;
    }
    return this.#refusal ?? this.#room.problem();
  }

  [Symbol.dispose](): void {
    closeSync(this.#probe);
  }

  #refused(): string | undefined {
    try {
      writeSync(this.#probe, ' ', 0);
      return undefined;
    } catch (thrown) {
      return `the disk cannot be written: ${problemOf(thrown)}`;
    }
  }
}
