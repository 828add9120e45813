// Rows in memory while they are in use, and the latest of the others: for rows that every message reads and many change. The pipeline's books of sessions, routes and rooms are made of these.
import type { Key, Store, Table } from './store.ts';

/** A row in somebody's hands; it stays in memory until it is let go, so that all who change it see one another's changes. */
export interface OpenRow<Row> extends Disposable {
  /** Undefined when there is none. */
  readonly row: Row | undefined;
  /** What it is from now on. Goes into a commit that is asked for without awaiting in between: then rows change in the order of commits, and no change is lost to another. */
  become(row: Row): Row;
  /** The commit with this row came to nothing. */
  takeBack(row: Row): void;
}

export class OpenRows<Row> {
  readonly #store: Store;
  readonly #table: Table<Row>;
  readonly #most: number;
  /** Least recently opened first. */
  readonly #entries = new Map<string, Entry<Row>>();

  /** `most` rows are kept beside those in use. */
  constructor(store: Store, table: Table<Row>, most: number) {
    this.#store = store;
    this.#table = table;
    this.#most = most;
  }

  /** Throws what the store throws. */
  async open(key: Key): Promise<OpenRow<Row>> {
    const name = nameOf(key);
    let entry = this.#entries.get(name);
    if (entry) this.#entries.delete(name);
    else entry = new Entry();
    this.#entries.set(name, entry);
    entry.users += 1;
    if (!entry.isRead) {
      try {
        await entry.read(this.#store, this.#table, key);
      } catch (error) {
        entry[Symbol.dispose]();
        throw error;
      }
    }
    if (this.#entries.size > this.#most) this.#makeRoom();
    return entry;
  }

  /** Somebody else has changed or removed the row: it is read anew when it is opened next. */
  forget(key: Key): void {
    const entry = this.#entries.get(nameOf(key));
    if (entry) entry.isRead = false;
  }

  #makeRoom(): void {
    for (const [name, { users }] of this.#entries) {
      if (users > 0) continue;
      this.#entries.delete(name);
      return;
    }
  }
}

/** Most keys are a tenant and one id. */
const nameOf = (key: Key) => (key.length === 2 ? String(key[1]) : JSON.stringify(key));

class Entry<Row> implements OpenRow<Row> {
  row: Row | undefined;
  users = 0;
  isRead = false;
  #reading: Promise<void> | undefined;
  #before: Row | undefined;

  read(store: Store, table: Table<Row>, key: Key): Promise<void> {
    this.#reading ??= store
      .get(table, key)
      .then((stored) => {
        this.row = stored?.value;
        this.isRead = true;
      })
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  become(row: Row): Row {
    this.#before = this.row;
    return (this.row = row);
  }

  takeBack(row: Row): void {
    if (this.row === row) this.row = this.#before;
  }

  [Symbol.dispose](): void {
    this.users -= 1;
  }
}
