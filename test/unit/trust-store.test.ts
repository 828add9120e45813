// Trust records and revocations: what is loaded, what is refused, and that one bad record never takes the others with it.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateKey } from '../../host/trust/keys.ts';
import { loadRevocations, revocationList, revocationsIn } from '../../host/trust/revocation.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const entry = (key = generateKey('acme'), more = {}) => ({ keyid: key.keyid, publicKey: key.publicKey.toString('base64'), ...more });
const record = (publisher = 'acme', more = {}) => ({ publisher, prefixes: [`${publisher}.`], keys: [entry()], ...more });

async function load(dir: TempDir, files: Readonly<Record<string, unknown>>) {
  const folder = join(dir.path, 'publishers');
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  return loadTrust([folder, join(dir.path, 'not-there')]);
}

describe('trust records', () => {
  it('say which keys may sign what', async () => {
    await using dir = await tempDir();
    const key = generateKey('acme');
    const { store, diagnostics } = await load(dir, { 'acme.json': record('acme', { keys: [entry(key, { notAfter: '2030-01-01T00:00:00.000Z', development: true })] }), 'beta.json': record('beta') });
    expect(diagnostics).toEqual([]);
    expect(store.records.map((each) => each.record.publisher)).toEqual(['acme', 'beta']);
    expect(store.signers(key.keyid)).toMatchObject([{ publisher: 'acme', prefixes: ['acme.'], development: true, notAfter: '2030-01-01T00:00:00.000Z' }]);
    expect(store.signers(generateKey('x').keyid)).toEqual([]);
  });

  it('may lie beside private keys and hidden files, which are left alone', async () => {
    await using dir = await tempDir();
    expect((await load(dir, { 'acme.key.json': '{}', '.draft.json': '{', 'notes.txt': 'x' })).diagnostics).toEqual([]);
  });

  it.each<[string, unknown, string, string]>([
    ['is no JSON', '{', 'TRUST_RECORD', 'not valid JSON'],
    ['names a key twice in one object', '{"publisher":"acme","publisher":"evil"}', 'TRUST_RECORD', 'twice'],
    ['has an unknown key', record('acme', { prefix: [] }), 'TRUST_RECORD', "unknown key 'prefix'"],
    ['claims what belongs to another', record('acme', { prefixes: ['beta.'] }), 'TRUST_RECORD', "does not start with 'acme.'"],
    ['claims everything that looks like it', record('acme', { prefixes: ['acmeevil.'] }), 'TRUST_RECORD', "does not start with 'acme.'"],
    ['lists a key twice', record('acme', { keys: [entry(generateKey('acme')), ...Array.from({ length: 2 }, () => entry({ ...generateKey('acme'), keyid: 'ed25519:00000000000000000000000000000000' }))] }), 'TRUST_RECORD', 'twice'],
    ['has a key under another keyid', record('acme', { keys: [{ ...entry(), keyid: generateKey('x').keyid }] }), 'KEY_REFUSED', 'digest'],
    ['has a window that ends before it begins', record('acme', { keys: [entry(generateKey('acme'), { notBefore: '2030-01-01T00:00:00.000Z', notAfter: '2029-01-01T00:00:00.000Z' })] }), 'TRUST_RECORD', 'before it begins'],
    ['has a time that does not exist', record('acme', { keys: [entry(generateKey('acme'), { notAfter: '2030-02-30T00:00:00.000Z' })] }), 'TRUST_RECORD', 'no such time'],
  ])('one that %s is refused, and only that one', async (_, bad, code, problem) => {
    await using dir = await tempDir();
    const { store, diagnostics } = await load(dir, { 'acme.json': bad, 'good.json': record('good') });
    expect(diagnostics).toMatchObject([{ code, severity: 'degraded', manifest: join(dir.path, 'publishers', 'acme.json'), message: expect.stringContaining(problem) }]);
    expect(store.records.map((each) => each.record.publisher)).toEqual(['good']);
  });

  it('with overlapping prefixes are both refused', async () => {
    await using dir = await tempDir();
    const { store, diagnostics } = await load(dir, { 'a.json': record('acme', { prefixes: ['acme.tools.'] }), 'b.json': record('acme'), 'good.json': record('good') });
    expect(diagnostics).toMatchObject([{ code: 'TRUST_OVERLAP' }]);
    expect(store.records.map((each) => each.record.publisher)).toEqual(['good']);
  });

  it('with prefixes that only look alike stand side by side', async () => {
    await using dir = await tempDir();
    expect((await load(dir, { 'acme.json': record('acme'), 'acmetools.json': record('acmetools') })).diagnostics).toEqual([]);
  });
});

describe('revocations', () => {
  const keyid = generateKey('acme').keyid;
  const digest = `sha256:${'0'.repeat(64)}`;
  const list = revocationList(revocationsIn({ keys: [keyid], digests: [{ digest, reason: 'it steals.' }], plugins: [{ id: 'acme.x', range: '<1.2.0' }] }));

  it.each([
    ['a key', { keyid, id: 'acme.y', version: '1.0.0' }, 'key'],
    ['a package, and say why', { digest, id: 'acme.y', version: '1.0.0' }, 'is revoked (it steals)'],
    ['a range of versions', { id: 'acme.x', version: '1.1.9' }, '<1.2.0'],
    ['prereleases in the range', { id: 'acme.x', version: '1.2.0-rc.1' }, '<1.2.0'],
  ])('cover %s', (_, release, reason) => {
    expect(list.reasonFor(release)).toContain(reason);
  });

  it('leave everything else alone', () => {
    expect(list.reasonFor({ keyid: generateKey('acme').keyid, digest: `sha256:${'1'.repeat(64)}`, id: 'acme.x', version: '1.2.0' })).toBeUndefined();
    expect(list.reasonFor({ id: 'acme.xy', version: '1.0.0' })).toBeUndefined();
  });

  it('that are not there revoke nothing; that cannot be understood stop everything', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'revocations.json');
    expect(await loadRevocations(file)).toEqual([]);
    for (const [text, code] of [['{"keys":["oops"]}', 'SCHEMA_INVALID'], ['{', 'JSON_INVALID'], ['{"plugins":[{"id":"acme.x","range":"one or two"}]}', 'SCHEMA_INVALID']] as const) {
      await writeFile(file, text);
      await expect(loadRevocations(file)).rejects.toMatchObject({ code });
    }
  });
});
