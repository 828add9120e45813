// The commands around packages as scripts use them: shapes, exit codes, and nothing a package says reaches a terminal raw.
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { aReviewer, trustReviewers } from '../support/approvals.ts';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: {} });';

describe('keys', () => {
  it('generate writes a private key file and a trust record, and never replaces them', async () => {
    await using dir = await tempDir();
    const made = await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', 'keys', '--json'], { cwd: dir.path });
    expect(made.code).toBe(0);
    const keyFile = join(dir.path, 'keys/acme.key.json');
    expect(made.json()).toMatchObject({ publisher: 'acme', keyFile, trustRecord: join(dir.path, 'keys/acme.json') });
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    const written: unknown = JSON.parse(await readFile(keyFile, 'utf8'));
    expect(Object.keys(Object(written))).toEqual(['publisher', 'keyid', 'publicKey', 'privateKey']);
    const { store, diagnostics } = await loadTrust([join(dir.path, 'keys')]);
    expect(diagnostics).toEqual([]);
    expect(store.records.map(({ record }) => record.prefixes)).toEqual([['acme.']]);
    expect(await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', 'keys'], { cwd: dir.path })).toMatchObject({ code: 2, stderr: expect.stringContaining('already') });
  });

  it('show prints whose key it is and never the private half', async () => {
    await using dir = await tempDir();
    await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', dir.path]);
    const { privateKey }: Record<string, unknown> = JSON.parse(await readFile(join(dir.path, 'acme.key.json'), 'utf8'));
    for (const flags of [[], ['--json']]) {
      const shown = await runCommand(['keys', 'show', join(dir.path, 'acme.key.json'), ...flags]);
      expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('ed25519:') });
      expect(shown.stdout).not.toContain(privateKey);
    }
    expect((await runCommand(['keys', 'show', 'nowhere.json'])).code).toBe(2);
    expect((await runCommand(['keys', 'generate', '--publisher', 'Acme Inc', '--out', dir.path])).code).toBe(2);
  });
});

describe('new, build, sign, pack, trust and verify', () => {
  it('lead from nothing to a package that a home accepts', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const at = { cwd: dir.path };
    const steps = [
      ['new', 'skill', 'hello', '--id', 'acme.hello'],
      ['build', 'hello'],
      ['keys', 'generate', '--publisher', 'acme', '--out', 'keys'],
      ['sign', 'hello', '--key', 'keys/acme.key.json', '--expires', '90d'],
      ['pack', 'hello', '--out', 'hello.tgz'],
      ['trust', 'add', 'keys/acme.json', '--home', home.path, '--yes'],
    ];
    for (const step of steps) expect(await runCommand(step, at)).toMatchObject({ code: 0 });
    for (const path of ['hello', 'hello.tgz']) {
      const verified = await runCommand(['verify', path, '--home', home.path, '--json'], at);
      expect(verified.code).toBe(0);
      expect(verified.json()).toMatchObject({ ok: true, id: 'acme.hello', version: '0.1.0', publisher: 'acme', keyid: expect.stringMatching(/^ed25519:/), packageDigest: expect.stringMatching(/^sha256:/), checks: expect.arrayContaining([{ name: 'trust', ok: true, detail: expect.any(String) }]) });
    }
    const list = await runCommand(['trust', 'list', '--json'], { cwd: home.path });
    expect(list.json()).toMatchObject({ records: expect.arrayContaining([expect.objectContaining({ publisher: 'acme', prefixes: ['acme.'] })]), diagnostics: [] });
  });
});

describe('trust add', () => {
  it('takes up no publisher with a key that somebody reviews with', async () => {
    await using home = await aHome();
    const alice = aReviewer('alice');
    await trustReviewers(home.path, alice);
    await home.write('mallory.json', { publisher: 'mallory', prefixes: ['mallory.'], keys: [newTestKey('mallory'), alice.key].map(({ keyid, publicKey }) => ({ keyid, publicKey: publicKey.toString('base64') })) });
    const added = await runCommand(['trust', 'add', 'mallory.json', '--yes', '--json'], { cwd: home.path });
    expect([added.code, added.json()]).toMatchObject([3, { error: { code: 'TRUST_RECORD', message: expect.stringContaining("'alice' reviews with") } }]);
    await expect(stat(join(home.path, 'manifests/trust/publishers/mallory.json'))).rejects.toThrow('ENOENT');
  });
});

describe('pack', () => {
  it('says whether the signature in the package is of what it packs', async () => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    const pack = (...flags: readonly string[]) => runCommand(['pack', path, '--out', join(dir.path, 'p.tgz'), ...flags]);
    expect((await pack('--json')).json()).toMatchObject({ signed: true, signature: 'matches' });
    await writeFile(join(path, 'plugin.js'), `${SOURCE} // edited`);
    expect((await pack('--json')).json()).toMatchObject({ signed: false, signature: 'stale' });
    expect(await pack()).toMatchObject({ code: 0, stdout: expect.stringMatching(/signed +no: the signature is of other content; run `gatehouse sign`/) });
    await rm(join(path, 'plugin.dsse.json'));
    expect((await pack('--json')).json()).toMatchObject({ signed: false, signature: 'none' });
  });
});

describe('verify', () => {
  it('without a home or --trust checks everything but trust', async () => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    const verified = await runCommand(['verify', path, '--json'], { cwd: dir.path });
    expect(verified.code).toBe(0);
    expect(verified.json()).toMatchObject({ ok: true, checks: expect.arrayContaining([{ name: 'trust', ok: null, detail: expect.any(String) }]) });
    expect((await runCommand(['verify', path], { cwd: dir.path })).stdout).toContain('The signature was not checked');
    await writeFile(join(path, 'plugin.js'), 'evil()');
    expect((await runCommand(['verify', path], { cwd: dir.path })).code).toBe(3);
  });

  it('takes --trust as a folder of records or one like a home’s, with its revocations', async () => {
    await using dir = await tempDir();
    const { path, key } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    expect.assert(key);
    await writeTrustRecord(dir.path, key);
    for (const trust of ['manifests/trust', 'manifests/trust/publishers']) expect((await runCommand(['verify', path, '--trust', trust], { cwd: dir.path })).code).toBe(0);
    await writeFile(join(dir.path, 'manifests/trust/revocations.json'), JSON.stringify({ keys: [key.keyid] }));
    for (const trust of ['manifests/trust', 'manifests/trust/publishers']) {
      const refused = await runCommand(['verify', path, '--trust', trust, '--json'], { cwd: dir.path });
      expect(refused.code).toBe(3);
      expect(refused.json()).toMatchObject({ ok: false, code: 'REVOKED' });
    }
  });

  it('ends with 3 for whatever cannot be read as a package', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'junk.tgz'), 'junk');
    await mkdir(join(dir.path, 'empty'));
    for (const path of ['junk.tgz', 'empty', 'nothing', '/dev/null']) {
      const refused = await runCommand(['verify', path, '--json'], { cwd: dir.path });
      expect(refused.code).toBe(3);
      expect(refused.json()).toMatchObject({ ok: false, packageDigest: null, id: null });
    }
  });

  it('of trust records that are not there is a mistake in usage, and no word about the package', async () => {
    await using dir = await tempDir();
    await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    expect(await runCommand(['verify', 'p', '--trust', 'nowhere'], { cwd: dir.path })).toMatchObject({ code: 2, stderr: expect.stringContaining('no such folder of trust records') });
  });

  it('of a home that was named and is not there is a mistake in usage', async () => {
    await using dir = await tempDir();
    expect((await runCommand(['verify', 'p', '--home', 'nowhere'], { cwd: dir.path })).code).toBe(2);
  });
});

describe('sign', () => {
  it.each([['2020-01-01', 'future'], ['soon', 'neither'], ['0d', 'future']])('refuses --expires %s', async (expires, problem) => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', dir.path]);
    expect(await runCommand(['sign', path, '--key', join(dir.path, 'acme.key.json'), '--expires', expires])).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) });
  });

  it('refuses another publisher’s key with 3, and a forced signature does not verify', async () => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, key: null });
    await runCommand(['keys', 'generate', '--publisher', 'beta', '--out', dir.path]);
    const sign = ['sign', path, '--key', join(dir.path, 'beta.key.json')];
    expect((await runCommand(sign)).code).toBe(3);
    expect((await runCommand([...sign, '--force'])).code).toBe(0);
    const verified = await runCommand(['verify', path, '--trust', dir.path, '--json']);
    expect(verified.code).toBe(3);
    expect(verified.json()).toMatchObject({ code: 'KEY_PREFIX' });
  });
});

describe('trust add', () => {
  it('asks, and without a terminal or --yes changes nothing', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', dir.path]);
    expect((await runCommand(['trust', 'add', join(dir.path, 'acme.json'), '--home', home.path])).code).toBe(2);
    expect((await loadTrust([join(home.path, 'manifests/trust/publishers')])).store.records.map(({ record }) => record.publisher)).toEqual(['test']);
  });

  it('adds a second key to a publisher that is there', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    for (const name of ['first', 'second']) {
      await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', join(dir.path, name)]);
      expect((await runCommand(['trust', 'add', join(dir.path, name, 'acme.json'), '--home', home.path, '--yes'])).code).toBe(0);
    }
    const { store } = await loadTrust([join(home.path, 'manifests/trust/publishers')]);
    expect(store.records.find(({ record }) => record.publisher === 'acme')?.record.keys).toHaveLength(2);
  });

  it('takes development keys only when told to', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const file = await writeTrustRecord(dir.path, newTestKey('acme'), { development: true });
    expect((await runCommand(['trust', 'add', file, '--home', home.path, '--yes'])).code).toBe(3);
    expect((await runCommand(['trust', 'add', file, '--home', home.path, '--yes', '--development'])).code).toBe(0);
  });

  it.each([
    ['a record that claims what another has', { publisher: 'acme', prefixes: ['acme.', 'acme.x.'] }, 'TRUST_OVERLAP'],
    ['prefixes of another publisher', { publisher: 'beta', prefixes: ['acme.'] }, 'TRUST_RECORD'],
  ])('refuses %s', async (_, claim, code) => {
    await using home = await aHome();
    const key = newTestKey('acme');
    await home.write('manifests/trust/publishers/other-name.json', { publisher: 'acme', prefixes: ['acme.x.'], keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64') }] });
    await home.write('given.json', { ...claim, keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64') }] });
    const refused = await runCommand(['trust', 'add', join(home.path, 'given.json'), '--home', home.path, '--yes', '--json']);
    expect(refused.code).toBe(3);
    expect(refused.json()).toMatchObject({ error: { code } });
  });
});

describe('inspect', () => {
  const capabilities = [
    { name: 'http.fetch', origins: ['https://api.example', { config: '/replyUrl' }], methods: ['GET', 'POST'], quota: { perMinute: 60, bytesPerDay: 1_048_576 }, reason: 'To ask the weather service.' },
    { name: 'kv', quotaBytes: 65_536 },
    { name: 'secret.use', handle: 'api-key', audience: 'https://api.example', inject: { header: 'authorization' } },
    { name: 'tool.call', tools: ['gatehouse.clock/now'] },
  ];
  const config = { type: 'object', additionalProperties: false, required: ['replyUrl'], properties: { replyUrl: { type: 'string', description: 'Where replies go.', 'x-secret': true } } };

  it('tells in plain words what a package asks for', async () => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, manifest: { capabilities, config } });
    const { code, stdout } = await runCommand(['inspect', path], { cwd: dir.path });
    expect(code).toBe(0);
    for (const part of ['send GET, POST requests to https://api.example, the address you set in config /replyUrl, at most 60 a minute and 1 MiB a day', '“To ask the weather service.”', 'keep up to 64 KiB', "use the secret 'api-key' towards https://api.example", 'call the tools gatehouse.clock/now', 'replyUrl', 'required, secret', 'plugin.js']) expect(stdout).toContain(part);
    const shown = await runCommand(['inspect', path, '--json'], { cwd: dir.path });
    expect(shown.json()).toMatchObject({ id: 'acme.x', limits: { heapMb: 32 }, capabilities: [{ name: 'http.fetch', meaning: expect.any(String) }, {}, {}, {}], config: [{ name: 'replyUrl', type: 'string', required: true, secret: true }], files: [{ name: 'plugin.dsse.json' }, { name: 'plugin.js' }, { name: 'plugin.json' }] });
  });

  it('says loudly when the package cannot be believed', async () => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, key: null });
    expect((await runCommand(['inspect', path], { cwd: dir.path })).stdout).toContain('does not verify');
  });

  it('lets nothing of a package drive the terminal', async () => {
    await using dir = await tempDir();
    const evil = '\u001b]0;owned\u0007\u001b[2J\u202Etxt.exe\u200B';
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, manifest: { displayName: evil, description: evil, license: evil, capabilities: [{ name: 'kv', quotaBytes: 1, reason: evil }], config: { type: 'object', additionalProperties: false, properties: { [evil]: { description: evil } } } } });
    for (const command of ['inspect', 'verify']) {
      const { stdout, stderr } = await runCommand([command, path], { cwd: dir.path });
      for (const unit of ['\u0007', '\u001b', '\u202e', '\u200b']) expect(`${stdout}${stderr}`).not.toContain(unit);
    }
  });
});
