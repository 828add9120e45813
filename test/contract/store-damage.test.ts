// Stores whose file is not what it was: each is refused by name before LMDB maps it, left as it is, and none ends the process that opens it.
import { execFile } from 'node:child_process';
import { cp, mkdir, open as openFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../host/clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Table } from '../../host/store/store.ts';
import { damageOf } from '../../host/store/store-file.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const PAGE = 8192;
const ROWS = 1500;
const kv: Table<{ readonly value: unknown }> = { name: 'kv' };
const reader = join(import.meta.dirname, '../support/store-reader.ts');

let dir: TempDir;
let sound: string;
let copies = 0;

beforeAll(async () => {
  dir = await tempDir();
  sound = join(dir.path, 'sound');
  await using store = await openStore({ dir: sound, clock });
  // Rows of every size: in leaves, and on pages of their own.
  for (let row = 0; row < ROWS; row += 100) {
    await store.commit({ put: Array.from({ length: 100 }, (_, n) => put(kv, ['default', 'shop', row + n], { value: 'x'.repeat(n % 20 === 0 ? 20_000 : 700) })) });
  }
  // Room that was given back, so that there is a list of free pages.
  await store.commit({ remove: Array.from({ length: 100 }, (_, n) => ({ table: kv, key: ['default', 'shop', n] })) });
  await store.commit({ put: [put(kv, ['default', 'shop', 'last'], { value: 1 })] });
});
afterAll(() => dir[Symbol.asyncDispose]());

async function damaged(how: (file: string) => Promise<unknown>): Promise<string> {
  const copy = join(dir.path, `copy-${(copies += 1)}`);
  await cp(sound, copy, { recursive: true });
  await how(join(copy, 'data.mdb'));
  return copy;
}

async function overwrite(file: string, at: number, bytes: Uint8Array): Promise<void> {
  await using handle = await openFile(file, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
}

const bytesOf = (folder: string) => readFile(join(folder, 'data.mdb')).catch(() => Buffer.of());
const cut = (share: number) => async (file: string) => truncate(file, Math.floor((await stat(file)).size * share));
const flip = (at: number) => async (file: string) => overwrite(file, at, Buffer.of(((await readFile(file))[at] ?? 0) ^ 0xff));

describe('a store whose file is not what it was', () => {
  it.each([
    ['of no bytes, as if it were new', (file: string) => truncate(file, 0), 'its file is empty'],
    ['that is gone, as if it were new', (file: string) => rm(file), 'its file is gone'],
    ['cut within the first page', (file: string) => truncate(file, 100), 'it ends within page 0'],
    ['cut behind the first page', (file: string) => truncate(file, PAGE), 'it ends within page 1'],
    ['cut in half', cut(0.5), /is missing: the file has \d+$/],
    ['without its end', cut(0.95), /is missing: the file has \d+$/],
    ['of something else', (file: string) => writeFile(file, Buffer.alloc(20 * PAGE, 'garbage ')), 'page 0 is not the first page of a store'],
    ['with another magic number in its first page', flip(24), 'page 0 is not the first page of a store'],
    ['with another magic number in its second page', flip(PAGE + 24), 'page 1 is not the first page of a store'],
    ['of another format', flip(28), /page 0 speaks of format/],
    ['whose pages have another size in the first page', flip(49), /speaks of pages of|speak of pages of/],
    ['whose first page names another commit', flip(152), /speak of the commits \d+ and \d+, which never followed/],
    ['whose second page names another commit', flip(PAGE + 152), /speak of the commits \d+ and \d+, which never followed/],
    ['with zeros in the middle, as a disk leaves them', (file: string) => overwrite(file, 20 * PAGE, Buffer.alloc(40 * PAGE)), /is another page/],
  ])('%s is refused by name, and left as it is', async (_, how, problem) => {
    const copy = await damaged(how);
    // Closed in order, and looked through all the same: as after a crash.
    await rm(join(copy, 'owner-1.json'));
    const before = await bytesOf(copy);
    await expect(openStore({ dir: copy, clock })).rejects.toMatchObject({ code: 'STORE_DAMAGED', fields: { where: ` ${join(copy, 'data.mdb')}`, problem: expect.stringMatching(problem) } });
    expect((await bytesOf(copy)).equals(before)).toBe(true);
    await cp(join(sound, 'data.mdb'), join(copy, 'data.mdb'));
    await using store = await openStore({ dir: copy, clock });
    expect(await store.range(kv, ['default'])).toHaveLength(ROWS - 100 + 1);
  });

  it('is looked through to the last page also when it was closed in order and is too short', async () => {
    const copy = await damaged(cut(0.95));
    await expect(openStore({ dir: copy, clock })).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  });

  it('whose row cannot be read any more says so of that row, and serves the others', async () => {
    const copy = await damaged(async (file) => {
      const bytes = await readFile(file);
      for (let at = bytes.indexOf('{"value":1}'); at !== -1; at = bytes.indexOf('{"value":1}', at + 1)) bytes[at] = 0;
      await writeFile(file, bytes);
    });
    await using store = await openStore({ dir: copy, clock });
    await expect(store.get(kv, ['default', 'shop', 'last'])).rejects.toMatchObject({ code: 'STORE_DAMAGED', message: expect.stringContaining("a row of the table 'kv' cannot be read") });
    expect(await store.range(kv, ['default'], { after: ['default', 'shop', 'last'], limit: 100 })).toHaveLength(100);
  });

  it('never ends the process that opens it, whatever page is hit by whatever', async () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const pages = Math.floor((await stat(join(sound, 'data.mdb'))).size / PAGE);
    const kinds: readonly ((file: string) => Promise<unknown>)[] = [
      (file) => truncate(file, random(pages * PAGE)),
      (file) => overwrite(file, random(pages) * PAGE, Buffer.from(Array.from({ length: PAGE }, () => random(256)))),
      (file) => overwrite(file, random(pages) * PAGE, Buffer.alloc(PAGE)),
      // The header of a page, and where its entries are: every bit of it matters.
      (file) => overwrite(file, random(pages) * PAGE + random(64), Buffer.of(random(256))),
      (file) => overwrite(file, random(2) * PAGE + 24 + random(144), Buffer.of(random(256))),
      (file) => overwrite(file, random(pages) * PAGE + random(PAGE), Buffer.of(random(256))),
    ];
    const folders: string[] = [];
    for (let n = 0; n < 90; n += 1) {
      const copy = await damaged(kinds[n % kinds.length] ?? stat);
      await rm(join(copy, 'owner-1.json'));
      folders.push(copy);
    }
    const { stdout } = await promisify(execFile)(process.execPath, [reader, ...folders], { maxBuffer: 2 ** 24 }); // rejects when a signal ends it
    const outcomes = stdout.trim().split('\n').map((line) => (JSON.parse(line) as { outcome: string }).outcome);
    expect(outcomes).toHaveLength(folders.length);
    expect(outcomes.map((outcome, n) => `${n % kinds.length} ${outcome}`).filter((outcome) => !/^\d (read \d+|STORE_DAMAGED)$/.test(outcome))).toEqual([]);
    expect(outcomes.filter((outcome) => outcome === 'STORE_DAMAGED').length).toBeGreaterThan(20);
  });

  it('is found sound by the same look when it is, also in a copy', async () => {
    expect(damageOf(join(sound, 'data.mdb'), 'leaves')).toBeUndefined();
    await using store = await openStore({ dir: join(dir.path, 'fresh'), clock });
    await store.commit({ put: [put(kv, ['default', 'shop', 'x'], { value: 1 })] });
    await mkdir(join(dir.path, 'fresh-copy'));
    await store.snapshot(join(dir.path, 'fresh-copy'));
    expect(damageOf(join(dir.path, 'fresh-copy', 'data.mdb'), 'leaves')).toBeUndefined();
  });
});
