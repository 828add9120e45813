// How many bytes each instance holds in kv. Reserves before a write is buffered, corrects when it is committed, so that calls side by side never pass the quota together.
import type { Put, Removal, Store } from '../store/store.ts';
import { put } from '../store/store.ts';
import { kv, kvUsage } from '../store/tables.ts';
import type { CallScope, KvWrite } from '../broker/call-scope.ts';

interface Account {
  committed: number;
  reserved: number;
  /** Sizes of writes whose commit is under way; the store does not show them yet. */
  readonly inFlight: Map<string, { size: number; commits: number }>;
  /** Settlements of one instance run one after the other. */
  turn: Promise<unknown>;
}

/** The rows a finished call adds to the commit of its stage; `done` must be called once that commit has ended. */
export interface KvRows {
  readonly put: readonly Put[];
  readonly remove: readonly Removal[];
  done(): void;
}

const NO_ROWS: KvRows = { put: [], remove: [], done: () => undefined };

export class KvLedger {
  readonly #store: Store;
  readonly #accounts = new Map<string, Account>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Bytes held and reserved. */
  async used(instance: string): Promise<number> {
    const account = await this.#account(instance);
    return account.committed + account.reserved;
  }

  /** Takes `size` bytes if they fit; the returned function gives them back. */
  async reserve(instance: string, size: number, quotaBytes: number): Promise<{ readonly release: () => void } | { readonly used: number }> {
    const account = await this.#account(instance);
    const used = account.committed + account.reserved;
    if (used + size > quotaBytes) return { used };
    account.reserved += size;
    return { release: () => (account.reserved -= size) };
  }

  /** Turns a scope's buffered writes into rows, with each instance's new total. Sizes replaced or removed are credited here and only here. */
  async rowsOf(scope: CallScope): Promise<KvRows> {
    if (!scope.hasWrites) return NO_ROWS;
    const puts: Put[] = [];
    const removals: Removal[] = [];
    const done: (() => void)[] = [];
    for (const [instance, writes] of scope.writes) {
      const account = await this.#account(instance);
      const settled = account.turn.then(() => this.#settle(instance, account, writes, puts, removals, done));
      account.turn = settled.catch(() => undefined);
      await settled;
    }
    return { put: puts, remove: removals, done: () => done.forEach((each) => each()) };
  }

  async #settle(instance: string, account: Account, writes: ReadonlyMap<string, KvWrite>, puts: Put[], removals: Removal[], done: (() => void)[]) {
    for (const [key, write] of writes) {
      const stored = await this.#store.get(kv, kv.key(instance, key));
      const before = account.inFlight.get(key)?.size ?? stored?.value.sizeBytes ?? 0;
      const after = write === null ? 0 : write.sizeBytes;
      account.committed += after - before;
      const flight = account.inFlight.get(key);
      if (flight) {
        flight.size = after;
        flight.commits += 1;
      } else account.inFlight.set(key, { size: after, commits: 1 });
      if (write === null) removals.push({ table: kv, key: kv.key(instance, key) });
      else puts.push(put(kv, kv.key(instance, key), write));
    }
    puts.push(put(kvUsage, kvUsage.key(instance), { bytes: account.committed }));
    const keys = [...writes.keys()];
    // Leaves the overlay in turn as well: a settlement that already read the store must still see these sizes.
    done.push(() => {
      account.turn = account.turn.then(() => {
        for (const key of keys) {
          const flight = account.inFlight.get(key);
          if (flight && --flight.commits === 0) account.inFlight.delete(key);
        }
      });
    });
  }

  async #account(instance: string): Promise<Account> {
    const known = this.#accounts.get(instance);
    if (known) return known;
    const stored = await this.#store.get(kvUsage, kvUsage.key(instance));
    const raced = this.#accounts.get(instance);
    if (raced) return raced;
    const account: Account = { committed: stored?.value.bytes ?? 0, reserved: 0, inFlight: new Map(), turn: Promise.resolve() };
    this.#accounts.set(instance, account);
    return account;
  }
}

