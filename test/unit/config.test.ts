// Settings from defaults, file, environment and flags; and the combinations that do not start.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IsObject, type TSchema } from 'typebox';
import { describe, expect, it } from 'vitest';
import { HostConfig } from '../../schemas/host-config.ts';
import { findHome, loadConfig, OVERRIDE_NAMES, type ConfigSources, type ResolvedConfig } from '../../host/config.ts';
import { tempDir } from '../support/temp.ts';

/** A home with this host.json, as text or as a value. */
async function aConfiguredHome(content: unknown) {
  const dir = await tempDir();
  await mkdir(join(dir.path, 'manifests'));
  await writeFile(join(dir.path, 'manifests', 'host.json'), typeof content === 'string' ? content : JSON.stringify(content));
  return {
    home: dir.path,
    load: (sources: Partial<ConfigSources> = {}): ResolvedConfig => loadConfig({ home: dir.path, env: {}, cwd: dir.path, ...sources }),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

const codeOf = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? thrown.code : thrown;
  }
};

describe('the home', () => {
  it('is --home, else GATEHOUSE_HOME, else the current directory', async () => {
    await using one = await aConfiguredHome({});
    await using two = await aConfiguredHome({});
    expect(findHome({ home: one.home, env: { GATEHOUSE_HOME: two.home }, cwd: '/' })).toBe(one.home);
    expect(findHome({ env: { GATEHOUSE_HOME: two.home }, cwd: one.home })).toBe(two.home);
    expect(findHome({ env: {}, cwd: one.home })).toBe(one.home);
    expect(findHome({ home: '.', env: {}, cwd: two.home })).toBe(two.home);
  });

  it('holds manifests/host.json', async () => {
    await using dir = await tempDir();
    expect(() => findHome({ env: {}, cwd: dir.path })).toThrow(expect.objectContaining({ code: 'HOME_NOT_FOUND' }));
  });
});

describe('settings', () => {
  it('are complete when the file says nothing', async () => {
    await using at = await aConfiguredHome({});
    expect(at.load()).toEqual({
      home: at.home, dataDir: join(at.home, 'data'), manifestsDir: join(at.home, 'manifests'), homeDataDir: join(at.home, 'data'), listen: { host: '127.0.0.1', port: 4280 }, hosts: [], profile: 'local', strict: false, collision: 'reject',
      boot: { deadlineMs: 10_000 }, egress: { allow: [] }, log: { level: 'info' }, sandbox: { warm: 2, jitless: true, mostRunning: 32, hibernateAfterMs: 600_000 }, reload: { watch: true, quietMs: 500, mostMs: 1500 },
      pipeline: expect.any(Object),
      retention: { messages: { days: 365, most: 5_000_000 }, sessions: { days: 365 } },
      discovery: { mdns: { enabled: false, name: '', interface: '' }, tailnet: { enabled: false } },
      costs: expect.any(Object),
      network: expect.any(Object),
      policy: expect.any(Object),
      identities: {},
      trust: { approvals: 0, allow: { plugins: [], publishers: [], sources: [] }, deny: { plugins: [], publishers: [], sources: [] }, minimumReleaseAgeHours: null, scan: { onWarn: 'approval', everyHours: 24, knownBad: [] }, requireProvenance: false, requireHttpsSource: false, trustedSourcePrefixes: [] },
      telemetry: { traces: { sampleRatio: 0.01, propagateTo: [] } },
    });
    const { pipeline, network } = at.load();
    const inPipeline = everySetting(HostConfig).filter(({ path: [first] }) => first === 'pipeline' || first === 'network');
    expect(inPipeline.length).toBeGreaterThan(20);
    for (const { path, byDefault } of inPipeline) expect([path, path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], { pipeline, network })]).toEqual([path, byDefault]);
  });

  it('come from the file, then the environment, then flags', async () => {
    await using at = await aConfiguredHome({ listen: '127.0.0.1:1', boot: { deadlineMs: 500 }, log: { level: 'warn' } });
    expect(at.load().listen.port).toBe(1);
    expect(at.load({ env: { GATEHOUSE_LISTEN: '127.0.0.1:2' } })).toMatchObject({ listen: { port: 2 }, boot: { deadlineMs: 500 }, log: { level: 'warn' } });
    expect(at.load({ env: { GATEHOUSE_LISTEN: '127.0.0.1:2' }, listen: '[::1]:3' }).listen).toEqual({ host: '::1', port: 3 });
    expect(at.load({ env: { GATEHOUSE_BOOT_DEADLINEMS: '700' } }).boot.deadlineMs).toBe(700);
  });

  it('take their data directory relative to the home from the file, to the current directory from the flag', async () => {
    await using at = await aConfiguredHome({ dataDir: 'state' });
    expect(at.load().dataDir).toBe(join(at.home, 'state'));
    expect(at.load({ data: 'elsewhere', cwd: '/srv' }).dataDir).toBe('/srv/elsewhere');
    expect(at.load({ env: { GATEHOUSE_DATADIR: '/var/lib/g' } }).dataDir).toBe('/var/lib/g');
  });

  it('read each kind of value from the environment', async () => {
    await using at = await aConfiguredHome({});
    const env = { GATEHOUSE_STRICT: 'true', GATEHOUSE_SANDBOX_JITLESS: 'false', GATEHOUSE_SANDBOX_WARM: '0', GATEHOUSE_HOSTS: 'chat.example, Other.example', GATEHOUSE_EGRESS_ALLOW: '[{"host":"a.test","scheme":"http","port":1}]' };
    expect(at.load({ env })).toMatchObject({ strict: true, sandbox: { jitless: false, warm: 0 }, hosts: ['chat.example', 'other.example'], egress: { allow: [{ host: 'a.test', scheme: 'http', port: 1 }] } });
  });

  it.each([
    ['GATEHOUSE_STRICT', 'yes'], ['GATEHOUSE_BOOT_DEADLINEMS', 'soon'], ['GATEHOUSE_BOOT_DEADLINEMS', '1'], ['GATEHOUSE_PROFILE', 'home'], ['GATEHOUSE_LISTEN', '4280'], ['GATEHOUSE_EGRESS_ALLOW', '[{'], ['GATEHOUSE_EGRESS_ALLOW', '[{"host":"a"}]'],
    ['GATEHOUSE_STRCIT', 'true'], ['GATEHOUSE_DATA_DIR', '/x'], ['GATEHOUSE_LISTN', '127.0.0.1:1'],
  ])('refuse %s=%s and name the variable', async (name, value) => {
    await using at = await aConfiguredHome({});
    expect(() => at.load({ env: { [name]: value } })).toThrow(expect.objectContaining({ code: 'CONFIG_OVERRIDE', message: expect.stringContaining(name), row: expect.objectContaining({ exitCode: 2 }) }));
  });

  it('name the override that a misspelled one was meant to be', async () => {
    await using at = await aConfiguredHome({});
    expect(() => at.load({ env: { GATEHOUSE_STRCIT: 'true' } })).toThrow(/GATEHOUSE_STRICT/);
  });

  it('take who is who from the environment as JSON', async () => {
    await using at = await aConfiguredHome({});
    expect(at.load({ env: { GATEHOUSE_IDENTITIES: '{"ada":["webhook:a"]}' } }).identities).toEqual({ ada: ['webhook:a'] });
    expect(() => at.load({ env: { GATEHOUSE_IDENTITIES: 'ada' } })).toThrow(expect.objectContaining({ code: 'CONFIG_OVERRIDE' }));
  });

  it('leave variables alone that are nobody’s override', async () => {
    await using at = await aConfiguredHome({});
    expect(at.load({ env: { GATEHOUSE_WEBHOOK_SECRET: 's', GATEHOUSE_SERVICE_HOST: '10.0.0.1', GATEHOUSE_PORT_80_TCP: 'tcp://x', GATEHOUSE_HOME: '/x' } }).strict).toBe(false);
  });

  it('know a variable for every setting', () => {
    const names = everySetting(HostConfig).map(({ path }) => `GATEHOUSE_${path.join('_').toUpperCase()}`);
    expect(names).toContain('GATEHOUSE_PIPELINE_QUEUE_MODE');
    expect(OVERRIDE_NAMES).toEqual(names);
  });

  it.each([
    ['{', 'JSON_INVALID'],
    ['{"strict":false,"strict":true}', 'JSON_DUPLICATE_KEY'],
    ['{"__proto__":{"strict":true}}', 'JSON_FORBIDDEN_KEY'],
    ['{"strcit":true}', 'SCHEMA_UNKNOWN_KEY'],
    ['{"strict":"yes"}', 'SCHEMA_INVALID'],
    ['{"listen":"127.0.0.1:99999"}', 'USAGE'],
    ['{"egress":{"allow":[{"host":"A.test","scheme":"http","port":1}]}}', 'SCHEMA_INVALID'],
    ['{"egress":{"allow":[{"host":"a.test/x","scheme":"http","port":1}]}}', 'SCHEMA_INVALID'],
    ['{"identities":{"Ada":["webhook:a"]}}', 'SCHEMA_UNKNOWN_KEY'],
    ['{"identities":{"ada":["webhook"]}}', 'SCHEMA_INVALID'],
    ['{"identities":{"ada":[]}}', 'SCHEMA_INVALID'],
    ['{"pipeline":{"session":{"scope":"everybody"}}}', 'SCHEMA_INVALID'],
    ['{"pipeline":{"session":{"reset":{"hour":24}}}}', 'SCHEMA_INVALID'],
    ['{"pipeline":{"session":{"reset":{"idleMinutes":0}}}}', 'SCHEMA_INVALID'],
    ['{"egress":{"allow":[{"host":"a.test","scheme":"ftp","port":1}]}}', 'SCHEMA_INVALID'],
  ])('refuse a file that says %s', async (content, code) => {
    await using at = await aConfiguredHome(content);
    expect(codeOf(() => at.load())).toBe(code);
  });

  it('name the key that a misspelled one was meant to be, and where it stands', async () => {
    await using at = await aConfiguredHome('{\n  "strcit": true\n}');
    expect(() => at.load()).toThrow(/'strcit'.*line 2, column 3.*'strict'/);
  });
});

describe('unsafe combinations', () => {
  it.each([
    ['profile local beyond this machine', { listen: '0.0.0.0:4280' }, {}],
    ['profile local on a name', { listen: 'example.org:4280' }, {}],
    ['profile local beyond this machine by flag', {}, { listen: '192.168.1.2:80' }],
    ['profile local beyond this machine by environment', {}, { env: { GATEHOUSE_LISTEN: '[::]:80' } }],
    ['profile internet with egress exceptions', { profile: 'internet', egress: { allow: [{ host: 'a', scheme: 'http', port: 1 }] } }, {}],
    ['an egress exception for a host that no URL has', { egress: { allow: [{ host: '127.1', scheme: 'http', port: 1 }] } }, {}],
    ['an egress exception for a long spelling of an address', { egress: { allow: [{ host: '[0:0::1]', scheme: 'http', port: 1 }] } }, {}],
    ['an egress exception pinned to no address', { egress: { allow: [{ host: 'a', scheme: 'http', port: 1, address: '300.1.1.1' }] } }, {}],
    ['a time zone nobody knows', { pipeline: { session: { reset: { timeZone: 'Europe/Atlantis' } } } }, {}],
    ['a time zone nobody knows, by environment', {}, { env: { GATEHOUSE_PIPELINE_SESSION_RESET_TIMEZONE: 'nowhere' } }],
    ['a sender with two identities', { identities: { ada: ['webhook:a', 'webchat:v'], bo: ['webhook:b', 'webhook:a'] } }, {}],
    ['profile internet in the open without TLS', { profile: 'internet', listen: '0.0.0.0:443' }, {}],
  ])('%s does not start', async (_name, content, sources) => {
    await using at = await aConfiguredHome(content);
    expect(() => at.load(sources)).toThrow(expect.objectContaining({ code: 'CONFIG_UNSAFE', row: expect.objectContaining({ exitCode: 3 }) }));
  });

  it.each([[{ listen: '127.8.8.8:1' }], [{ listen: 'localhost:1' }], [{ listen: '[::1]:1' }], [{ profile: 'lan', listen: '0.0.0.0:1' }], [{ profile: 'internet' }]])('%j starts', async (content) => {
    await using at = await aConfiguredHome(content);
    expect(at.load().home).toBe(at.home);
  });
});

/** Every setting the schema knows, with what it says for none. */
function everySetting(schema: TSchema, above: readonly string[] = []): { readonly path: readonly string[]; readonly byDefault: unknown }[] {
  if (!IsObject(schema)) return [];
  return Object.entries(schema.properties).flatMap(([key, child]) => {
    if (key === '$schema') return [];
    const path = [...above, key];
    return IsObject(child) ? everySetting(child, path) : [{ path, byDefault: 'default' in child ? child.default : undefined }];
  });
}
