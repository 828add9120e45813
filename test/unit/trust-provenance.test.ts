// Where a release says it was made: stated when it is signed, bound to it, written in one way only; and what a list of sources holds.
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { sign } from '../../host/trust/keys.ts';
import { readPackage } from '../../host/trust/package.ts';
import { isUnderSource, provenanceProblem } from '../../host/trust/provenance.ts';
import { subjectOf, writeStatement } from '../../host/trust/statement.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: {} });';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

async function verdictOf(dir: string) {
  const { store } = await loadTrust([join(dir, 'manifests/trust/publishers')]);
  return verifyPackage(join(dir, 'dist'), { trust: store, revocations: null, now: Date.now(), secondOpinion: 'always', profile: 'local', strict: false });
}

/** A folder with the package, its key and a record that trusts it. */
async function aSigner(dir: string) {
  const key = newTestKey('acme');
  await buildTestPackage({ dir: join(dir, 'dist'), id: 'acme.x', kind: 'tool', source: SOURCE, key });
  await writeTrustRecord(dir, key);
  const file = join(dir, 'key.json');
  await writeFile(file, JSON.stringify({ publisher: 'acme', keyid: key.keyid, publicKey: key.publicKey.toString('base64'), privateKey: key.seed.toString('base64') }));
  return { key, sign: (...words: readonly string[]) => runCommand(['sign', 'dist', '--key', file, '--json', ...words], { cwd: dir, env: process.env }) };
}

describe('a release', () => {
  it('states its provenance, and one without it is as good as before', async () => {
    await using dir = await tempDir();
    const { sign } = await aSigner(dir.path);
    const plain = await verdictOf(dir.path);
    expect.assert(plain.ok);
    expect(plain.release).not.toHaveProperty('provenance');
    const provenance = { source: 'https://git.example/acme/x', commit: COMMIT, builder: 'make, by hand' };
    const signed = await sign('--source', provenance.source, '--commit', COMMIT, '--builder', provenance.builder);
    expect(signed).toMatchObject({ code: 0, stderr: '' });
    expect(signed.json()).toMatchObject({ provenance });
    expect(await verdictOf(dir.path)).toMatchObject({ ok: true, release: { provenance } });
  });

  it('that a publisher signed with an address of another form is refused', async () => {
    await using dir = await tempDir();
    const { key } = await aSigner(dir.path);
    for (const source of ['https://git.example:443/acme/x', 'https://git.example/acme/../x', 'file:///acme/x', 'https://user@git.example/acme/x']) {
      const payload = writeStatement(subjectOf((await readPackage(join(dir.path, 'dist'))).files), { id: 'acme.x', version: '1.0.0', publisher: 'acme', issuedAt: '2026-11-21T08:00:00.000Z', provenance: { source, commit: COMMIT } });
      await writeFile(join(dir.path, 'dist/plugin.dsse.json'), writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) }));
      expect(await verdictOf(dir.path)).toMatchObject({ ok: false, error: { code: 'RELEASE_ENVELOPE' } });
    }
  });
});

describe('sign', () => {
  it.each([
    ['half a provenance', ['--source', 'https://git.example/acme/x'], '--commit ID'],
    ['a builder of nothing', ['--builder', 'make'], '--source URL'],
    ['a commit that is cut short', ['--source', 'https://git.example/acme/x', '--commit', '0123456'], 'a whole commit id'],
    ['an address with a user', ['--source', 'https://me:secret@git.example/acme/x', '--commit', COMMIT], 'the address of a repository'],
    ['another way to find it', ['--provenance', 'svn'], 'there is git'],
    ['a checkout that is none', ['--provenance', 'git'], 'not in a git checkout'],
  ])('refuses %s', async (_, words, problem) => {
    await using dir = await tempDir();
    const { sign } = await aSigner(dir.path);
    expect(await sign(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) });
  });

  it('says that an address without TLS is refused elsewhere', async () => {
    await using dir = await tempDir();
    const { sign } = await aSigner(dir.path);
    expect(await sign('--source', 'http://git.example/acme/x', '--commit', COMMIT)).toMatchObject({ code: 0, stderr: expect.stringContaining('not https') });
  });

  it('finds commit and remote of a clean checkout, without the token in its address', async () => {
    await using dir = await tempDir();
    const { sign } = await aSigner(dir.path);
    const git = (...words: readonly string[]) => execFileSync('git', ['-C', dir.path, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...words], { encoding: 'utf8' }).trim();
    git('init', '-q');
    await mkdir(join(dir.path, 'src'));
    await writeFile(join(dir.path, 'src/plugin.ts'), 'one');
    git('add', 'src');
    git('commit', '-q', '-m', 'one');
    git('remote', 'add', 'origin', 'https://me:token@git.example/acme/x.git');
    expect((await sign('--provenance', 'git')).json()).toMatchObject({ provenance: { source: 'https://git.example/acme/x.git', commit: git('rev-parse', 'HEAD') } });
    await writeFile(join(dir.path, 'src/plugin.ts'), 'two');
    expect(await sign('--provenance', 'git')).toMatchObject({ code: 2, stderr: expect.stringContaining('changes') });
  });
});

describe('an address', () => {
  it.each(['https://git.example/acme/x', 'https://git.example:8443/acme/x.git', 'http://10.0.0.7/acme/x', 'https://git.example/~acme/x/'])('%s is one', (source) => {
    expect(provenanceProblem({ source, commit: COMMIT })).toBeUndefined();
  });

  it.each(['https://git.example', 'https://GIT.example/x', 'https://git.example:443/x', 'https://git.example/a/../x', 'https://git.example/a//x', 'https://git.example/x?y', 'https://git.example/x#y', 'https://git.example/%61', 'https://0x7f.1/x', 'https://git.example\\x/y', 'ssh://git@git.example/x', 'javascript:alert(1)', `https://git.example/${'x'.repeat(300)}`])('%s is none', (source) => {
    expect(provenanceProblem({ source, commit: COMMIT })).toBeDefined();
  });

  it('lies under a prefix only where a name ends', () => {
    for (const prefix of ['https://git.example/acme', 'https://git.example/acme/', 'https://git.example/acme/x', 'https://git.example']) expect(isUnderSource('https://git.example/acme/x', prefix)).toBe(true);
    for (const prefix of ['https://git.example/ac', 'https://git.exam', 'https://git.example/acme/x/y', 'http://git.example/acme']) expect(isUnderSource('https://git.example/acme/x', prefix)).toBe(false);
    expect(isUnderSource('https://git.example.evil/acme/x', 'https://git.example')).toBe(false);
  });
});
