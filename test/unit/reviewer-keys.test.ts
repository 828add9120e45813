// Reviewers' private keys: sealed files that open for one passphrase and for nothing else, and commands that sign in their place.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signExternally } from '../../host/authoring/external-signer.ts';
import { generateKey, sign, toKeyFile, verifyWithNode } from '../../host/trust/keys.ts';
import { openSealedKey, readSealedKey, sealNewKey } from '../../host/trust/sealed-key.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';

const PASSPHRASE = 'four words are enough';

describe('a sealed key file', async () => {
  const file = await sealNewKey('alice', PASSPHRASE);

  it('opens for its passphrase, however its accents are typed, and signs with its key', async () => {
    const { reviewer, keyid, publicKey, sign: signs } = await openSealedKey(readSealedKey(Buffer.from(JSON.stringify(file)), 'f'), PASSPHRASE, 'f');
    expect({ reviewer, keyid, publicKey: publicKey.toString('base64') }).toEqual({ reviewer: 'alice', keyid: file.keyid, publicKey: file.publicKey });
    expect(verifyWithNode(publicKey, Buffer.from('x'), await signs(Buffer.from('x')))).toBe(true);
    const accents = await sealNewKey('alice', 'caf\u00e9 au lait');
    expect(await openSealedKey(accents, 'cafe\u0301 au lait', 'f')).toMatchObject({ keyid: accents.keyid });
  });

  it('holds nothing of the private half, and costs what it says', () => {
    expect(file).toMatchObject({ kdf: { name: 'scrypt', n: 2 ** 17, r: 8, p: 1 }, cipher: { name: 'chacha20-poly1305' } });
    expect(Object.keys(file).sort()).toEqual(['cipher', 'kdf', 'keyid', 'publicKey', 'reviewer', 'sealed']);
  });

  it.each<[string, object]>([
    ['another passphrase', {}],
    ['another name', { reviewer: 'mallory' }],
    ['other sealed bytes', { sealed: flipped(file.sealed, 3) }],
  ])('with %s does not open', async (what, changes) => {
    const passphrase = what === 'another passphrase' ? 'five words are enough' : PASSPHRASE;
    expect(await refusalOf(() => openSealedKey({ ...file, ...changes }, passphrase, 'f'))).toMatchObject({ code: 'KEY_SEALED', message: expect.not.stringContaining(passphrase) });
  });

  it.each<[string, unknown]>([
    ['asks for less work than is safe', { ...file, kdf: { ...file.kdf, n: 1024 } }],
    ['asks for more memory than there is', { ...file, kdf: { ...file.kdf, n: 2 ** 40 } }],
    ['has another cipher', { ...file, cipher: { ...file.cipher, name: 'aes-256-cbc' } }],
    ['is a publisher’s, which is not sealed', toKeyFile(generateKey('acme'))],
    ['is no object', []],
  ])('that %s is refused before any work', async (_, bad) => {
    expect(await refusalOf(() => readSealedKey(Buffer.from(JSON.stringify(bad)), 'f'))).toMatchObject({ code: 'KEY_FILE' });
  });

  it('is not made with a passphrase that is guessed at once', async () => {
    expect(await refusalOf(() => sealNewKey('alice', '1234567'))).toMatchObject({ code: 'PASSPHRASE_WEAK' });
  });
});

function flipped(base64: string, at: number): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString('base64');
}

describe('a signer of the reviewer’s own', () => {
  const key = generateKey('alice');
  const message = Buffer.from('DSSEv1 28 application/vnd.in-toto+json 1 x');
  async function run(script: string, { timeoutMs = 20_000, args = '' } = {}) {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'my signer.mjs'), script);
    return await signExternally({ command: `${process.execPath} "${join(dir.path, 'my signer.mjs')}" ${args}`, timeoutMs, cwd: dir.path, env: process.env }, message);
  }
  const read = "const chunks = []; for await (const chunk of process.stdin) chunks.push(chunk); const message = Buffer.concat(chunks);";

  it('gets exactly the bytes to sign and its arguments, and answers with base64', async () => {
    const expected = sign(key, message).toString('base64');
    const script = `${read} if (message.toString('hex') !== '${message.toString('hex')}' || process.argv[2] !== 'slot 1' || process.argv.length !== 3) process.exit(9); console.log('${expected}');`;
    expect((await run(script, { args: "'slot 1'" })).toString('base64')).toBe(expected);
  });

  it.each<[string, string, string]>([
    ['prints nothing', read, 'something else'],
    ['prints what is no base64', `${read} console.log('-----BEGIN SIGNATURE-----');`, 'something else'],
    ['prints a signature of another length', `${read} console.log(Buffer.alloc(63).toString('base64'));`, 'something else'],
    ['fails', 'process.exit(3);', 'exit code 3'],
    ['floods', "process.stdout.write('A'.repeat(1e6)); setInterval(() => undefined, 1000);", 'more than 4096'],
  ])('that %s is refused', async (_, script, problem) => {
    expect(await refusalOf(() => run(script))).toMatchObject({ code: 'SIGNER_FAILED', message: expect.stringContaining(problem) });
  });

  it('that hangs is ended at the deadline, with what it started', async () => {
    const hangs = "import { spawn } from 'node:child_process'; spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'inherit' }); setInterval(() => undefined, 1000);";
    expect(await refusalOf(() => run(hangs, { timeoutMs: 300 }))).toMatchObject({ code: 'SIGNER_FAILED', message: expect.stringContaining('no answer within 0.3 s') });
  });

  it('that is not there, or is nothing, is refused', async () => {
    const options = { timeoutMs: 1000, cwd: '/', env: {} };
    expect(await refusalOf(() => signExternally({ ...options, command: '/no/such/signer --key 1' }, message))).toMatchObject({ code: 'SIGNER_FAILED', message: expect.stringContaining('cannot be run') });
    expect(await refusalOf(() => signExternally({ ...options, command: '  ' }, message))).toMatchObject({ code: 'SIGNER_FAILED' });
  });
});
