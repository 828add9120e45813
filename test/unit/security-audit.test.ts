// `gatehouse security audit`: a careless home in which every check finds something, a careful one in which none does, and what --fix changes and leaves alone.
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SECURITY_CHECKS, type SecurityAudit } from '../../host/cli/security/checks.ts';
import { readHome } from '../../host/cli/security/check.ts';
import { withDigest } from '../../host/cli/security/repairs.ts';
import { systemClock, toTimestamp } from '../../host/clock.ts';
import { mintToken, putToken } from '../../host/control/tokens.ts';
import { levelOf } from '../../host/sandbox/walls.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { toKeyFile } from '../../host/trust/keys.ts';
import { secretIn } from '../../host/secret-formats.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { configOf } from '../support/registry.ts';
import { runCommand } from '../support/run-command.ts';

const DAY_MS = 24 * 3600 * 1000;
const inDays = (days: number) => toTimestamp(systemClock.now() + days * DAY_MS);
const audit = async (home: Pick<TestHome, 'path'>, options: readonly string[] = [], env: NodeJS.ProcessEnv = {}) => {
  const { code, stderr, stdout } = await runCommand(['security', 'audit', '--json', ...options], { cwd: home.path, env });
  // oxlint-disable-next-line no-unsafe-type-assertion -- what the command printed is what the test is about
  const report = JSON.parse(stdout) as SecurityAudit & { readonly fixed?: readonly unknown[] };
  return { code, stderr, stdout, ...report, checks: [...new Set(report.findings.map(({ check }) => check))].sort() };
};

// Told apart from a real one by nothing but that nobody issued it.
const TELEGRAM = ['1234567890', 'AAF_abcdefghijklmnopqrstuvwxyz01234'].join(':');

async function aCarelessHome(): Promise<TestHome> {
  const home = await aHome(
    [
      { name: 'writer', kind: 'tool', source: '1', manifest: { tools: [{ name: 'post', description: '', inputSchema: { type: 'object' }, outputSchema: {}, effects: 'write', idempotent: false }] }, enablement: { limits: { heapMb: 128 }, allowRollback: true } },
      { name: 'caller', kind: 'skill', source: '1', manifest: { capabilities: [{ name: 'tool.call', tools: ['test.writer/post'] }, { name: 'message.send', instances: ['a', 'b', 'c', 'd'], quota: { perMinute: 100_000 } }] } },
      {
        name: 'fetcher', kind: 'skill', source: '1',
        manifest: {
          config: { type: 'object', additionalProperties: false, properties: { url: { type: 'string' }, note: { type: 'string' }, login: { type: 'object', properties: { password: { type: 'string', 'x-secret': true } } } } },
          capabilities: [{ name: 'http.fetch', origins: ['https://a.example', 'https://b.example', 'https://c.example', 'https://d.example', 'https://e.example', { config: '/url' }], methods: ['GET'], quota: { perMinute: 5000, bytesPerDay: 1e11 } }],
        },
        enablement: { config: { url: 'https://f.example', note: `the bot is ${TELEGRAM}`, login: { password: 'hunter22' } } },
      },
      {
        name: 'door', kind: 'channel', source: '1',
        manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }, { method: 'POST', path: '/signed', verify: { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', over: 'body' } }], socket: { path: '/ws', conversation: { query: 'conversation' }, origin: 'any', maxFrameBytes: 1000 } } },
        enablement: { admit: { allowSenders: ['ada'], onVerifyFailure: 'admit' }, gates: { gate: 'flag' }, secrets: { signing: { file: 'signing' } } },
      },
      { name: 'gate', kind: 'moderation', source: '1', enablement: { onQuarantine: 'bypass', onTimeout: 'pass-with-flag' } },
    ],
    { listen: '0.0.0.0:0', collision: 'first', egress: { allow: [{ host: 'ollama.internal', scheme: 'http', port: 11434 }] }, sandbox: { jitless: false }, network: { exemptPrefixes: ['/channels/', '/metrics'], cors: { origins: ['*', 'http://app.example'] }, trustedProxies: ['10.0.0.0/8'] }, trust: { scan: { onWarn: 'report', everyHours: 0 } } },
  );
  const ending = newTestKey('ending');
  await writeTrustRecord(home.path, ending, { notAfter: inDays(5) });
  await writeTrustRecord(home.path, newTestKey('ended'), { notAfter: inDays(-5) });
  await writeTrustRecord(home.path, newTestKey('maker'), { development: true });
  await home.write('manifests/trust/publishers/broken.json', '{}');
  const both = newTestKey('both');
  await writeTrustRecord(home.path, both);
  await home.write('manifests/trust/reviewers/eve.json', { reviewer: 'eve', keys: [{ keyid: both.keyid, publicKey: both.publicKey.toString('base64') }] });
  await buildTestPackage({ dir: join(home.path, 'plugins/ending.last-1.0.0'), id: 'ending.last', kind: 'skill', source: '1', key: ending, expiresAt: systemClock.now() + 5 * DAY_MS });
  await home.write('manifests/plugins/last.json', { plugin: 'ending.last' });
  await home.write('manifests/trust/revocations.dsse.json', '{}');
  await home.write('manifests/plugins/unreadable.json', '{');
  await home.write('signing', 'a secret for everybody');
  await home.write('acme.key.json', toKeyFile(newTestKey('acme')));
  await mkdir(join(home.path, 'data/store'), { recursive: true, mode: 0o755 });
  await home.write('data/admin-token', 'ght_…');
  const store = await openStore({ dir: join(home.path, 'data/store'), clock: systemClock });
  await store.commit({ put: [putToken(mintToken({ label: 'for the intern', scopes: ['*'] }, systemClock).row), putToken(mintToken({ label: 'for a day', scopes: ['*'], expiresAt: inDays(1) }, systemClock).row)] });
  await store[Symbol.asyncDispose]();
  for (const path of ['manifests/plugins', 'plugins']) await chmod(join(home.path, path), 0o777);
  for (const path of ['data', 'signing', 'acme.key.json', 'data/admin-token']) await chmod(join(home.path, path), path === 'data' ? 0o755 : 0o644);
  return home;
}

describe('a careless home', () => {
  let home: TestHome;
  let found: Awaited<ReturnType<typeof audit>>;
  beforeAll(async () => {
    home = await aCarelessHome();
    found = await audit(home);
  });
  afterAll(() => home[Symbol.asyncDispose]());

  it('has something for every check to find, and the audit ends with 3', () => {
    // Which walls are missing is the machine's to say; certificates are in network-tls.test.ts, which has some.
    expect([...new Set([...found.checks, 'missing-walls', 'certificates'])].sort()).toEqual(Object.keys(SECURITY_CHECKS).sort());
    expect(found.code).toBe(3);
    expect(found.ok).toBe(false);
  });

  it('is told the worst first, with where, why and what to do', () => {
    const order = ['critical', 'high', 'medium', 'low', 'info'];
    expect(found.findings.map(({ severity }) => severity)).toEqual(found.findings.map(({ severity }) => severity).toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
    expect(Object.values(found.counts).reduce((sum, count) => sum + count, 0)).toBe(found.findings.length);
    expect(found.findings.filter(({ where, found: what, why, fix }) => [where, what, why, fix].includes(''))).toEqual([]);
  });

  it.each<[check: keyof typeof SECURITY_CHECKS, where: string, found: RegExp]>([
    ['unexamined', 'manifests/plugins/unreadable.json', /not valid JSON/],
    ['unsafe-settings', 'manifests/host.json', /beyond this machine/],
    ['admin-token', 'data/admin-token', /mode 644/],
    ['private-keys', 'acme.key.json', /mode 644/],
    ['data-modes', 'data', /mode 755/],
    ['secret-files', 'signing', /mode 644/],
    ['manifests-writable', 'manifests/plugins', /mode 777/],
    ['packages-writable', 'plugins', /mode 777/],
    ['secrets-in-files', 'manifests/plugins/fetcher.json /config/note', /the token of a Telegram bot/],
    ['marked-secrets', 'fetcher', /config \/login\/password/],
    ['endless-admins', 'token', /'for the intern' has every scope/],
    ['exempt-prefixes', 'network.exemptPrefixes', /\/metrics/],
    ['other-origins', 'network.cors.origins', /every origin/],
    ['other-origins', 'network.cors.origins', /in clear/],
    ['believed-proxies', 'network.trustedProxies', /10\.0\.0\.0\/8/],
    ['no-limits', 'network.limits', /not limited/],
    ['open-channels', 'door', /^(POST \/messages|the WebSocket \/ws)/],
    ['fails-open', 'door', /onVerifyFailure/],
    ['broken-trust', 'broken.json', /refused/],
    ['reviewers-own-plugins', 'both', /is a reviewer's, too/],
    ['stale-revocations', 'revocations', /signed list/],
    ['no-reviews', 'caller', /without anybody/],
    ['fresh-releases', 'minimumReleaseAgeHours', /as soon as/],
    ['lenient-scans', 'trust.scan.onWarn', /without an approval/],
    ['lenient-scans', 'trust.scan.everyHours', /never scanned again/],
    ['ending-keys', 'ending', /ends/],
    ['ended-keys', 'ended', /ended/],
    ['ending-releases', 'last', /expires/],
    ['many-origins', 'fetcher', /6 origins/],
    ['config-origins', 'fetcher', /\/url/],
    ['large-quota', 'fetcher', /perMinute of 5000 and a bytesPerDay of 100000000000/],
    ['sends-elsewhere', 'caller', /4 channels/],
    ['write-tools', 'caller', /test\.writer\/post/],
    ['raised-limits', 'writer', /heapMb 128/],
    ['gate-relaxed', 'door', /in the instance the gate 'gate' only flags/],
    ['weak-confinement', 'sandbox', /jitless/],
  ])('%s is found at %s', (check, where, what) => {
    const findings = found.findings.filter((finding) => finding.check === check);
    expect(findings).toEqual(expect.arrayContaining([expect.objectContaining({ where: expect.stringContaining(where), found: expect.stringMatching(what) })]));
  });

  it('has a secret of it nowhere in the report', () => {
    expect(found.stdout).not.toContain(TELEGRAM);
    expect(found.stdout).not.toContain('hunter22');
  });

  it('is worse for being reachable', async () => {
    const severities = ({ findings }: Pick<SecurityAudit, 'findings'>) => ['open-channels', 'development-trust', 'not-strict', 'admin-token'].map((name) => findings.find(({ check }) => check === name)?.severity);
    expect(severities(found)).toEqual(['high', 'high', 'medium', 'critical']);
    expect(severities(await audit(home, [], { GATEHOUSE_LISTEN: '127.0.0.1:0' }))).toEqual(['low', 'info', 'info', 'critical']);
  });
});

it('a wall that this machine has not is told with what provides it', async () => {
  await using home = await aHome();
  const read = await readHome({ config: configOf(home.path), unsafe: [], env: {}, clock: systemClock });
  const level = levelOf(['netns', 'pidns', 'files', 'rlimits', 'uid', 'nnp', 'permission'], new Map([['seccomp', 'there is no bwrap']]));
  expect(await SECURITY_CHECKS['missing-walls'].look({ ...read, confinement: { level, diagnostics: [] } })).toMatchObject([{ where: 'sandbox', found: expect.stringMatching(/^without seccomp .*there is no bwrap$/), fix: expect.stringContaining('bubblewrap') }]);
});

/** Strict, pinned, for a while: what the pages recommend. */
async function aCarefulHome(): Promise<TestHome> {
  const home = await aHome([{ name: 'echo', kind: 'skill', source: '1', manifest: { capabilities: [{ name: 'http.fetch', origins: ['https://api.example'], methods: ['GET'], quota: { perMinute: 60, bytesPerDay: 1_000_000 } }] } }], { strict: true, trust: { approvals: 1, scan: { onWarn: 'approval' } } });
  const [file] = await pinnedIn(home, 'echo');
  expect(file).toContain('digest');
  const record = join(home.path, 'manifests/trust/publishers/test.json');
  const { keys, ...rest } = JSON.parse(await readFile(record, 'utf8'));
  await writeFile(record, JSON.stringify({ ...rest, keys: [{ ...keys[0], notAfter: inDays(400) }] }));
  await mkdir(join(home.path, 'data'), { mode: 0o700 });
  return home;
}

/** The enablement before and after `--fix`. */
async function pinnedIn(home: TestHome, name: string): Promise<[after: string, before: string]> {
  const file = join(home.path, `manifests/plugins/${name}.json`);
  const before = await readFile(file, 'utf8');
  await audit(home, ['--fix', '--yes']);
  return [await readFile(file, 'utf8'), before];
}

describe('a careful home', () => {
  it('has nothing to be found, and the audit ends with 0', async () => {
    await using home = await aCarefulHome();
    const { findings } = await audit(home);
    // How well sandboxes are confined is the machine's to say.
    expect(findings.filter(({ check }) => check !== 'missing-walls' && check !== 'weak-confinement')).toEqual([]);
  });

  it('is told so in words', async () => {
    await using home = await aHome([], { strict: true });
    const { stdout, code } = await runCommand(['security', 'audit'], { cwd: home.path });
    expect([stdout.includes('info'), code]).toEqual([true, 0]);
  });
});

describe('--fix', () => {
  it('changes nothing until somebody agrees', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: '1' }]);
    const before = await readFile(join(home.path, 'manifests/plugins/echo.json'), 'utf8');
    const asked = await runCommand(['security', 'audit', '--fix'], { cwd: home.path });
    expect(asked.code).toBe(2);
    expect(asked.stderr).toMatch(/add "digest": "sha256:[0-9a-f]{64}" to .*echo\.json/);
    expect(await readFile(join(home.path, 'manifests/plugins/echo.json'), 'utf8')).toBe(before);
  });

  it('tightens modes and pins digests, and what it mended is found no more', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: '1' }]);
    await home.write('data/admin-token', 'x');
    await chmod(join(home.path, 'data'), 0o755);
    await chmod(join(home.path, 'manifests/plugins'), 0o777);
    const { fixed, checks } = await audit(home, ['--fix', '--yes']);
    expect(fixed).toHaveLength(4);
    expect(checks).not.toEqual(expect.arrayContaining(['unpinned']));
    expect(checks).not.toEqual(expect.arrayContaining(['data-modes']));
    const mode = async (path: string) => (await stat(join(home.path, path))).mode & 0o777;
    expect([await mode('data'), await mode('data/admin-token'), await mode('manifests/plugins')]).toEqual([0o700, 0o600, 0o755]);
    expect((await audit(home)).findings.filter((finding) => finding.repair)).toEqual([]);
  });

  it('adds one line to an enablement and leaves every other byte as it was written', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: '1' }]);
    const written = '{\r\n\t"$schema": "x",\r\n\t"source" : "plugins/test.echo-1.0.0", "grants":[],\r\n\t"plugin":  "test.echo",\r\n\t"order": 1e2,\r\n\t"instance": "\\u0065cho"\r\n}\r\n\r\n';
    await writeFile(join(home.path, 'manifests/plugins/echo.json'), written, { mode: 0o640 });
    await chmod(join(home.path, 'manifests/plugins/echo.json'), 0o640);
    const [after] = await pinnedIn(home, 'echo');
    const added = after.match(/,\n\t"digest": "sha256:[0-9a-f]{64}"/)?.[0] ?? 'nothing';
    expect(after.replace(added, '')).toBe(written);
    expect((await stat(join(home.path, 'manifests/plugins/echo.json'))).mode & 0o777).toBe(0o640);
  });

  it('pins any document that has a plugin, at one place', () => {
    const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => !['plugin', 'digest', '__proto__', 'constructor', 'prototype'].includes(text) && text.isWellFormed());
    const value = fc.oneof(fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.integer(), { maxLength: 3 }), fc.constant({ plugin: 'inner', digest: 'inner' }));
    const documents = fc.record({ before: fc.dictionary(key, value, { maxKeys: 4 }), after: fc.dictionary(key, value, { maxKeys: 4 }), indent: fc.constantFrom('', ' ', '  ', '\t') });
    fc.assert(
      fc.property(documents, ({ before, after, indent }) => {
        const document = { ...before, plugin: 'test.echo', ...Object.fromEntries(Object.entries(after).filter(([name]) => !Object.hasOwn(before, name))) };
        const text = JSON.stringify(document, null, indent);
        const pinned = withDigest(text, 'sha256:0');
        expect(JSON.parse(String(pinned))).toEqual({ ...document, digest: 'sha256:0' });
        expect(pinned?.replace(/,\s+"digest": "sha256:0"/, '')).toBe(text);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what looks like a secret', () => {
  const make = (...parts: readonly string[]) => parts.join('');
  it.each([
    ['a private key', make('-----BEGIN ', 'OPENSSH PRIVATE KEY-----\n', 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU')],
    ['a token of this host', make('ght_', '0123456789abcdef', '_', 'A'.repeat(43))],
    ['an access key of Amazon', make('AKIA', 'QWERTYUIOPASDFGH')],
    ['a token of GitHub', make('ghp_', 'a1'.repeat(18))],
    ['a key of Stripe', make('sk_live_', 'a1'.repeat(12))],
    ['a key of a model provider', make('sk-', 'proj-', 'a1'.repeat(24))],
    ['the token of a Telegram bot', TELEGRAM],
    ['a signed token', make('eyJ', 'hbGciOiJIUzI1', '.eyJ', 'zdWIiOiIxMjM0', '.', 's'.repeat(40))],
    ['an address with a password', 'postgres://app:hunter22@db.example/app'],
  ])('is told as %s, wherever it stands', (shape, text) => {
    expect(secretIn(text)).toBe(shape);
    expect(secretIn(`see ${text} there`)).toBe(shape);
  });

  it.each(['https://api.example/v1?x=1', 'sha256:4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'ed25519:4ccd089b28ff96da9db6c346ec114e0f', 'gatehouse.webchat', 'task-1234-with-a-rather-long-name-in-it', '2026-11-21T10:00:00.000Z', 'a sentence: with a colon, and nothing in it'])('is not %j', (text) => {
    expect(secretIn(text)).toBeUndefined();
  });
});
