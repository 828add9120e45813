// `trust revoke`, `unrevoke`, `sign-revocations`, `succeed`, `list`, and `keys succeed`: on files alone and through a running host, with the same result.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGatehouse } from '../support/gatehouse.ts';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { SKILL } from '../support/registry.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const listIn = async (home: TestHome): Promise<unknown> => JSON.parse(await readFile(join(home.path, 'manifests/trust/revocations.json'), 'utf8'));

describe('with no host running', () => {
  it('revoke writes the list and keeps what is in it, and unrevoke takes one entry out', async () => {
    await using home = await aHome();
    await home.write('manifests/trust/revocations.json', { digests: [DIGEST] });
    const at = ['--home', home.path, '--yes', '--json'];
    const revoked = await runCommand(['trust', 'revoke', '--plugin', 'acme.x@<2', '--reason', 'it steals', ...at]);
    expect(revoked.json()).toMatchObject({ revocation: { id: 'plugin acme.x <2', reason: 'it steals', by: 'file', listed: 'file' }, written: true, stopped: [] });
    expect(await listIn(home)).toEqual({ digests: [DIGEST], plugins: [{ id: 'acme.x', range: '<2', reason: 'it steals', at: expect.any(String) }] });
    expect((await runCommand(['trust', 'unrevoke', '--digest', DIGEST, '--reason', 'a mistake', ...at])).code).toBe(0);
    expect(await listIn(home)).toMatchObject({ digests: [], plugins: [{ id: 'acme.x' }] });
    expect((await runCommand(['trust', 'unrevoke', '--digest', DIGEST, '--reason', 'again', ...at])).json()).toMatchObject({ error: { code: 'REVOCATION_NOT_FOUND' } });
  });

  it.each([
    ['nothing', []],
    ['two things', ['--digest', DIGEST, '--plugin', 'acme.x@*']],
    ['a plugin without a range', ['--plugin', 'acme.x']],
    ['a range that is none', ['--plugin', 'acme.x@one or two']],
    ['a key that is none', ['--key', 'ed25519:zz']],
  ])('revoke of %s is a mistake in usage, and writes nothing', async (_, what) => {
    await using home = await aHome();
    expect(await runCommand(['trust', 'revoke', ...what, '--reason', 'x', '--home', home.path, '--yes'])).toMatchObject({ code: 2 });
    await expect(listIn(home)).rejects.toThrow('ENOENT');
  });
});

describe('with a host running', () => {
  it('revoke stops what runs, the list shows it, and unrevoke starts it again; so does unrevoke after the host is gone', async () => {
    await using home = await aHome([{ name: 'a', kind: 'skill', source: SKILL }]);
    const at = ['--home', home.path, '--yes', '--json'];
    const named = ['--plugin', 'test.a@*', '--reason', 'by mistake'];
    {
      await using gatehouse = await startGatehouse(home);
      writeRunFile(join(home.path, 'data'), { pid: process.pid, address: gatehouse.address, startedAt: '2026-11-21T00:00:00.000Z' });
      expect((await runCommand(['trust', 'revoke', ...named, ...at])).json()).toMatchObject({ stopped: ['a'], written: true });
      expect((await runCommand(['trust', 'list', ...at])).json()).toMatchObject({ revocations: [{ id: 'plugin test.a *', by: expect.stringMatching(/^token:/), listed: 'file' }] });
      expect((await runCommand(['trust', 'unrevoke', ...named, ...at])).json()).toMatchObject({ started: ['a'] });
      expect((await runCommand(['trust', 'revoke', ...named, ...at])).json()).toMatchObject({ stopped: ['a'] });
    }
    writeRunFile(join(home.path, 'data'), { pid: 2 ** 22, address: 'http://127.0.0.1:1', startedAt: '2026-11-21T00:00:00.000Z' });
    await writeFile(join(home.path, 'manifests/trust/revocations.json'), '{}'); // the store remembers
    expect((await runCommand(['check', ...at])).json()).toMatchObject({ diagnostics: expect.arrayContaining([expect.objectContaining({ code: 'REVOKED' }), expect.objectContaining({ code: 'REVOCATION_VANISHED' })]) });
    expect(await runCommand(['verify', join(home.path, 'plugins/test.a-1.0.0'), ...at])).toMatchObject({ code: 3 });
    expect((await runCommand(['trust', 'list', '--home', home.path])).stdout).toMatch(/plugin test\.a \* .* no more +by mistake/);
    expect((await runCommand(['trust', 'unrevoke', ...named, ...at])).code).toBe(0);
    expect((await runCommand(['check', ...at])).json()).toMatchObject({ ok: true });
  });
});

describe('signed lists', () => {
  it('go from a key to a list that a home counts, each with the next number', async () => {
    await using home = await aHome([{ name: 'a', kind: 'skill', source: SKILL }]);
    await using dir = await tempDir();
    const at = { cwd: dir.path };
    await writeFile(join(dir.path, 'revoked.json'), JSON.stringify({ plugins: [{ id: 'test.a', range: '*' }] }));
    const sign = ['trust', 'sign-revocations', '--key', 'sec.key.json', '--in', 'revoked.json', '--expires', '14d', '--out', join(home.path, 'manifests/trust/revocations.dsse.json'), '--json'];
    expect((await runCommand(['keys', 'generate', '--revoker', 'sec', '--out', '.'], at)).code).toBe(0);
    expect(await runCommand(['trust', 'add', 'sec.json', '--home', home.path, '--yes'], at)).toMatchObject({ code: 0, stdout: expect.stringContaining('may now revoke') });
    expect((await runCommand(sign, at)).json()).toMatchObject({ issuer: 'sec', sequence: 1 });
    expect((await runCommand(sign, at)).json()).toMatchObject({ issuer: 'sec', sequence: 2 });
    expect((await runCommand(['check', '--home', home.path, '--json'])).json()).toMatchObject({ diagnostics: expect.arrayContaining([expect.objectContaining({ code: 'REVOKED' })]) });
    const { stdout } = await runCommand(['trust', 'list', '--home', home.path]);
    expect(stdout).toMatch(/sec +ed25519:\w+ +always +number 2, until 2/);
    expect(stdout).toMatch(/plugin test\.a \* .*list:sec/);
    expect(await runCommand([...sign, '--sequence', '0'], at)).toMatchObject({ code: 2 });
  });
});

describe('successions of keys', () => {
  it('go from the old key to a home where the new one signs', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const at = { cwd: dir.path };
    for (const folder of ['old', 'new', 'third']) expect((await runCommand(['keys', 'generate', '--publisher', 'acme', '--out', folder], at)).code).toBe(0);
    expect((await runCommand(['keys', 'generate', '--publisher', 'beta', '--out', 'beta'], at)).code).toBe(0);
    const succeed = (heir: string, out: string) => runCommand(['keys', 'succeed', '--key', 'old/acme.key.json', '--new', heir, '--out', out], at);
    expect(await succeed('beta/beta.key.json', 'no.dsse.json')).toMatchObject({ code: 2 });
    expect(await succeed('old/acme.key.json', 'no.dsse.json')).toMatchObject({ code: 2 });
    expect(await succeed('new/acme.key.json', 'next.dsse.json')).toMatchObject({ code: 0 });
    expect(await succeed('third/acme.key.json', 'other.dsse.json')).toMatchObject({ code: 0 });

    const take = (file: string) => runCommand(['trust', 'succeed', file, '--home', home.path, '--yes', '--json'], at);
    const stranger = await take('next.dsse.json'); // before anybody trusts the old key
    expect([stranger.code, stranger.json()]).toMatchObject([3, { error: { code: 'KEY_SUCCESSION' } }]);
    expect((await runCommand(['trust', 'add', 'old/acme.json', '--home', home.path, '--yes'], at)).code).toBe(0);
    const { keys } = JSON.parse(await readFile(join(dir.path, 'new/acme.json'), 'utf8')) as { keys: unknown[] };
    await home.write('manifests/trust/reviewers/alice.json', { reviewer: 'alice', keys });
    expect((await take('next.dsse.json')).json()).toMatchObject({ error: { code: 'KEY_SUCCESSION', message: expect.stringContaining("'alice' reviews with") } });
    await rm(join(home.path, 'manifests/trust/reviewers/alice.json'));
    expect((await take('next.dsse.json')).json()).toMatchObject({ added: true, publisher: 'acme' });
    expect((await take('next.dsse.json')).json()).toMatchObject({ added: false });
    expect((await take('other.dsse.json')).json()).toMatchObject({ error: { code: 'KEY_SUCCESSION', message: expect.stringContaining('several successors') } });

    for (const step of [['new', 'skill', 'hello', '--id', 'acme.hello'], ['build', 'hello'], ['sign', 'hello', '--key', 'new/acme.key.json']]) expect((await runCommand(step, at)).code).toBe(0);
    expect((await runCommand(['verify', 'hello', '--home', home.path], at)).code).toBe(0);
    expect((await runCommand(['trust', 'list', '--home', home.path], at)).stdout).toMatch(/next key of/);
  });
});
