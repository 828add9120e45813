// Sessions as rows: counted by accept.ts in the commit of each message, begun anew when they are over, `/reset` asks for it, or an operator says so.
import type { Session } from '../../../schemas/message.ts';
import { setTimeout } from 'node:timers/promises';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { OpenRows, type OpenRow } from '../../store/open-rows.ts';
import { put, scan, type Entry, type Store } from '../../store/store.ts';
import { meta, sessions, type SessionRow } from '../../store/tables.ts';
import { isOver, type ResetRule } from './session-resets.ts';

/** Rows kept in memory beside those in use: a busy conversation does not read the store for every message. */
const MOST_CACHED = 20_000;
/** Forgotten in one commit, and how many times as long as it took is rested after it: as retention.ts does. */
const BATCH = 100;
const REST = 4;

export class SessionBook {
  readonly #store: Store;
  readonly #rows: OpenRows<SessionRow>;
  /** Greater than that of any session that was forgotten: an id is of one session for ever, for skills keep what they know under it. Undefined until it is read. */
  #first: number | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#rows = new OpenRows(store, sessions, MOST_CACHED);
  }

  /** Throws what the store throws. */
  open(key: string): Promise<OpenRow<SessionRow>> {
    const open = () => this.#rows.open(sessions.key(key));
    return this.#first === undefined ? this.#readFirst().then(open) : open();
  }

  /** The generation a session begins with that has no row; known once any was opened. */
  get firstGeneration(): number {
    return this.#first ?? 1;
  }

  /** The row as it is now; that of a session without messages when there is none. */
  async get(key: string, nowMs: number): Promise<SessionRow> {
    using session = await this.open(key);
    return session.row ?? begun(undefined, nowMs, this.firstGeneration);
  }

  /** Lets go of sessions in which nobody wrote since, in small commits with rests between them; resolves with how many. One that is written to meanwhile stays, with those of its commit. */
  async forget({ clock, beforeMs, signal }: { readonly clock: Clock; readonly beforeMs: number; readonly signal: AbortSignal }): Promise<number> {
    if (beforeMs === Number.NEGATIVE_INFINITY) return 0;
    const before = toTimestamp(Math.max(0, beforeMs));
    let forgotten = 0;
    for await (const page of scan(this.#store, sessions, sessions.prefix(), BATCH, { passOver: true })) {
      if (signal.aborted) return forgotten;
      const old = page.filter(({ value }) => value.lastAt < before);
      if (old.length === 0) continue;
      const startedMs = clock.monotonicMs();
      forgotten += await this.#forgetAll(old);
      await setTimeout(REST * (clock.monotonicMs() - startedMs), undefined, { signal }).catch(() => undefined);
    }
    return forgotten;
  }

  async #forgetAll(old: readonly Entry<SessionRow>[]): Promise<number> {
    await this.#readFirst();
    // Before the commit: whoever begins one of them anew right after it must not begin where it ended.
    this.#first = Math.max(this.firstGeneration, ...old.map(({ value: { generation = 1 } }) => generation + 1));
    const result = await this.#store.commit({
      expect: old.map(({ key, version }) => ({ table: sessions, key, version })),
      put: [put(meta, meta.key('sessions'), { generation: this.#first })],
      remove: old.map(({ key }) => ({ table: sessions, key })),
    });
    if (result !== 'committed') return 0;
    for (const { key } of old) this.#rows.forget(key);
    return old.length;
  }

  async #readFirst(): Promise<void> {
    const row = (await this.#store.get(meta, meta.key('sessions')))?.value;
    this.#first = Math.max(this.firstGeneration, row && 'generation' in row ? row.generation : 1);
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

/** The row with one more message; in a new generation if the one before is over, in the `first` if there is none. */
export function counted(row: SessionRow | undefined, atMs: number, rule: ResetRule, first: number): SessionRow {
  const at = toTimestamp(atMs);
  if (!row) return { ...begun(undefined, atMs, first), messages: 1 };
  // One that was reset and has no message yet cannot be over.
  if (rule.policy !== 'none' && row.messages > 0 && isOver(rule, Date.parse(row.lastAt), atMs)) return { ...nextOf(row, at), messages: 1 };
  return { ...row, messages: row.messages + 1, lastAt: laterOf(row.lastAt, at, atMs) };
}

/** A session that begins now, and has no message yet. */
export function begun(row: SessionRow | undefined, atMs: number, first: number): SessionRow {
  const at = toTimestamp(atMs);
  return row ? nextOf(row, at) : { startedAt: at, lastAt: at, messages: 0, ...(first > 1 && { generation: first }) };
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
