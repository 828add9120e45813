// The store with a disk that fails or is slow on demand: stands where host.ts imports the engine in a struck host (see strike.ts), and is the real engine behind the port in all other respects.
import { GatehouseError } from '../../host/errors.ts';
import { openStore as openReal, type LmdbStore, type StoreOptions } from '../../host/store/lmdb.ts';
import type { Commit, CommitResult } from '../../host/store/store.ts';
import { disk } from './disk.ts';

export async function openStore(options: StoreOptions): Promise<LmdbStore> {
  const store = await openReal(options);
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return (commit: Commit) => commitOn(target, commit);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (...args: readonly unknown[]): unknown => Reflect.apply(member, target, args) : member;
    },
  });
}

async function commitOn(store: LmdbStore, commit: Commit): Promise<CommitResult> {
  if (disk.refuse > 0) {
    disk.refuse -= 1;
    throw new GatehouseError('STORE_FAILED', { problem: 'MDB_PANIC: Update of meta page failed or environment had fatal error' });
  }
  // No commit overtakes another, on any disk: whoever comes while one hangs waits for the same flush.
  if (disk.slow <= 0 && !flushing) return await store.commit(commit);
  disk.slow -= 1;
  if (disk.slowBefore) await flushed();
  const result = await store.commit(commit);
  if (!disk.slowBefore) await flushed();
  return result;
}

let flushing: Promise<void> | undefined;

function flushed(): Promise<void> {
  flushing ??= new Promise((resolve) => {
    setTimeout(() => {
      flushing = undefined;
      resolve();
    }, disk.slowMs);
  });
  return flushing;
}
