// What stops a plugin, trigger by trigger, in one real host: it is out of every stage at once, its call under way is cancelled, its kv is frozen and readable, its secret is let go, its evidence is there for a reviewer, and everybody else goes on.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Evidence, EvidenceView, QuarantineView } from '../../schemas/quarantine.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { digestOf } from '../../host/quarantine/evidence.ts';
import { kv } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

const CANARY = 'canary-4f1b2c-of-the-suspect';

/** Answers, remembers, uses its secret, waits in the middle of a call; and misbehaves in every way it is told to. */
const SUSPECT = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  const [, word] = message.text.split(' ');
  const say = (text) => ({ replies: [{ text }] });
  if (word === 'remember') { await ctx.kv.set('seen', 'before'); return say('remembered'); }
  if (word === 'recall') return say('it was ' + await ctx.kv.get('seen'));
  if (word === 'use') return say('got ' + (await ctx.http.fetch(ctx.config.url, { secrets: ['key'] })).status);
  if (word === 'wait') { await ctx.kv.set('seen', 'late'); ctx.log.info('waiting for ada@example.org, card 4111 1111 1111 1111'); await ctx.sleep(15000); return say('late'); }
  if (word === 'spin') for (;;);
  if (word === 'hoard') { const hog = []; for (;;) hog.push(new Array(1e5).fill(message.text + hog.length)); }
  if (word === 'reach') for (let n = 0; n < 120; n += 1) await ctx.message.list({}).catch(() => {});
  if (word === 'roam') for (let n = 0; n < 120; n += 1) await ctx.http.fetch('https://elsewhere-' + n + '.example/').catch(() => {});
  if (word === 'leak') for (let n = 0; n < 12; n += 1) await ctx.http.fetch(ctx.config.url + '/echo', { secrets: ['key'] }).catch(() => {});
  return say('unknown');
} } });`;

interface Case {
  readonly trigger: Evidence['trigger'];
  readonly state: 'quarantined' | 'revoked';
  readonly code: string;
  /** What brings it about. */
  readonly pull: (world: World, name: string) => Promise<unknown>;
  /** What lets it run again; default: a release. */
  readonly mend?: (world: World, name: string) => Promise<unknown>;
  /** Refusals that the evidence shows at least; default: none. */
  readonly refused?: number;
}

interface World {
  readonly home: TestHome;
  readonly gatehouse: Gatehouse;
  readonly client: ReturnType<typeof webhookClient>;
  /** Headers of requests that came to the server, newest last. */
  readonly seen: (string | undefined)[];
  readonly suspect: (name: string) => TestPlugin;
  readonly say: (name: string, word: string, id?: string) => Promise<string>;
}

/** Whatever is said to it in conversations of its own. */
const misbehave = (word: string, times: number) => async ({ say }: World, name: string) => {
  for (let n = 0; n < times; n += 1) await say(name, word, `${word}-${n}`);
};

const reviewed = ({ gatehouse }: World, name: string) => gatehouse.api(`/plugins/${name}/release`, { method: 'POST', body: { reason: 'looked at it' } });

const scriptOf = (home: TestHome, name: string) => join(home.path, `plugins/test.${name}-1.0.0/plugin.js`);

const CASES: Readonly<Record<string, Case>> = {
  reviewed: { trigger: 'reviewer', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: ({ gatehouse }, name) => gatehouse.api(`/plugins/${name}/quarantine`, { method: 'POST', body: { reason: 'looks odd' } }) },
  drifting: {
    trigger: 'drift', state: 'quarantined', code: 'PLUGIN_DRIFT',
    pull: ({ home }, name) => appendFile(scriptOf(home, name), ' '),
    async mend(there, name) {
      await writeFile(scriptOf(there.home, name), SUSPECT);
      await reviewed(there, name);
    },
  },
  revoked: {
    trigger: 'revocation', state: 'revoked', code: 'REVOKED',
    pull: ({ home, gatehouse }, name) => home.write('manifests/trust/revocations.json', { digests: [gatehouse.host.plugins.show(name).digest] }),
    mend: ({ home, suspect }, name) => home.add({ ...suspect(name), version: '1.0.1' }), // what is revoked stays so
  },
  spinning: { trigger: 'budget', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: misbehave('spin', 2) },
  hoarding: { trigger: 'budget', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: misbehave('hoard', 2) },
  reaching: { trigger: 'capability', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: misbehave('reach', 1), refused: 50 },
  roaming: { trigger: 'egress', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: misbehave('roam', 1), refused: 50 },
  leaking: { trigger: 'leak', state: 'quarantined', code: 'PLUGIN_QUARANTINED', pull: misbehave('leak', 1) },
};

let world: World;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(String(request.headers['x-key']));
    response.end(request.url === '/echo' ? `you sent ${seen.at(-1)}` : 'ok');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://service.example:${port}`;
  const suspect = (name: string): TestPlugin => ({
    name,
    kind: 'skill',
    source: SUSPECT,
    manifest: {
      skill: { triggers: { prefixes: [`${name} `] } },
      capabilities: [
        { name: 'kv', quotaBytes: 10_000 },
        { name: 'http.fetch', origins: [{ config: '/url' }], methods: ['GET'] },
        { name: 'secret.use', handle: 'key', audience: { config: '/url' }, inject: { header: 'x-key' } },
      ],
      config: { type: 'object', additionalProperties: false, properties: { url: { type: 'string' } } },
    },
    enablement: { order: 1, hibernate: false, config: { url }, secrets: { key: { file: `secret-of-${name}` } }, limits: { wallMsPerCall: 30_000 } },
  });
  const home = stack.use(await aHome([], { reload: { quietMs: 100, mostMs: 400 }, egress: { allow: [{ host: 'service.example', scheme: 'http', port, address: '127.0.0.1' }] } }));
  for (const name of Object.keys(CASES)) {
    await home.write(`secret-of-${name}`, `${CANARY}-${name}`);
    await home.add(suspect(name));
  }
  await home.add({ name: 'broken', kind: 'skill', source: `throw new Error('not today');`, manifest: { skill: { triggers: { prefixes: ['broken'] } } } });
  await addWebhook(home);
  await addFirstParty(home, 'echo');
  const gatehouse = stack.use(await startGatehouse(home));
  const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
  const say = async (name: string, word: string, id = word) => {
    const conversation = `${name}-${id}`;
    expect(await client.post({ id, conversation, text: `${name} ${word}` })).toMatchObject({ status: 202 });
    return conversation;
  };
  world = { home, gatehouse, client, seen, suspect, say };
});
afterAll(() => stack.disposeAsync());

const repliesIn = async (conversation: string) => (await world.client.replies(conversation)).items.map(({ text }) => text);
const kvOf = async (name: string) => (await world.gatehouse.host.store.range(kv, kv.prefix(name), { limit: 10 })).map(({ value }) => value.value);

describe.concurrent.each(Object.entries(CASES))('a plugin stopped for %s', (name, { trigger, state, code, pull, mend = reviewed, refused = 0 }) => {
  it('is out at once, with its call cancelled, its storage frozen, its secret let go and its evidence kept; released, it finds all as it was', async () => {
    const { gatehouse, client, say, seen } = world;
    const show = () => gatehouse.host.plugins.show(name);
    for (const [word, reply] of [['remember', 'remembered'], ['use', 'got 200']] as const) {
      const conversation = await say(name, word);
      await eventually(async () => expect(await repliesIn(conversation)).toEqual([reply]));
    }
    expect(seen).toContain(`${CANARY}-${name}`);

    const calls: Events['plugin.call'][] = [];
    const stoppedAt: number[] = [];
    using listening = new DisposableStack();
    listening.defer(subscribe('plugin.call', (call) => call.instance === name && stoppedAt.length > 0 && calls.push(call)));
    listening.defer(subscribe('plugin.state', ({ instance, to }) => instance === name && to === state && stoppedAt.push(performance.now())));
    const waiting = Promise.withResolvers<void>();
    listening.defer(subscribe('plugin.log', ({ instance, text }) => instance === name && text.startsWith('waiting') && waiting.resolve()));
    const inFlight = await say(name, 'wait');
    await waiting.promise;

    await pull(world, name);
    await eventually(() => expect(show()).toMatchObject({ state, code }), 120_000);
    // Nothing is given to it any more, and its work goes to whoever is left: nobody, for words that are its own.
    const outcomeIn = async (conversation: string) => (await gatehouse.host.messages.list({ conversation, direction: 'inbound' })).items[0]?.outcome;
    await eventually(async () => expect(await outcomeIn(inFlight)).toBe('unanswered'), 120_000);
    const after = await say(name, 'recall', 'after');
    await eventually(async () => expect(await outcomeIn(after)).toBe('unanswered'));
    expect(calls.filter(({ ok }) => ok)).toEqual([]);
    expect(await repliesIn(inFlight)).toEqual([]);
    expect(await kvOf(name)).toEqual(['before']);
    await client.post({ id: name, conversation: `neighbour-${name}`, text: 'echo still here' });
    await eventually(async () => expect(await repliesIn(`neighbour-${name}`)).toEqual(['still here']));

    // What a reviewer finds.
    expect((await gatehouse.api('/quarantine')).json<{ items: QuarantineView[] }>().items).toContainEqual(expect.objectContaining({ instance: name, state, code, trigger, evidence: expect.objectContaining({ state: 'intact' }) as unknown }));
    const { digest, file, evidence } = (await gatehouse.api(`/quarantine/${name}/evidence`)).json<EvidenceView>();
    const bytes = await readFile(file);
    expect([digestOf(bytes), ((await stat(file)).mode & 0o777).toString(8)]).toEqual([digest, '600']);
    expect(evidence).toMatchObject({
      instance: name, plugin: `test.${name}`, kind: 'skill', version: '1.0.0', state, trigger, code,
      packageDigest: show().digest, grantsDigest: expect.stringMatching(/^sha256:/) as unknown,
      release: { publisher: 'test', keyid: expect.stringMatching(/^ed25519:/) as unknown },
      grants: [{ name: 'kv' }, { name: 'http.fetch' }, { name: 'secret.use' }],
      secrets: { key: { file: `secret-of-${name}` } },
      review: { approvedBy: [], scan: { packageDigest: show().digest } },
      counters: { calls: expect.toSatisfy((count: number) => count >= 2) as unknown },
      history: expect.arrayContaining([expect.objectContaining({ event: 'plugin.state', to: 'active' })]) as unknown,
      log: expect.arrayContaining([expect.objectContaining({ text: 'waiting for [address] card [number]' })]) as unknown,
    });
    expect(evidence.refused.length).toBeGreaterThanOrEqual(refused);
    expect(bytes.includes(CANARY)).toBe(false);

    // Nothing of it was let go for good.
    await mend(world, name);
    await eventually(() => expect(show().state).toBe('active'), 120_000);
    const again = await say(name, 'recall', 'again');
    await eventually(async () => expect(await repliesIn(again)).toEqual(['it was before']));
    expect((await gatehouse.api(`/quarantine/${name}`)).json()).toMatchObject({ code: 'NOT_IN_QUARANTINE' });
  });
});

describe('a plugin that never loads', () => {
  it('is tried again and again, and then given up with its evidence', async () => {
    const found = async () => (await world.gatehouse.api('/quarantine/broken')).json();
    await eventually(async () => expect(await found()).toMatchObject({ state: 'quarantined', trigger: 'crash-loop', evidence: { state: 'intact' } }), 120_000);
    expect((await found())['moves']).toEqual(expect.arrayContaining([expect.objectContaining({ to: 'backoff' })]));
    const { evidence } = (await world.gatehouse.api('/quarantine/broken/evidence')).json<EvidenceView>();
    expect(evidence.history.filter(({ event }) => event === 'plugin.strike').map(({ cause }) => cause)).toEqual(['load', 'load', 'load']);
  });
});

describe('a gate that holds', () => {
  it('goes on holding after its release while it waits for approvals, and then judges in order', async () => {
    await using home = await aHome([
      {
        name: 'judge',
        kind: 'moderation',
        source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }) => (message.text.includes('bad') ? { effect: 'deny', reason: 'no' } : { effect: 'pass' }) } });`,
        manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } },
        enablement: { onQuarantine: 'hold' },
      },
    ], { reload: { quietMs: 100, mostMs: 400 } });
    await addWebhook(home);
    await addFirstParty(home, 'echo');
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const enablement = join(home.path, 'manifests/plugins/judge.json');
    const askFor = async (approvals: number) => {
      await writeFile(enablement, JSON.stringify({ ...JSON.parse(await readFile(enablement, 'utf8')), approvals }));
      await gatehouse.host.reload();
    };
    const say = async (id: string, text: string) => (await client.post({ id, conversation: 'c', text })).body['status'];

    await gatehouse.api('/plugins/judge/quarantine', { method: 'POST', body: { reason: 'a look at it' } });
    expect(await say('1', 'echo one')).toBe('held');
    await askFor(1);
    expect((await gatehouse.api('/plugins/judge/release', { method: 'POST', body: { reason: 'fine' } })).json()).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING' });
    expect([await say('2', 'echo bad'), await say('3', 'echo three')]).toEqual(['held', 'held']);
    expect((await gatehouse.host.messages.list({})).items).toEqual([]);
    await askFor(0);
    await eventually(async () => expect((await client.replies('c')).items.map(({ text }) => text)).toEqual(['one', 'three']));
    expect((await client.post({ id: '2', conversation: 'c', text: 'echo bad' })).status).toBe(403);
  });
});
