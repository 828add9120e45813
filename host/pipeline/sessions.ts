// Session rows, read through a bounded cache so that every message of a busy conversation does not read the store again.
import { toTimestamp } from '../clock.ts';
import type { Store } from '../store/store.ts';
import { sessions, type SessionRow } from '../store/tables.ts';

/** Rows kept in memory; far above what can be in flight, so a row never leaves while its commit is under way. */
const MOST_CACHED = 20_000;

export class SessionBook {
  readonly #store: Store;
  readonly #rows = new Map<string, SessionRow>();
  readonly #loading = new Map<string, Promise<void>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The row with one more message counted; the caller puts it into its commit. */
  async touch(key: string, nowMs: number): Promise<SessionRow> {
    const known = await this.#read(key);
    const at = toTimestamp(nowMs);
    const row: SessionRow = known ? { ...known, messages: known.messages + 1, lastAt: at } : { startedAt: at, lastAt: at, messages: 1 };
    this.#keep(key, row);
    return row;
  }

  async get(key: string, nowMs: number): Promise<SessionRow> {
    const at = toTimestamp(nowMs);
    return (await this.#read(key)) ?? { startedAt: at, lastAt: at, messages: 0 };
  }

  async #read(key: string): Promise<SessionRow | undefined> {
    if (!this.#rows.has(key)) {
      let loading = this.#loading.get(key);
      if (!loading) {
        loading = this.#load(key).finally(() => this.#loading.delete(key));
        this.#loading.set(key, loading);
      }
      await loading;
    }
    return this.#rows.get(key);
  }

  async #load(key: string): Promise<void> {
    const stored = await this.#store.get(sessions, sessions.key(key));
    if (stored && !this.#rows.has(key)) this.#keep(key, stored.value);
  }

  #keep(key: string, row: SessionRow): void {
    this.#rows.delete(key);
    this.#rows.set(key, row);
    if (this.#rows.size <= MOST_CACHED) return;
    const oldest = this.#rows.keys().next();
    if (!oldest.done) this.#rows.delete(oldest.value);
  }
}
