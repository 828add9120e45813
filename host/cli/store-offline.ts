// The store of a home where no host runs: a required instance in quarantine keeps the host from starting, so there is none to ask. Called by `plugins release`, `quarantine`, `export` and `import`.
import { existsSync } from 'node:fs';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { configOf } from './context.ts';
import { storeFolder } from './files-survey.ts';
import type { Io } from './io.ts';

/** Whether a host ever ran on the data directory of this home. */
export const hasStore = (io: Io): boolean => existsSync(storeFolder(configOf(io).dataDir));

/** `create`: where there is nothing yet, it begins. Throws HOST_UNREACHABLE when there is nothing to look into, STORE_LOCKED when a host has taken it, and what the work throws. */
export async function withStoreOffline<T>(io: Io, work: (store: Store, config: ResolvedConfig) => Promise<T>, { create = false }: { readonly create?: boolean } = {}): Promise<T> {
  const config = configOf(io);
  const dir = storeFolder(config.dataDir);
  if (!create && !existsSync(dir)) throw new GatehouseError('HOST_UNREACHABLE', { home: config.home, problem: 'no host runs on its data directory, and none ever did' });
  const { openStore } = await import('../store/lmdb.ts'); // the engine is a binary worth loading only when needed
  await using store = await openStore({ dir, clock: systemClock });
  return await work(store, config);
}
