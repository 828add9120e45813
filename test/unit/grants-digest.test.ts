// The digest that approvals are bound to: everything an instance is given changes it, and nothing that only reads differently does.
import { describe, expect, it } from 'vitest';
import { grantsDigest, type Given } from '../../host/registry/grants-digest.ts';
import { aHome } from '../support/home.ts';
import { SKILL, surveyHome } from '../support/registry.ts';

const GIVEN: Given = {
  manifest: { id: 'acme.weather', channel: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'token', secret: 'hook', header: 'x-token' } }] } },
  grants: [
    { name: 'http.fetch', origins: ['https://a.example', 'https://b.example'], methods: ['GET', 'POST'], quota: { perMinute: 10 }, reason: 'forecasts' },
    { name: 'secret.use', handle: 'api-key', audience: 'https://a.example', inject: { header: 'x-key' } },
  ],
  limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 64 },
  secrets: { 'api-key': { env: 'KEY' }, hook: { file: 'secrets/hook' } },
  onQuarantine: 'hold',
};
const [fetch, secret] = GIVEN.grants as readonly [Extract<Given['grants'][number], { name: 'http.fetch' }>, Given['grants'][number]];
const withRoute = (route: object): Given['manifest'] => ({ ...GIVEN.manifest, channel: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'token', secret: 'hook', header: 'x-token' }, ...route }] } });

describe('the grants digest', () => {
  it.each<[string, Partial<Given>]>([
    ['another plugin', { manifest: { ...GIVEN.manifest, id: 'acme.wetter' } }],
    ['another origin', { grants: [{ ...fetch, origins: ['https://a.example', 'https://c.example'] }, secret] }],
    ['one origin less', { grants: [{ ...fetch, origins: ['https://a.example'] }, secret] }],
    ['another quota', { grants: [{ ...fetch, quota: { perMinute: 11 } }, secret] }],
    ['no quota', { grants: [{ name: 'http.fetch', origins: fetch.origins, methods: fetch.methods }, secret] }],
    ['a grant more', { grants: [...GIVEN.grants, { name: 'kv', quotaBytes: 1 }] }],
    ['another limit', { limits: { ...GIVEN.limits, heapMb: 33 } }],
    ['a secret read elsewhere', { secrets: { ...GIVEN.secrets, 'api-key': { env: 'OTHER' } } }],
    ['a secret read from a file of the same name', { secrets: { ...GIVEN.secrets, 'api-key': { file: 'KEY' } } }],
    ['another verification of requests', { manifest: withRoute({ verify: { scheme: 'none' } }) }],
    ['senders believed', { manifest: withRoute({ sender: 'verified' }) }],
    ['another answer to quarantine', { onQuarantine: 'bypass' }],
    ['no answer to quarantine', { onQuarantine: undefined }],
  ])('changes with %s', (_, changes) => {
    expect(grantsDigest({ ...GIVEN, ...changes })).not.toBe(grantsDigest(GIVEN));
  });

  it.each<[string, Partial<Given>]>([
    ['the order of grants', { grants: GIVEN.grants.toReversed() }],
    ['the order within a grant', { grants: [{ ...fetch, origins: fetch.origins.toReversed(), methods: ['POST', 'GET'] }, secret] }],
    ['the author’s reasons', { grants: [{ ...fetch, reason: 'something else' }, secret] }],
    ['the order of secrets', { secrets: { hook: { file: 'secrets/hook' }, 'api-key': { env: 'KEY' } } }],
    ['a default that is written out', { manifest: withRoute({ sender: 'claimed' }) }],
  ])('does not change with %s', (_, changes) => {
    expect(grantsDigest({ ...GIVEN, ...changes })).toBe(grantsDigest(GIVEN));
  });

  it('is sha256 over the canonical JSON, so that others can compute it', () => {
    expect(grantsDigest({ manifest: { id: 'acme.a' }, grants: [], limits: GIVEN.limits, secrets: {} }))
      // printf '%s' '{"grants":[],"ingress":[],"limits":{"concurrency":64,"cpuMsPerCall":50,"heapMb":32,"wallMsPerCall":2000},"plugin":"acme.a","secrets":{}}' | sha256sum
      .toBe('sha256:ef00861fc245b36393509d42bd264fe628266a656bbc62246b6ff9c4a39f8bc7');
  });

  it('of an instance speaks of origins from its config, and not of whether a secret is there', async () => {
    const capabilities = [{ name: 'http.fetch' as const, origins: [{ config: '/url' }], methods: ['GET' as const] }, { name: 'secret.use' as const, handle: 'key', audience: 'https://a.example', inject: { header: 'x-key' } }];
    const config = { type: 'object', additionalProperties: false, properties: { url: { type: 'string' }, tone: { type: 'string' } } };
    await using home = await aHome([{ name: 'a', kind: 'skill', source: SKILL, manifest: { capabilities, config }, enablement: { config: { url: 'https://one.example' }, secrets: { key: { env: 'KEY' } } } }]);
    const digest = async (env: NodeJS.ProcessEnv, settings: object) => {
      await home.write('manifests/plugins/a.json', { plugin: 'test.a', instance: 'a', grants: capabilities, secrets: { key: { env: 'KEY' } }, config: settings });
      const { plugins, refused } = await surveyHome(home.path, { env });
      return [...plugins, ...refused].map(({ grantsDigest: found }) => found);
    };
    const first = await digest({ KEY: 'the value of a key' }, { url: 'https://one.example' });
    expect(first).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{64}$/)]);
    expect(await digest({}, { url: 'https://one.example' })).toEqual(first);
    expect(await digest({ KEY: 'the value of a key' }, { url: 'https://one.example', tone: 'calm' })).toEqual(first);
    expect(await digest({ KEY: 'the value of a key' }, { url: 'https://two.example' })).not.toEqual(first);
  });
});
