// How a store written by an older Gatehouse becomes one of today. `lmdb.ts` runs this once, before anyone else reads.
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish } from '../events.ts';
import { STORE_FILE, writable } from './soundness.ts';
import { damageOf } from './store-file.ts';
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

export interface Migrating {
  readonly store: Store & { snapshot(dir: string): Promise<void> };
  readonly dir: string;
  readonly clock: Clock;
  readonly migrations?: readonly Migration[] | undefined;
}

/**
 * Brings the store to the newest version and returns it. A new store begins there. Before the first step a copy is written beside it, and looked through; its place is in the
 * event `store.migrated`, and in the error of a step that fails. Throws STORE_VERSION for a store from the future, STORE_MIGRATION, STORE_UNWRITABLE.
 */
export async function migrate({ store, dir, clock, migrations = MIGRATIONS }: Migrating): Promise<number> {
  const known = migrations.at(-1)?.to ?? 1;
  const stored = await store.get(meta, meta.key('schema'));
  if (!stored) {
    await store.commit({ expect: [{ table: meta, key: meta.key('schema'), version: 'absent' }], put: [put(meta, meta.key('schema'), { schema: known })] });
    return known;
  }
  const found = 'schema' in stored.value ? stored.value.schema : 0;
  if (found > known) throw new GatehouseError('STORE_VERSION', { dir, found, known });
  const steps = migrations.filter(({ to }) => to > found);
  if (steps.length === 0) return known;
  const copy = await copyBefore({ store, dir }, known);
  for (const step of steps) {
    const { to, what } = step;
    await step.run(store).catch((cause: unknown) => {
      throw new GatehouseError('STORE_MIGRATION', { dir, to, what, problem: problemOf(cause).replace(/\.$/, ''), copy }, { cause });
    });
    await store.commit({ put: [put(meta, meta.key('schema'), { schema: to })] });
  }
  // From here on it is one of several copies, by its time; until then every try finds the first one, from before anything was changed.
  const kept = `${copy}-${toTimestamp(clock.now()).replaceAll(/[-:]|\.\d+/g, '')}`;
  await rename(copy, kept);
  publish('store.migrated', { from: found, to: known, copy: kept });
  return known;
}

/** The store as it is, in a folder beside it. One that an earlier try has left is older, and stays: it is from before that try's first step. */
async function copyBefore({ store, dir }: Pick<Migrating, 'store' | 'dir'>, to: number): Promise<string> {
  const copy = `${dir}.before-schema-${to}`;
  const draft = `${copy}.part`;
  return await writable(dir, async () => {
    if ((await soundness(copy)) === undefined) return copy;
    for (const path of [copy, draft]) await rm(path, { recursive: true, force: true });
    await mkdir(draft, { mode: 0o700 });
    await store.snapshot(draft);
    const problem = await soundness(draft);
    if (problem !== undefined) throw new GatehouseError('STORE_FAILED', { problem: `the copy before the migration is no copy: ${problem}` });
    await rename(draft, copy);
    return copy;
  });
}

/** Undefined when it is sound. */
async function soundness(folder: string): Promise<string | undefined> {
  try {
    return damageOf(join(folder, STORE_FILE), 'leaves');
  } catch (thrown) {
    return problemOf(thrown);
  }
}
