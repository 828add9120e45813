// Full queues over a whole host: each threshold reached by real messages that wait, what sources are told, recovery; and a flood of one sender beside the others.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

/** Keeps every message that says so until a file of its configuration is changed: messages wait in their lanes for as long as a test needs. */
const KEEPER = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  if (ctx.config.keep) throw new Error('not yet');
  return { replies: [{ text: 'got ' + message.text }] };
} } });`;

const MOST = 40;

describe('pressure', () => {
  it('slows down, sheds by priority and refuses, says so everywhere, and is over when the queues are', async () => {
    await using home = await aHome([], { pipeline: { pressure: { messages: MOST } } });
    await addWebhook(home, { rooms: { high: { admit: { priority: 'high' } }, low: { admit: { priority: 'low' } } } });
    const keeper = (keep: boolean) => home.add({ name: 'keeper', kind: 'skill', source: KEEPER, manifest: { skill: {}, config: { type: 'object', properties: { keep: { type: 'boolean' } }, additionalProperties: false } }, enablement: { config: { keep } } });
    await keeper(true);
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const pressure = async () => (await gatehouse.api('/status')).json<{ pressure: { level: string; ratio: number; queues: readonly { queue: string; depth: number }[]; shed: number } }>().pressure;
    let sent = 0;
    const post = (conversation: string) => client.post({ id: `m${sent++}`, conversation, text: 'hello' });
    // One conversation: its first message is tried again and again, the others wait behind it.
    const fill = async (depth: number) => {
      await eventually(async () => {
        const { queues } = await pressure();
        const waiting = queues.find(({ queue }) => queue === 'messages')?.depth ?? 0;
        if (waiting < depth) await post('full');
        expect(waiting).toBeGreaterThanOrEqual(depth);
      }, 120_000);
    };
    expect((await pressure()).level).toBe('normal');
    await fill(MOST * 0.75);
    expect((await pressure()).level).not.toBe('normal');
    const startedAt = performance.now();
    expect((await post('low')).status).toBe(202);
    expect(performance.now() - startedAt).toBeGreaterThan(50);

    // The first message of a conversation is in work now and then, and does not wait meanwhile.
    await eventually(async () => {
      await fill(MOST * 0.85 + 1);
      expect(await post('low')).toMatchObject({ status: 503, body: { code: 'PRESSURE_SHED', queue: 'messages' } });
    }, 120_000);
    expect((await post('high')).status).toBe(202);
    await eventually(async () => {
      if ((await pressure()).ratio < 0.9) await post('high');
      expect(await post('usual')).toMatchObject({ status: 503, body: { code: 'PRESSURE_SHED' } });
    }, 120_000);
    const refused = await eventually(async () => {
      const answer = await post('high');
      expect(answer.status).toBe(503);
      return answer;
    }, 120_000);
    expect(refused).toMatchObject({ status: 503, body: { code: 'HOST_BUSY', queue: 'messages', retryAfterMs: expect.any(Number) } });
    expect((await pressure()).shed).toBeGreaterThanOrEqual(3);
    const metrics = (await gatehouse.fetch('/metrics')).text;
    expect(metrics).toMatch(/gatehouse_pressure_ratio\{queue="messages"\} (0\.[89]|1)/);
    expect(Number(/gatehouse_pressure_shed (\d+)/.exec(metrics)?.[1])).toBeGreaterThanOrEqual(3);

    await keeper(false);
    await gatehouse.api('/reload', { method: 'POST' });
    await eventually(async () => expect((await pressure()).level).toBe('normal'), 120_000);
    expect((await post('usual')).status).toBe(202);
  });

  it('of one sender who floods leaves the others their time: a message of theirs waits for a place, not behind hundreds', async () => {
    await using home = await aHome();
    await addWebhook(home, { admit: { senderPerSecond: 1_000_000 } });
    // Four at once, a twentieth of a second each: two hundred of them are two and a half seconds of work.
    await home.add({ name: 'slow', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { await ctx.sleep(50); return { replies: [{ text: message.text }] }; } } });`, manifest: { skill: {} }, enablement: { limits: { concurrency: 4, wallMsPerCall: 20_000 } } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const answered = async (conversation: string) => {
      const startedAt = performance.now();
      expect((await client.post({ id: conversation, conversation, sender: conversation, text: 'hello' })).status).toBe(202);
      await eventually(async () => expect((await client.replies(conversation)).items).toHaveLength(1), 120_000);
      return performance.now() - startedAt;
    };
    const flood = Array.from({ length: 200 }, (_, n) => client.post({ id: `f${n}`, conversation: `flood-${n}`, sender: 'mallory', text: 'flood' }));
    for (const { status } of await Promise.all(flood)) expect(status).toBe(202);
    const waiting = async () => (await gatehouse.api('/status')).json<{ lanes: { waiting: number; running: number } }>().lanes;
    const before = await waiting();
    expect(before.waiting + before.running).toBeGreaterThan(100);
    await Promise.all(['ada', 'grace', 'edsger'].map(answered));
    // They are answered, and most of the flood is not.
    const after = await waiting();
    expect(after.waiting + after.running).toBeGreaterThan((before.waiting + before.running) / 2);
  });
});
