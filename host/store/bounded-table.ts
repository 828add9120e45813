// Keeps a table of what was seen last below a bound: rows that nobody has seen for long go, and beyond the bound those seen longest ago. For tables whose rows senders make: routes, rooms.
import { scan, type Key, type Removal, type Store, type Table } from './store.ts';

export interface BoundedTableOptions<Row> {
  readonly store: Store;
  readonly table: Table<Row>;
  /** Every row of it. */
  readonly prefix: Key;
  /** Rows at most; when there are more, the tenth of them that was seen longest ago is removed. */
  readonly most: number;
  /** Epoch milliseconds; a row seen before `forgetBefore` goes, whatever the bound. */
  readonly seenAtMs: (row: Row) => number;
  readonly forgetBefore: () => number;
  /** What goes with a row, in the same commit. */
  readonly alongWith?: (key: Key) => Promise<readonly Removal[]>;
  /** Told of every row that is gone. */
  readonly onGone: (key: Key) => void;
  /** A trim that nobody waits for failed; the next one tries again. */
  readonly onFault: (thrown: unknown) => void;
}

const PAGE_ROWS = 500;
/** What is left of the bound after it was reached: so that a table at its bound is not scanned for every new row. */
const KEPT = 0.9;

export class BoundedTable<Row> implements AsyncDisposable {
  readonly #options: BoundedTableOptions<Row>;
  /** As of the last trim; unknown before the first. */
  #rows: number | undefined;
  #added = 0;
  #trimming: Promise<number> | undefined;
  #closed = false;

  constructor(options: BoundedTableOptions<Row>) {
    this.#options = options;
  }

  /** A commit added a row. Beyond the bound, and with the first row of a process, the table is looked through aside. */
  grew(): void {
    this.#added += 1;
    if (this.#closed || (this.#rows !== undefined && this.#rows + this.#added <= this.#options.most)) return;
    if (!this.#trimming) this.trim().catch((error: unknown) => this.#closed || this.#options.onFault(error));
  }

  /** Resolves with how many rows went. Two at once are one. */
  trim(): Promise<number> {
    this.#trimming ??= this.#trim().finally(() => (this.#trimming = undefined));
    return this.#trimming;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#trimming?.catch(() => undefined); // its caller was told
  }

  async #trim(): Promise<number> {
    const { forgetBefore, most } = this.#options;
    const added = this.#added;
    const seen: number[] = [];
    let gone = await this.#remove(forgetBefore(), Infinity, (atMs) => seen.push(atMs));
    if (seen.length > most) {
      const excess = seen.length - Math.floor(most * KEPT);
      const cut = seen.sort((a, b) => a - b)[excess - 1] ?? 0;
      gone += await this.#remove(cut + 1, excess, () => undefined);
      this.#rows = seen.length - excess;
    } else this.#rows = seen.length;
    this.#added -= added;
    return gone;
  }

  /** Removes rows seen before that, so many at most. A row that was written since it was read stays. */
  async #remove(beforeMs: number, most: number, onKept: (atMs: number) => void): Promise<number> {
    const { store, table, prefix, seenAtMs, alongWith, onGone } = this.#options;
    let gone = 0;
    for await (const page of scan(store, table, prefix, PAGE_ROWS)) {
      if (this.#closed) return gone;
      for (const { key, value, version } of page) {
        const atMs = seenAtMs(value);
        if (atMs >= beforeMs || gone >= most) {
          onKept(atMs);
          continue;
        }
        const remove = [{ table, key }, ...((await alongWith?.(key)) ?? [])];
        if ((await store.commit({ expect: [{ table, key, version }], remove })) === 'committed') {
          gone += 1;
          onGone(key);
        } else onKept(atMs);
      }
    }
    return gone;
  }
}
