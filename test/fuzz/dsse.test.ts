// Signed releases, whatever was changed in them: envelopes, statements, and every single byte of a signed package.
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packPackage } from '../../host/authoring/pack.ts';
import { systemClock } from '../../host/clock.ts';
import { readEnvelope, writeEnvelope } from '../../host/trust/dsse.ts';
import { decodeBase64 } from '../../host/trust/keys.ts';
import { readStatement } from '../../host/trust/statement.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage, type Verification } from '../../host/trust/verify.ts';
import { DsseEnvelope, ReleaseStatement } from '../../schemas/release.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { refusalOf } from '../support/refusal.ts';
import { SKILL } from '../support/registry.ts';
import { tempDir, type TempDir } from '../support/temp.ts';
import { damaged } from './arbitraries/bytes.ts';
import { edited, fitting } from './arbitraries/documents.ts';

const door = fuzzDoor('dsse');
const base64 = fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const envelopes = fitting(DsseEnvelope, { payload: base64.filter((text) => text.length >= 4), sig: fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')) });
const STANDARD = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

describe('envelopes and statements, whatever they hold', () => {
  it('are taken apart only when the published schema has them, and lose nothing', () => {
    const published = publishedSchema('dsse-envelope');
    return door.holds({ runs: 1500, given: edited(envelopes) }, async (bytes) => {
      let read: ReturnType<typeof readEnvelope> | undefined;
      const refusal = await refusalOf(() => (read = readEnvelope(bytes, 'the package')));
      expect(refusal?.code ?? 'accepted').toMatch(/^(RELEASE_ENVELOPE|accepted)$/);
      if (!read) return;
      const document: unknown = JSON.parse(bytes.toString());
      expect(published(document)).toBe(true);
      expect(JSON.parse(writeEnvelope(read).toString())).toEqual(document);
    });
  });

  it('hold base64 in its one standard form', () => door.holds({ runs: 3000, given: fc.oneof(base64, damaged(base64.map((text) => Buffer.from(text)), { least: 1, most: 2, dictionary: ['=', '==', '-', '_', ' ', '\n', '\u0000', 'A'] }).map((bytes) => bytes.toString('latin1'))) }, (text) => {
    expect([text, decodeBase64(text) !== undefined]).toEqual([text, STANDARD.test(text)]);
  }));

  it('name files in order, each once, and moments that exist', () => {
    const published = publishedSchema('release-statement');
    return door.holds({ runs: 1000, given: edited(fitting(ReleaseStatement), { most: 1, textual: 2 }) }, async (bytes) => {
      let read: ReleaseStatement | undefined;
      const refusal = await refusalOf(() => (read = readStatement(bytes, 'the package')));
      expect(refusal?.code ?? 'accepted').toMatch(/^(RELEASE_ENVELOPE|accepted)$/);
      if (!read) return;
      const names = read.subject.map(({ name }) => name);
      expect(published(JSON.parse(bytes.toString()))).toBe(true);
      expect(names).toEqual([...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      expect(Number.isNaN(Date.parse(read.predicate.issuedAt))).toBe(false);
    });
  });
});

describe('a signed package, one byte changed', () => {
  let dir: TempDir;
  let folder: string;
  let archive: string;
  let names: string[];
  let verify: (path: string) => Promise<Verification>;

  beforeAll(async () => {
    dir = await tempDir();
    const key = newTestKey('acme');
    folder = join(dir.path, 'package');
    await buildTestPackage({ dir: folder, id: 'acme.hello', kind: 'skill', source: SKILL, files: { 'README.md': 'Hello.\n', 'assets/a.txt': 'a' }, key });
    archive = join(dir.path, 'package.tgz');
    await packPackage(folder, archive);
    names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name).slice(folder.length + 1)).sort();
    await writeTrustRecord(dir.path, key);
    const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    verify = (path) => verifyPackage(path, { trust: store, revocations: null, now: systemClock.now(), secondOpinion: 'always', profile: 'local', strict: false });
  });
  afterAll(() => dir[Symbol.asyncDispose]());

  it('is refused, in whatever file; of the envelope nothing but blanks may change', async () => {
    expect(names).toHaveLength(5);
    expect((await verify(folder)).ok).toBe(true);
    const copy = join(dir.path, 'copy');
    await cp(folder, copy, { recursive: true });
    await door.holds({ runs: 250, given: fc.record({ file: fc.nat(4), at: fc.nat(1_000_000), mask: fc.integer({ min: 1, max: 255 }) }) }, async ({ file, at, mask }) => {
      const name = names[file] ?? '';
      const right = await readFile(join(folder, name));
      const wrong = Buffer.from(right);
      wrong[at % wrong.length] = (wrong[at % wrong.length] ?? 0) ^ mask;
      await writeFile(join(copy, name), wrong);
      const verification = await verify(copy);
      await writeFile(join(copy, name), right);
      const isTheSame = name === 'plugin.dsse.json' && isSameEnvelope(right, wrong);
      expect([name, verification.ok]).toEqual([name, isTheSame]);
    });
  });

  it('is refused as an archive, unless what it unpacks to is the same', async () => {
    const right = await readFile(archive);
    const before = await verify(archive);
    expect(before.ok).toBe(true);
    const copy = join(dir.path, 'copy.tgz');
    await door.holds({ runs: 250, given: fc.record({ at: fc.nat(1_000_000), mask: fc.integer({ min: 1, max: 255 }) }) }, async ({ at, mask }) => {
      const wrong = Buffer.from(right);
      wrong[at % wrong.length] = (wrong[at % wrong.length] ?? 0) ^ mask;
      await writeFile(copy, wrong);
      const after = await verify(copy);
      expect(after.ok ? filesOf(after) : filesOf(before)).toEqual(filesOf(before));
    });
  });
});

const filesOf = (verification: Verification) => (verification.ok ? Object.fromEntries([...verification.release.files].filter(([name]) => name !== 'plugin.dsse.json')) : undefined);

function isSameEnvelope(right: Buffer, wrong: Buffer): boolean {
  try {
    return JSON.stringify(JSON.parse(wrong.toString())) === JSON.stringify(JSON.parse(right.toString()));
  } catch {
    return false;
  }
}
