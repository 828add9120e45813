// The lock: made from what would run, the same bytes each time, and held against it by the command and by a strict look.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EMPTY_LOCK, lockDifferences, lockText, readLock } from '../../host/registry/lock.ts';
import type { Lock, LockedInstance } from '../../schemas/lock.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { findings, SKILL, surveyHome } from '../support/registry.ts';
import { runCommand } from '../support/run-command.ts';

const KV = { name: 'kv', quotaBytes: 1000 } as const;
const plugin = (name: string, rest: Partial<TestPlugin> = {}): TestPlugin => ({ name, kind: 'skill', source: SKILL, ...rest });
const FILE = 'manifests/gatehouse.lock.json';

async function locked(...plugins: TestPlugin[]): Promise<TestHome> {
  const home = await aHome(plugins);
  expect((await runCommand(['lock', '--home', home.path])).code).toBe(0);
  return home;
}

const lockIn = async (home: TestHome): Promise<Lock> => (await readLock(join(home.path, FILE))) ?? EMPTY_LOCK;

async function edit(home: TestHome, name: string, changes: Record<string, unknown>): Promise<void> {
  const file = join(home.path, `manifests/plugins/${name}.json`);
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }));
}

const anInstance = (changes: Partial<LockedInstance> = {}): LockedInstance => ({
  plugin: 'acme.a', version: '1.0.0', publisher: 'acme', keyid: `ed25519:${'1'.repeat(32)}`, packageDigest: `sha256:${'1'.repeat(64)}`, grantsDigest: `sha256:${'2'.repeat(64)}`, approvals: [], scan: 'pass', ...changes,
});

describe('the file', () => {
  it('has the same bytes for the same content, in whatever order it was put together', () => {
    const [a, b] = [anInstance({ approvals: ['y', 'x'] }), anInstance({ approvals: ['x', 'y'] })];
    expect(lockText({ lockVersion: 1, instances: { b: anInstance(), a } })).toBe(lockText({ lockVersion: 1, instances: { a: b, b: anInstance() } }));
  });

  it.each<[string, Lock['instances'], Lock['instances'], string[]]>([
    ['nothing', { a: anInstance() }, { a: anInstance() }, []],
    ['an instance more', {}, { a: anInstance() }, ['a instance null acme.a 1.0.0']],
    ['an instance less', { a: anInstance() }, {}, ['a instance acme.a 1.0.0 null']],
    ['each value of an instance', { a: anInstance() }, { a: anInstance({ version: '1.1.0', scan: 'warn', approvals: ['x'] }) }, ['a version 1.0.0 1.1.0', 'a approvals none x', 'a scan pass warn']],
    ['an instance of an unlucky name', { constructor: anInstance() }, {}, ['constructor instance acme.a 1.0.0 null']],
  ])('differs by %s', (_, one, other, expected) => {
    const told = lockDifferences({ lockVersion: 1, instances: one }, { lockVersion: 1, instances: other }).map(({ instance, what, locked: before, now }) => `${instance} ${what} ${before} ${now}`);
    expect(told).toEqual(expected);
  });
});

describe('gatehouse lock', () => {
  it('names what would run, and is checked', async () => {
    await using home = await locked(plugin('b'), plugin('a', { manifest: { capabilities: [KV] } }), plugin('off', { enablement: { enabled: false } }));
    const text = await readFile(join(home.path, FILE), 'utf8');
    const { instances } = await lockIn(home);
    expect(Object.keys(instances)).toEqual(['a', 'b']);
    expect(instances['a']).toMatchObject({ plugin: 'test.a', version: '1.0.0', publisher: 'test', packageDigest: expect.stringMatching(/^sha256:/), approvals: [], scan: expect.stringMatching(/pass|warn/) });
    expect(await runCommand(['lock', '--home', home.path])).toMatchObject({ code: 0, stdout: expect.stringContaining('as it was') });
    expect(await readFile(join(home.path, FILE), 'utf8')).toBe(text);
    expect(await runCommand(['lock', '--check', '--home', home.path])).toMatchObject({ code: 0, stdout: expect.stringContaining('is what is locked') });
  });

  it('--check names each difference with exit code 3, and changes nothing', async () => {
    await using home = await locked(plugin('a', { manifest: { capabilities: [KV] } }), plugin('b'));
    const text = await readFile(join(home.path, FILE), 'utf8');
    await edit(home, 'a', { grants: [] });
    await edit(home, 'b', { enabled: false });
    await home.add(plugin('c'));
    const checked = await runCommand(['lock', '--check', '--json', '--home', home.path]);
    expect(checked.code).toBe(3);
    expect(checked.json()).toMatchObject({ ok: false, problems: [], differences: [{ instance: 'a', what: 'grantsDigest' }, { instance: 'b', what: 'instance', now: null }, { instance: 'c', what: 'instance', locked: null }] });
    expect((await runCommand(['lock', '--check', '--home', home.path])).stdout).toMatch(/a: grantsDigest sha256:.* → sha256:[^]*b: gone, or may not run: test\.b 1\.0\.0\n {2}c: new: test\.c 1\.0\.0/);
    expect(await readFile(join(home.path, FILE), 'utf8')).toBe(text);
  });

  it('is not made of a home in which something cannot run, and --check says what', async () => {
    await using home = await locked(plugin('a'));
    await edit(home, 'a', { version: '^9.0.0' });
    expect(await runCommand(['lock', '--json', '--home', home.path])).toMatchObject({ code: 3, stdout: expect.stringContaining('LOCK_REFUSED') });
    const checked = await runCommand(['lock', '--check', '--json', '--home', home.path]);
    expect(checked).toMatchObject({ code: 3, stdout: expect.stringContaining('"problems":["a: ') });
  });

  it('without a lock --check fails, and a broken one is replaced by a new one', async () => {
    await using home = await aHome([plugin('a')]);
    expect(await runCommand(['lock', '--check', '--home', home.path])).toMatchObject({ code: 3, stdout: expect.stringContaining('There is no lock') });
    await home.write(FILE, '{ "lockVersion": 1, "instances": {}, "more": 1 }');
    expect(await runCommand(['lock', '--check', '--json', '--home', home.path])).toMatchObject({ code: 2, stdout: expect.stringContaining('SCHEMA_UNKNOWN_KEY') });
    expect((await runCommand(['lock', '--home', home.path])).code).toBe(0);
    expect((await runCommand(['lock', '--check', '--home', home.path])).code).toBe(0);
  });

  it('names what only has to wait for its time as well', async () => {
    await using home = await aHome([plugin('a')], { trust: { minimumReleaseAgeHours: 100 } });
    expect((await runCommand(['lock', '--home', home.path])).code).toBe(0);
    expect(Object.keys((await lockIn(home)).instances)).toEqual(['a']);
  });
});

describe('a strict look', () => {
  const strict = { config: { strict: true, trust: { minimumReleaseAgeHours: 0 } } };
  /** Pinned as strict asks for. */
  async function pinned(...plugins: TestPlugin[]): Promise<TestHome> {
    const home = await aHome(plugins);
    for (const { instance, release } of (await surveyHome(home.path)).plugins) await edit(home, instance, { digest: release.packageDigest });
    return home;
  }

  it('lets nothing run that is not locked', async () => {
    await using home = await pinned(plugin('a'), plugin('b'));
    expect(findings(await surveyHome(home.path, strict))).toEqual(['LOCK_MISSING degraded a', 'LOCK_MISSING degraded b']);
    await runCommand(['lock', '--home', home.path]);
    expect(findings(await surveyHome(home.path, strict))).toEqual([]);
    const { instances: { a } } = await lockIn(home);
    await home.write(FILE, { lockVersion: 1, instances: { a } });
    expect(findings(await surveyHome(home.path, strict))).toEqual(['LOCK_MISSING degraded b']);
    expect(findings(await surveyHome(home.path))).toEqual([]); // nobody else asks
  });

  it.each<[string, Partial<LockedInstance>, RegExp]>([
    ['another package', { packageDigest: `sha256:${'0'.repeat(64)}`, version: '0.9.0' }, /the package is 1\.0\.0 sha256:\w+, locked is 0\.9\.0 sha256:0/],
    ['other grants', { grantsDigest: `sha256:${'0'.repeat(64)}` }, /its grants have the digest sha256:\w+, locked is sha256:0/],
    ['another signer’s', { keyid: `ed25519:${'0'.repeat(32)}` }, /it is signed by ed25519:\w+, locked is ed25519:0/],
    ['another publisher’s', { publisher: 'acme' }, /its publisher is test, locked is acme/],
    ['another plugin', { plugin: 'test.b' }, /the plugin is test\.a, locked is test\.b/],
  ])('refuses what is locked as %s, naming both', async (_, changes, message) => {
    await using home = await pinned(plugin('a'));
    await runCommand(['lock', '--home', home.path]);
    const { instances: { a } } = await lockIn(home);
    await home.write(FILE, { lockVersion: 1, instances: { a: { ...a, ...changes } } });
    expect((await surveyHome(home.path, strict)).refused).toMatchObject([{ state: 'rejected', code: 'LOCK_MISMATCH', message: expect.stringMatching(message) }]);
  });

  it('lets nothing run by a lock that nobody can read', async () => {
    await using home = await pinned(plugin('a'));
    await home.write(FILE, '{ "lockVersion": 2 }');
    expect(findings(await surveyHome(home.path, strict))).toEqual(['LOCK_MISSING degraded a', 'SCHEMA_INVALID fatal -']);
  });
});
