// Plugins that write elsewhere, as people and operators meet them: a message from the webhook reaches a visitor of the webchat, a dead letter goes out again, and a host that is killed again and again sends nothing twice.
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { MessageView } from '../../schemas/control.ts';
import { newConversation, openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { webhookClient, type WebhookClient } from '../support/webhook.ts';

/** `tell <conversation> <text>` is sent to that conversation of the webchat, `note <text>` to the webhook; the reply says under which id, or why not. */
const HERALD: TestPlugin = {
  name: 'herald',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
    const [verb, ...rest] = message.text.split(' ');
    const to = verb === 'tell' ? { instance: 'webchat', conversation: rest.shift() } : { instance: 'webhook', conversation: 'log-' + message.conversation };
    const said = await ctx.message.send({ ...to, text: rest.join(' ') }).then(({ messageId }) => messageId, (error) => error.code);
    return { replies: [{ text: said }] };
  } } });`,
  manifest: { skill: { triggers: { prefixes: ['tell ', 'note '] } }, capabilities: [{ name: 'message.send', instances: ['webchat', 'webhook'], reason: 'Passes messages on.' }] },
};

async function replyTo(client: WebhookClient, conversation: string, id: string): Promise<string> {
  return await eventually(async () => {
    const reply = (await client.replies(conversation)).items.find((each) => each.inReplyTo === id);
    expect(reply).toBeDefined();
    return reply?.text ?? '';
  }, 120_000);
}

describe('a message that a plugin sends', () => {
  it('reaches a visitor who is there, and one who comes back, and is shown with who sent it', async () => {
    await using home = await aHome([HERALD]);
    await addWebhook(home);
    for (const name of ['webchat', 'wordlist'] as const) await addFirstParty(home, name);
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);

    await using chat = await openChat(gatehouse.address);
    await client.post({ id: '1', conversation: 'c', text: `tell ${chat.conversation} the train is late` });
    expect(await chat.frame((each) => each.type === 'message')).toMatchObject({ id: await replyTo(client, 'c', '1'), inReplyTo: null, text: 'the train is late' });

    const conversation = newConversation();
    await client.post({ id: '2', conversation: 'c', text: `tell ${conversation} and now it is early` });
    const messageId = await replyTo(client, 'c', '2');
    await using late = await openChat(gatehouse.address, { conversation });
    expect(await late.frame((each) => each.type === 'message')).toMatchObject({ id: messageId, text: 'and now it is early' });

    const shown = await eventually(async () => {
      const message = (await gatehouse.api(`/messages/${messageId}`)).json<MessageView>();
      expect(message.outcome).toBe('delivered');
      return message;
    });
    expect(shown).toMatchObject({ instance: 'webchat', conversation, direction: 'outbound', sender: { id: 'plugin:herald' }, hops: 1 });
    expect(shown.stages?.map(({ stage, instance }) => [stage, instance])).toEqual(expect.arrayContaining([['gate', 'wordlist'], ['screen', 'herald'], ['send', 'webchat']]));
  });

  it('is judged by the gates, and what they refuse is nowhere', async () => {
    await using home = await aHome([HERALD]);
    await addWebhook(home);
    await addFirstParty(home, 'webchat');
    await home.add({ name: 'hush', kind: 'moderation', source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: ({ message }) => message.instance === 'webchat' ? { effect: 'deny', reason: 'quiet hours' } : { effect: 'pass' } } });`, manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] } } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    await client.post({ id: '1', conversation: 'c', text: `tell ${newConversation()} hello` });
    expect(await replyTo(client, 'c', '1')).toBe('REPLY_DENIED');
    expect((await gatehouse.api('/messages?instance=webchat')).json<{ items: unknown[] }>().items).toEqual([]);
  });

  it('that its channel cannot deliver is a dead letter, and goes out when it is replayed', async () => {
    await using home = await aHome([{ ...HERALD, manifest: { ...HERALD.manifest, capabilities: [{ name: 'message.send', instances: ['webhook', 'line'] }] }, source: HERALD.source.replaceAll("'webchat'", "'line'") }]);
    await addWebhook(home);
    await home.add({
      name: 'line',
      kind: 'channel',
      source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request, ctx) => { await ctx.kv.set('mended', true); return { respond: { status: 200 } }; }, send: async (delivery, ctx) => { if (!(await ctx.kv.get('mended'))) throw new Error('line is down'); return { actions: [] }; } } });`,
      manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/mend', verify: { scheme: 'none' } }] }, capabilities: [{ name: 'kv', quotaBytes: 1000 }] },
    });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    await client.post({ id: '1', conversation: 'c', text: 'tell somebody hello' });
    const messageId = await replyTo(client, 'c', '1');
    const letter = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: { id: string; messageId: string }[] }>();
      expect(items).toMatchObject([{ messageId, instance: 'line', direction: 'outbound', code: 'DELIVERY_FAILED' }]);
      return items[0];
    }, 120_000);
    expect((await gatehouse.fetch('/channels/line/mend', { method: 'POST' })).status).toBe(200);
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).status).toBe(202);
    await eventually(async () => expect((await gatehouse.api(`/messages/${messageId}`)).json()).toMatchObject({ outcome: 'delivered', sender: { id: 'plugin:herald' }, hops: 1 }));
  });
});

describe('kill -9 of the host', () => {
  const KILLS = 6;
  const LANES = 4;

  it(`${KILLS} times: what was sent with an answered message is there once, in the order of the messages`, async () => {
    await using home = await aHome([HERALD]);
    await addWebhook(home, { required: true, admit: { senderPerSecond: 100_000 } });
    const acknowledged = Array.from({ length: LANES }, () => [] as string[]);
    for (let round = 0; round < KILLS; round += 1) {
      const host = await startProcess(home.path);
      const talking = acknowledged.map((done, lane) => keepPosting(webhookClient(host.address, WEBHOOK_SECRET), lane, done));
      await new Promise((resolve) => setTimeout(resolve, randomInt(50, 700)));
      process.kill(host.pid, 'SIGKILL');
      await Promise.all(talking);
      await host.exited;
    }

    await using host: HostProcess = await startProcess(home.path);
    const client = webhookClient(host.address, WEBHOOK_SECRET);
    expect(acknowledged.flat().length).toBeGreaterThan(KILLS * LANES);
    for (const [lane, ids] of acknowledged.entries()) {
      // Each reply names the message that its own attempt sent: no other attempt's is there, and none is missing. What was accepted last may still be at work.
      const noted = await eventually(async () => {
        const replies = await everyReply(client, `lane-${lane}`);
        const sent = await everyReply(client, `log-lane-${lane}`);
        expect(replies.length).toBeGreaterThanOrEqual(ids.length);
        expect(sent.map(({ id }) => id)).toEqual(replies.map(({ text }) => text));
        return sent;
      }, 120_000);
      expect(noted.map(({ text }) => text).slice(0, ids.length)).toEqual(ids);
    }
    await expectDelivered(home, acknowledged.flat().length);
  });
});

/** Posts one message after the other, each until it is acknowledged, until the host is gone. */
async function keepPosting(client: WebhookClient, lane: number, done: string[]): Promise<void> {
  for (;;) {
    const id = `${lane}-${done.length}`;
    try {
      const { status } = await client.post({ id, conversation: `lane-${lane}`, sender: `sender-${lane}`, text: `note ${id}` });
      if (status === 202 || status === 200) done.push(id);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return;
    }
  }
}

async function everyReply(client: WebhookClient, conversation: string) {
  const all: { id: string; text: string }[] = [];
  for (let cursor = ''; ; ) {
    const page = await client.replies(conversation, cursor);
    if (page.items.length === 0) return all;
    all.push(...page.items);
    cursor = page.cursor ?? '';
  }
}

/** As an operator sees it, from the command line: nothing waits, nothing died. */
async function expectDelivered(home: TestHome, atLeast: number): Promise<void> {
  await eventually(async () => {
    const status = (await runCommand(['status', '--home', home.path, '--json'])).json<{ deliveries: { waiting: number; running: number }; deadLetters: number }>();
    expect(status).toMatchObject({ deliveries: { waiting: 0, running: 0 }, deadLetters: 0 });
  }, 120_000);
  const { items } = (await runCommand(['messages', '--home', home.path, '--json', '--direction', 'outbound', '--outcome', 'delivered', '--limit', '200'])).json<{ items: MessageView[] }>();
  expect(items.filter(({ hops }) => hops === 1).length).toBeGreaterThan(Math.min(atLeast, 200) / 4);
  expect(items.every(({ hops = 0 }) => hops <= BOUNDS.messageHops)).toBe(true);
}
