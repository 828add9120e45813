// The reviewer's command line where no host runs: keys, records, approving, rejecting, taking back; and what each refuses.
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ApprovalView } from '../../schemas/control.ts';
import { generateKey, toKeyFile } from '../../host/trust/keys.ts';
import { sealNewKey } from '../../host/trust/sealed-key.ts';
import { aReviewer, trustReviewers } from '../support/approvals.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { runCommand } from '../support/run-command.ts';
import { SKILL } from '../support/registry.ts';
import { tempDir } from '../support/temp.ts';

const PASSPHRASE = 'four words are enough';
const env = { ALICE: PASSPHRASE };
/** Made once: each costs a third of a second. */
const sealed = await sealNewKey('alice', PASSPHRASE);

/** A home with one skill that needs an approval, and alice, who may give it. */
async function homeWithAlice(): Promise<TestHome & { readonly run: (...args: string[]) => ReturnType<typeof runCommand>; readonly key: string }> {
  const home = await aHome([{ name: 'a', kind: 'skill', source: SKILL, manifest: { capabilities: [{ name: 'kv', quotaBytes: 1000, reason: 'remembers the last city' }] }, enablement: { approvals: 1 } }]);
  await home.write('alice.key.json', sealed);
  await home.write('manifests/trust/reviewers/alice.json', { reviewer: 'alice', keys: [{ keyid: sealed.keyid, publicKey: sealed.publicKey }] });
  const key = join(home.path, 'alice.key.json');
  return { ...home, key, run: (...args) => runCommand(args, { cwd: home.path, env }) };
}

const files = async (home: TestHome) => (await readdir(join(home.path, 'manifests/approvals')).catch(() => [])).sort();

describe('keys of reviewers', () => {
  it('are made sealed, for their owner alone, with a record that an operator can add', async () => {
    await using home = await aHome();
    await using dir = await tempDir();
    const made = await runCommand(['keys', 'generate', '--reviewer', 'bob', '--out', dir.path, '--passphrase-env', 'ALICE', '--json'], { cwd: dir.path, env });
    expect(made).toMatchObject({ code: 0 });
    const keyFile = join(dir.path, 'bob.key.json');
    expect(made.json()).toEqual({ reviewer: 'bob', keyid: expect.stringMatching(/^ed25519:/), keyFile, trustRecord: join(dir.path, 'bob.json') });
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect((await runCommand(['keys', 'show', keyFile, '--json'], { cwd: dir.path })).json()).toEqual({ reviewer: 'bob', keyid: expect.any(String), publicKey: expect.any(String) });
    expect(await runCommand(['trust', 'add', join(dir.path, 'bob.json')], { cwd: home.path })).toMatchObject({ code: 2 });
    expect(await runCommand(['trust', 'add', join(dir.path, 'bob.json'), '--yes'], { cwd: home.path })).toMatchObject({ code: 0, stderr: expect.stringContaining('Compare the key id') });
    expect(JSON.parse(await readFile(join(home.path, 'manifests/trust/reviewers/bob.json'), 'utf8'))).toMatchObject({ reviewer: 'bob', keys: [{ keyid: expect.any(String) }] });
    expect(await runCommand(['keys', 'generate', '--reviewer', 'bob', '--out', dir.path, '--passphrase-env', 'ALICE'], { cwd: dir.path, env })).toMatchObject({ code: 2 });
  });

  it.each<[string, readonly string[], string]>([
    ['without a passphrase', [], 'no terminal to ask on'],
    ['with one from a variable that is not set', ['--passphrase-env', 'NOBODY'], 'NOBODY is not set'],
    ['with one that is too short', ['--passphrase-file', 'short'], 'too short: 7 characters'],
    ['with two', ['--passphrase-file', 'short', '--passphrase-env', 'ALICE'], 'either --passphrase-file or --passphrase-env'],
    ['for a publisher too', ['--publisher', 'acme'], 'name one of --publisher, --reviewer and --revoker'],
  ])('are not made %s', async (_, args, problem) => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'short'), '1234567\n');
    const ran = await runCommand(['keys', 'generate', '--reviewer', 'bob', '--out', dir.path, ...args], { cwd: dir.path, env });
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) });
    expect(await readdir(dir.path)).toEqual(['short']);
  });

  it('of a publisher are no reviewer’s', async () => {
    await using home = await aHome();
    const key = newTestKey('acme');
    await writeTrustRecord(home.path, key);
    await home.write('bob.json', aReviewer('bob', key).record);
    expect(await runCommand(['trust', 'add', 'bob.json', '--yes'], { cwd: home.path })).toMatchObject({ code: 3, stderr: expect.stringContaining("signs plugins of publisher 'acme'") });
  });
});

describe('approve', () => {
  it('shows what is decided on, and lets it run', async () => {
    await using home = await homeWithAlice();
    const asked = await home.run('approve', 'a', '--key', home.key, '--passphrase-env', 'ALICE', '--note', 'read all of it');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('“Approve test.a 1.0.0 as \'a\', as alice?”') });
    for (const told of ['test.a 1.0.0 (skill)', 'grants digest', 'remembers the last city', 'sha256:']) expect(asked.stderr).toContain(told);
    expect(await files(home)).toEqual([]);

    const approved = await home.run('approve', 'a', '--key', home.key, '--passphrase-env', 'ALICE', '--note', 'read all of it', '--expires', '90d', '--yes', '--json');
    expect(approved).toMatchObject({ code: 0 });
    const view = approved.json() as ApprovalView;
    expect(view).toMatchObject({ reviewer: 'alice', decision: 'approve', note: 'read all of it', instance: 'a', subject: 'test.a-1.0.0', counts: true, keyid: sealed.keyid, expiresAt: expect.stringMatching(/^20/) });
    expect(await files(home)).toEqual([`a-1.0.0-alice-${view.id.slice(0, 12)}.dsse.json`]);
    expect((await home.run('check', '--json')).json()).toMatchObject({ ok: true, diagnostics: [] });
  });

  it('takes a package that is not installed yet, as the instance it would run as', async () => {
    await using home = await homeWithAlice();
    await using dir = await tempDir();
    const key = newTestKey('test');
    await writeTrustRecord(home.path, key);
    const { path } = await buildTestPackage({ dir: join(dir.path, 'next'), id: 'test.a', version: '1.1.0', kind: 'skill', source: SKILL, manifest: { capabilities: [{ name: 'kv', quotaBytes: 1000 }, { name: 'message.read', conversations: 'own' }] }, key });
    const ran = await home.run('approve', path, '--key', home.key, '--passphrase-env', 'ALICE', '--note', 'what comes next', '--yes', '--json');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('1.0.0 → 1.1.0') });
    expect(ran.json()).toMatchObject({ subject: 'test.a-1.1.0', instance: 'a', counts: false, problem: expect.stringContaining('it is about test.a-1.1.0') });
  });

  it('signs by a command, whose signature is proved before it is written', async () => {
    await using home = await homeWithAlice();
    const bob = aReviewer('bob');
    await trustReviewers(home.path, bob);
    const signer = async (name: string, key: ReturnType<typeof generateKey>) => {
      const pem = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), key.seed]).toString('base64');
      const script = `import { createPrivateKey, sign } from 'node:crypto'; const parts = []; for await (const part of process.stdin) parts.push(part);
        console.log(sign(null, Buffer.concat(parts), createPrivateKey({ key: Buffer.from('${pem}', 'base64'), format: 'der', type: 'pkcs8' })).toString('base64'));`;
      await home.write(name, script);
      return `${process.execPath} ${join(home.path, name)}`;
    };
    const [honest, liar] = [await signer('honest.mjs', bob.key), await signer('liar.mjs', generateKey('mallory'))];
    expect(await home.run('approve', 'a', '--signer', liar, '--reviewer', 'bob', '--note', 'fine', '--yes')).toMatchObject({ code: 3, stderr: expect.stringContaining("by none of the keys of 'bob'") });
    expect(await files(home)).toEqual([]);
    expect((await home.run('approve', 'a', '--signer', honest, '--reviewer', 'bob', '--note', 'fine', '--yes', '--json')).json()).toMatchObject({ reviewer: 'bob', keyid: bob.key.keyid, counts: true });
  });

  it.each<[string, readonly string[], number, string]>([
    ['with a wrong passphrase', ['a', '--key', 'alice.key.json', '--passphrase-file', 'wrong'], 3, 'does not open'],
    ['without a passphrase', ['a', '--key', 'alice.key.json'], 2, 'no terminal to ask on'],
    ['by somebody without a record', ['a', '--key', 'stranger.key.json', '--passphrase-env', 'ALICE'], 3, 'no record of reviewer'],
    ['with the key of somebody else', ['a', '--key', 'alice.key.json', '--reviewer', 'bob', '--passphrase-env', 'ALICE'], 3, "the key of 'alice', not of 'bob'"],
    ['with a publisher’s key', ['a', '--key', 'test.key.json', '--passphrase-env', 'ALICE'], 3, 'is refused'],
    ['with no key', ['a'], 2, 'either --key FILE or --signer COMMAND'],
    ['by a signer that nobody answers for', ['a', '--signer', 'true'], 2, 'needs --reviewer'],
    ['of what is not there', ['b', '--key', 'alice.key.json'], 1, "no instance 'b'"],
    ['of a broken package', ['broken', '--key', 'alice.key.json'], 3, 'has no plugin.json'],
    ['that expires in the past', ['a', '--key', 'alice.key.json', '--expires', '2020-01-01'], 2, 'not in the future'],
  ])('decides nothing %s', async (_, args, code, problem) => {
    await using home = await homeWithAlice();
    await home.write('wrong', 'five words are enough');
    await home.write('stranger.key.json', { ...sealed, reviewer: 'stranger' });
    await home.write('test.key.json', toKeyFile(generateKey('test')));
    await mkdir(join(home.path, 'broken'));
    expect(await home.run('approve', ...args, '--note', 'fine', '--yes')).toMatchObject({ code, stderr: expect.stringContaining(problem) });
    expect(await files(home)).toEqual([]);
  });
});

describe('reject and approvals', () => {
  it('keep a plugin out, show why, and take a word back for good', async () => {
    await using home = await homeWithAlice();
    const decide = async (verb: string, note: string) => (await home.run(verb, 'a', '--key', home.key, '--passphrase-env', 'ALICE', '--note', note, '--yes', '--json')).json() as ApprovalView;
    const approved = await decide('approve', 'fine');
    const rejected = await decide('reject', 'on second thoughts');
    expect(await home.run('check')).toMatchObject({ stdout: expect.stringContaining("is rejected by 'alice': on second thoughts") });
    expect((await home.run('approvals', 'list', '--json')).json()).toMatchObject({ items: [{ id: rejected.id, counts: true }, { id: approved.id, counts: false, problem: 'a newer word of the same reviewer counts' }], cursor: null });

    expect(await home.run('approvals', 'revoke', rejected.id, '--reason', 'it was fine')).toMatchObject({ code: 2 });
    expect((await home.run('approvals', 'revoke', rejected.id, '--reason', 'it was fine', '--yes', '--json')).json()).toMatchObject({ id: rejected.id, counts: false, problem: 'it was revoked' });
    expect((await home.run('plugins', 'show', 'a', '--json')).json()).toMatchObject({ state: 'stopped' });
    await home.run('approvals', 'revoke', approved.id, '--reason', 'after all', '--yes');
    expect((await home.run('plugins', 'show', 'a', '--json')).json()).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING' });
    expect(await home.run('approvals', 'revoke', '0'.repeat(32), '--reason', 'x', '--yes')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no approval') });
    expect(await home.run('approvals')).toMatchObject({ code: 0, stdout: expect.stringContaining('no: it was revoked') });
  });
});
