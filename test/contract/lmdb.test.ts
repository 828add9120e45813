// The LMDB engine against the store contract, and what is particular to it: the owner lock, the directory, a disk that is full, an older and a newer store.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../host/clock.ts';
import { subscribe } from '../../host/events.ts';
import { openStore, type LmdbStore } from '../../host/store/lmdb.ts';
import { migrate, type Migrating, type Migration } from '../../host/store/migrations.ts';
import { put, type Store, type Table } from '../../host/store/store.ts';
import { meta } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { mayMount, smallDisk } from '../support/small-disk.ts';
import { tempDir } from '../support/temp.ts';
import { storeContract } from './store.contract.ts';

const writer = join(import.meta.dirname, '../support/store-writer.ts');
const open = (dir: string, migrations?: readonly Migration[]) => openStore({ dir, clock, ...(migrations && { migrations }) });

storeContract({ name: 'lmdb', open, writer });

const kv: Table<{ readonly value: unknown }> = { name: 'kv' };
const item = ['default', 'shop', 'x'];
const mark = ['default', 'shop', 'mark'];
const write = (store: Store, value: unknown) => store.commit({ put: [put(kv, item, { value })] });
const read = async (store: Store) => (await store.get(kv, item))?.value.value;

describe('one owner', () => {
  it('is refused a directory that another process holds, naming it and its pid, until that process is gone', async () => {
    await using dir = await tempDir();
    const child = spawn(process.execPath, [writer, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(createInterface({ input: child.stdout }), 'line');
    const askedAt = performance.now();
    await expect(open(dir.path)).rejects.toMatchObject({ code: 'STORE_LOCKED', fields: { dir: dir.path, pid: child.pid } });
    expect(performance.now() - askedAt).toBeLessThan(1000); // as long as one waits for an owner that dies
    child.kill('SIGKILL');
    await once(child, 'exit');
    await using store = await open(dir.path);
    expect(await write(store, 1)).toBe('committed');
  });

  it('has a directory whose owner was killed this moment, and may not be gone yet', async () => {
    await using dir = await tempDir();
    for (let kill = 0; kill < 5; kill += 1) {
      const child = spawn(process.execPath, [writer, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(createInterface({ input: child.stdout }), 'line');
      child.kill('SIGKILL');
      await using store = await open(dir.path);
      expect(await write(store, kill)).toBe('committed');
    }
  });

  it('is refused a directory that this very process holds, and has it after closing', async () => {
    await using dir = await tempDir();
    const first = await open(dir.path);
    await expect(open(dir.path)).rejects.toMatchObject({ code: 'STORE_LOCKED', fields: { pid: process.pid } });
    await first[Symbol.asyncDispose]();
    await using second = await open(dir.path);
    expect(await write(second, 1)).toBe('committed');
  });

  const boot = async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  it.each([
    ['a pid that was given to another process since', async () => JSON.stringify({ pid: process.pid, startedTicks: '1', boot: await boot() })],
    ['a process of an earlier boot', async () => JSON.stringify({ pid: process.pid, startedTicks: '1', boot: 'another' })],
    ['a lock cut short by a power failure', async () => '{"pid": '],
    ['an empty lock', async () => ''],
    ['a lock of another shape', async () => '[]'],
  ])('takes over from %s', async (_, content) => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'owner-7.json'), await content());
    await using store = await open(dir.path);
    expect(await write(store, 1)).toBe('committed');
    expect((await readdir(dir.path)).filter((name) => name.includes('owner'))).toEqual(['owner-8.json']);
  });

  it('is one of two dozen who start at once, over a stale lock and after it', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'owner-3.json'), '{}');
    for (let round = 0; round < 5; round += 1) {
      const starts = await Promise.allSettled(Array.from({ length: 24 }, () => open(dir.path)));
      const owners = starts.filter((start) => start.status === 'fulfilled');
      expect(owners).toHaveLength(1);
      const refusals = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason.code] : []));
      expect(refusals).toEqual(refusals.map(() => 'STORE_LOCKED'));
      await owners[0]?.value[Symbol.asyncDispose]();
    }
  });

  it('is one of several processes that start at once over a stale lock', async () => {
    await using dir = await tempDir();
    for (let round = 0; round < 3; round += 1) {
      const starters = Array.from({ length: 4 }, () => {
        const child = spawn(process.execPath, [writer, dir.path], { stdio: ['ignore', 'pipe', 'ignore'] });
        const started = once(createInterface({ input: child.stdout }), 'line').then(() => 'owner');
        return { child, exited: once(child, 'exit'), outcome: Promise.race([started, once(child, 'exit').then(() => 'refused')]) };
      });
      const outcomes = await Promise.all(starters.map(({ outcome }) => outcome));
      expect(outcomes.filter((outcome) => outcome === 'owner')).toHaveLength(1);
      for (const { child } of starters) child.kill('SIGKILL');
      await Promise.all(starters.map(({ exited }) => exited));
    }
  });
});

describe('the directory', () => {
  it('is made, or made private, also when its name holds a dot', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'deep', 'store.v1');
    await mkdir(path, { recursive: true, mode: 0o755 });
    await using store = await open(path);
    expect(await write(store, 1)).toBe('committed');
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await readdir(path)).toContain('data.mdb');
  });
});

describe('a disk that takes no more', () => {
  it.each(['nothing', 'absent', 'two'])('fails the commit by name, whatever it expects (%s), keeps what was there whole, and goes on once there is room', async (expected) => {
    await using dir = await tempDir();
    const script = join(import.meta.dirname, '../support/store-full.ts');
    const child = spawn('/bin/sh', ['-c', 'ulimit -f 512; exec "$0" "$@"', process.execPath, script, dir.path, expected], { stdio: ['ignore', 'pipe', 'ignore'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(child, 'close');
    const report: unknown = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    expect(report).toEqual({ failure: 'STORE_FAILED', pairsBroken: 0, ghosts: 0, unhandled: 0 });
    await using store = await open(dir.path);
    expect(await write(store, 'room again')).toBe('committed');
  });
});

describe.skipIf(!mayMount)('a disk that is nearly full', () => {
  it('is refused before the engine meets it, and takes commits again once there is room', async () => {
    await using disk = await smallDisk(32);
    await using store = await open(join(disk.path, 'store'));
    await write(store, 'before');
    disk.fill();
    const refusals = await eventually(async () => {
      const results = await Promise.allSettled(Array.from({ length: 50 }, () => write(store, 'meanwhile')));
      const messages = results.map((result) => (result.status === 'rejected' ? String(result.reason) : result.value));
      expect(messages.every((message) => message.includes('the disk has only 0 MiB left'))).toBe(true);
      return messages.length;
    });
    expect(refusals).toBe(50);
    expect(await read(store)).toBe('before');
    disk.free();
    expect(await eventually(() => write(store, 'after'))).toBe('committed');
    expect(await read(store)).toBe('after');
  });
});

describe('commits', () => {
  it('are told to whoever listens, with their outcome', async () => {
    await using dir = await tempDir();
    await using store = await open(dir.path);
    const outcomes: string[] = [];
    using _ = disposable(subscribe('store.commit', ({ outcome, rows }) => outcomes.push(`${outcome} ${rows}`)));
    await write(store, 1);
    await store.commit({ expect: [{ table: kv, key: item, version: 'absent' }], remove: [{ table: kv, key: item }] });
    expect(outcomes).toEqual(['committed 1', 'conflict 1']);
    expect(store.stats()).toMatchObject({ committed: 2, conflict: 1, failed: 0, inFlight: 0 });
  });
});

describe('schema versions', () => {
  const two: Migration = {
    to: 2,
    what: 'kv values become objects',
    async run(store) {
      for (const { key, value, version } of await store.range(kv, [])) {
        if (typeof value.value === 'object') continue;
        await store.commit({ expect: [{ table: kv, key, version }], put: [put(kv, key, { value: { was: value.value } })] });
      }
    },
  };
  const three: Migration = { to: 3, what: 'adds a mark', run: async (store) => void (await store.commit({ put: [put(kv, mark, { value: true })] })) };

  it('bring an older store up step by step, in order, once', async () => {
    await using dir = await tempDir();
    const old = await open(dir.path, []);
    await write(old, 'plain');
    await old[Symbol.asyncDispose]();
    for (let boot = 0; boot < 2; boot += 1) {
      await using store = await open(dir.path, [two, three]);
      expect(await read(store)).toEqual({ was: 'plain' });
      expect((await store.get(kv, mark))?.value.value).toBe(true);
      expect((await store.get(meta, meta.key('schema')))?.value).toEqual({ schema: 3 });
    }
  });

  it('survive a crash in the middle of a step', async () => {
    await using dir = await tempDir();
    const old = await open(join(dir.path, 'store'), []);
    await write(old, 'plain');
    await old[Symbol.asyncDispose]();
    const crashing: Migration = {
      ...two,
      async run(store) {
        await two.run(store);
        throw new Error('power cut');
      },
    };
    const store = join(dir.path, 'store');
    await expect(open(store, [crashing])).rejects.toMatchObject({ code: 'STORE_MIGRATION', message: expect.stringContaining('kv values become objects): power cut.') });
    const [copy = '', ...others] = await copiesOf(dir.path);
    await expect(open(store, [crashing])).rejects.toMatchObject({ code: 'STORE_MIGRATION', fields: { copy }, fix: expect.stringContaining(`put ${copy} in its place;`) });
    expect(others).toEqual([]);
    {
      // What the failed step wrote is in the store, and not in the copy, however often it was tried.
      await using before = await open(copy, []);
      expect(await read(before)).toBe('plain');
    }
    await using after = await open(store, [two]);
    expect(await read(after)).toEqual({ was: 'plain' });
  });

  it('leave a copy from before the first step, with which the version before starts again', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'store');
    const old = await open(path, []);
    await write(old, 'plain');
    await old[Symbol.asyncDispose]();
    const told: string[] = [];
    {
      using _ = disposable(subscribe('store.migrated', ({ from, to, copy }) => told.push(`${from} ${to} ${copy}`)));
      await using store = await open(path, [two, three]);
      await write(store, { was: 'written by the newer one' });
    }
    await expect(open(path, [])).rejects.toMatchObject({ code: 'STORE_VERSION', fix: expect.stringContaining(`${path}.before-schema-`) });
    // As docs/ops/upgrade.md goes back.
    const [copy = ''] = (await readdir(dir.path)).filter((name) => name.startsWith('store.before-schema-3-'));
    expect(told).toEqual([`1 3 ${join(dir.path, copy)}`]);
    await rename(path, join(dir.path, 'store.newer'));
    await rename(join(dir.path, copy), path);
    {
      await using back = await open(path, []);
      expect(await read(back)).toBe('plain');
    }
    await using again = await open(path, [two, three]);
    expect(await read(again)).toEqual({ was: 'plain' });
  });

  it('copy the store anew when somebody worked with it since the try that failed, and name every copy', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'store');
    const failing: Migration = { ...two, run: () => Promise.reject(new Error('no')) };
    const seen: string[] = [];
    for (let week = 1; week <= 5; week += 1) {
      {
        // As after `git checkout` of the version before.
        await using before = await open(path, []);
        await write(before, `week ${week}`);
      }
      const failure: unknown = await open(path, [failing]).catch((error: unknown) => error);
      const copies = await copiesOf(dir.path);
      const fresh = copies.filter((each) => !seen.includes(each));
      expect(fresh).toHaveLength(1);
      expect(failure).toMatchObject({ code: 'STORE_MIGRATION', fields: { copy: fresh[0] } });
      for (const copy of copies) expect(failure).toMatchObject({ fix: expect.stringContaining(copy) });
      seen.push(...fresh);
    }
    expect(await copiesOf(dir.path)).toEqual(seen.slice(-3));
    await using newest = await open(String(seen.at(-1)), []);
    expect(await read(newest)).toBe('week 5');
  });

  it('do not begin when what would be the way back is no sound copy, and leave nothing of it', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'store');
    await using store = await open(path, []);
    await write(store, 'plain');
    const cut = { ...migratable(store), snapshot: async (to: string) => (await store.snapshot(to), await truncate(join(to, 'data.mdb'), 12_000)) };
    await expect(migrate({ store: cut, dir: path, clock, migrations: [two] })).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('is no copy') });
    expect(await read(store)).toBe('plain');
    expect(await readdir(dir.path)).toEqual(['store']);
  });

  it('do not begin without room for the copy', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'store');
    await using store = await open(path, []);
    await expect(migrate({ store: { ...migratable(store), stats: () => ({ usedBytes: 2 ** 60 }) }, dir: path, clock, migrations: [two] })).rejects.toMatchObject({ code: 'STORE_UNWRITABLE', message: expect.stringContaining('needs up to') });
    expect(await readdir(dir.path)).toEqual(['store']);
  });

  it('begin at the newest in a new store, without running any step', async () => {
    await using dir = await tempDir();
    await using store = await open(dir.path, [two, three]);
    expect((await store.get(meta, meta.key('schema')))?.value).toEqual({ schema: 3 });
    expect(await store.get(kv, mark)).toBeUndefined();
  });

  it('refuse a store from the future and leave it alone', async () => {
    await using dir = await tempDir();
    await (await open(dir.path, [two, three]))[Symbol.asyncDispose]();
    await expect(open(dir.path, [two])).rejects.toMatchObject({ code: 'STORE_VERSION', fields: { dir: dir.path, found: 3, known: 2 } });
    await using store = await open(dir.path, [two, three]);
    expect((await store.get(meta, meta.key('schema')))?.value).toEqual({ schema: 3 });
  });
});

/** Oldest first. */
async function copiesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.includes('.before-schema-')).sort().map((name) => join(folder, name));
}

/** A store of which single verbs can be replaced. */
function migratable(store: LmdbStore): Migrating['store'] {
  return {
    get: (table, key) => store.get(table, key),
    range: (table, prefix, options) => store.range(table, prefix, options),
    count: (table) => store.count(table),
    commit: (commit) => store.commit(commit),
    watch: (table, onChange) => store.watch(table, onChange),
    snapshot: (to) => store.snapshot(to),
    stats: () => store.stats(),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function disposable(stop: () => void): Disposable {
  return { [Symbol.dispose]: stop };
}
