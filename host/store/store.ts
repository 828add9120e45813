// The store port: three verbs and a hint, the etcd transaction shape, so that an embedded engine and a distributed one can both serve it.
import { setImmediate } from 'node:timers/promises';

/** A key is an ordered path; strings sort bytewise and before numbers, numbers numerically, shorter paths before longer ones. Parts never collide across positions. */
export type Key = readonly (string | number)[];

/** A table's name and the type of its rows; every table is declared once, in `tables.ts`. */
export interface Table<Row> {
  readonly name: string;
  /** Never present at run time: carries the row type. */
  readonly row?: Row;
  /** What is written in place of a row, and the row again; without them a row is written as it is. Both are pure and their values JSON. */
  pack?(row: Row): object;
  unpack?(stored: object): Row;
}

export interface Stored<Row> {
  readonly value: Row;
  /** Assigned by the host at each write; never reused, so a row removed and written again differs. */
  readonly version: number;
}

export interface Entry<Row> extends Stored<Row> {
  readonly key: Key;
}

export interface Expectation {
  readonly table: Table<unknown>;
  readonly key: Key;
  /** The version read earlier, or `absent`. */
  readonly version: number | 'absent';
}

export interface Put {
  readonly table: Table<unknown>;
  readonly key: Key;
  readonly value: unknown;
}

export interface Removal {
  readonly table: Table<unknown>;
  readonly key: Key;
}

export interface Commit {
  readonly expect?: readonly Expectation[];
  readonly put?: readonly Put[];
  readonly remove?: readonly Removal[];
}

export type CommitResult = 'committed' | 'conflict';

/** Half-open range `[from, to)`; either end may be left out. `after` is a `from` that excludes itself: the last key of the page before. `reverse` walks from the end. */
export interface RangeOptions {
  readonly from?: Key;
  readonly after?: Key;
  readonly to?: Key;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Store extends AsyncDisposable {
  get<Row>(table: Table<Row>, key: Key): Promise<Stored<Row> | undefined>;
  /** Rows whose key starts with `prefix`, in order; `from`/`to` are relative to the table, not to the prefix. */
  range<Row>(table: Table<Row>, prefix: Key, options?: RangeOptions): Promise<Entry<Row>[]>;
  /** Rows of the table as of now, or nearly, without reading them. */
  count(table: Table<unknown>): Promise<number>;
  /** All or nothing; resolves when on disk. A failed expectation is the value `conflict` and writes nothing. Throws STORE_FAILED, STORE_KEY, STORE_ROW_TOO_LARGE, STORE_CLOSED, and has written nothing then. */
  commit(commit: Commit): Promise<CommitResult>;
  /** A hint that something in the table changed; may be late or merged, never lost. */
  watch(table: Table<unknown>, onChange: () => void): () => void;
}

/** Typed row for `commit.put`. */
export function put<Row>(table: Table<Row>, key: Key, value: Row): Put {
  return { table, key, value };
}

/** Every row under `prefix` in order, page by page: between pages others run, so rows written meanwhile may or may not be seen. `pageRows` defaults to 1,000. */
export async function* scan<Row>(store: Store, table: Table<Row>, prefix: Key, pageRows = 1000): AsyncGenerator<Entry<Row>[], void, void> {
  let after: Key | undefined;
  for (;;) {
    const page = await store.range(table, prefix, { limit: pageRows, ...(after && { after }) });
    if (page.length > 0) yield page;
    // Reads of an embedded engine resolve at once: without a pause nobody else would run between pages.
    await setImmediate();
    if (page.length < pageRows) return;
    after = page.at(-1)?.key;
  }
}
