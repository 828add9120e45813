// Whether the wall clock may be believed when it says that something is old: whoever forgets by age asks it. One for all workers; wiring.ts makes it.
//
// What is forgotten comes back by nobody, and a clock is set wrong by a machine that boots without one, by a bad time server, by a hand. So time that passed is
// measured beside it, and over restarts what it said last is kept in the store: a clock that is suddenly ahead has to go on like that for a while first.
import { toTimestamp, type Clock } from '../clock.ts';
import { epochMsOf } from '../ids.ts';
import type { Log } from '../log.ts';
import { newestId } from '../store/newest-id.ts';
import { put, type Store } from '../store/store.ts';
import { meta, type ClockRow } from '../store/tables.ts';

const HOUR_MS = 60 * 60_000;
/** A clock that moves so far beside the time that passed was set, rightly or wrongly. */
const JUMP_MS = 10 * 60_000;
/** So long a host may be off, or its machine sleep, and nobody wonders: a weekend. */
const AWAY_MS = 72 * HOUR_MS;
/** For so long a clock that was set ahead has to go on: by less than a weekend, and by more. */
const WAIT_MS = HOUR_MS;
const LONG_WAIT_MS = 24 * HOUR_MS;

/** Wall time, and monotonic time of the same moment. */
interface Moment {
  readonly wallMs: number;
  readonly passedMs: number;
}

export interface WallClockParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class WallClock {
  readonly #parts: WallClockParts;
  /** When it was believed last. */
  #believed: Moment | undefined;
  #looked: Moment;
  /** Running time for which it has been doubted, going on evenly; undefined when it is not. */
  #waitedMs: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: WallClockParts) {
    this.#parts = parts;
    this.#looked = this.#moment();
  }

  /** False while it is doubted: nothing is old by it then. Safe to ask at any time, by several at once. Throws what the store throws. */
  isBelieved(): Promise<boolean> {
    const look = this.#turn.then(() => this.#look());
    this.#turn = look.catch(() => undefined);
    return look;
  }

  async #look(): Promise<boolean> {
    const before = this.#believed ?? (await this.#remembered());
    const now = this.#moment();
    const aheadMs = now.wallMs - before.wallMs - (now.passedMs - before.passedMs);
    // Nothing looks older by a clock that was set back.
    const isNear = aheadMs <= JUMP_MS;
    const isEven = Math.abs(now.wallMs - this.#looked.wallMs - (now.passedMs - this.#looked.passedMs)) <= JUMP_MS;
    if (isNear) this.#waitedMs = undefined;
    else if (this.#waitedMs === undefined || !isEven) this.#doubt(aheadMs);
    else this.#waitedMs += now.passedMs - this.#looked.passedMs;
    const isBelieved = this.#waitedMs === undefined || this.#waitedMs >= waitOf(aheadMs);
    if (isBelieved) this.#waitedMs = undefined;
    this.#believed = isBelieved ? now : before;
    this.#looked = now;
    const row: ClockRow = { believedMs: this.#believed.wallMs, seenMs: now.wallMs, ...(this.#waitedMs === undefined ? {} : { waitedMs: this.#waitedMs }) };
    await this.#parts.store.commit({ put: [put(meta, meta.key('clock'), row)] });
    return isBelieved;
  }

  /** As the process before left it. A store that never had one has its newest id: of a message, mostly. */
  async #remembered(): Promise<Moment> {
    const { store } = this.#parts;
    const began = this.#looked;
    const row = (await store.get(meta, meta.key('clock')))?.value;
    const known = row && 'believedMs' in row ? row : undefined;
    const newest = known ? undefined : await newestId(store);
    const believedMs = known?.believedMs ?? (newest === undefined ? began.wallMs : epochMsOf(newest));
    if (began.wallMs - believedMs <= AWAY_MS) return began;
    if (known?.waitedMs !== undefined && began.wallMs >= known.seenMs && began.wallMs - known.seenMs <= AWAY_MS) this.#waitedMs = known.waitedMs;
    return { ...began, wallMs: believedMs };
  }

  #doubt(aheadMs: number): void {
    this.#waitedMs = 0;
    const { clock, log } = this.#parts;
    log.warn({ aheadMs: Math.round(aheadMs), now: toTimestamp(clock.now()), waitMs: waitOf(aheadMs) }, 'the clock is ahead of the time that passed: nothing is forgotten by its age before it has gone on like that for a while; set it right if it is wrong');
  }

  #moment(): Moment {
    const { clock } = this.#parts;
    return { wallMs: clock.now(), passedMs: clock.monotonicMs() };
  }
}

const waitOf = (aheadMs: number): number => (aheadMs > AWAY_MS ? LONG_WAIT_MS : WAIT_MS);
