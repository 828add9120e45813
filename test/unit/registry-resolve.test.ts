// What a home comes to: packages, versions, grants, config, secrets, collisions and requirements, with real signed packages; every finding at once.
import { cp, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Enablement } from '../../schemas/enablement.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { NO_HISTORY } from '../../host/registry/history.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { SKILL, findings, surveyHome } from '../support/registry.ts';

const CONFIG: PluginManifest['config'] = {
  type: 'object', additionalProperties: false,
  properties: { replyUrl: { type: 'string' }, tone: { type: 'string', enum: ['calm', 'loud'], default: 'calm' }, deep: { type: 'object', properties: { more: { type: 'integer', default: 3 } } } },
};

/** A home with the skill `a` and what the test changes of it. */
async function homeWith(enablement: Partial<Enablement> = {}, manifest: Partial<PluginManifest> = {}, version = '1.0.0'): Promise<TestHome> {
  return aHome([{ name: 'a', kind: 'skill', source: SKILL, version, manifest, enablement }]);
}

/** One enablement more, for a package that is there. */
const enable = (home: TestHome, name: string, enablement: Partial<Enablement>) => home.write(`manifests/plugins/${name}.json`, { plugin: 'test.a', instance: name, ...enablement });

describe('an enablement whose package is right', () => {
  it('resolves to everything it runs with', async () => {
    await using home = await homeWith(
      { required: true, order: 7, limits: { heapMb: 16 }, onQuarantine: 'hold', config: { replyUrl: 'https://Reply.example/path' }, secrets: { 'api-key': { env: 'KEY' }, unused: { env: 'NOWHERE' } } },
      {
        limits: { heapMb: 24, cpuMsPerCall: 20 }, config: CONFIG,
        capabilities: [
          { name: 'kv', quotaBytes: 1000 },
          { name: 'http.fetch', origins: ['https://a.example', { config: '/replyUrl' }], methods: ['POST'] },
          { name: 'secret.use', handle: 'api-key', audience: { config: '/replyUrl' }, inject: { header: 'x-key' } },
        ],
      },
    );
    const { plugins, refused, diagnostics } = await surveyHome(home.path, { env: { KEY: 'the value of a key' } });
    expect([refused, diagnostics]).toEqual([[], []]);
    expect(plugins).toMatchObject([
      {
        instance: 'a', kind: 'skill', manifestFile: 'manifests/plugins/a.json', packagePath: join(home.path, 'plugins/test.a-1.0.0'), required: true, order: 7, onQuarantine: 'hold',
        limits: { heapMb: 16, cpuMsPerCall: 20, wallMsPerCall: 2000, concurrency: 64 },
        config: { replyUrl: 'https://Reply.example/path', tone: 'calm' },
        secrets: { 'api-key': { env: 'KEY' } },
        release: { manifest: { id: 'test.a', version: '1.0.0' }, source: SKILL },
      },
    ]);
    expect(plugins[0]?.secrets).not.toHaveProperty('unused');
    expect(plugins[0]?.grants).toEqual([
      { name: 'kv', quotaBytes: 1000 },
      { name: 'http.fetch', origins: ['https://a.example', 'https://reply.example'], methods: ['POST'] },
      { name: 'secret.use', handle: 'api-key', audience: 'https://reply.example', inject: { header: 'x-key' } },
    ]);
  });

  it('loses the grants that the operator left without an origin, and does not ask for their secrets', async () => {
    await using home = await homeWith({}, {
      config: CONFIG,
      capabilities: [
        { name: 'http.fetch', origins: ['https://a.example', { config: '/replyUrl' }], methods: ['POST'] },
        { name: 'http.fetch', origins: [{ config: '/replyUrl' }], methods: ['GET'] },
        { name: 'secret.use', handle: 'api-key', audience: { config: '/replyUrl' }, inject: { header: 'x-key' } },
      ],
    });
    const { plugins, diagnostics } = await surveyHome(home.path);
    expect(diagnostics).toEqual([]);
    expect(plugins[0]?.grants).toEqual([{ name: 'http.fetch', origins: ['https://a.example'], methods: ['POST'] }]);
  });

  it('is not read while it is disabled', async () => {
    await using home = await homeWith({ enabled: false, source: 'plugins/nothing' });
    const { plugins, disabled, diagnostics } = await surveyHome(home.path);
    expect([plugins, diagnostics]).toEqual([[], []]);
    expect(disabled.map(({ enablement }) => enablement.instance)).toEqual(['a']);
  });

  it('is given more than it asks for with a warning, never silently', async () => {
    await using home = await homeWith({ limits: { heapMb: 64 } }, { limits: { heapMb: 32 } });
    const survey = await surveyHome(home.path);
    expect(findings(survey)).toEqual(['LIMIT_RAISED warning a']);
    expect(survey.plugins[0]?.limits.heapMb).toBe(64);
  });
});

describe('the package', () => {
  it('is the highest fitting version when no source is named', async () => {
    await using home = await homeWith();
    const key = newTestKey('acme');
    await writeTrustRecord(home.path, key);
    for (const version of ['1.2.0', '1.10.0', '2.0.0', '3.0.0-beta.1']) await buildTestPackage({ dir: join(home.path, `plugins/acme.b-${version}`), id: 'acme.b', version, kind: 'skill', source: SKILL, key });
    for (const [instance, version] of [['any', '*'], ['one', '^1.0.0'], ['exact', '1.2.0'], ['beta', '3.0.0-beta.1']]) await home.write(`manifests/plugins/b-${instance}.json`, { plugin: 'acme.b', instance, version });
    const { plugins } = await surveyHome(home.path);
    expect(Object.fromEntries(plugins.map(({ instance, release }) => [instance, release.manifest.version]))).toEqual({ a: '1.0.0', any: '2.0.0', one: '1.10.0', exact: '1.2.0', beta: '3.0.0-beta.1' });
  });

  it.each<[string, string, Partial<Enablement>]>([
    ['PACKAGE_NOT_FOUND', 'is not there', { source: 'plugins/nothing' }],
    ['PACKAGE_OUTSIDE_HOME', 'lies above the home', { source: '../elsewhere' }],
    ['PACKAGE_OUTSIDE_HOME', 'is an absolute path elsewhere', { source: '/etc' }],
    ['PACKAGE_OUTSIDE_HOME', 'is reached over a link that leads outside', { source: 'plugins/link' }],
    ['PACKAGE_OTHER_PLUGIN', 'is of another plugin', { plugin: 'test.other' }],
    ['VERSION_UNSATISFIED', 'is of another version', { version: '^2.0.0' }],
    ['DIGEST_MISMATCH', 'is not the pinned one', { digest: `sha256:${'0'.repeat(64)}` }],
    ['APPROVAL_MISSING', 'needs approvals', { approvals: 2 }],
  ])('is refused with %s when it %s: fatal if required, else degraded', async (code, _, enablement) => {
    await using home = await homeWith(enablement);
    await symlink('/etc', join(home.path, 'plugins/link'));
    expect(findings(await surveyHome(home.path))).toEqual([`${code} degraded a`]);
    await enable(home, 'a', { source: 'plugins/test.a-1.0.0', ...enablement, required: true });
    const { refused, plugins, diagnostics } = await surveyHome(home.path);
    expect(findings({ diagnostics })).toEqual([`${code} fatal a`]);
    expect(plugins).toEqual([]);
    expect(refused).toMatchObject([{ instance: 'a', code, state: code === 'APPROVAL_MISSING' ? 'pending-approval' : 'rejected' }]);
    expect(diagnostics[0]).toMatchObject({ manifest: 'manifests/plugins/a.json', plugin: enablement.plugin ?? 'test.a' });
  });

  it('is not found for a range that no version present fits, and the highest is named', async () => {
    await using home = await homeWith();
    await enable(home, 'b', { version: '^7.0.0' });
    const { diagnostics } = await surveyHome(home.path);
    expect(diagnostics).toMatchObject([{ code: 'VERSION_UNSATISFIED', instance: 'b', message: expect.stringContaining("1.0.0 does not satisfy '^7.0.0'") }]);
  });

  it('is refused when it was changed after signing, and what it claims is kept only as a claim', async () => {
    await using home = await aHome([{ name: 'gate', kind: 'moderation', source: SKILL }]);
    await writeFile(join(home.path, 'plugins/test.gate-1.0.0/plugin.js'), 'evil()');
    const { refused, plugins } = await surveyHome(home.path);
    expect(plugins).toEqual([]);
    expect(refused).toMatchObject([{ code: 'RELEASE_FILES', manifest: { moderation: { mode: 'gate' } } }]);
    expect(refused[0]?.release).toBeUndefined();
  });

  it('must be pinned where strict is on', async () => {
    await using home = await homeWith({ required: true });
    const strict = { config: { strict: true, trust: { minimumReleaseAgeHours: 0 } }, unlocked: true } as const;
    const { diagnostics } = await surveyHome(home.path, strict);
    expect(findings({ diagnostics })).toEqual(['DIGEST_REQUIRED fatal a']);
    const digest = /"(sha256:[0-9a-f]{64})"/.exec(diagnostics[0]?.fix ?? '')?.[1];
    await enable(home, 'a', { required: true, ...(digest === undefined ? {} : { digest }) });
    expect(findings(await surveyHome(home.path, strict))).toEqual([]);
  });

  it('is revoked whatever else is wrong', async () => {
    await using home = await homeWith({ approvals: 1 });
    await home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.a', range: '<2.0.0' }] });
    expect((await surveyHome(home.path)).refused).toMatchObject([{ state: 'revoked', code: 'REVOKED' }]);
  });

  it('is not trusted over a list of revocations that cannot be read', async () => {
    await using home = await homeWith();
    await home.write('manifests/trust/revocations.json', '{ "key": [] }');
    const survey = await surveyHome(home.path);
    expect(findings(survey)).toEqual(['REVOKED degraded a', 'SCHEMA_UNKNOWN_KEY fatal -']);
    expect(survey.plugins).toEqual([]);
  });
});

describe('what the store remembers', () => {
  const remembering = (highest: string, digest?: string) => ({ history: { ...NO_HISTORY, highestVersion: () => highest, digestOf: () => digest } });

  it('refuses less than the highest version an instance ran, unless rollback is allowed', async () => {
    await using home = await homeWith({}, {}, '1.2.0');
    expect(findings(await surveyHome(home.path, remembering('1.10.0')))).toEqual(['ROLLBACK degraded a']);
    expect(findings(await surveyHome(home.path, remembering('1.2.0')))).toEqual([]);
    await enable(home, 'a', { allowRollback: true });
    expect(findings(await surveyHome(home.path, remembering('1.10.0')))).toEqual([]);
  });

  it('refuses a version whose content changed, except from a development key', async () => {
    await using home = await homeWith();
    const changed = remembering('1.0.0', `sha256:${'0'.repeat(64)}`);
    expect(findings(await surveyHome(home.path, changed))).toEqual(['SAME_VERSION_CHANGED degraded a']);
    const key = newTestKey('acme');
    await writeTrustRecord(home.path, key, { development: true });
    await buildTestPackage({ dir: join(home.path, 'plugins/acme.b-1.0.0'), id: 'acme.b', kind: 'skill', source: SKILL, key });
    await home.write('manifests/plugins/a.json', { plugin: 'acme.b' });
    expect(findings(await surveyHome(home.path, changed))).toEqual([]);
  });
});

describe('grants, config and secrets', () => {
  const capabilities: PluginManifest['capabilities'] = [{ name: 'kv', quotaBytes: 1000 }, { name: 'secret.use', handle: 'api-key', audience: 'https://a.example', inject: { header: 'x-key' } }];

  it.each<[string, Partial<Enablement>, Partial<PluginManifest>, string]>([
    ['GRANT_NOT_REQUESTED', { grants: [{ name: 'message.read', conversations: 'own' }] }, { capabilities }, 'message.read'],
    ['GRANT_TOO_WIDE', { grants: [{ name: 'kv', quotaBytes: 1001 }] }, { capabilities }, 'quotaBytes is 1001'],
    ['PLUGIN_CONFIG_INVALID', { config: { tone: 'shrill' } }, { config: CONFIG }, '/tone'],
    ['PLUGIN_CONFIG_INVALID', { config: { tune: 'calm' } }, { config: CONFIG }, "did you mean 'tone'?"],
    ['PLUGIN_CONFIG_INVALID', { config: { tone: 'calm' } }, {}, 'the plugin takes no config'],
    ['PLUGIN_CONFIG_INVALID', { config: { replyUrl: 'http://a.example' } }, { config: CONFIG, capabilities: [{ name: 'http.fetch', origins: [{ config: '/replyUrl' }], methods: ['GET'] }] }, '/replyUrl'],
    ['SECRET_MISSING', {}, { capabilities }, 'the enablement does not name it'],
    ['SECRET_MISSING', { secrets: { 'api-key': { env: 'NOT_SET' } } }, { capabilities }, 'NOT_SET is not set'],
    ['SECRET_MISSING', { secrets: { 'api-key': { env: 'EMPTY' } } }, { capabilities }, 'EMPTY is empty'],
    ['SECRET_MISSING', { secrets: { 'api-key': { file: 'nowhere' } } }, { capabilities }, 'cannot be read (ENOENT)'],
    ['SECRET_UNUSABLE', { secrets: { 'api-key': { env: 'TWO_LINES' } } }, { capabilities }, 'TWO_LINES holds more than one line'],
    ['SECRET_UNUSABLE', { secrets: { 'api-key': { env: 'ACCENT' } } }, { capabilities }, 'not printable ASCII'],
    ['SECRET_UNUSABLE', { secrets: { 'api-key': { env: 'TRAILING' } } }, { capabilities }, 'would lose the space'],
    ['UI_FIRST_PARTY', {}, { kind: 'channel', capabilities: [{ name: 'ui' }], channel: { abilities: [], ingress: [] } }, "'test.a'"],
  ])('refuse with %s', async (code, enablement, manifest, text) => {
    await using home = await aHome([{ name: 'a', kind: manifest.kind ?? 'skill', source: SKILL, manifest, enablement }]);
    const { diagnostics } = await surveyHome(home.path, { env: { EMPTY: '', TWO_LINES: 'abcdefgh\r\nx-admin: 1', ACCENT: 'abcdefgé', TRAILING: 'abcdefgh ' } });
    expect(findings({ diagnostics })).toEqual([`${code} degraded a`]);
    expect(diagnostics[0]?.message).toContain(text);
  });

  it('read a secret from a file below the home, without its last line break', async () => {
    await using home = await homeWith({ secrets: { 'api-key': { file: 'secrets/key' } } }, { capabilities });
    await home.write('secrets/key', 'value\n');
    expect((await surveyHome(home.path)).plugins[0]?.secrets).toEqual({ 'api-key': { file: 'secrets/key' } });
    await home.write('secrets/key', '\n');
    expect(findings(await surveyHome(home.path))).toEqual(['SECRET_MISSING degraded a']);
  });

  it('warn of a secret too short to be recognised, and use it', async () => {
    await using home = await homeWith({ secrets: { 'api-key': { env: 'KEY' } } }, { capabilities });
    const { diagnostics, plugins } = await surveyHome(home.path, { env: { KEY: '1234567' } });
    expect([findings({ diagnostics }), plugins.length]).toEqual([['SECRET_SHORT warning a'], 1]);
    expect(diagnostics[0]?.message).not.toContain('1234567');
    expect(findings(await surveyHome(home.path, { env: { KEY: '12345678' } }))).toEqual([]);
  });

  it('read no secret that is not text', async () => {
    await using home = await homeWith({ secrets: { 'api-key': { file: 'key' } } }, { capabilities });
    await writeFile(join(home.path, 'key'), Buffer.from([0xff, 0xfe, ...Buffer.from('abcdefgh')]));
    expect(findings(await surveyHome(home.path))).toEqual(['SECRET_UNUSABLE degraded a']);
  });

  it('need the secret that the host verifies ingress with, granted or not', async () => {
    await using home = await aHome([
      { name: 'a', kind: 'channel', source: SKILL, manifest: { channel: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/', verify: { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', over: 'body' } }] } } },
    ]);
    expect(findings(await surveyHome(home.path))).toEqual(['SECRET_MISSING degraded a']);
  });

  it('take an http origin only where host.json makes an exception for it', async () => {
    await using home = await homeWith({ config: { replyUrl: 'http://localhost:8080/reply' } }, { config: CONFIG, capabilities: [{ name: 'http.fetch', origins: [{ config: '/replyUrl' }], methods: ['GET'] }] });
    const allow = { config: { egress: { allow: [{ host: 'localhost', scheme: 'http' as const, port: 8080 }] } } };
    expect((await surveyHome(home.path, allow)).plugins[0]?.grants).toMatchObject([{ origins: ['http://localhost:8080'] }]);
    expect(findings(await surveyHome(home.path, { config: { egress: { allow: [{ host: 'localhost', scheme: 'http', port: 8081 }] } } }))).toEqual(['PLUGIN_CONFIG_INVALID degraded a']);
  });

  it('are all found wrong at once', async () => {
    await using home = await homeWith(
      { required: true, version: '^2.0.0', digest: `sha256:${'0'.repeat(64)}`, approvals: 1, grants: [{ name: 'kv', quotaBytes: 9999 }, { name: 'message.read', conversations: 'own' }, { name: 'secret.use', handle: 'api-key', audience: 'https://a.example', inject: { header: 'x-key' } }], config: { tone: 'shrill' } },
      { capabilities, config: CONFIG },
    );
    await home.write('manifests/plugins/zz.json', '{');
    expect(findings(await surveyHome(home.path))).toEqual([
      'APPROVAL_MISSING fatal a', 'DIGEST_MISMATCH fatal a', 'GRANT_NOT_REQUESTED fatal a', 'GRANT_TOO_WIDE fatal a', 'JSON_INVALID fatal -', 'PLUGIN_CONFIG_INVALID fatal a', 'VERSION_UNSATISFIED fatal a',
    ]);
  });
});

describe('two enablements for one instance', () => {
  const both = async () => {
    const home = await homeWith({ order: 1 });
    await home.write('manifests/plugins/b.json', { plugin: 'test.a', instance: 'a', order: 2, required: true });
    return home;
  };

  it('are both refused, naming both files, and fatal because one is required', async () => {
    await using home = await both();
    const { plugins, diagnostics } = await surveyHome(home.path);
    expect(plugins).toEqual([]);
    expect(diagnostics.map(({ code, severity, manifest }) => `${code} ${severity} ${manifest}`)).toEqual(['INSTANCE_COLLISION degraded manifests/plugins/a.json', 'INSTANCE_COLLISION fatal manifests/plugins/b.json']);
    for (const { message } of diagnostics) expect(message).toContain('manifests/plugins/a.json and manifests/plugins/b.json');
  });

  it.each([
    ['first', 1, 'manifests/plugins/b.json'],
    ['last', 2, 'manifests/plugins/a.json'],
  ] as const)('leave the %s one under that policy, and a warning about the other', async (collision, order, loser) => {
    await using home = await both();
    const { plugins, refused, diagnostics } = await surveyHome(home.path, { config: { collision } });
    expect(plugins.map((plugin) => plugin.order)).toEqual([order]);
    expect(refused).toEqual([]);
    expect(diagnostics).toMatchObject([{ code: 'INSTANCE_COLLISION', severity: 'warning', manifest: loser }]);
  });

  it('do not collide when one of them is disabled', async () => {
    await using home = await homeWith();
    await home.write('manifests/plugins/b.json', { plugin: 'test.a', instance: 'a', enabled: false });
    const { plugins, diagnostics } = await surveyHome(home.path);
    expect([plugins.length, diagnostics]).toEqual([1, []]);
  });
});

describe('two packages for one version', () => {
  const both = async () => {
    const home = await homeWith();
    const first = join(home.path, 'plugins/test.a-1.0.0');
    await rename(first, join(home.path, 'plugins/one'));
    await home.add({ name: 'a', kind: 'skill', source: `${SKILL}\n// changed` });
    await rename(first, join(home.path, 'plugins/two'));
    await enable(home, 'a', { source: 'plugins/one' });
    await enable(home, 'b', { source: 'plugins/two' });
    return home;
  };

  it('with other content are both refused, naming both', async () => {
    await using home = await both();
    const { diagnostics } = await surveyHome(home.path);
    expect(findings({ diagnostics })).toEqual(['PACKAGE_COLLISION degraded a', 'PACKAGE_COLLISION degraded b']);
    for (const { message } of diagnostics) expect(message).toMatch(/plugins\/one and .*plugins\/two/);
  });

  it.each([['first', 'a'], ['last', 'b']] as const)('leave the %s one under that policy', async (collision, left) => {
    await using home = await both();
    expect((await surveyHome(home.path, { config: { collision } })).plugins.map(({ instance }) => instance)).toEqual([left]);
  });

  it('with the same content are two instances of one plugin', async () => {
    await using home = await both();
    await cp(join(home.path, 'plugins/one'), join(home.path, 'plugins/copy'), { recursive: true });
    await enable(home, 'b', { source: 'plugins/copy' });
    expect((await surveyHome(home.path)).plugins.map(({ instance }) => instance)).toEqual(['a', 'b']);
  });
});

describe('tools and requirements', () => {
  it('refuse a tool that two instances offer', async () => {
    await using home = await aHome([{ name: 'clock', kind: 'tool', source: SKILL }]);
    await home.write('manifests/plugins/other.json', { plugin: 'test.clock', instance: 'other' });
    const { diagnostics } = await surveyHome(home.path);
    expect(findings({ diagnostics })).toEqual(['TOOL_COLLISION degraded clock', 'TOOL_COLLISION degraded other']);
    expect(diagnostics[0]?.message).toContain("'test.clock/run'");
  });

  const requiring = (id: string, range: string, optional?: boolean): Partial<PluginManifest> => ({ requires: [{ id, range, ...(optional === undefined ? {} : { optional }) }] });

  it('accept a fitting plugin, refuse a missing one, and warn of a missing optional one', async () => {
    await using home = await homeWith({}, requiring('test.base', '^1.0.0'));
    expect(findings(await surveyHome(home.path))).toEqual(['REQUIREMENT_MISSING degraded a']);
    await home.add({ name: 'base', kind: 'skill', source: SKILL, version: '1.4.0' });
    expect(findings(await surveyHome(home.path))).toEqual([]);
    await home.add({ name: 'b', kind: 'skill', source: SKILL, manifest: requiring('test.base', '^2.0.0', true) });
    expect(findings(await surveyHome(home.path))).toEqual(['REQUIREMENT_MISSING warning b']);
  });

  it('take along whoever needs a plugin that cannot run', async () => {
    await using home = await homeWith({ required: true }, requiring('test.b', '*'));
    await home.add({ name: 'b', kind: 'skill', source: SKILL, manifest: requiring('test.c', '*') });
    await home.add({ name: 'c', kind: 'skill', source: SKILL, enablement: { approvals: 1 } });
    expect(findings(await surveyHome(home.path))).toEqual(['APPROVAL_MISSING degraded c', 'REQUIREMENT_MISSING degraded b', 'REQUIREMENT_MISSING fatal a']);
  });

  it('let two plugins need each other', async () => {
    await using home = await homeWith({}, requiring('test.b', '*'));
    await home.add({ name: 'b', kind: 'skill', source: SKILL, manifest: requiring('test.a', '*') });
    expect(findings(await surveyHome(home.path))).toEqual([]);
  });
});
