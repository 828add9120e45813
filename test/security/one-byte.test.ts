// One byte of a package changed: all over every file, in an archive, and in an archive that another program wrote. Whatever still verifies is byte for byte what was signed.
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { create } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packPackage } from '../../host/authoring/pack.ts';
import { systemClock } from '../../host/clock.ts';
import { ENVELOPE_FILE } from '../../host/trust/dsse.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage, type Verification } from '../../host/trust/verify.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { SKILL } from '../support/registry.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

let dir: TempDir;
let folder: string;
let names: string[];
let content: Readonly<Record<string, Buffer>>;
let verify: (path: string) => Promise<Verification>;

beforeAll(async () => {
  dir = await tempDir();
  const key = newTestKey('acme');
  folder = join(dir.path, 'package');
  await buildTestPackage({ dir: folder, id: 'acme.hello', kind: 'skill', source: SKILL, files: { 'README.md': 'Hello.\n', 'assets/a.txt': 'a', 'assets/deep/b.bin': Buffer.from([0, 255, 10, 13]) }, key });
  names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name).slice(folder.length + 1)).sort();
  content = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
  await writeTrustRecord(dir.path, key);
  const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
  // One opinion is enough to notice a change, and what both say of one is tried in the tests of signatures.
  verify = (path) => verifyPackage(path, { trust: store, revocations: null, now: systemClock.now(), secondOpinion: { known: () => true, remember: () => undefined }, profile: 'local', strict: false });
});
afterAll(() => dir[Symbol.asyncDispose]());

const changed = (bytes: Buffer, at: number, mask: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
};

/** Each verification takes some milliseconds; a prime meets every part of a line and of a block. */
const STRIDE = 11;

/** What would run, without the envelope: of that, blanks may change, which nothing signs and nothing reads. */
const filesOf = (verification: Verification) => (verification.ok ? Object.fromEntries([...verification.release.files].filter(([name]) => name !== ENVELOPE_FILE)) : undefined);

describe('a signed package', () => {
  it('attack g196 one-byte: bytes all over every file, but for blanks of the envelope, are held by the signature', async () => {
    expect(names).toEqual(['README.md', 'assets/a.txt', 'assets/deep/b.bin', 'plugin.dsse.json', 'plugin.js', 'plugin.json']);
    expect((await verify(folder)).ok).toBe(true);
    const copy = join(dir.path, 'copy');
    await cp(folder, copy, { recursive: true });
    const accepted: string[] = [];
    for (const [name, right] of Object.entries(content)) {
      for (let at = 0; at < right.length; at += STRIDE) {
        await writeFile(join(copy, name), changed(right, at, 1 + ((at * 37) % 255)));
        if ((await verify(copy)).ok) accepted.push(`${name} ${at}`);
      }
      await writeFile(join(copy, name), right);
    }
    const blanks = [...(content[ENVELOPE_FILE]?.toString() ?? '').matchAll(/\s/g)].map(({ index }) => `${ENVELOPE_FILE} ${index}`);
    expect(accepted.filter((place) => !blanks.includes(place))).toEqual([]);
    expect((await verify(copy)).ok).toBe(true);
  });

  const archives: readonly [string, (file: string) => Promise<unknown>][] = [
    ['our own archive', (file) => packPackage(folder, file)],
    ['an archive of another program', (file) => create({ gzip: true, file, cwd: folder, portable: true }, names)],
    ['an archive of another program with folders and ./', (file) => create({ gzip: true, file, cwd: folder, portable: true }, ['.'])],
  ];

  it.each(archives)('whatever is changed in %s: what verifies is what was signed', async (_, write) => {
    const file = join(dir.path, 'right.tgz');
    await write(file);
    const before = await verify(file);
    expect(before.ok).toBe(true);
    const compressed = await readFile(file);
    const tar = gunzipSync(compressed);
    const copy = join(dir.path, 'wrong.tgz');
    const places = fc.record({ inside: fc.boolean(), at: fc.nat(1_000_000), mask: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(places, async ({ inside, at, mask }) => {
        await writeFile(copy, inside ? gzipSync(changed(tar, at % tar.length, mask), { level: 1 }) : changed(compressed, at % compressed.length, mask));
        const after = await verify(copy);
        expect(filesOf(after) ?? filesOf(before)).toEqual(filesOf(before));
      }),
      { numRuns: 100 },
    );
  });

  it('a byte more or less, at either end of any file, is noticed too', async () => {
    const copy = join(dir.path, 'longer');
    await cp(folder, copy, { recursive: true });
    for (const [name, right] of Object.entries(content)) {
      const others = [right.subarray(1), right.subarray(0, -1), Buffer.concat([right, Buffer.from('x')]), Buffer.concat([Buffer.from('x'), right])];
      for (const wrong of others) {
        const isBlank = name === ENVELOPE_FILE && wrong.toString().trim() === right.toString().trim();
        await writeFile(join(copy, name), wrong);
        expect([name, (await verify(copy)).ok]).toEqual([name, isBlank]);
      }
      await writeFile(join(copy, name), right);
    }
  });
});
