// Quarantine in the middle of work: calls under way are cancelled, and what an instance gave before its quarantine and nobody committed yet is never committed.
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { kv } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

const KV = [{ name: 'kv' as const, quotaBytes: 10_000 }];

/** Answers and writes; at the word it first waits in the middle of its call. */
const SKILL: TestPlugin = {
  name: 'author',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { await ctx.kv.set('wrote', message.text); if (message.text === 'wait') { ctx.log.info('waiting'); await ctx.sleep(10000); } return { replies: [{ text: 'reply to ' + message.text }] }; } } });`,
  manifest: { skill: {}, capabilities: KV },
  enablement: { limits: { wallMsPerCall: 20_000 } },
};

/** Thinks for long about what comes through in its direction, so that there is time between a plugin's answer and the commit. */
const slowGate = (direction: 'inbound' | 'outbound'): TestPlugin => ({
  name: 'thinker',
  kind: 'moderation',
  source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async (_, ctx) => { ctx.log.info('waiting'); await ctx.sleep(2000); return { effect: 'pass' }; } } });`,
  manifest: { moderation: { mode: 'gate', phase: 'policy', directions: [direction] } },
});

async function running(home: TestHome) {
  const gatehouse = await startGatehouse(home);
  return { gatehouse, client: webhookClient(gatehouse.address, WEBHOOK_SECRET), [Symbol.asyncDispose]: () => gatehouse[Symbol.asyncDispose]() };
}

/** Resolves when the plugin says that it is in the middle of something. */
function saying(instance: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = subscribe('plugin.log', (line) => line.instance === instance && line.text === 'waiting' && resolve());
  return promise.finally(unsubscribe);
}

const quarantine = async (gatehouse: Gatehouse, instance: string) => expect((await gatehouse.api(`/plugins/${instance}/quarantine`, { method: 'POST', body: { reason: 'caught' } })).status).toBe(200);
const kvOf = async ({ host }: Gatehouse, instance: string) => (await host.store.range(kv, kv.prefix(instance), { limit: 10 })).map(({ value }) => value.value);

describe('a skill quarantined', () => {
  it('in the middle of its call leaves no reply and no write, and the message goes to the next', async () => {
    await using home = await aHome([SKILL]);
    await addWebhook(home);
    await using at = await running(home);
    await at.client.post({ id: '1', conversation: 'c', text: 'before' });
    await eventually(async () => expect((await at.client.replies('c')).items.map(({ text }) => text)).toEqual(['reply to before']));
    const waiting = saying('author');
    await at.client.post({ id: '2', conversation: 'c', text: 'wait' });
    await waiting;
    await quarantine(at.gatehouse, 'author');
    await eventually(async () => expect((await at.gatehouse.host.messages.list({ conversation: 'c', direction: 'inbound' })).items[0]).toMatchObject({ outcome: 'unanswered' }));
    expect((await at.client.replies('c')).items).toHaveLength(1);
    expect(await kvOf(at.gatehouse, 'author')).toEqual(['before']);
  });

  it('between its answer and the commit leaves no reply and no write', async () => {
    await using home = await aHome([SKILL, slowGate('outbound')]);
    await addWebhook(home);
    await using at = await running(home);
    const screening = saying('thinker');
    await at.client.post({ id: '1', conversation: 'c', text: 'late' });
    await screening;
    await quarantine(at.gatehouse, 'author');
    await eventually(async () => expect((await at.gatehouse.host.messages.list({ conversation: 'c', direction: 'inbound' })).items[0]).toMatchObject({ outcome: 'unanswered' }), 120_000);
    expect((await at.client.replies('c')).items).toEqual([]);
    expect(await kvOf(at.gatehouse, 'author')).toEqual([]);
  });
});

describe('a channel quarantined', () => {
  it('between reading a message and its commit leaves nothing, and the source is told to come again', async () => {
    await using home = await aHome([slowGate('inbound')]);
    await addWebhook(home);
    await using at = await running(home);
    const judging = saying('thinker');
    const posted = at.client.post({ id: '1', conversation: 'c', text: 'hello' });
    await judging;
    await quarantine(at.gatehouse, 'webhook');
    expect(await posted).toMatchObject({ status: 503, body: { code: 'INSTANCE_UNAVAILABLE' } });
    expect((await at.gatehouse.host.messages.list({})).items).toEqual([]);

    await at.gatehouse.api('/plugins/webhook/release', { method: 'POST', body: { reason: 'was fine' } });
    await eventually(async () => expect(await at.client.post({ id: '1', conversation: 'c', text: 'hello' })).toMatchObject({ status: 202, body: { status: 'accepted' } }));
  });
});

describe('a channel quarantined after it has sent', () => {
  it('keeps nothing it wrote, and the reply is not lost', async () => {
    await using home = await aHome([
      {
        name: 'sender',
        kind: 'channel',
        source: `gatehouse.register({ kind: 'channel', handlers: { receive: async ({ body }) => ({ messages: [JSON.parse(body)] }), send: async (delivery, ctx) => { await ctx.kv.set('sent', delivery.text); return { actions: [] }; } } });`,
        manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] }, capabilities: KV },
      },
      { name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async () => ({ replies: [{ text: 'hello' }] }) } });`, manifest: { skill: {} } },
    ]);
    await using at = await running(home);
    // At the moment when the channel has taken it and the host has not yet committed that.
    const unsubscribe = subscribe('plugin.call', ({ instance, handler }) => void (instance === 'sender' && handler === 'send' && at.gatehouse.host.plugins.quarantine('sender', 'test', 'caught')));
    await at.gatehouse.fetch('/channels/sender/in', { method: 'POST', body: JSON.stringify({ id: '1', conversation: 'c', sender: { id: 's' }, text: 'hi' }) });
    await eventually(() => expect(at.gatehouse.host.plugins.show('sender').state).toBe('quarantined'));
    await eventually(async () => expect((await at.gatehouse.host.messages.list({ conversation: 'c', direction: 'outbound' })).items).toMatchObject([{ outcome: expect.stringMatching(/^(delivered|pending)$/) as string, text: 'hello' }]));
    expect(await kvOf(at.gatehouse, 'sender')).toEqual([]);
    unsubscribe();
  });
});

describe('a channel quarantined in the middle of a request that the host sends for it', () => {
  it('has it cut off, and the reply waits and is sent after its release', async () => {
    let answers = false;
    const begun = Promise.withResolvers<void>();
    const cut = Promise.withResolvers<void>();
    const receiver = createServer((request, response) => {
      if (answers) return void response.end('ok');
      begun.resolve();
      request.socket.once('close', () => cut.resolve());
      return undefined;
    });
    await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
    const address = receiver.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await using home = await aHome([{ name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async () => ({ replies: [{ text: 'hello' }] }) } });`, manifest: { skill: {} } }], { egress: { allow: [{ host: 'receiver.example', scheme: 'http', port, address: '127.0.0.1' }] } });
    await addWebhook(home, { config: { replyUrl: `http://receiver.example:${port}/replies` } });
    await using at = await running(home);
    await at.client.post({ id: '1', conversation: 'c', text: 'hi' });
    await begun.promise;
    const stoppedAt = performance.now();
    await quarantine(at.gatehouse, 'webhook');
    await cut.promise;
    expect(performance.now() - stoppedAt).toBeLessThan(5000); // a request may take ten seconds
    const reply = async () => (await at.gatehouse.host.messages.list({ direction: 'outbound' })).items.map(({ outcome }) => outcome);
    expect(await reply()).toEqual(['pending']);
    answers = true;
    await at.gatehouse.api('/plugins/webhook/release', { method: 'POST', body: { reason: 'was fine' } });
    await eventually(async () => expect(await reply()).toEqual(['delivered']), 120_000);
    receiver.closeAllConnections();
    receiver.close();
  });
});

describe('a tool quarantined', () => {
  it('is no tool any more, as its caller is told; under way, its call ends', async () => {
    await using home = await aHome([
      { name: 'teller', kind: 'tool', source: `gatehouse.register({ kind: 'tool', handlers: { call: async (_, ctx) => { ctx.log.info('waiting'); await ctx.sleep(10000); return {}; } } });`, enablement: { limits: { wallMsPerCall: 20_000 } } },
      {
        name: 'asker',
        kind: 'skill',
        source: `gatehouse.register({ kind: 'skill', handlers: { respond: async (_, ctx) => { try { await ctx.tool.call('test.teller/run', {}); return { replies: [{ text: 'told' }] }; } catch (error) { return { replies: [{ text: error.code }] }; } } } });`,
        manifest: { skill: {}, capabilities: [{ name: 'tool.call', tools: ['test.teller/run'] }] },
        enablement: { limits: { wallMsPerCall: 20_000 } },
      },
    ]);
    await addWebhook(home);
    await using at = await running(home);
    const waiting = saying('teller');
    await at.client.post({ id: '1', conversation: 'under way', text: 'ask' });
    await waiting;
    await quarantine(at.gatehouse, 'teller');
    await eventually(async () => expect((await at.client.replies('under way')).items.map(({ text }) => text)).toEqual(['TOOL_FAILED']));
    await at.client.post({ id: '2', conversation: 'later', text: 'ask' });
    await eventually(async () => expect((await at.client.replies('later')).items.map(({ text }) => text)).toEqual(['TOOL_UNKNOWN']));
  });
});

describe('a gate quarantined', () => {
  it('in the middle of its call lets the message not pass', async () => {
    await using home = await aHome([slowGate('inbound')]);
    await addWebhook(home);
    await using at = await running(home);
    const judging = saying('thinker');
    const posted = at.client.post({ id: '1', conversation: 'c', text: 'hello' });
    await judging;
    await quarantine(at.gatehouse, 'thinker');
    expect(await posted).toMatchObject({ status: 503, body: { code: 'GATE_UNAVAILABLE' } });
    expect((await at.gatehouse.host.messages.list({})).items).toEqual([]);
  });
});
