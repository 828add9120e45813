// How many bytes each instance holds in kv. Reserves before a write is buffered, corrects when it is settled and takes back what was not committed, so that calls side by side never pass the quota together.
import type { Put, Removal, Store } from '../store/store.ts';
import { put } from '../store/store.ts';
import { kv, kvUsage } from '../store/tables.ts';
import type { CallScope, KvWrite } from '../broker/call-scope.ts';

interface Account {
  /** Bytes of every key, each by its latest write: the last one under way, or what is stored. */
  held: number;
  reserved: number;
  /** Keys whose commit is under way; the store does not show these writes yet. */
  readonly underWay: Map<string, KeyUnderWay>;
  /** Changes of one account run one after the other. Never rejects. */
  turn: Promise<unknown>;
}

interface KeyUnderWay {
  storedBytes: number;
  /** In the order they were settled. */
  readonly writes: { readonly sizeBytes: number }[];
}

/** The rows a finished call adds to the commit of its stage. */
export interface KvRows {
  readonly put: readonly Put[];
  readonly remove: readonly Removal[];
  /** Must be called once that commit has ended: true only if the store said `committed`. The first call counts. */
  done(committed: boolean): void;
}

const NO_ROWS: KvRows = { put: [], remove: [], done: () => undefined };

export class KvLedger {
  readonly #store: Store;
  readonly #accounts = new Map<string, Account>();
  /** Their writes are in the store; settling them again would write over what came later. */
  readonly #committed = new WeakSet<CallScope>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Bytes held and reserved. */
  async used(instance: string): Promise<number> {
    const account = await this.#account(instance);
    return account.held + account.reserved;
  }

  /** Takes `size` bytes if they fit; the returned function gives them back. */
  async reserve(instance: string, size: number, quotaBytes: number): Promise<{ readonly release: () => void } | { readonly used: number }> {
    const account = await this.#account(instance);
    const used = account.held + account.reserved;
    if (used + size > quotaBytes) return { used };
    account.reserved += size;
    return { release: () => (account.reserved -= size) };
  }

  /** Turns a scope's buffered writes into rows, with each instance's new total. Sizes replaced or removed are credited here and only here. Throws what the store throws, and then nothing is counted. */
  async rowsOf(scope: CallScope): Promise<KvRows> {
    if (!scope.hasWrites || this.#committed.has(scope)) return NO_ROWS;
    const parts: KvRows[] = [];
    let ended = false;
    const done = (committed: boolean) => {
      if (ended) return;
      ended = true;
      if (committed) this.#committed.add(scope);
      for (const part of parts) part.done(committed);
    };
    try {
      for (const [instance, writes] of scope.writes) {
        const account = await this.#account(instance);
        parts.push(await inTurn(account, () => this.#settle(instance, account, writes)));
      }
    } catch (error) {
      done(false);
      throw error;
    }
    return { put: parts.flatMap((each) => each.put), remove: parts.flatMap((each) => each.remove), done };
  }

  async #settle(instance: string, account: Account, writes: ReadonlyMap<string, KvWrite>): Promise<KvRows> {
    const storedBytes = new Map<string, number>();
    for (const key of writes.keys()) {
      if (!account.underWay.has(key)) storedBytes.set(key, (await this.#store.get(kv, kv.key(instance, key)))?.value.sizeBytes ?? 0);
    }
    // Everything that can fail has been done above: from here on the account changes.
    const puts: Put[] = [];
    const removals: Removal[] = [];
    const settled = [...writes].map(([key, write]) => {
      const entry = account.underWay.get(key) ?? { storedBytes: storedBytes.get(key) ?? 0, writes: [] };
      account.underWay.set(key, entry);
      const own = { sizeBytes: write?.sizeBytes ?? 0 };
      account.held += own.sizeBytes - latestBytes(entry);
      entry.writes.push(own);
      if (write === null) removals.push({ table: kv, key: kv.key(instance, key) });
      else puts.push(put(kv, kv.key(instance, key), write));
      return { key, entry, own };
    });
    puts.push(put(kvUsage, kvUsage.key(instance), { bytes: account.held }));

    const end = (committed: boolean) => {
      for (const { key, entry, own } of settled) {
        account.held -= latestBytes(entry);
        entry.writes.splice(entry.writes.indexOf(own), 1);
        if (committed) entry.storedBytes = own.sizeBytes;
        account.held += latestBytes(entry);
        if (entry.writes.length === 0) account.underWay.delete(key);
      }
    };
    // In turn as well: a settlement that already read the store must still find these sizes.
    return { put: puts, remove: removals, done: (committed) => void inTurn(account, () => end(committed)) };
  }

  /** With every change made that was asked for so far. */
  async #account(instance: string): Promise<Account> {
    const account = this.#accounts.get(instance) ?? (await this.#read(instance));
    await account.turn;
    return account;
  }

  async #read(instance: string): Promise<Account> {
    const stored = await this.#store.get(kvUsage, kvUsage.key(instance));
    const raced = this.#accounts.get(instance);
    if (raced) return raced;
    const account: Account = { held: stored?.value.bytes ?? 0, reserved: 0, underWay: new Map(), turn: Promise.resolve() };
    this.#accounts.set(instance, account);
    return account;
  }
}

function inTurn<T>(account: Account, change: () => T | Promise<T>): Promise<T> {
  const changed = account.turn.then(change);
  account.turn = changed.catch(() => undefined);
  return changed;
}

function latestBytes({ storedBytes, writes }: KeyUnderWay): number {
  return writes.at(-1)?.sizeBytes ?? storedBytes;
}
