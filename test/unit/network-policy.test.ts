// The network policy: what settings, profile and machine come to, where each value comes from, and what does not start.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configIn, type ConfigSources, type ResolvedConfig } from '../../host/config.ts';
import { GatehouseError } from '../../host/errors.ts';
import { plainAddress, senderKey, within } from '../../host/network/addresses.ts';
import { PROFILE_DEFAULTS, isBelow } from '../../host/network/policy.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import { gatehouse } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const LAN = [{ address: '192.168.1.7', family: 'IPv4' as const }];
const TAILNET = { eth0: LAN, tailscale0: [{ address: 'fd7a:115c:a1e0::5', family: 'IPv6' as const }, { address: '100.101.102.103', family: 'IPv4' as const }] };

const sources = (more: Partial<ConfigSources> = {}): ConfigSources => ({ home: '/srv/home', env: {}, cwd: '/', interfaces: { eth0: LAN }, ...more });

const resolved = (settings: HostConfig, more: Partial<ConfigSources> = {}): ResolvedConfig => configIn(Buffer.from(JSON.stringify(settings)), sources(more), () => undefined);

/** The problems that keep a host from starting. */
function refusals(settings: HostConfig, more: Partial<ConfigSources> = {}): string[] {
  const problems: string[] = [];
  configIn(Buffer.from(JSON.stringify(settings)), sources(more), (error) => {
    expect(error).toMatchObject({ code: 'CONFIG_UNSAFE', row: { exitCode: 3 } });
    expect(error.fix).toMatch(/manifests\/host\.json|network\./);
    problems.push(String(error.fields['problem']));
  });
  return problems;
}

describe('where a host listens', () => {
  it.each<[string, HostConfig, Partial<ConfigSources>, string]>([
    ['loopback without a word', {}, {}, '127.0.0.1:4280'],
    ['as listen is written', { listen: '192.168.1.7:80' }, {}, '192.168.1.7:80'],
    ['custom: as listen is written', { listen: '[::1]:80', network: { bind: 'custom' } }, {}, '::1:80'],
    ['loopback, with the port of listen', { listen: '0.0.0.0:99', network: { bind: 'loopback' } }, {}, '127.0.0.1:99'],
    ['lan: every address of both families', { network: { bind: 'lan' } }, { interfaces: TAILNET }, ':::4280'],
    ['lan: every address where there is no IPv6', { network: { bind: 'lan' } }, {}, '0.0.0.0:4280'],
    ['tailnet: the IPv4 address first', { network: { bind: 'tailnet' } }, { interfaces: TAILNET }, '100.101.102.103:4280'],
    ['tailnet by IPv6 alone', { network: { bind: 'tailnet' } }, { interfaces: { t: TAILNET.tailscale0.slice(0, 1) } }, 'fd7a:115c:a1e0::5:4280'],
    ['auto: the tailnet', { network: { bind: 'auto' } }, { interfaces: TAILNET }, '100.101.102.103:4280'],
    ['auto: loopback without a tailnet', { network: { bind: 'auto' } }, {}, '127.0.0.1:4280'],
    ['the flag over bind', { network: { bind: 'lan' } }, { listen: '127.0.0.1:7' }, '127.0.0.1:7'],
    ['the environment for bind', {}, { env: { GATEHOUSE_NETWORK_BIND: 'lan' } }, '0.0.0.0:4280'],
  ])('%s', (_, settings, more, expected) => {
    const { listen, policy } = resolved({ profile: 'lan', ...settings }, more);
    expect(`${listen.host}:${listen.port}`).toBe(expected);
    expect(policy.isPublic).toBe(!/^(127|::1)/.test(expected));
  });
});

describe('the source of a value', () => {
  it('is the flag, the environment, the file, the profile or the default', () => {
    const { policy } = resolved({ profile: 'gateway', network: { cors: { origins: ['https://a.example'] } } }, { env: { GATEHOUSE_NETWORK_LIMITS_INFLIGHT: '7' }, listen: '127.0.0.1:0' });
    expect(policy.limits).toEqual({ inFlight: 7, perAddressPerSecond: 200, perTokenPerSecond: 200, bodyBytes: 262_144, headersMs: 10_000, requestMs: 30_000, answerMs: 60_000 });
    expect(policy.sources).toMatchObject({
      profile: 'file', listen: 'flag', hosts: 'default', 'network.bind': 'flag', 'network.cors.origins': 'file', 'network.cors.credentials': 'default',
      'network.limits.inFlight': 'environment', 'network.limits.perAddressPerSecond': 'profile', 'network.limits.bodyBytes': 'default', 'network.trustedProxies': 'profile',
    });
  });

  it('refuses an environment that is no setting', () => {
    expect(() => resolved({}, { env: { GATEHOUSE_NETWORK_BIND: 'everywhere' } })).toThrow(expect.objectContaining({ code: 'CONFIG_OVERRIDE' }));
    expect(() => resolved({}, { env: { GATEHOUSE_NETWORK_FUNEL: 'true' } })).toThrow(expect.objectContaining({ code: 'CONFIG_OVERRIDE' }));
  });
});

describe('profiles', () => {
  it('trust a proxy of this machine where one is meant and the host listens on loopback alone', () => {
    for (const profile of ['local', 'lan', 'gateway', 'internet'] as const) {
      const trusts = PROFILE_DEFAULTS[profile].trustsLocalProxy ? ['127.0.0.0/8', '::1'] : [];
      expect(resolved({ profile }).policy.trustedProxies).toEqual(trusts);
      expect(resolved({ profile, listen: '0.0.0.0:1' }).policy.trustedProxies).toEqual([]);
      expect(resolved({ profile, network: { trustedProxies: ['10.0.0.1'] } }).policy.trustedProxies).toEqual(['10.0.0.1']);
    }
  });
});

describe('refusals', () => {
  const PROFILES = ['local', 'lan', 'gateway', 'internet'] as const;
  const BINDS = ['loopback', 'lan', 'tailnet', 'auto', 'custom'] as const;
  const TLS = { cert: 'cert.pem', key: 'key.pem' };

  it('over all combinations of profile, bind, TLS, tunnel, proxies and exempt prefixes, hold exactly for what is unsafe', () => {
    let combinations = 0;
    for (const profile of PROFILES) for (const bind of BINDS) for (const tls of [undefined, TLS]) for (const funnel of [false, true]) for (const trustedProxies of [null, ['10.0.0.1'], ['0.0.0.0/0']]) for (const exempt of ['/channels/', '/channels/webhook/', '/metrics', '/api/v1/status', '/']) {
      combinations += 1;
      const settings = { profile, network: { bind, funnel, trustedProxies, exemptPrefixes: [exempt], ...(tls ? { tls } : {}) } } satisfies HostConfig;
      const isOpen = bind === 'lan';
      const expected = [
        ...(bind === 'tailnet' ? [/no interface of this machine/] : []),
        ...(profile === 'local' && isOpen ? [/beyond this machine/] : []),
        ...(profile === 'local' && funnel ? [/public tunnel/] : []),
        ...(profile !== 'local' && !exempt.startsWith('/channels/') ? [/exemptPrefixes/] : []),
        ...(profile === 'internet' && !tls && trustedProxies === null && isOpen ? [/without TLS/] : []),
        ...(trustedProxies?.[0] === '0.0.0.0/0' ? [/could speak for anybody/] : []),
      ];
      const found = refusals(settings);
      expect({ settings, found: found.length }).toEqual({ settings, found: expected.length });
      for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern);
    }
    expect(combinations).toBe(1200);
  });

  it.each<[string, HostConfig, RegExp]>([
    ['CORS for everybody with credentials', { network: { cors: { origins: ['*'], credentials: true } } }, /read answers with the credentials/],
    ['a certificate without its key', { network: { tls: { cert: 'c.pem' } } }, /a certificate and no key/],
    ['a key without its certificate', { network: { tls: { key: 'k.pem' } } }, /a key and no certificate/],
    ['mTLS without an authority', { network: { tls: TLS, mtls: { mode: 'require' } } }, /whose certificates count/],
    ['requested certificates without an authority', { network: { tls: TLS, mtls: { mode: 'request' } } }, /whose certificates count/],
    ['mTLS without TLS', { network: { mtls: { mode: 'require', ca: 'ca.pem' } } }, /speaks no TLS/],
    ['every IPv6 address as a proxy', { network: { trustedProxies: ['::/0'] } }, /could speak for anybody/],
    ['half of all addresses as a proxy', { network: { trustedProxies: ['128.0.0.0/1'] } }, /could speak for anybody/],
    ['a proxy that is no address', { network: { trustedProxies: ['300.1.1.1'] } }, /no address and no network/],
    ['a network with too many bits', { network: { trustedProxies: ['10.0.0.0/33'] } }, /no address and no network/],
    ['internet in the open, with every proxy taken away', { profile: 'internet', network: { trustedProxies: [] } }, /without TLS/],
  ])('%s does not start', (_, settings, problem) => {
    expect(refusals(settings)).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[string, HostConfig]>([
    ['CORS for everybody without credentials', { network: { cors: { origins: ['*'] } } }],
    ['a whole private network of proxies', { network: { trustedProxies: ['10.0.0.0/8', 'fc00::/7'] } }],
    ['internet with TLS of its own', { profile: 'internet', listen: '0.0.0.0:443', network: { tls: TLS } }],
    ['internet behind a proxy elsewhere', { profile: 'internet', listen: '10.0.0.2:80', network: { trustedProxies: ['10.0.0.1'] } }],
    ['internet behind a tunnel', { profile: 'internet', network: { funnel: true } }],
  ])('%s starts', (_, settings) => {
    expect(refusals(settings)).toEqual([]);
  });

  it('are what `check` and `start` say, with exit code 3', async () => {
    await using home = await tempDir();
    await mkdir(join(home.path, 'manifests'));
    const settings = { profile: 'internet', listen: '0.0.0.0:0', network: { tls: { cert: 'missing.pem', key: 'missing.pem' } } };
    await writeFile(join(home.path, 'manifests', 'host.json'), JSON.stringify(settings));
    for (const command of ['check', 'start']) {
      const { code, stderr } = await gatehouse([command, '--home', home.path]);
      expect({ command, code }).toEqual({ command, code: 3 });
      expect(stderr).toMatch(/network\.tls\.cert names .*missing\.pem, which cannot be read/);
    }
    const { code, stderr } = await runCommand(['check', '--home', home.path], { env: { GATEHOUSE_NETWORK_FUNNEL: 'true', GATEHOUSE_PROFILE: 'local', GATEHOUSE_LISTEN: '127.0.0.1:0' } });
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('public tunnel') });
  });
});

describe('addresses', () => {
  it('are one sender for an IPv4 address, and for the /64 of an IPv6 one', () => {
    expect(['10.1.2.3', '2001:db8:1:2:3::4', '2001:0db8:1:2::', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8::1', '::1'].map(senderKey)).toEqual(['10.1.2.3', '2001:db8:1:2::/64', '2001:db8:1:2::/64', '2001:db8:1:2::/64', '2001:db8:0:0::/64', '0:0:0:0::/64']);
  });

  it('of both families are plain, and in the networks they are in', () => {
    expect(['::ffff:10.0.0.1', 'FE80::1%eth0', '10.0.0.1'].map(plainAddress)).toEqual(['10.0.0.1', 'fe80::1', '10.0.0.1']);
    const isOurs = within(['10.0.0.0/8', '192.168.1.7', 'fd00::/8', 'nonsense/8']);
    expect(['10.255.0.1', '192.168.1.7', 'fd12::1'].every(isOurs)).toBe(true);
    expect(['11.0.0.1', '192.168.1.8', 'fe80::1', 'nonsense', ''].some(isOurs)).toBe(false);
  });

  it('end a prefix at a slash', () => {
    expect(isBelow('/channels/webhook/x', '/channels/')).toBe(true);
    expect(isBelow('/channels/webhook', '/channels/webhook')).toBe(true);
    expect(isBelow('/channels/webhooks', '/channels/webhook')).toBe(false);
    expect(isBelow('/channels', '/channels/')).toBe(false);
  });
});

it('is thrown as an error that names its setting', () => {
  expect(() => configIn(Buffer.from('{"network":{"funnel":true}}'), sources())).toThrow(GatehouseError);
});
