// The verdict on a package: every check can fail, says why, and stops what must not be looked at.
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signPackage } from '../../host/authoring/sign.ts';
import { CHECKS, type CheckName } from '../../host/trust/checks.ts';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { sign, type SigningKey } from '../../host/trust/keys.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { readPackage } from '../../host/trust/package.ts';
import { revocationList, revocationsIn } from '../../host/trust/revocation.ts';
import { subjectOf, writeStatement, type Subject } from '../../host/trust/statement.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage, type Verification, type VerifyOptions } from '../../host/trust/verify.ts';
import { HOST_API_VERSION } from '../../schemas/plugin-manifest.ts';
import type { Revocations } from '../../schemas/revocation.ts';
import { aManifest, buildTestPackage, newTestKey, writeTrustRecord, type TestPackage, type TestTrust } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const DAY_MS = 24 * 3600 * 1000;
const OTHER = newTestKey('acme');
const SOURCE = 'gatehouse.register({ kind: "tool", handlers: {} });';

interface Case {
  readonly package?: Partial<TestPackage>;
  /** What the publisher does after signing. */
  readonly tamper?: (path: string) => Promise<unknown>;
  /** False: nobody trusts the publisher. */
  readonly trust?: TestTrust | false;
  readonly trusted?: SigningKey;
  readonly revocations?: (key: SigningKey, digest: string) => Revocations;
  readonly options?: Partial<VerifyOptions>;
}

async function verify({ package: given = {}, tamper, trust = {}, trusted, revocations, options = {} }: Case = {}): Promise<Verification> {
  await using dir = await tempDir();
  const path = join(dir.path, 'package');
  const { key, packageDigest } = await buildTestPackage({ dir: path, id: 'acme.x', kind: 'tool', source: SOURCE, now: NOW, ...given });
  await tamper?.(path);
  if (key && trust !== false) await writeTrustRecord(dir.path, trusted ?? key, trust);
  const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
  const list = revocationList(revocationsIn(key && revocations ? revocations(key, packageDigest ?? '') : {}));
  return await verifyPackage(path, { trust: store, revocations: list, now: NOW, secondOpinion: 'always', profile: 'local', strict: false, ...options });
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const failed = ({ checks }: Verification) => checks.filter(({ ok }) => ok === false).map(({ name }) => name);

describe('a good package', () => {
  it('passes every check and yields exactly the bytes that were signed', async () => {
    const verdict = await verify({ package: { files: { 'assets/a.txt': 'a' } } });
    expect(verdict).toMatchObject({ ok: true, release: { publisher: 'acme', development: false, source: SOURCE, issuedAt: '2026-11-21T08:00:00.000Z', manifest: { id: 'acme.x' } } });
    expect(verdict.checks.map(({ name }) => name)).toEqual(CHECKS);
    expect(verdict.checks.every(({ ok }) => ok === true)).toBe(true);
    expect(verdict.claims).toMatchObject({ id: 'acme.x', version: '1.0.0', publisher: 'acme', keyid: expect.stringMatching(/^ed25519:/), packageDigest: expect.stringMatching(/^sha256:/) });
  });

  it('has the digest that sha256sum and sort would give it', async () => {
    const verdict = await verify({ package: { files: { 'assets/a.txt': 'a', 'README.md': 'b' } } });
    expect.assert(verdict.ok);
    const lines = [...verdict.release.files].filter(([name]) => name !== 'plugin.dsse.json').map(([name, content]) => `${createHash('sha256').update(content).digest('hex')}  ${name}\n`);
    expect(verdict.release.packageDigest).toBe(`sha256:${createHash('sha256').update(lines.join('')).digest('hex')}`);
  });

  it('without trust records is checked for everything but trust', async () => {
    const verdict = await verify({ options: { trust: null, revocations: null } });
    expect(verdict.ok).toBe(true);
    const open = verdict.checks.filter(({ ok }) => ok === null).map(({ name }) => name);
    expect(open).toEqual(['trust', 'signature-node', 'signature-tweetnacl', 'prefix', 'key-valid', 'revocation', 'development']);
  });

  it('is shown to the second implementation once per envelope when results are remembered', async () => {
    const remembered: string[] = [];
    const secondOpinion = { known: (digest: string) => remembered.includes(digest), remember: (digest: string) => void remembered.push(digest) };
    await using dir = await tempDir();
    const { path, key } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: SOURCE });
    expect.assert(key);
    await writeTrustRecord(dir.path, key);
    const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    const again = async () => (await verifyPackage(path, { trust: store, revocations: null, now: Date.now(), secondOpinion, profile: 'local', strict: false })).checks.find(({ name }) => name === 'signature-tweetnacl');
    expect(await again()).toMatchObject({ ok: true, detail: 'verified by tweetnacl' });
    expect(await again()).toMatchObject({ ok: true, detail: expect.stringContaining('first seen') });
    expect(remembered).toHaveLength(1);
    await signPackage(path, { key, now: Date.now() + 1 });
    expect(await again()).toMatchObject({ ok: true, detail: 'verified by tweetnacl' });
  });
});

describe('a package is refused', () => {
  it.each<[string, CheckName, string, Case]>([
    ['when it is not there', 'package', 'PACKAGE_NOT_FOUND', { tamper: (path) => rm(path, { recursive: true }) }],
    ['when nobody signed it', 'envelope', 'RELEASE_UNSIGNED', { package: { key: null } }],
    ['when its envelope is no JSON', 'envelope', 'RELEASE_ENVELOPE', { tamper: (path) => writeFile(join(path, 'plugin.dsse.json'), 'x') }],
    ['when nobody trusts the key', 'trust', 'KEY_UNTRUSTED', { trust: false }],
    ['when the publisher signed with a key nobody was told of', 'trust', 'KEY_UNTRUSTED', { trusted: newTestKey('acme') }],
    ['when a file was changed', 'files', 'RELEASE_FILES', { tamper: (path) => writeFile(join(path, 'plugin.js'), `${SOURCE} `) }],
    ['when a file was added', 'files', 'RELEASE_FILES', { tamper: (path) => writeFile(join(path, 'README.md'), 'x') }],
    ['when a file is missing', 'files', 'RELEASE_FILES', { package: { files: { 'README.md': 'x' } }, tamper: (path) => rm(join(path, 'README.md')) }],
    ['when its key belongs to another publisher', 'prefix', 'KEY_PREFIX', { package: { key: newTestKey('beta') } }],
    ['when the id is outside the prefixes of its key', 'prefix', 'KEY_PREFIX', { trust: { prefixes: ['acme.tools.'] } }],
    ['when the key is not valid yet', 'key-valid', 'KEY_EXPIRED', { trust: { notBefore: '2026-11-22T00:00:00.000Z' } }],
    ['when the key was no longer valid at signing', 'key-valid', 'KEY_EXPIRED', { trust: { notAfter: '2026-11-20T00:00:00.000Z' } }],
    ['when the key has expired since', 'key-valid', 'KEY_EXPIRED', { trust: { notAfter: '2026-11-22T00:00:00.000Z' }, options: { now: NOW + 2 * DAY_MS } }],
    ['when it was issued before the key', 'key-valid', 'KEY_EXPIRED', { package: { now: NOW - 9 * DAY_MS }, trust: { notBefore: '2026-11-20T00:00:00.000Z' } }],
    ['when it has expired', 'expiry', 'RELEASE_EXPIRED', { package: { expiresAt: NOW + DAY_MS }, options: { now: NOW + DAY_MS } }],
    ['when its key is revoked', 'revocation', 'REVOKED', { revocations: ({ keyid }) => ({ keys: [keyid] }) }],
    ['when its digest is revoked', 'revocation', 'REVOKED', { revocations: (_, digest) => ({ digests: [digest] }) }],
    ['when its version is revoked', 'revocation', 'REVOKED', { revocations: () => ({ plugins: [{ id: 'acme.x', range: '^1.0.0' }] }) }],
    ['with a development key in profile lan', 'development', 'KEY_DEVELOPMENT', { trust: { development: true }, options: { profile: 'lan' } }],
    ['with a development key in a strict host', 'development', 'KEY_DEVELOPMENT', { trust: { development: true }, options: { strict: true } }],
    ['when it needs another plugin API', 'hostApi', 'HOST_API_MISMATCH', { package: { manifest: { hostApi: '^2.0.0' } } }],
  ])('%s', async (_, check, code, given) => {
    const verdict = await verify(given);
    expect(verdict).toMatchObject({ ok: false, error: { code } });
    expect(failed(verdict)).toEqual([check]);
    // Whoever must act on it sees what would have passed and what was there, not only that something is wrong.
    const { expected, found, code: told } = verdict.checks.find(({ ok }) => ok === false) ?? {};
    expect(told).toBe(code);
    for (const value of [expected, found]) expect(value).toMatch(/./);
    expect(expected).not.toBe(found);
  });

  it('with every broken rule named at once, and the first as its error', async () => {
    const verdict = await verify({ package: { expiresAt: NOW + 1, manifest: { hostApi: '^2.0.0' } }, options: { now: NOW + DAY_MS }, revocations: ({ keyid }) => ({ keys: [keyid] }) });
    expect(failed(verdict)).toEqual(['expiry', 'revocation', 'hostApi']);
    expect(verdict).toMatchObject({ error: { code: 'RELEASE_EXPIRED' } });
  });

  it.each<[string, CheckName, Case, (given: { readonly key: SigningKey; readonly digest: string }) => { expected: unknown; found: unknown }]>([
    ['a changed file by both digests', 'files', { tamper: (path) => writeFile(join(path, 'plugin.js'), 'evil()') }, () => ({ expected: `sha256:${sha256(SOURCE)}`, found: `sha256:${sha256('evil()')}` })],
    ['a missing file by its digest', 'files', { package: { files: { 'README.md': 'x' } }, tamper: (path) => rm(join(path, 'README.md')) }, () => ({ expected: `sha256:${sha256('x')}`, found: 'no such file' })],
    ['an added file by its digest', 'files', { tamper: (path) => writeFile(join(path, 'README.md'), 'x') }, () => ({ expected: 'no such file', found: `sha256:${sha256('x')}` })],
    ['a stranger’s key beside those of the publisher', 'trust', { trusted: OTHER }, ({ key }) => ({ expected: OTHER.keyid, found: key.keyid })],
    ['an id beside the prefixes', 'prefix', { trust: { prefixes: ['acme.tools.'] } }, () => ({ expected: "an id of 'acme' under acme.tools.", found: "'acme.x' of 'acme'" })],
    ['the window of a key beside both days', 'key-valid', { trust: { notBefore: '2026-11-01T00:00:00.000Z', notAfter: '2026-11-22T00:00:00.000Z' }, options: { now: NOW + 2 * DAY_MS } }, () => ({ expected: 'from 2026-11-01T00:00:00.000Z to 2026-11-22T00:00:00.000Z', found: 'issued 2026-11-21T08:00:00.000Z, and it is 2026-11-23T08:00:00.000Z' })],
    ['the end of a release beside today', 'expiry', { package: { expiresAt: NOW + 1 }, options: { now: NOW + DAY_MS } }, () => ({ expected: 'a time before 2026-11-21T08:00:00.001Z', found: '2026-11-22T08:00:00.000Z' })],
    ['the plugin API asked for beside the one offered', 'hostApi', { package: { manifest: { hostApi: '^2.0.0' } } }, () => ({ expected: '^2.0.0', found: HOST_API_VERSION })],
    ['a revoked digest', 'revocation', { revocations: (_, digest) => ({ digests: [digest] }) }, ({ digest }) => ({ expected: 'not revoked', found: `the package ${digest} is revoked` })],
  ])('and tells %s', async (_, check, given, values) => {
    const key = newTestKey('acme');
    const verdict = await verify({ ...given, package: { key, ...given.package } });
    expect(verdict.checks.find(({ name }) => name === check)).toMatchObject({ ok: false, ...values({ key, digest: verdict.claims.packageDigest ?? '' }) });
  });

  it.each<[string, string, (text: string) => string, { expected: unknown; found: unknown }]>([
    ['another payload type', 'plugin.dsse.json', (text) => text.replace('application/vnd.in-toto+json', 'text/plain'), { expected: "/payloadType must be 'application/vnd.in-toto+json'", found: '"text/plain"' }],
    ['a key it does not know', 'plugin.dsse.json', (text) => text.replace('"payload"', '"payloads"'), { expected: expect.stringContaining("Did you mean 'payload'?"), found: "the key 'payloads' at /" }],
    ['another spelling of base64', 'plugin.dsse.json', (text) => text.replace(/"payload": "../, '"payload": "-_'), { expected: expect.stringMatching(/^\+\//), found: expect.stringMatching(/^-_/) }],
  ])('and tells %s in the envelope', async (_, file, change, values) => {
    const verdict = await verify({ tamper: async (path) => writeFile(join(path, file), change(await readFile(join(path, file), 'utf8'))) });
    expect(verdict.checks.find(({ name }) => name === 'envelope')).toMatchObject({ ok: false, code: 'RELEASE_ENVELOPE', ...values });
  });

  it('and nothing after a failed signature is looked at', async () => {
    const verdict = await verify({
      async tamper(path) {
        const file = join(path, 'plugin.dsse.json');
        const text = await readFile(file, 'utf8');
        await writeFile(file, text.replace(/"payload": "(.{40})./, (_, start: string) => `"payload": "${start}A`));
      },
    });
    expect(failed(verdict)).toEqual(['signature-node']);
    expect(verdict).toMatchObject({ error: { code: 'RELEASE_SIGNATURE' }, claims: { id: null } });
    expect(verdict.checks.find(({ ok }) => ok === false)).toMatchObject({ expected: expect.stringMatching(/^a signature by ed25519:[0-9a-f]{32} over sha256:[0-9a-f]{64}$/), found: expect.stringMatching(/^[A-Za-z0-9+/]{86}==$/) });
    expect(verdict.checks.filter(({ ok }) => ok === true).map(({ name }) => name)).toEqual(['package', 'envelope', 'trust']);
  });

  it.each([
    ['id', { id: 'acme.y' }],
    ['version', { version: '9.9.9' }],
    ['publisher', { publisher: 'beta' }],
  ])('when statement and manifest differ in the %s', async (_, claim) => {
    const key = newTestKey('acme');
    const verdict = await verify({
      package: { key },
      async tamper(path) {
        const { files } = await readPackage(path);
        const payload = writeStatement(subjectOf(files), { id: 'acme.x', version: '1.0.0', publisher: 'acme', issuedAt: '2026-11-21T08:00:00.000Z', ...claim });
        await writeFile(join(path, 'plugin.dsse.json'), writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) }));
      },
    });
    expect(failed(verdict)).toEqual(['identity']);
    expect(verdict).toMatchObject({ error: { code: 'RELEASE_IDENTITY' } });
  });

  it.each<[string, (subject: Subject) => Subject]>([
    ['in another order', (subject) => subject.toReversed()],
    ['twice', (subject) => subject.flatMap((each) => [each, each])],
    ['under a digest in capitals', (subject) => subject.map(({ name, digest }) => ({ name, digest: { sha256: digest.sha256.toUpperCase() } }))],
  ])('when the statement names its files %s', async (_, change) => {
    const key = newTestKey('acme');
    const verdict = await verify({
      package: { key },
      async tamper(path) {
        const { files } = await readPackage(path);
        const payload = writeStatement(change(subjectOf(files)), { id: 'acme.x', version: '1.0.0', publisher: 'acme', issuedAt: '2026-11-21T08:00:00.000Z' });
        await writeFile(join(path, 'plugin.dsse.json'), writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) }));
      },
    });
    expect(failed(verdict)).toEqual(['statement']);
    expect(verdict).toMatchObject({ error: { code: 'RELEASE_ENVELOPE' } });
  });

  it('with a development key is accepted in profile local', async () => {
    expect(await verify({ trust: { development: true } })).toMatchObject({ ok: true, release: { development: true } });
  });
});

describe('a manifest is refused', () => {
  const tool = aManifest({ id: 'acme.x', kind: 'tool' });
  const tools = [{ name: 'run', description: '', inputSchema: { type: 'object' }, outputSchema: {}, effects: 'read', idempotent: true }];

  it.each<[string, Record<string, unknown>, string]>([
    ['when the id is not its publisher’s', { publisher: 'beta' }, "'beta.'"],
    ['without the section of its kind', { tools: undefined }, "needs 'tools'"],
    ['with the section of another kind', { skill: {} }, "has no 'skill'"],
    ['when hostApi is no range', { hostApi: 'latest and greatest' }, 'hostApi'],
    ['when it requires a version that is no range', { requires: [{ id: 'acme.base', range: 'new' }] }, "'new'"],
    ['when it requires itself', { requires: [{ id: 'acme.x', range: '*' }] }, "'acme.x'"],
    ['with two tools of one name', { tools: [...tools, ...tools] }, "'run'"],
    ['with a tool schema that could backtrack', { tools: [{ ...tools[0], inputSchema: { type: 'object', properties: { a: { pattern: '(a+)+$' } } } }] }, 'regular expressions'],
    ['with an open config', { config: { type: 'object' } }, 'additionalProperties'],
    ['that puts a secret where the connection’s own headers are', { capabilities: [{ name: 'secret.use', handle: 'key', audience: 'https://a.example', inject: { header: 'Transfer-Encoding' } }] }, "'Transfer-Encoding'"],
    ['that signs into a header about who asks', { capabilities: [{ name: 'secret.use', handle: 'key', audience: 'https://a.example', inject: { hmac: { algorithm: 'sha256', header: 'x-forwarded-for', over: 'body' } } }] }, "'x-forwarded-for'"],
    ['that injects a second header', { capabilities: [{ name: 'secret.use', handle: 'key', audience: 'https://a.example', inject: { header: 'x-key', prefix: 'a\r\nhost: b' } }] }, '/capabilities/0/inject'],
    ['with an origin from a setting it does not have', { capabilities: [{ name: 'http.fetch', origins: [{ config: '/url' }], methods: ['GET'] }] }, "'/url'"],
    ['when a tool asks for the host’s own pages', { capabilities: [{ name: 'ui' }] }, "'ui'"],
    ['with an unknown key, naming the nearest', { capabilites: [] }, "'capabilities'"],
    ['with a capability that is none, naming those there are', { capabilities: [{ name: 'files', paths: ['/'] }] }, 'there is no such capability at /capabilities/0/name (line 1, column'],
    ['with a capability that is none, naming those there are', { capabilities: [{ name: 'files' }] }, 'there are http.fetch, kv, secret.use, message.send, message.read, tool.call, ui.'],
    ['with a wrong value, saying so once', { version: 1 }, 'The manifest plugin.json is wrong: at /version (line 1, column'],
    ['with an unknown key, as a sentence', { capabilites: [] }, 'The manifest plugin.json is wrong: it has an unknown key'],
  ])('%s', (_, changes, problem) => {
    expect(() => readManifest(Buffer.from(JSON.stringify({ ...tool, ...changes })), 'plugin.json')).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID', message: expect.stringContaining(problem) }));
  });
});
