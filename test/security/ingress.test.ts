// Requests that are not what they say, at a channel of the real host: replayed, with proofs of every wrong shape, and a plugin that would like to have the proof itself.
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { subscribe, type Events } from '../../host/events.ts';
import type { MessageView } from '../../schemas/control.ts';
import type { IngressVerification } from '../../schemas/ingress.ts';
import type { AdmitPolicy } from '../../schemas/policy.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';

const SECRET = 'a-signing-secret-of-32-characters';
const slack: IngressVerification = { scheme: 'hmac', algorithm: 'sha256', encoding: 'hex', secret: 'signing', header: 'x-signature', prefix: 'v0=', over: 'v0:{timestamp}:{body}', timestamp: { header: 'x-time', toleranceSeconds: 300 } };
const token: IngressVerification = { scheme: 'token', secret: 'signing', header: 'x-token' };

/** Hands over what is posted to `/in` and `/also`; `/headers` answers with the headers it was given. */
const channel = (verify: IngressVerification): TestPlugin => ({
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => (request.path === '/headers' ? { respond: { status: 200, body: request.headers } } : request.path === '/fail' ? (() => { throw new Error('not now'); })() : { messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: ['/in', '/also', '/headers', '/fail'].map((path) => ({ method: 'POST', path, verify })) } },
  enablement: { secrets: { signing: { env: 'SIGNING' } } },
});

const message = (id: string) => JSON.stringify({ id, conversation: 'c', sender: { id: 'someone' }, text: 'hello' });
const seconds = () => String(Math.floor(Date.now() / 1000));
const sign = (time: string, body: string) => ({ 'x-time': time, 'x-signature': `v0=${createHmac('sha256', SECRET).update(`v0:${time}:${body}`).digest('hex')}` });
const post = (gatehouse: Gatehouse, path: string, headers: Record<string, string>, body: string) => gatehouse.fetch(`/channels/door${path}`, { method: 'POST', headers, body });

function refusals() {
  const seen: Events['ingress.refused'][] = [];
  const stop = subscribe('ingress.refused', (event) => seen.push(event));
  return { seen, causes: () => seen.map(({ cause }) => cause), [Symbol.dispose]: stop };
}

/** Several doors of one channel: as `/in`, whose senders are claimed, `/vouched`, whose senders its manifest vouches for, and `/anyone`, where it cannot. */
const doors = (admit: AdmitPolicy, verify = ''): TestPlugin => ({
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { ${verify === '' ? '' : `verify: async (request) => { ${verify} },`} receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: {
    channel: {
      abilities: ['receive', 'send', ...(verify === '' ? [] : (['verify'] as const))],
      ingress: [
        { method: 'POST', path: '/in', verify: token },
        { method: 'POST', path: '/vouched', verify: token, sender: 'verified' },
        { method: 'POST', path: '/anyone', verify: { scheme: 'none' }, sender: 'verified' },
      ],
    },
  },
  enablement: { secrets: { signing: { env: 'SIGNING' } }, admit },
});

/** Answers with what it is told of who speaks. */
const echo: TestPlugin = { name: 'echo', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: String(message.senderVerified) }] }) } });`, manifest: { skill: {} } };

async function statuses(gatehouse: Gatehouse): Promise<Record<string, number>> {
  const entries = ['/in', '/vouched', '/anyone'].map(async (path) => [path, (await post(gatehouse, path, { 'x-token': SECRET }, message(`to${path}`))).status] as const);
  return Object.fromEntries(await Promise.all(entries));
}

describe('who speaks', () => {
  it.each<[string, AdmitPolicy, Record<string, number>]>([
    ['asks for nothing', {}, { '/in': 202, '/vouched': 202, '/anyone': 202 }],
    ['demands a verified sender', { requireVerifiedSender: true }, { '/in': 403, '/vouched': 202, '/anyone': 403 }],
    ['demands one and believes the manifest nothing', { requireVerifiedSender: true, senderClaims: 'deny' }, { '/in': 403, '/vouched': 403, '/anyone': 403 }],
    ['demands one and knows the relay', { requireVerifiedSender: true, senderClaims: 'accept' }, { '/in': 202, '/vouched': 202, '/anyone': 403 }],
  ])('attack g130 borrowed-name: a claimed sender is not a verified one where the operator %s', async (_, admit, expected) => {
    await using home = await aHome([doors(admit)]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    expect(await statuses(gatehouse)).toEqual(expected);
  });

  it('is told to skills and in the record, and only where it is so', async () => {
    await using home = await aHome([doors({}), echo]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    await statuses(gatehouse);
    await eventually(async () => {
      const { items } = (await gatehouse.api('/messages?instance=door')).json<{ items: MessageView[] }>();
      const replies = items.filter(({ direction }) => direction === 'outbound').map(({ inReplyTo, text }) => [inReplyTo, text]);
      expect(Object.fromEntries(replies)).toEqual({ 'to/in': 'undefined', 'to/vouched': 'true', 'to/anyone': 'undefined' });
      expect(items.filter((each) => each.senderVerified).map(({ senderMessageId }) => senderMessageId)).toEqual(['to/vouched']);
    });
  });
});

describe('what several people said', () => {
  it.each([
    ['the first is not', ['/in', '/vouched'], 'undefined'],
    ['the last is not', ['/vouched', '/in'], 'undefined'],
    ['both are', ['/vouched', '/vouched'], 'true'],
  ])('attack g137 in-good-company: words that are collected have a verified sender only if all have; %s', async (_, paths, expected) => {
    const door = doors({});
    await using home = await aHome([{ ...door, enablement: { ...door.enablement, queue: { mode: 'collect', debounceMs: 400 } } }, echo]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    for (const [index, path] of paths.entries()) expect((await post(gatehouse, path, { 'x-token': SECRET }, message(`m${index}`))).status).toBe(202);
    await eventually(async () => {
      const { items } = (await gatehouse.api('/messages?instance=door&direction=outbound')).json<{ items: MessageView[] }>();
      expect(items.map(({ text }) => text)).toEqual([expected]);
    });
  });
});

describe("a channel's own look", () => {
  it('attack g131 vouch-for-it: may refuse what the host believes, and believe nothing that the host refuses', async () => {
    await using home = await aHome([doors({ requireVerifiedSender: true }, "return request.path === '/vouched' ? { ok: false, reason: 'not this one' } : { ok: true };")]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    using refused = refusals();
    expect(await statuses(gatehouse)).toEqual({ '/in': 403, '/vouched': 403, '/anyone': 403 });
    expect(refused.seen).toEqual([{ instance: 'door', route: 'POST /vouched', scheme: 'plugin', cause: 'doubted', reason: 'not this one' }]);
    expect((await post(gatehouse, '/in', { 'x-token': 'another' }, message('two'))).status).toBe(401);
    expect((await gatehouse.api('/messages?instance=door')).json<{ items: unknown[] }>().items).toEqual([]);
  });

  it.each([
    ['throws', "throw new Error('no');", 503],
    ['never ends', 'await new Promise(() => {});', 503],
    ['answers something else', 'return true;', 502],
  ])('attack g132 no-verdict: refuses while it %s, within its own deadline, unless the operator would rather have the message', async (_, verify, status) => {
    await using home = await aHome([doors({}, verify)]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    const startedAt = performance.now();
    expect((await post(gatehouse, '/in', { 'x-token': SECRET }, message('one'))).status).toBe(status);
    expect(performance.now() - startedAt).toBeLessThan(2000);

    await using open = await aHome([doors({ onVerifyFailure: 'admit' }, verify)]);
    await using lenient = await startGatehouse(open, { env: { SIGNING: SECRET } });
    expect((await post(lenient, '/vouched', { 'x-token': SECRET }, message('one'))).status).toBe(202);
    const { items } = (await lenient.api('/messages?instance=door&direction=inbound')).json<{ items: MessageView[] }>();
    expect(items[0]).not.toHaveProperty('senderVerified');
    expect(items[0]?.stages?.slice(0, 2)).toMatchObject([{ stage: 'verify', decision: 'pass' }, { stage: 'verify', decision: 'unavailable', instance: 'door' }]);
  });
});

describe('requests to a channel', () => {
  it('attack g126 replayed-request: a signed request passes once, on no other route and after a restart neither', async () => {
    await using home = await aHome([channel(slack)]);
    const env = { SIGNING: SECRET };
    using refused = refusals();
    const body = message('one');
    const headers = sign(seconds(), body);
    {
      await using gatehouse = await startGatehouse(home, { env });
      expect((await post(gatehouse, '/in', headers, body)).status).toBe(202);
      expect((await post(gatehouse, '/in', headers, body)).status).toBe(401);
      expect((await post(gatehouse, '/also', { ...headers, 'x-signature': headers['x-signature'].toUpperCase().replace('V0', 'v0') }, body)).status).toBe(401);
      expect((await gatehouse.api('/messages?instance=door')).json<{ items: unknown[] }>().items).toHaveLength(1);
    }
    await using gatehouse = await startGatehouse(home, { env });
    expect((await post(gatehouse, '/in', headers, body)).status).toBe(401);
    expect(refused.causes()).toEqual(['replayed', 'replayed', 'replayed']);
    const later = sign(seconds(), message('two'));
    expect((await post(gatehouse, '/in', later, message('two'))).status).toBe(202);
  });

  it('attack g127 replay-of-the-refused: what was told to come back may, with the signature it had', async () => {
    await using home = await aHome([channel(slack)]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    const headers = sign(seconds(), message('one'));
    expect((await post(gatehouse, '/fail', headers, message('one'))).status).toBe(502);
    expect((await post(gatehouse, '/in', headers, message('one'))).status).toBe(202);
    expect((await post(gatehouse, '/in', headers, message('one'))).status).toBe(401);
  });

  it('attack g128 guess-the-proof: every wrong proof gets the same answer, and only the operator learns why', async () => {
    await using home = await aHome([channel(slack)]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    using refused = refusals();
    const time = seconds();
    const right = sign(time, message('one'));
    const wrong: [string, Record<string, string>][] = [
      ['header-missing', { 'x-time': time }],
      ['header-malformed', { ...right, 'x-signature': 'v0=zz' }],
      ['header-malformed', { ...right, 'x-signature': right['x-signature'].slice(3) }],
      ['signature-wrong', { ...right, 'x-signature': `v0=${'0'.repeat(64)}` }],
      ['time-missing', { 'x-signature': right['x-signature'] }],
      ['time-malformed', { ...right, 'x-time': 'now' }],
      ['time-outside', sign('1', message('one'))],
      ['time-outside', sign('99999999999', message('one'))],
    ];
    const answers = new Set<string>();
    for (const [, headers] of wrong) {
      const answer = await post(gatehouse, '/in', headers, message('one'));
      answers.add(`${answer.status} ${answer.text}`);
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toContain('401');
    expect(refused.seen).toEqual(wrong.map(([cause]) => ({ instance: 'door', route: 'POST /in', scheme: 'hmac', cause })));
    expect((await gatehouse.api('/messages?instance=door')).json<{ items: unknown[] }>().items).toEqual([]);
    expect((await gatehouse.fetch('/metrics')).text).toContain('gatehouse_ingress_refused_total{instance="door",cause="signature-wrong"} 1');
  });

  it('attack g129 read-the-token: a plugin never sees the token that its requests carry', async () => {
    await using home = await aHome([channel(token)]);
    await using gatehouse = await startGatehouse(home, { env: { SIGNING: SECRET } });
    const answer = await post(gatehouse, '/headers', { 'x-token': SECRET, 'x-other': 'seen' }, '');
    expect(answer.json()).toMatchObject({ 'x-other': 'seen' });
    expect(answer.text).not.toContain(SECRET);
    expect((await post(gatehouse, '/headers', { 'x-token': `${SECRET}x` }, '')).status).toBe(401);
  });
});
