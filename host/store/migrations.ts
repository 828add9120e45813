// How a store written by an older Gatehouse becomes one of today. `lmdb.ts` runs this once, before anyone else reads.
import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
  readonly store: Store & { snapshot(dir: string): Promise<void>; stats(): { readonly usedBytes: number } };
  readonly dir: string;
  readonly clock: Clock;
  readonly migrations?: readonly Migration[] | undefined;
}

/** Copies from before migrations to one schema: each is of a store that somebody worked with, and the one to go back to is the newest. */
const MOST_COPIES = 3;

/**
 * Brings the store to the newest version and returns it. A new store begins there. Before the first step a copy is written beside it, and looked through; its place is in the
 * event `store.migrated`, and in the error of a step that fails, with those that earlier tries left. Throws STORE_VERSION for a store from the future, STORE_MIGRATION,
 * STORE_UNWRITABLE, also where the copy has no room.
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
  const last = steps.at(-1);
  if (!last) return known;
  const copy = await copyBefore({ store, dir, clock }, known);
  for (const step of steps) {
    const { to, what } = step;
    await step.run(store).catch(async (cause: unknown) => {
      const others = (await copiesOf(dir, known)).filter((each) => each !== copy);
      const earlier = others.length === 0 ? '' : ` (older, from before earlier tries: ${others.join(', ')})`;
      throw new GatehouseError('STORE_MIGRATION', { dir, to, what, problem: problemOf(cause).replace(/\.$/, ''), copy, earlier }, { cause });
    });
    await store.commit({ put: [put(meta, meta.key('schema'), { schema: to })], ...(step === last && { remove: [{ table: meta, key: meta.key('migrating') }] }) });
  }
  publish('store.migrated', { from: found, to: known, copy });
  return known;
}

/**
 * The store as it is, in a folder beside it, named by the time. A try that failed leaves its copy, and the next one, coming right after it, takes that over: the store is half
 * changed by now. Once anybody has worked with the store in between, as after going back to the version before, it is the state to go back to, and gets a copy of its own.
 */
async function copyBefore({ store, dir, clock }: Omit<Migrating, 'migrations'>, to: number): Promise<string> {
  const epoch = await epochOf(store);
  const failed = (await store.get(meta, meta.key('migrating')))?.value;
  return await writable(dir, async () => {
    const earlier = failed && 'copy' in failed && failed.epoch === epoch - 1 ? join(dirname(dir), failed.copy) : undefined;
    const copy = earlier !== undefined && (await soundness(earlier)) === undefined ? earlier : await writeCopy({ store, dir, clock }, to);
    await store.commit({ put: [put(meta, meta.key('migrating'), { epoch, copy: basename(copy) })] });
    for (const old of (await copiesOf(dir, to)).filter((each) => each !== copy).slice(0, -(MOST_COPIES - 1))) await rm(old, { recursive: true, force: true });
    return copy;
  });
}

/** Every opening of a store has one of its own, one more than the opening before. */
async function epochOf(store: Store): Promise<number> {
  const row = (await store.get(meta, meta.key('epoch')))?.value;
  return row && 'epoch' in row ? row.epoch : 0;
}

async function writeCopy({ store, dir, clock }: Omit<Migrating, 'migrations'>, to: number): Promise<string> {
  const copy = `${dir}.before-schema-${to}-${toTimestamp(clock.now()).replaceAll(/[-:.]/g, '')}`;
  const draft = `${dir}.before-schema-${to}.part`;
  // Whatever was there is of a try that was killed.
  await rm(draft, { recursive: true, force: true });
  const { bavail, bsize } = await statfs(dirname(dir));
  const { usedBytes } = store.stats();
  if (bavail * bsize < usedBytes) throw Object.assign(new Error(`the copy from before the migration needs up to ${inMib(usedBytes)} MiB, and ${inMib(bavail * bsize)} are free`), { code: 'ENOSPC' });
  try {
    await mkdir(draft, { mode: 0o700 });
    await store.snapshot(draft);
    const problem = await soundness(draft);
    if (problem !== undefined) throw new GatehouseError('STORE_FAILED', { problem: `the copy before the migration is no copy: ${problem}` });
    await rename(draft, copy);
    return copy;
  } catch (thrown) {
    await rm(draft, { recursive: true, force: true });
    throw thrown;
  }
}

const inMib = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

/** Oldest first, by their names. */
async function copiesOf(dir: string, to: number): Promise<string[]> {
  const begin = `${basename(dir)}.before-schema-${to}-`;
  return (await readdir(dirname(dir))).filter((name) => name.startsWith(begin)).sort().map((name) => join(dirname(dir), name));
}

/** Undefined when it is sound. */
async function soundness(folder: string): Promise<string | undefined> {
  try {
    return damageOf(join(folder, STORE_FILE), 'leaves');
  } catch (thrown) {
    return problemOf(thrown);
  }
}
