// Sessions as rows: counted by accept.ts in the commit of each message, begun anew when they are over, `/reset` asks for it, or an operator says so.
import type { Session } from '../../../schemas/message.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { toTimestamp } from '../../clock.ts';
import { OpenRows, type OpenRow } from '../../store/open-rows.ts';
import { put, scan, type Store } from '../../store/store.ts';
import { sessions, type SessionRow } from '../../store/tables.ts';
import { isOver, type ResetRule } from './session-resets.ts';

/** Rows kept in memory beside those in use: a busy conversation does not read the store for every message. */
const MOST_CACHED = 20_000;

export class SessionBook {
  readonly #store: Store;
  readonly #rows: OpenRows<SessionRow>;

  constructor(store: Store) {
    this.#store = store;
    this.#rows = new OpenRows(store, sessions, MOST_CACHED);
  }

  /** Throws what the store throws. */
  open(key: string): Promise<OpenRow<SessionRow>> {
    return this.#rows.open(sessions.key(key));
  }

  /** The row as it is now; that of a session without messages when there is none. */
  async get(key: string, nowMs: number): Promise<SessionRow> {
    using session = await this.open(key);
    return session.row ?? { startedAt: toTimestamp(nowMs), lastAt: toTimestamp(nowMs), messages: 0 };
  }

  /** Lets go of sessions in which nobody wrote since; resolves with how many. One that is written to meanwhile stays. */
  async forget(beforeMs: number, signal: AbortSignal): Promise<number> {
    if (beforeMs === Number.NEGATIVE_INFINITY) return 0;
    const before = toTimestamp(beforeMs);
    let forgotten = 0;
    for await (const page of scan(this.#store, sessions, sessions.prefix(), 500)) {
      if (signal.aborted) return forgotten;
      for (const { key, value, version } of page) {
        if (value.lastAt >= before || (await this.#store.commit({ expect: [{ table: sessions, key, version }], remove: [{ table: sessions, key }] })) !== 'committed') continue;
        this.#rows.forget(key);
        forgotten += 1;
      }
    }
    return forgotten;
  }

  /** Ends what has been said so far, in a commit of its own: the next message is the first of a new generation. Undefined when there is no such session. */
  async reset(key: string, nowMs: number): Promise<SessionRow | undefined> {
    using session = await this.open(key);
    if (!session.row) return undefined;
    const row = session.become(nextOf(session.row, toTimestamp(nowMs)));
    try {
      await this.#store.commit({ put: [put(sessions, sessions.key(key), row)] });
      return row;
    } catch (error) {
      session.takeBack(row);
      throw error;
    }
  }
}

/** The row with one more message; in a new generation if the one before is over. */
export function counted(row: SessionRow | undefined, atMs: number, rule: ResetRule): SessionRow {
  const at = toTimestamp(atMs);
  if (!row) return { startedAt: at, lastAt: at, messages: 1 };
  // One that was reset and has no message yet cannot be over.
  if (rule.policy !== 'none' && row.messages > 0 && isOver(rule, Date.parse(row.lastAt), atMs)) return { ...nextOf(row, at), messages: 1 };
  return { ...row, messages: row.messages + 1, lastAt: laterOf(row.lastAt, at, atMs) };
}

/** A session that begins now, and has no message yet. */
export function begun(row: SessionRow | undefined, atMs: number): SessionRow {
  const at = toTimestamp(atMs);
  return row ? nextOf(row, at) : { startedAt: at, lastAt: at, messages: 0 };
}

function nextOf({ generation = 1 }: SessionRow, at: string): SessionRow {
  return { startedAt: at, lastAt: at, messages: 0, generation: generation + 1 };
}

/** Messages are not always accepted in the order of their arrival, and one that was held is up to a day old. What is further in the future than that comes of a clock that was set back since, and must not keep a session from ever being idle. */
function laterOf(known: string, at: string, atMs: number): string {
  return known > at && Date.parse(known) - atMs <= BOUNDS.heldMs ? known : at;
}

/** A session as skills see it. */
export function sessionOf(key: string, { startedAt, messages, generation = 1 }: SessionRow): Session {
  return { key, id: `${key}#${generation}`, startedAt, messages };
}
