// Grants only narrow: every bound of every capability, held the same, narrower and wider.
import { describe, expect, it } from 'vitest';
import type { Capability, Grant } from '../../schemas/capability.ts';
import { judgeGrant } from '../../host/trust/powers/grants.ts';

const fetching: Capability = { name: 'http.fetch', origins: ['https://a.example', 'https://b.example:8443', { config: '/replyUrl' }], methods: ['GET', 'POST'], quota: { perMinute: 60, bytesPerDay: 1000 }, reason: 'weather' };
const secret: Capability = { name: 'secret.use', handle: 'api-key', audience: 'https://a.example', inject: { header: 'authorization', prefix: 'Bearer ' } };
const sending: Capability = { name: 'message.send', instances: ['webchat', 'webhook'], quota: { perMinute: 30 } };
const calling: Capability = { name: 'tool.call', tools: ['acme.a/one', 'acme.a/two'] };
const kv: Capability = { name: 'kv', quotaBytes: 1000 };

const fetchGrant = (changes: Partial<Extract<Grant, { name: 'http.fetch' }>>): Grant => ({ ...fetching, ...changes });
const secretGrant = (changes: Partial<Extract<Grant, { name: 'secret.use' }>>): Grant => ({ ...secret, ...changes });

describe('a grant that is asked for', () => {
  it.each<[string, Capability, Grant]>([
    ['the same', fetching, fetching],
    ['with another reason', fetching, fetchGrant({ reason: 'because' })],
    ['for one origin of several', fetching, fetchGrant({ origins: ['https://b.example:8443'] })],
    ['for the same origin with its default port spelled out', fetching, fetchGrant({ origins: ['https://a.example:443'] })],
    ['for the origin the operator fills in', fetching, fetchGrant({ origins: [{ config: '/replyUrl' }] })],
    ['with fewer methods', fetching, fetchGrant({ methods: ['GET'] })],
    ['with lower quotas', fetching, fetchGrant({ quota: { perMinute: 1, bytesPerDay: 1 } })],
    ['with a quota where none was asked', calling, { ...calling, quota: { perMinute: 5 } }],
    ['with less kv', kv, { name: 'kv', quotaBytes: 1 }],
    ['of a secret', secret, secret],
    ['for fewer instances', sending, { ...sending, instances: ['webchat'] }],
    ['for fewer tools', calling, { name: 'tool.call', tools: ['acme.a/two'] }],
    ['of reading messages', { name: 'message.read', conversations: 'own' }, { name: 'message.read', conversations: 'own' }],
    ['of ui', { name: 'ui' }, { name: 'ui' }],
  ])('%s is given', (_, asked, grant) => {
    expect(judgeGrant([kv, asked], grant)).toBeUndefined();
  });
});

describe('a grant that is wider', () => {
  it.each<[string, Capability, Grant, string]>([
    ['another origin', fetching, fetchGrant({ origins: ['https://a.example', 'https://evil.example'] }), "'https://evil.example'"],
    ['a subdomain', fetching, fetchGrant({ origins: ['https://x.a.example'] }), "'https://x.a.example'"],
    ['another port', fetching, fetchGrant({ origins: ['https://b.example'] }), "'https://b.example'"],
    ['another setting', fetching, fetchGrant({ origins: [{ config: '/other' }] }), "'config /other'"],
    ['another method', fetching, fetchGrant({ methods: ['GET', 'DELETE'] }), "'DELETE'"],
    ['more calls a minute', fetching, fetchGrant({ quota: { perMinute: 61, bytesPerDay: 1000 } }), 'quota.perMinute is 61, the manifest asks for 60'],
    ['more bytes a day', fetching, fetchGrant({ quota: { perMinute: 60, bytesPerDay: 1001 } }), 'quota.bytesPerDay'],
    ['no bound on calls', fetching, fetchGrant({ quota: { bytesPerDay: 1000 } }), 'it has no quota.perMinute'],
    ['no quota at all', sending, { name: 'message.send', instances: ['webchat'] }, 'it has no quota.perMinute'],
    ['more kv', kv, { name: 'kv', quotaBytes: 1001 }, 'quotaBytes is 1001'],
    ['another handle', secret, secretGrant({ handle: 'other' }), "'other'"],
    ['another audience', secret, secretGrant({ audience: 'https://evil.example' }), "'https://evil.example'"],
    ['another header', secret, secretGrant({ inject: { header: 'x-leak', prefix: 'Bearer ' } }), 'in another way'],
    ['no prefix', secret, secretGrant({ inject: { header: 'authorization' } }), 'in another way'],
    ['another instance', sending, { ...sending, instances: ['telegram'] }, "'telegram'"],
    ['another tool', calling, { ...calling, tools: ['acme.b/one'] }, "'acme.b/one'"],
  ])('by %s is refused, saying by what', (_, asked, grant, problem) => {
    expect(judgeGrant([asked], grant)).toMatchObject({ code: 'GRANT_TOO_WIDE', problem: expect.stringContaining(problem) });
  });

  it('is refused when two capabilities cover it only together', () => {
    const one: Capability = { name: 'http.fetch', origins: ['https://a.example'], methods: ['GET'] };
    const two: Capability = { name: 'http.fetch', origins: ['https://b.example'], methods: ['POST'] };
    expect(judgeGrant([one, two], one)).toBeUndefined();
    expect(judgeGrant([one, two], two)).toBeUndefined();
    expect(judgeGrant([one, two], { name: 'http.fetch', origins: ['https://a.example'], methods: ['POST'] })).toMatchObject({ code: 'GRANT_TOO_WIDE' });
  });
});

it('refuses a grant nobody asked for', () => {
  expect(judgeGrant([kv], fetching)).toEqual({ code: 'GRANT_NOT_REQUESTED' });
  expect(judgeGrant([], kv)).toEqual({ code: 'GRANT_NOT_REQUESTED' });
});
