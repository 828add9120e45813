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
  /** Rows that cannot be read are left out instead of refusing the rest, and told with their place in the walk; without it they are STORE_DAMAGED. They count for `limit`. */
  readonly onUnreadable?: (key: Key, at: number) => void;
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

/** Every row under `prefix` in order, page by page: between pages others run, so rows written meanwhile may or may not be seen. `pageRows` defaults to 1,000; rows that cannot be read are STORE_DAMAGED, or passed over. */
export async function* scan<Row>(store: Store, table: Table<Row>, prefix: Key, pageRows = 1000, { passOver = false }: { readonly passOver?: boolean } = {}): AsyncGenerator<readonly Entry<Row>[], void, void> {
  let after: Key | undefined;
  for (;;) {
    const options = { limit: pageRows, ...(after && { after }) };
    const { rows, last, isEnd } = passOver ? await readablePage(store, table, prefix, options) : pageOf(await store.range(table, prefix, options), pageRows);
    if (rows.length > 0) yield rows;
    // Reads of an embedded engine resolve at once: without a pause nobody else would run between pages.
    await setImmediate();
    if (isEnd) return;
    after = last;
  }
}

/** Rows that were walked through. */
export interface RowPage<Row> {
  readonly rows: readonly Entry<Row>[];
  /** Where the walk stopped, whether that row could be read or not. */
  readonly last: Key | undefined;
  /** Nothing follows. */
  readonly isEnd: boolean;
}

/** A page without the rows that cannot be read: one of them hides no other, and nobody stops before it for good. */
export async function readablePage<Row>(store: Store, table: Table<Row>, prefix: Key, options: RangeOptions & { readonly limit: number }): Promise<RowPage<Row>> {
  let passed = 0;
  let lastPassed: Key | undefined;
  const rows = await store.range(table, prefix, {
    ...options,
    onUnreadable: (key, at) => {
      passed += 1;
      lastPassed = at === options.limit - 1 ? key : undefined;
    },
  });
  return { rows, last: lastPassed ?? rows.at(-1)?.key, isEnd: rows.length + passed < options.limit };
}

const pageOf = <Row>(rows: readonly Entry<Row>[], limit: number): RowPage<Row> => ({ rows, last: rows.at(-1)?.key, isEnd: rows.length < limit });
