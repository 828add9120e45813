// Attacks on what is installed: archives, names, documents, signatures, keys. Each is tried for real, against the commands and functions that operators rely on.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import nacl from 'tweetnacl';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { packPackage } from '../../host/authoring/pack.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { systemClock } from '../../host/clock.ts';
import { createLog } from '../../host/log.ts';
import { SandboxPool } from '../../host/sandbox/pool.ts';
import { ENVELOPE_FILE, preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { keyIdOf, sign, type SigningKey } from '../../host/trust/keys.ts';
import { nameProblem } from '../../host/trust/package-names.ts';
import { revocationList, revocationsIn } from '../../host/trust/revocation.ts';
import { subjectOf, writeStatement } from '../../host/trust/statement.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { paxRecord, rawArchive, type RawEntry } from '../support/archives.ts';
import { aHome } from '../support/home.ts';
import { standingNeighbour, type StandingNeighbour } from '../support/neighbour.ts';
import { aManifest, buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const SOURCE = 'gatehouse.register({ kind: "tool", handlers: { call: async () => 1 } });';
const PLUGIN_JSON: RawEntry = { path: 'plugin.json', content: JSON.stringify(aManifest({ id: 'acme.x', kind: 'tool' })) };
const PLUGIN_JS: RawEntry = { path: 'plugin.js', content: SOURCE };

/** A signed package, and the trust of an operator who would take it: every attack starts from something that verifies. */
async function aTrustedPackage(dir: TempDir, key: SigningKey = newTestKey('acme')): Promise<{ path: string; key: SigningKey }> {
  const { path } = await buildTestPackage({ dir: join(dir.path, 'package'), id: 'acme.x', kind: 'tool', source: SOURCE, key });
  await writeTrustRecord(dir.path, key);
  expect(await verdictOn(dir, path)).toBe('accepted');
  return { path, key };
}

/** What `gatehouse verify` says: accepted, or the code of the refusal. The command itself must end with 0 or 3 and nothing else. */
async function verdictOn(dir: TempDir, path: string): Promise<unknown> {
  const { ok, code } = await verify(dir, path);
  return ok === true ? 'accepted' : code;
}

async function verify(dir: TempDir, path: string): Promise<Readonly<Record<string, unknown>>> {
  const trust = join(dir.path, 'manifests/trust');
  await mkdir(trust, { recursive: true });
  const verified = await runCommand(['verify', path, '--trust', trust, '--json'], { cwd: dir.path });
  const report: Record<string, unknown> = Object(verified.json());
  expect(verified.code).toBe(report['ok'] === true ? 0 : 3);
  return report;
}

async function changeEnvelope(path: string, change: (envelope: { payload: string; signatures: { keyid: string; sig: string }[] }) => unknown): Promise<void> {
  const file = join(path, ENVELOPE_FILE);
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')))));
}

// What follows runs in the process of a host whose plugins are asked all the while: refusing must cost it nothing either.
let neighbour: StandingNeighbour;
beforeAll(async () => {
  neighbour = await standingNeighbour();
});
afterEach(() => neighbour.unharmed());
afterAll(() => neighbour[Symbol.asyncDispose]());

describe('archives', () => {
  const outside = ['../evil.js', '/etc/cron.d/evil', 'C:\\evil.js', 'C:/evil.js', 'assets/a/../../../evil.js', 'assets\\..\\..\\evil.js', 'assets/./evil.js', 'assets//evil.js', '..', 'assets/..', '~/evil.js', '\\\\server\\share\\evil.js', './../evil.js', 'assets/a\u0000b'];

  it.each(outside)('attack 90 zip-slip: an entry named %j is refused and nothing is written', async (path) => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'cwd'));
    const forms = [[{ path, content: 'evil' }], [{ path: 'x', type: 'ExtendedHeader', content: paxRecord('path', path) }, { path: 'assets/x', content: 'evil' }]] as const satisfies readonly (readonly RawEntry[])[];
    for (const form of forms) {
      await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, PLUGIN_JS, ...form]));
      expect(await verify(dir, join(dir.path, 'x.tgz'))).toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringMatching(/is not plain|hides bytes/) });
      for (const command of [['inspect'], ['pack', '--out', 'out.tgz']]) expect((await runCommand([...command, join(dir.path, 'x.tgz')], { cwd: join(dir.path, 'cwd') })).code).toBe(3);
    }
    expect(await readdir(join(dir.path, 'cwd'))).toEqual([]);
    expect(await readdir(dir.path)).toEqual(expect.not.arrayContaining(['evil.js']));
  });

  it.each(['Link', 'SymbolicLink', 'CharacterDevice', 'BlockDevice', 'FIFO', 'ContiguousFile'] as const)('attack 91 links and devices: an archive with an entry of type %s is refused', async (type) => {
    await using dir = await tempDir();
    for (const path of ['assets/x', 'plugin.js']) {
      await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, PLUGIN_JS, { path, type, ...(type.endsWith('Link') ? { linkpath: '/etc/passwd' } : {}) }]));
      expect(await verify(dir, join(dir.path, 'x.tgz'))).toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining('only regular files') });
    }
  });
});

describe('folders', () => {
  const plants: readonly [string, (folder: string, dir: TempDir) => Promise<unknown>][] = [
    ['a symbolic link to a file', (folder) => symlink('/etc/passwd', join(folder, 'assets/x'))],
    ['a symbolic link to a folder', (folder) => symlink('/etc', join(folder, 'assets/x'))],
    ['a symbolic link in place of the script', async (folder, dir) => {
      await writeFile(join(dir.path, 'evil.js'), SOURCE);
      await rm(join(folder, 'plugin.js'));
      await symlink(join(dir.path, 'evil.js'), join(folder, 'plugin.js'));
    }],
    ['a symbolic link in place of assets', async (folder, dir) => {
      await mkdir(join(dir.path, 'elsewhere'));
      await writeFile(join(dir.path, 'elsewhere/a.txt'), 'a');
      await rm(join(folder, 'assets'), { recursive: true });
      await symlink(join(dir.path, 'elsewhere'), join(folder, 'assets'));
    }],
    ['a hard link', async (folder, dir) => {
      await writeFile(join(dir.path, 'shared'), 'x');
      await link(join(dir.path, 'shared'), join(folder, 'assets/x'));
    }],
    ['a fifo, which would block a reader for ever', async (folder) => void execFileSync('mkfifo', [join(folder, 'assets/x')])],
  ];

  it.each(plants)('attack 91 links and devices: a folder with %s is refused by every command', async (_, plant) => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const { path } = await buildTestPackage({ dir: join(dir.path, 'package'), id: 'acme.x', kind: 'tool', source: SOURCE, files: { 'assets/a.txt': 'a' }, key });
    await writeTrustRecord(dir.path, key);
    expect(await verdictOn(dir, path)).toBe('accepted');
    await plant(path, dir);
    expect(await verify(dir, path)).toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringMatching(/only regular files|is a hard link/) });
    await expect(packPackage(path, join(dir.path, 'out.tgz'))).rejects.toMatchObject({ code: 'PACKAGE_INVALID' });
    await expect(signPackage(path, { key, now: 0 })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' });
    expect(existsSync(join(dir.path, 'out.tgz'))).toBe(false);
  });
});

describe('names', () => {
  const tricks: readonly [string, string][] = [
    ['a right-to-left override', 'assets/\u202Egnp.js'], ['a zero-width space', 'assets/a\u200B.js'], ['a look-alike letter', 'assets/pl\u0443gin.js'], ['a full-width dot', 'assets/a\uFF0Ejs'], ['a trailing dot', 'assets/a.'], ['a trailing space', 'assets/a '],
    ['a leading space', 'assets/ a'], ['a line feed', 'assets/a\nb'], ['an escape sequence', 'assets/\u001b[2J'], ['300 bytes', `assets/${'a'.repeat(293)}`], ['a device', 'assets/NUL.txt'], ['a stream', 'assets/a:b'], ['a hidden file', 'assets/.htaccess'], ['an option', 'assets/-rf'],
  ];

  it.each(tricks)('attack 93 name-tricks: a file name with %s is refused', async (_, name) => {
    expect(nameProblem(name)).toBeDefined();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, PLUGIN_JS, { path: 'x', type: 'ExtendedHeader', content: paxRecord('path', name) }, { path: 'assets/x', content: '' }]));
    expect(await verify(dir, join(dir.path, 'x.tgz'))).toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringMatching(/is not plain|names a device|longer than/) });
  });

  it.each(['acme.\u0445', 'acme.x\u200B', 'acme.x\u202E', 'Acme.x', 'acme.x.', 'acme..x', '.acme.x', 'acme.x ', 'acme', `acme.${'x'.repeat(41)}`, 'acme.x/y', 'acme.__proto__', '\u0430cme.x'])('attack 93 name-tricks: the plugin id %j is refused', async (id) => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'p'));
    await writeFile(join(dir.path, 'p/plugin.json'), JSON.stringify({ ...aManifest({ id: 'acme.x', kind: 'tool' }), id }));
    await writeFile(join(dir.path, 'p/plugin.js'), SOURCE);
    await expect(signPackage(join(dir.path, 'p'), { key: newTestKey('acme'), now: 0, force: true })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    expect((await runCommand(['new', 'skill', 'n', '--id', id], { cwd: dir.path })).code).toBe(2);
  });

  it('attack 93 name-tricks: names that only some systems tell apart are refused', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, PLUGIN_JS, { path: 'assets/a.js', content: 'good' }, { path: 'assets/A.js', content: 'evil' }]));
    expect(await verify(dir, join(dir.path, 'x.tgz'))).toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining('same path on some systems') });
  });
});

describe('documents', () => {
  const manifest = JSON.stringify(aManifest({ id: 'acme.x', kind: 'tool' }));
  const inside = (text: string) => `${manifest.slice(0, -1)},${text}}`;

  const documents: readonly [string, string | Uint8Array][] = [
    ['attack 95 dup-keys: the same key twice', inside('"capabilities":[],"capabilities":[{"name":"ui"}]')],
    ['attack 95 dup-keys: the same key in another spelling', inside('"capabilities":[],"c\\u0061pabilities":[{"name":"ui"}]')],
    ['attack 95 dup-keys: deep inside', inside('"limits":{"heapMb":8,"heapMb":512}')],
    ['attack 96 parsers: a byte order mark', `\uFEFF${manifest}`],
    ['attack 96 parsers: a comment', manifest.replace('{', '{/* */')],
    ['attack 96 parsers: a trailing comma', manifest.replace(/\}$/, ',}')],
    ['attack 96 parsers: a second document', `${manifest}{}`],
    ['attack 96 parsers: a trailing zero byte', `${manifest}\0`],
    ['attack 96 parsers: an integer that rounds', inside('"limits":{"heapMb":9007199254740993}')],
    ['attack 96 parsers: an infinite number', inside('"limits":{"heapMb":1e999}')],
    ['attack 96 parsers: a negative zero', inside('"limits":{"heapMb":-0}')],
    ['attack 96 parsers: NaN', inside('"limits":{"heapMb":NaN}')],
    ['attack 96 parsers: a lone surrogate', inside('"repository":"\\ud800"')],
    ['attack 96 parsers: invalid UTF-8', Buffer.concat([Buffer.from(inside('"repository":"')).subarray(0, -1), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    ['attack 96 parsers: UTF-16', Buffer.from(`\uFEFF${manifest}`, 'utf16le')],
    ['attack 96 parsers: more depth than any stack has', inside(`"config":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`)],
    ['attack 97 proto-manifest: __proto__', inside('"__proto__":{"trusted":true}')],
    ['attack 97 proto-manifest: __proto__ in another spelling', inside('"__pr\\u006fto__":{"trusted":true}')],
    ['attack 97 proto-manifest: constructor', inside('"config":{"type":"object","additionalProperties":false,"properties":{"constructor":{}}}')],
    ['attack 97 proto-manifest: prototype', inside('"limits":{"prototype":{"heapMb":1}}')],
  ];

  it.each(documents)('%s in plugin.json is refused, though correctly signed', async (_, content) => {
    await using dir = await tempDir();
    const { path, key } = await aTrustedPackage(dir);
    await resign(path, key, { 'plugin.json': content });
    expect(await verdictOn(dir, path)).toBe('MANIFEST_INVALID');
    expect(Object(({}))).not.toHaveProperty('trusted');
  });

  it.each<[string, (text: string) => string]>([
    ['attack 95 dup-keys: two payloads', (text) => text.replace('{', '{"payload":"AAAA",')],
    ['attack 95 dup-keys: two lists of signatures', (text) => text.replace('{', '{"signatures":[],')],
    ['attack 96 parsers: a comment', (text) => `// signed\n${text}`],
    ['attack 97 proto-manifest: __proto__', (text) => text.replace('{', '{"__proto__":{"keyid":"x"},')],
  ])('%s in the envelope is refused', async (_, change) => {
    await using dir = await tempDir();
    const { path } = await aTrustedPackage(dir);
    const file = join(path, ENVELOPE_FILE);
    await writeFile(file, change(await readFile(file, 'utf8')));
    expect(await verdictOn(dir, path)).toBe('RELEASE_ENVELOPE');
  });
});

describe('signatures', () => {
  const rewritings: readonly [string, (payload: string) => string][] = [
    ['white space', (text) => JSON.stringify(JSON.parse(text), null, 1)],
    ['a trailing line feed', (text) => `${text}\n`],
    ['another order of keys', (text) => JSON.stringify(Object.fromEntries(Object.entries(Object(JSON.parse(text))).toReversed()))],
    ['an escaped letter', (text) => text.replace('"acme"', '"\\u0061cme"')],
    ['an escaped slash', (text) => text.replace('in-toto.io/', 'in-toto.io\\/')],
    ['a key more', (text) => text.replace('{', '{"x":1,')],
  ];

  it.each(rewritings)('attack 98 canonicalise: the same statement with %s does not verify', async (_, rewrite) => {
    await using dir = await tempDir();
    const { path } = await aTrustedPackage(dir);
    await changeEnvelope(path, (envelope) => {
      const payload = Buffer.from(envelope.payload, 'base64').toString();
      const rewritten = rewrite(payload);
      expect(rewritten).not.toBe(payload);
      return { ...envelope, payload: Buffer.from(rewritten).toString('base64') };
    });
    expect(await verdictOn(dir, path)).toBe('RELEASE_SIGNATURE');
  });

  it('attack 98 canonicalise: the same manifest written differently is another file', async () => {
    await using dir = await tempDir();
    const { path } = await aTrustedPackage(dir);
    const file = join(path, 'plugin.json');
    await writeFile(file, JSON.stringify(JSON.parse(await readFile(file, 'utf8'))));
    expect(await verdictOn(dir, path)).toBe('RELEASE_FILES');
  });

  const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
  const toBigInt = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const toBytes = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
  const malleated = (sig: Buffer) => Buffer.concat([sig.subarray(0, 32), toBytes(toBigInt(sig.subarray(32)) + GROUP_ORDER)]);

  const malleations: readonly [string, (sig: Buffer) => string, string][] = [
    ['S plus the group order', (sig) => malleated(sig).toString('base64'), 'RELEASE_SIGNATURE'],
    ['63 bytes', (sig) => sig.subarray(0, 63).toString('base64'), 'RELEASE_ENVELOPE'],
    ['65 bytes', (sig) => Buffer.concat([sig, Buffer.alloc(1)]).toString('base64'), 'RELEASE_ENVELOPE'],
    ['junk inside the base64', (sig) => `${sig.toString('base64').slice(0, 43)}\n${sig.toString('base64').slice(43, 86)}=`, 'RELEASE_ENVELOPE'],
    ['loose trailing bits', (sig) => sig.toString('base64').replace(/(.)==$/, (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}==`), 'RELEASE_ENVELOPE'],
    ['the URL alphabet', (sig) => `${sig.toString('base64url')}==`.replace(/^./, '_'), 'RELEASE_ENVELOPE'],
    ['no padding', (sig) => `${sig.toString('base64url')}AA`, 'RELEASE_ENVELOPE'],
    ['zeros', () => Buffer.alloc(64).toString('base64'), 'RELEASE_SIGNATURE'],
  ];

  it.each(malleations)('attack 99 sig-malleate: a signature with %s is refused', async (_, change, code) => {
    await using dir = await tempDir();
    const { path } = await aTrustedPackage(dir);
    await changeEnvelope(path, ({ signatures: [first], ...rest }) => ({ ...rest, signatures: [{ ...first, sig: change(Buffer.from(first?.sig ?? '', 'base64')) }] }));
    expect(await verdictOn(dir, path)).toBe(code);
  });

  it('attack 99 sig-malleate: a library alone would accept what is refused here', () => {
    const key = nacl.sign.keyPair();
    const message = Buffer.from('message');
    expect(nacl.sign.detached.verify(message, malleated(Buffer.from(nacl.sign.detached(message, key.secretKey))), key.publicKey)).toBe(true);
  });

  it.each<[string, (first: unknown) => unknown[]]>([['none', () => []], ['two', (first) => [first, first]]])('attack 99 sig-malleate: an envelope with %s signatures is refused', async (_, change) => {
    await using dir = await tempDir();
    const { path } = await aTrustedPackage(dir);
    await changeEnvelope(path, ({ signatures: [first], ...rest }) => ({ ...rest, signatures: change(first) }));
    expect(await verdictOn(dir, path)).toBe('RELEASE_ENVELOPE');
  });
});

describe('keys', () => {
  /** Every way to write a point of low order, canonical or not: y, and y with the sign of x set. */
  const LOW_ORDER = [
    '0000000000000000000000000000000000000000000000000000000000000000', '0100000000000000000000000000000000000000000000000000000000000000', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ].flatMap((hex) => [hex, `${hex.slice(0, 62)}${(Number.parseInt(hex.slice(62), 16) | 0x80).toString(16)}`]);
  const NON_CANONICAL = ['f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'];

  it.each([...LOW_ORDER, ...NON_CANONICAL])('attack 100 low-order-key: a trust record with the key %s is refused at import and at load', async (hex) => {
    await using home = await aHome();
    const publicKey = Buffer.from(hex, 'hex');
    const record = { publisher: 'evil', prefixes: ['evil.'], keys: [{ keyid: keyIdOf(publicKey), publicKey: publicKey.toString('base64') }] };
    await home.write('evil.json', record);
    const added = await runCommand(['trust', 'add', 'evil.json', '--yes', '--json'], { cwd: home.path });
    expect(added.code).toBe(3);
    expect(added.json()).toMatchObject({ error: { code: 'KEY_REFUSED' } });
    await home.write('manifests/trust/publishers/evil.json', record);
    const { store, diagnostics } = await loadTrust([join(home.path, 'manifests/trust/publishers')]);
    expect(diagnostics).toMatchObject([{ code: 'KEY_REFUSED' }]);
    expect(store.signers(keyIdOf(publicKey))).toEqual([]);
  });

  it('attack 100 low-order-key: under such a key anybody could sign anything', () => {
    const identity = Buffer.from(LOW_ORDER[2] ?? '', 'hex');
    const forged = Buffer.concat([identity, Buffer.alloc(32)]);
    expect(nacl.sign.detached.verify(Buffer.from('whatever'), forged, identity)).toBe(true);
  });

  it('attack 102 key-confuse: a trusted publisher cannot sign for another one', async () => {
    await using dir = await tempDir();
    const { path, key } = await aTrustedPackage(dir);
    const beta = newTestKey('beta');
    await writeTrustRecord(dir.path, beta);
    await signPackage(path, { key: beta, now: Date.now(), force: true });
    expect(await verdictOn(dir, path)).toBe('KEY_PREFIX');
    // Claiming to be the other publisher in the keyid does not help: the signature is then not theirs.
    await changeEnvelope(path, ({ signatures: [first], ...rest }) => ({ ...rest, signatures: [{ ...first, keyid: key.keyid }] }));
    expect(await verdictOn(dir, path)).toBe('RELEASE_SIGNATURE');
  });

  it('attack 102 key-confuse: an id that only begins like a prefix is not under it', async () => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acmeevil.x', kind: 'tool', source: SOURCE, key });
    await writeTrustRecord(dir.path, key);
    expect(await verdictOn(dir, path)).toBe('KEY_PREFIX');
  });

  it('attack 102 key-confuse: a record that claims a publisher’s ids beside the publisher takes neither', async () => {
    await using dir = await tempDir();
    const { path, key } = await aTrustedPackage(dir);
    const entry = { keyid: key.keyid, publicKey: key.publicKey.toString('base64') };
    await writeFile(join(dir.path, 'manifests/trust/publishers/zzz.json'), JSON.stringify({ publisher: 'acme', prefixes: ['acme.x.'], keys: [entry] }));
    expect(await verdictOn(dir, path)).toBe('KEY_UNTRUSTED');
  });
});

describe('time', () => {
  const DAY_MS = 24 * 3600 * 1000;

  it('attack 105 freeze: what was good once is refused after its release expired, its key expired, or either was revoked', async () => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const now = Date.now();
    const { path, packageDigest } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, key, now, expiresAt: now + 10 * DAY_MS });
    await writeTrustRecord(dir.path, key, { notAfter: new Date(now + 5 * DAY_MS).toISOString() });
    const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    const codes = async (later: number, revoked = {}) => {
      const verdict = await verifyPackage(path, { trust: store, revocations: revocationList(revocationsIn(revoked)), now: now + later, secondOpinion: { known: () => true, remember: () => undefined }, profile: 'local', strict: false });
      return verdict.checks.filter(({ ok }) => ok === false).map(({ name }) => name);
    };
    expect(await codes(0)).toEqual([]);
    expect(await codes(6 * DAY_MS)).toEqual(['key-valid']);
    expect(await codes(11 * DAY_MS)).toEqual(['key-valid', 'expiry']);
    expect(await codes(0, { keys: [key.keyid] })).toEqual(['revocation']);
    expect(await codes(0, { digests: [packageDigest] })).toEqual(['revocation']);
    expect(await codes(0, { plugins: [{ id: 'acme.x', range: '*' }] })).toEqual(['revocation']);
  });

  it('attack 105 freeze: a thief of an expired key cannot backdate a release', async () => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const now = Date.now();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE, key, now: now - 30 * DAY_MS });
    await writeTrustRecord(dir.path, key, { notAfter: new Date(now - 10 * DAY_MS).toISOString() });
    expect(await verdictOn(dir, path)).toBe('KEY_EXPIRED');
  });
});

describe('scripts', () => {
  const BREAKOUTS = [
    '}); gatehouse.register({ kind: "tool", handlers: { call: async () => "evil" } }); (function(){',
    '*/ gatehouse.register({ kind: "tool", handlers: { call: async () => "evil" } }); /*',
    '` + gatehouse.register({ kind: "tool", handlers: { call: async () => "evil" } }) + `',
    '"); gatehouse.register({ kind: "tool", handlers: { call: async () => "evil" } }); ("',
    '</script>', '\u2028}); gatehouse.register({ kind: "tool", handlers: {} }); //',
  ];

  it.each(BREAKOUTS)('attack 108 source-close: the script %j is taken as it is, and does not load', async (source) => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source, key });
    await writeTrustRecord(dir.path, key);
    const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    const verdict = await verifyPackage(path, { trust: store, revocations: null, now: Date.now(), secondOpinion: 'always', profile: 'local', strict: false });
    expect(verdict).toMatchObject({ ok: true, release: { source } });
    await using pool = new SandboxPool({ warm: 0, clock: systemClock, log: createLog('error') });
    const spec = { instance: 'x', plugin: 'acme.x', kind: 'tool', source, config: {}, limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 4 }, jitless: true } as const;
    await expect(pool.open(spec, { onHostCall: async () => ({ ok: true, value: null }), onLog: () => undefined })).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED' });
  });

  it('attack 108 source-close: sources that break out of the bundle’s wrapper do not build', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'src'));
    await writeFile(join(dir.path, 'plugin.json'), JSON.stringify(aManifest({ id: 'acme.x', kind: 'tool' })));
    await writeFile(join(dir.path, 'src/plugin.ts'), '})(); evil(); (() => {');
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED' });
  });
});

/** Signs files that no honest tool would sign, because they are wrong. */
async function resign(path: string, key: SigningKey, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  const names = (await readdir(path)).filter((name) => name !== ENVELOPE_FILE);
  const contents = new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(path, name))] as const)));
  const payload = writeStatement(subjectOf(contents), { id: 'acme.x', version: '1.0.0', publisher: 'acme', issuedAt: new Date().toISOString() });
  await writeFile(join(path, ENVELOPE_FILE), writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) }));
}
