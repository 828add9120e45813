// What plugins, tools and channels did and cost, by hour and by UTC day, for months. Survives a restart, but for the last second before a crash. Charged by meter.ts and host.ts, read by desk.ts.
import type { Grain, StatKind } from '../../schemas/costs.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { put, type Store } from '../store/store.ts';
import { rollups, type RollupRow } from '../store/tables.ts';

const FLUSH_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows removed by one look; the next is an hour later, and an hour writes far fewer. */
const MOST_REMOVED = 5000;
/** Rows that wait for a store that does not take them; beyond, the oldest are given up. */
const MOST_UNWRITTEN = 10_000;
/** A clock that is set back by less gives no day away twice; set back by more, it was wrong before, and days that are to come bind nobody. */
const SET_BACK_HOURS = 36;
/** A step ahead by more may be a clock gone wrong: nothing goes by its age before a day has passed with it. */
const SET_AHEAD_HOURS = 48;
/** Codes told apart in one row. */
const MOST_CODES = 16;

export interface LedgerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly hourlyDays: number;
  readonly dailyDays: number;
}

/** One row under way. */
interface Book {
  readonly grain: Grain;
  readonly start: string;
  readonly by: StatKind;
  readonly name: string;
  readonly row: Mutable<RollupRow>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type Charge = Partial<Omit<RollupRow, 'codes'>> & { readonly code?: string | undefined };

export class CostLedger implements AsyncDisposable {
  readonly #parts: LedgerParts;
  readonly #timer: NodeJS.Timeout;
  #open = new Map<string, Book>();
  readonly #unwritten = new Set<Book>();
  #hour: number;
  #swept = -1;
  /** No row goes by its age before this hour. */
  #sweepFrom = 0;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(parts: LedgerParts, hour: number) {
    this.#parts = parts;
    this.#hour = hour;
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  static async open(parts: LedgerParts): Promise<CostLedger> {
    const { store, clock } = parts;
    const [newest] = await store.range(rollups, rollups.prefix('hour'), { reverse: true, limit: 1 });
    const hour = Math.floor(clock.now() / HOUR_MS);
    const last = newest ? Math.floor(Date.parse(String(newest.key[2])) / HOUR_MS) : hour;
    const ledger = new CostLedger(parts, last > hour && last - hour <= SET_BACK_HOURS ? last : hour);
    if (Math.abs(hour - last) > SET_AHEAD_HOURS) ledger.#sweepFrom = hour + 24;
    await ledger.#load();
    return ledger;
  }

  charge(by: StatKind, name: string, charge: Charge): void {
    this.#roll();
    this.#add('hour', by, name, charge);
    this.#add('day', by, name, charge);
  }

  /** What was charged today; undefined when nothing was. */
  today(by: StatKind, name: string): RollupRow | undefined {
    this.#roll();
    return this.#open.get(idOf('day', by, name))?.row;
  }

  /** The UTC day that is charged now. */
  get day(): { readonly date: string; readonly endsAt: string } {
    this.#roll();
    const start = this.#startOf('day');
    return { date: start.slice(0, 10), endsAt: toTimestamp(Date.parse(start) + DAY_MS) };
  }

  /** Writes what changed; once an hour also removes what is over. Resolves once all that was charged before is written, or could not be. */
  flush(): Promise<void> {
    this.#roll();
    if (this.#unwritten.size > 0 || this.#swept !== this.#hour) this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  #startOf(grain: Grain): string {
    const startMs = this.#hour * HOUR_MS;
    return toTimestamp(grain === 'hour' ? startMs : startMs - (startMs % DAY_MS));
  }

  #roll(): void {
    const hour = Math.floor(this.#parts.clock.now() / HOUR_MS);
    if (hour <= this.#hour && this.#hour - hour <= SET_BACK_HOURS) return;
    if (Math.abs(hour - this.#hour) > SET_AHEAD_HOURS) this.#sweepFrom = hour + 24;
    const isBack = hour < this.#hour;
    const isOtherDay = Math.floor(hour / 24) !== Math.floor(this.#hour / 24);
    this.#hour = hour;
    this.#open = new Map(isOtherDay ? [] : [...this.#open].filter(([, { grain }]) => grain === 'day'));
    // That day has been charged before.
    if (isBack) this.#flushing = this.#flushing.then(() => this.#load()).catch((error: unknown) => this.#parts.log.warn({ err: problemOf(error) }, 'costs of this day could not be read back'));
  }

  /** Adds what the store has of this hour and day to what is charged already. */
  async #load(): Promise<void> {
    for (const grain of ['hour', 'day'] as const) {
      const start = this.#startOf(grain);
      for (const { key, value } of await this.#parts.store.range(rollups, rollups.prefix(grain, start))) {
        const [by, name] = [key[3], String(key[4])];
        if (by !== 'plugin' && by !== 'tool' && by !== 'channel') continue;
        const id = idOf(grain, by, name);
        const open = this.#open.get(id);
        if (open) addTo(open.row, value);
        else this.#open.set(id, { grain, start, by, name, row: { ...value, codes: { ...value.codes } } });
      }
    }
  }

  #add(grain: Grain, by: StatKind, name: string, { code, ...amounts }: Charge): void {
    const id = idOf(grain, by, name);
    let book = this.#open.get(id);
    if (!book) this.#open.set(id, (book = { grain, start: this.#startOf(grain), by, name, row: { ...NOTHING, codes: {} } }));
    addTo(book.row, amounts);
    if (code !== undefined) book.row.codes = withCode(book.row.codes, code);
    this.#unwritten.add(book);
  }

  async #write(): Promise<void> {
    const { store, log } = this.#parts;
    const books = [...this.#unwritten];
    const sweeping = this.#swept !== this.#hour && this.#hour >= this.#sweepFrom;
    this.#unwritten.clear();
    this.#swept = this.#hour;
    try {
      const remove = sweeping ? [...(await this.#old('hour')), ...(await this.#old('day'))] : [];
      const puts = books.map(({ grain, start, by, name, row }) => put(rollups, rollups.key(grain, start, by, name), { ...row }));
      if (puts.length + remove.length > 0) await store.commit({ put: puts, remove });
    } catch (error) {
      for (const book of books.slice(-MOST_UNWRITTEN)) this.#unwritten.add(book);
      if (sweeping) this.#swept = -1;
      log.warn({ err: problemOf(error), rows: books.length }, 'costs could not be written; they are counted on and written later');
    }
  }

  async #old(grain: Grain) {
    const { store, clock, hourlyDays, dailyDays } = this.#parts;
    const to = rollups.key(grain, toTimestamp(clock.now() - (grain === 'hour' ? hourlyDays : dailyDays) * DAY_MS), 'channel', '');
    return (await store.range(rollups, rollups.prefix(grain), { to, limit: MOST_REMOVED })).map(({ key }) => ({ table: rollups, key }));
  }
}

const NOTHING = { ok: 0, failed: 0, denied: 0, calls: 0, cpuUs: 0, wallUs: 0, hostCalls: 0, egressBytes: 0, kvBytes: 0 };

function addTo(row: Book['row'], { codes = {}, ...amounts }: Partial<RollupRow>): void {
  row.ok += amounts.ok ?? 0;
  row.failed += amounts.failed ?? 0;
  row.denied += amounts.denied ?? 0;
  row.calls += amounts.calls ?? 0;
  row.cpuUs += amounts.cpuUs ?? 0;
  row.wallUs += Math.round(amounts.wallUs ?? 0);
  row.hostCalls += amounts.hostCalls ?? 0;
  row.egressBytes += amounts.egressBytes ?? 0;
  row.kvBytes += amounts.kvBytes ?? 0;
  for (const [code, count] of Object.entries(codes)) row.codes = withCode(row.codes, code, count);
}

const idOf = (grain: Grain, by: StatKind, name: string) => `${grain} ${by} ${name}`;

function withCode(codes: Readonly<Record<string, number>>, code: string, count = 1): Record<string, number> {
  const name = code in codes || Object.keys(codes).length < MOST_CODES ? code : 'OTHER';
  return { ...codes, [name]: (codes[name] ?? 0) + count };
}
