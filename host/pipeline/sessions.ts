// Sessions as rows, read through a bounded cache so that every message of a busy one does not read the store again. accept.ts counts messages, sessions' API resets them.
import type { Session } from '../../schemas/message.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { toTimestamp } from '../clock.ts';
import { put, type Store } from '../store/store.ts';
import { sessions, type SessionRow } from '../store/tables.ts';
import { isOver, type ResetRule } from './session-resets.ts';

/** Rows kept in memory beside those that are in use. */
const MOST_CACHED = 20_000;

/** A session in somebody's hands: its row stays in memory until it is let go, so that all who count see one another's counts. */
export interface OpenSession extends Disposable {
  /** Undefined before its first message. */
  readonly row: SessionRow | undefined;
  /**
   * The row with one more message, in a new generation if the one before is over. Goes into a commit that is asked for without awaiting in between: rows are
   * counted in the order of commits, and a reset is never overtaken by a count from before it.
   */
  count(atMs: number, rule: ResetRule): SessionRow;
  /** The row of a new generation, which no message has come to yet. The same holds for its commit. */
  begin(atMs: number): SessionRow;
  /** The commit with this row came to nothing. */
  takeBack(row: SessionRow): void;
}

export class SessionBook {
  readonly #store: Store;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws what the store throws. */
  async open(key: string): Promise<OpenSession> {
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = new Entry();
    this.#entries.set(key, entry); // the newest
    entry.users += 1;
    if (!entry.isRead) {
      try {
        await entry.read(this.#store, key);
      } catch (error) {
        entry[Symbol.dispose]();
        if (!entry.isRead && this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      }
    }
    this.#makeRoom();
    return entry;
  }

  /** The row as it is now; that of a session without messages when there is none. */
  async get(key: string, nowMs: number): Promise<SessionRow> {
    using session = await this.open(key);
    return session.row ?? { startedAt: toTimestamp(nowMs), lastAt: toTimestamp(nowMs), messages: 0 };
  }

  /** Ends what has been said so far, in a commit of its own: the next message is the first of a new generation. Undefined when there is no such session. */
  async reset(key: string, nowMs: number): Promise<SessionRow | undefined> {
    using session = await this.open(key);
    if (!session.row) return undefined;
    const row = session.begin(nowMs);
    try {
      await this.#store.commit({ put: [put(sessions, sessions.key(key), row)] });
      return row;
    } catch (error) {
      session.takeBack(row);
      throw error;
    }
  }

  #makeRoom(): void {
    if (this.#entries.size <= MOST_CACHED) return;
    for (const [key, { users }] of this.#entries) {
      if (users > 0) continue;
      this.#entries.delete(key);
      return;
    }
  }
}

class Entry implements OpenSession {
  row: SessionRow | undefined;
  users = 0;
  isRead = false;
  #reading: Promise<void> | undefined;
  #before: SessionRow | undefined;

  read(store: Store, key: string): Promise<void> {
    this.#reading ??= store
      .get(sessions, sessions.key(key))
      .then((stored) => {
        this.row = stored?.value;
        this.isRead = true;
      })
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  count(atMs: number, rule: ResetRule): SessionRow {
    const { row } = this;
    const at = toTimestamp(atMs);
    if (!row) return this.#become({ startedAt: at, lastAt: at, messages: 1 });
    // One that was reset and has no message yet cannot be over.
    if (rule.policy !== 'none' && row.messages > 0 && isOver(rule, Date.parse(row.lastAt), atMs)) return this.#become({ ...this.#next(at), messages: 1 });
    return this.#become({ ...row, messages: row.messages + 1, lastAt: laterOf(row.lastAt, at, atMs) });
  }

  begin(atMs: number): SessionRow {
    return this.#become(this.#next(toTimestamp(atMs)));
  }

  takeBack(row: SessionRow): void {
    if (this.row === row) this.row = this.#before;
  }

  [Symbol.dispose](): void {
    this.users -= 1;
  }

  #next(at: string): SessionRow {
    return { startedAt: at, lastAt: at, messages: 0, generation: (this.row?.generation ?? 1) + 1 };
  }

  #become(row: SessionRow): SessionRow {
    this.#before = this.row;
    return (this.row = row);
  }
}

/** Messages are not always accepted in the order of their arrival, and one that was held is up to a day old. What is further in the future than that comes of a clock that was set back since, and must not keep a session from ever being idle. */
function laterOf(known: string, at: string, atMs: number): string {
  return known > at && Date.parse(known) - atMs <= BOUNDS.heldMs ? known : at;
}

/** A session as skills see it. */
export function sessionOf(key: string, { startedAt, messages, generation = 1 }: SessionRow): Session {
  return { key, id: `${key}#${generation}`, startedAt, messages };
}
