// How a store written by an older Gatehouse becomes one of today. `lmdb.ts` runs this once, before anyone else reads.
import { GatehouseError } from '../errors.ts';
import { put, type Store } from './store.ts';
import { meta } from './tables.ts';

export interface Migration {
  /** The schema version it leads to; migrations are listed in this order, without gaps, from 2. */
  readonly to: number;
  readonly what: string;
  /** Must be safe to run again from the start: a crash in the middle means it will be. */
  run(store: Store): Promise<void>;
}

/** Every step since schema version 1, oldest first. */
export const MIGRATIONS: readonly Migration[] = [];

/** The schema version of an open store. */
export async function storeSchema(store: Store): Promise<number> {
  const stored = await store.get(meta, meta.key('schema'));
  return stored && 'schema' in stored.value ? stored.value.schema : 0;
}

/** Brings the store to the newest version and returns it. A new store begins there. Throws STORE_VERSION for a store from the future. */
export async function migrate(store: Store, dir: string, migrations: readonly Migration[] = MIGRATIONS): Promise<number> {
  const known = migrations.at(-1)?.to ?? 1;
  const stored = await store.get(meta, meta.key('schema'));
  if (!stored) {
    await store.commit({ expect: [{ table: meta, key: meta.key('schema'), version: 'absent' }], put: [put(meta, meta.key('schema'), { schema: known })] });
    return known;
  }
  const found = 'schema' in stored.value ? stored.value.schema : 0;
  if (found > known) throw new GatehouseError('STORE_VERSION', { dir, found, known });
  for (const migration of migrations.filter(({ to }) => to > found)) {
    await migration.run(store);
    await store.commit({ put: [put(meta, meta.key('schema'), { schema: migration.to })] });
  }
  return known;
}
