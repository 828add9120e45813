// The store port on LMDB: one environment, one named database a table, group commit by lmdb-js. `host.ts` opens it; nothing else imports lmdb.
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { hasListeners, publish } from '../events.ts';
import type { WritableRoom } from './disk-room.ts';
import { decodeKey, encodeKey, encodePrefix, endOfPrefix, justAfter } from './keys.ts';
import { migrate, type Migration } from './migrations.ts';
import { takeOwnerLock, type OwnerLock } from './owner-lock.ts';
import { decodeRow, encodeRow, versionOf } from './rows.ts';
import { markBegun, openRoom, refuseDamaged, STORE_FILE, writable } from './soundness.ts';
import type { Commit, CommitResult, Entry, Key, RangeOptions, Store, Stored, Table } from './store.ts';
import { meta, TABLES } from './tables.ts';
import { createVersions } from './versions.ts';
import { Watches } from './watches.ts';

export interface StoreStats {
  readonly committed: number;
  readonly conflict: number;
  readonly failed: number;
  /** Commits not yet on disk. */
  readonly inFlight: number;
  readonly usedBytes: number;
  /** The map the file lies in; it grows by itself. */
  readonly mapBytes: number;
  /** Places taken in the table of readers. */
  readonly readers: number;
  /** Commits since the oldest snapshot that somebody still reads: what was freed since cannot be used again. */
  readonly readerLag: number;
}

export interface LmdbStore extends Store {
  stats(): StoreStats;
  /** Writes the store as it is at one moment, without what is free in it, into an empty folder, while commits go on. Throws STORE_FAILED, STORE_CLOSED. */
  snapshot(dir: string): Promise<void>;
}

export interface StoreOptions {
  /** Owned by this process alone while open; made with mode 0700. */
  readonly dir: string;
  readonly clock: Clock;
  readonly migrations?: readonly Migration[];
  /** For whoever only looks: whatever its schema, it stays. */
  readonly asFound?: boolean;
}

/** Where the map begins; LMDB grows it by itself. Written as a power because `2 << 30` is negative, which LMDB takes for a size. */
const INITIAL_MAP_BYTES = 2 ** 30;
/** Of a store that begins now; one that is there keeps its own. Twice the default: a commit of a busy host writes a third fewer pages, and they cost by number, not by size. */
const PAGE_BYTES = 8192;
/** Room for tables that migrations bring. */
const MAX_TABLES = 64;
/** Unreadable rows that are told of by their keys; more of them are a damaged store, and no longer rows. */
const MOST_TOLD = 1000;

/** Takes the directory, looks whether its store is sound, opens it, brings it to today's schema. Throws STORE_LOCKED, STORE_UNWRITABLE, STORE_DAMAGED, STORE_VERSION, STORE_MIGRATION, STORE_FAILED. */
export async function openStore({ dir, clock, migrations, asFound = false }: StoreOptions): Promise<LmdbStore> {
  const lock = await writable(dir, () => takeOwnerLock(dir));
  let store: LmdbEngine | undefined;
  try {
    const room = await openRoom(dir, clock);
    await refuseDamaged(dir, lock.wasReleased ? 'branches' : 'leaves');
    store = new LmdbEngine(openEnvironment(dir), lock, { clock, room });
    if (!asFound) await migrate({ store, dir, clock, migrations });
    await writable(dir, () => markBegun(dir));
    return store;
  } catch (error) {
    await (store ? store[Symbol.asyncDispose]() : lock.release());
    throw error;
  }
}

type Binary = Database<Buffer, Buffer>;

interface Expected {
  readonly database: Binary;
  readonly key: Buffer;
  readonly version: number | 'absent';
}

class LmdbEngine implements LmdbStore {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #lock: OwnerLock;
  readonly #clock: Clock;
  readonly #room: WritableRoom;
  readonly #databases: ReadonlyMap<string, Binary>;
  readonly #nextVersion: () => number;
  readonly #watches = new Watches();
  readonly #counts = { committed: 0, conflict: 0, failed: 0, inFlight: 0 };
  /** Rows that were told of. */
  readonly #unreadable = new Set<string>();
  #closing: Promise<void> | undefined;

  constructor(root: RootDatabase<Buffer, Buffer>, lock: OwnerLock, { clock, room }: { readonly clock: Clock; readonly room: WritableRoom }) {
    this.#root = root;
    this.#lock = lock;
    this.#clock = clock;
    this.#room = room;
    this.#databases = new Map(TABLES.map(({ name }) => [name, root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })]));
    this.#nextVersion = createVersions(() => this.#claimEpoch());
    // lmdb-js makes one promise for each group it writes and hands it to nobody; when the group fails, it would be an unhandled rejection and end the host. It
    // exists once this event's turn is over. Whoever committed hears of the failure by a promise of its own.
    root.on('beforecommit', () => queueMicrotask(() => void root.committed.then(undefined, () => undefined)));
  }

  async get<Row>(table: Table<Row>, key: Key): Promise<Stored<Row> | undefined> {
    const bytes = this.#database(table).getBinary(encodeKey(table.name, key));
    return bytes && this.#decoded(table, key, bytes);
  }

  async range<Row>(table: Table<Row>, prefix: Key, options: RangeOptions = {}): Promise<Entry<Row>[]> {
    const range = rangeOf(table.name, prefix, options);
    const database = this.#database(table);
    if (!range) return [];
    const { onUnreadable } = options;
    const row = ({ key: bytes, value }: { readonly key: Buffer; readonly value: Buffer }): Entry<Row> => {
      const key = decodeKey(bytes);
      return { key, ...this.#decoded(table, key, value) };
    };
    if (!onUnreadable) return Array.from(database.getRange(range), row);
    const rows: Entry<Row>[] = [];
    let at = 0;
    for (const each of database.getRange(range)) {
      try {
        rows.push(row(each));
      } catch {
        onUnreadable(decodeKey(each.key), at); // `#decoded` has told of it
      }
      at += 1;
    }
    return rows;
  }

  /** Tells of a row that cannot be read, of each once, before it throws. */
  #decoded<Row>(table: Table<Row>, key: Key, bytes: Buffer): Stored<Row> {
    try {
      return decodeRow(table, bytes);
    } catch (thrown) {
      const place = `${table.name} ${JSON.stringify(key)}`;
      if (!this.#unreadable.has(place) && this.#unreadable.size < MOST_TOLD) {
        this.#unreadable.add(place);
        publish('store.unreadable', { table: table.name });
      }
      throw thrown;
    }
  }

  async count(table: Table<unknown>): Promise<number> {
    const { entryCount = 0 }: { entryCount?: number } = this.#database(table).getStats();
    return entryCount;
  }

  async commit({ expect = [], put = [], remove = [] }: Commit): Promise<CommitResult> {
    const version = this.#nextVersion();
    const expectations = expect.map(({ table, key, version }) => ({ database: this.#database(table), key: encodeKey(table.name, key), version }));
    const puts = put.map(({ table, key, value }) => ({ database: this.#database(table), key: encodeKey(table.name, key), row: encodeRow(table, value, version) }));
    const removals = remove.map(({ table, key }) => ({ database: this.#database(table), key: encodeKey(table.name, key) }));

    // Everything that can be refused has been refused above: an exception in here would leave the puts before it in place.
    const write = (): void => {
      for (const { database, key, row } of puts) void database.put(key, row);
      for (const { database, key } of removals) void database.remove(key);
    };

    const startedMs = this.#clock.monotonicMs();
    let outcome: CommitResult | 'failed' = 'failed';
    this.#counts.inFlight += 1;
    try {
      const full = this.#room.problem();
      if (full !== undefined) throw new Error(full);
      outcome = await this.#apply(expectations, write);
    } catch (thrown) {
      const cause = await commitErrorOf(thrown);
      throw new GatehouseError('STORE_FAILED', { problem: problemOf(cause) }, { cause });
    } finally {
      this.#counts.inFlight -= 1;
      this.#counts[outcome] += 1;
      if (hasListeners('store.commit')) publish('store.commit', { rows: puts.length + removals.length, durationMs: this.#clock.monotonicMs() - startedMs, outcome });
    }
    if (outcome === 'committed') this.#watches.changed(put, remove);
    return outcome;
  }

  /**
   * In one transaction each way, but a `transaction` calls back into this thread in the middle, and the writer thread waits for its event loop; every commit
   * of the group waits with it. What nothing or one absent key decides is decided by the writer thread alone.
   */
  async #apply(expectations: readonly Expected[], write: () => void): Promise<CommitResult> {
    const [first] = expectations;
    if (!first) {
      await this.#root.batch(write);
      return 'committed';
    }
    if (expectations.length === 1 && first.version === 'absent') return (await first.database.ifNoExists(first.key, write)) ? 'committed' : 'conflict';
    return await this.#root.transaction((): CommitResult => {
      if (!expectations.every(holds)) return 'conflict';
      write();
      return 'committed';
    });
  }

  watch(table: Table<unknown>, onChange: () => void): () => void {
    this.#database(table);
    return this.#watches.add(table.name, onChange);
  }

  stats(): StoreStats {
    if (this.#closing) throw new GatehouseError('STORE_CLOSED');
    const { lastPageNumber = 0, pageSize = 0, mapSize = 0, numReaders = 0, lastTxnId = 0 }: Partial<Record<string, number>> = this.#root.getStats();
    return { ...this.#counts, usedBytes: (lastPageNumber + 1) * pageSize, mapBytes: mapSize, readers: numReaders, readerLag: Math.max(0, lastTxnId - oldestRead(this.#root.readerList(), lastTxnId)) };
  }

  async snapshot(dir: string): Promise<void> {
    if (this.#closing) throw new GatehouseError('STORE_CLOSED');
    try {
      await this.#root.backup(dir, true);
    } catch (thrown) {
      throw new GatehouseError('STORE_FAILED', { problem: problemOf(thrown) }, { cause: thrown });
    }
  }

  /** Waits for commits under way, then gives the directory back. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#root.close();
    this.#room[Symbol.dispose]();
    await this.#lock.release();
  }

  #database(table: Table<unknown>): Binary {
    if (this.#closing) throw new GatehouseError('STORE_CLOSED');
    const found = this.#databases.get(table.name);
    if (!found) throw new GatehouseError('INTERNAL', { problem: `there is no table '${table.name}'` });
    return found;
  }

  /** On the calling thread and flushed: once at open, and again after 2^32 commits. */
  #claimEpoch(): number {
    const database = this.#database(meta);
    const key = encodeKey(meta.name, meta.key('epoch'));
    return this.#root.transactionSync(() => {
      const bytes = database.getBinary(key);
      const last = bytes && decodeRow(meta, bytes).value;
      const epoch = (last && 'epoch' in last ? last.epoch : 0) + 1;
      database.putSync(key, encodeRow(meta, { epoch }, 0));
      return epoch;
    });
  }
}

function openEnvironment(dir: string): RootDatabase<Buffer, Buffer> {
  try {
    // `noSubdir` is said because lmdb-js otherwise takes a directory whose name holds a dot for a file.
    return open<Buffer, Buffer>({ path: dir, noSubdir: false, encoding: 'binary', keyEncoding: 'binary', maxDbs: MAX_TABLES, mapSize: INITIAL_MAP_BYTES, pageSize: PAGE_BYTES, overlappingSync: false });
  } catch (thrown) {
    const problem = problemOf(thrown);
    // Its pages hold together, and what is written in them of the whole does not.
    if (/^MDB_(CORRUPTED|INVALID|PAGE_NOTFOUND|INCOMPATIBLE|BAD_)/.test(problem)) throw new GatehouseError('STORE_DAMAGED', { where: ` ${join(dir, STORE_FILE)}`, problem }, { cause: thrown });
    throw new GatehouseError('STORE_FAILED', { problem }, { cause: thrown });
  }
}

function holds({ database, key, version }: Expected): boolean {
  const bytes = database.getBinary(key);
  return bytes ? versionOf(bytes) === version : version === 'absent';
}

/** Of LMDB's table of readers, `pid thread txnid` a line with `-` for those that read nothing, the oldest transaction. */
function oldestRead(list: string, newest: number): number {
  const read = [...list.matchAll(/^\s*\d+ +\S+ +(\d+)\s*$/gm)].map(([, id]) => Number(id));
  return Math.min(newest, ...read);
}

/** What lmdb-js walks, or undefined when nothing can lie between the ends. Reversed, it starts at the high end: excluded, and the low end included. */
function rangeOf(table: string, prefix: Key, { from, after, to, limit, reverse }: RangeOptions) {
  const within = encodePrefix(table, prefix);
  const lows = [within.length > 0 ? within : Buffer.of(0), ...(from ? [encodePrefix(table, from)] : []), ...(after ? [justAfter(encodePrefix(table, after))] : [])];
  const highs = [endOfPrefix(within), ...(to ? [encodePrefix(table, to)] : [])];
  const low = lows.reduce((highest, each) => (Buffer.compare(each, highest) > 0 ? each : highest));
  const high = highs.reduce((lowest, each) => (Buffer.compare(each, lowest) < 0 ? each : lowest));
  if (limit === 0 || Buffer.compare(low, high) >= 0) return undefined;
  const bounded = limit === undefined ? {} : { limit };
  return reverse ? { ...bounded, reverse, start: high, exclusiveStart: true, end: low, inclusiveEnd: true } : { ...bounded, start: low, end: high };
}

/** lmdb-js rejects a commit with a general error and the true one as a promise beside it, which must be awaited or it counts as unhandled. */
async function commitErrorOf(thrown: unknown): Promise<unknown> {
  const beside = thrown instanceof Error && 'commitError' in thrown ? thrown.commitError : undefined;
  if (!(beside instanceof Promise)) return thrown;
  return Promise.race([beside.catch((error: unknown) => error), setImmediate(thrown)]);
}
