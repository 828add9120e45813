// What another system meets at the webhook: signatures, durable 202, duplicates, denials, bad input, replies by polling.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

describe('the webhook', () => {
  it('accepts once, answers once, and reads back in order', async () => {
    await using home = await aHome();
    await addWebhook(home, { required: true });
    for (const name of ['wordlist', 'echo'] as const) await addFirstParty(home, name);
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);

    const first = await client.post({ id: 'a1', conversation: 'room/1', text: 'echo one' });
    expect(first).toMatchObject({ status: 202, body: { status: 'accepted', messageId: expect.any(String) } });
    const duplicate = await client.post({ id: 'a1', conversation: 'room/1', text: 'echo something else' });
    expect(duplicate).toMatchObject({ status: 200, body: { status: 'duplicate', messageId: first.body['messageId'] } });
    await client.post({ id: 'a2', conversation: 'room/1', text: 'echo two' });

    const all = await eventually(async () => {
      const page = await client.replies('room/1');
      expect(page.items).toHaveLength(2);
      return page;
    });
    expect(all.items.map((each) => [each.inReplyTo, each.text])).toEqual([['a1', 'one'], ['a2', 'two']]);
    const rest = await client.replies('room/1', all.items[0]?.id);
    expect(rest.items.map((each) => each.text)).toEqual(['two']);
    expect((await client.replies('room/1', all.cursor ?? '')).items).toEqual([]);
    expect(await client.replies('nobody')).toEqual({ items: [], cursor: null });
  });

  it('refuses what is not signed, not sound or not allowed, each with its code', async () => {
    await using home = await aHome();
    await addWebhook(home, { admit: { denySenders: ['mallory'] } });
    await addFirstParty(home, 'wordlist');
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const body = JSON.stringify({ id: 'x', conversation: 'c', sender: { id: 's' }, text: 'hi' });

    expect(await client.raw(body, 'sha256=00')).toMatchObject({ status: 401, body: { code: 'INGRESS_SIGNATURE' } });
    expect(await client.raw(`${body} `, (await import('../support/webhook.ts')).signatureOf(WEBHOOK_SECRET, body))).toMatchObject({ status: 401 });
    expect((await client.raw('{"id":')).status).toBe(400);
    expect((await client.raw(JSON.stringify({ id: 'x' }))).status).toBe(400);
    expect((await client.raw(JSON.stringify({ id: 'x', conversation: 'c', sender: { id: 's' }, text: 'x'.repeat(300 * 1024) }))).status).toBe(413);
    expect(await client.post({ id: 'm', conversation: 'c', text: 'hi', sender: 'mallory' })).toMatchObject({ status: 403, body: { code: 'SENDER_DENIED' } });
    const denied = await client.post({ id: 'd', conversation: 'c', text: 'a trojan horse' });
    expect(denied).toMatchObject({ status: 403, body: { code: 'MODERATION_DENIED', reason: 'No trojan horses past this gate.' } });
    expect(await client.post({ id: 'd', conversation: 'c', text: 'now polite' })).toMatchObject({ status: 403, body: { code: 'MODERATION_DENIED' } });
    expect((await gatehouse.fetch('/channels/webhook/elsewhere')).status).toBe(404);
    expect((await gatehouse.fetch('/channels/nobody/messages', { method: 'POST' })).status).toBe(404);
  });

  it('slows down a sender that floods', async () => {
    await using home = await aHome();
    await addWebhook(home, { admit: { senderPerSecond: 1, senderBurst: 5 } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, n) => client.post({ id: `f${n}`, conversation: 'c', text: 'hi' })));
    const limited = statuses.filter((each) => each.status === 429);
    expect(limited.length).toBeGreaterThanOrEqual(10);
    expect(limited[0]?.body).toMatchObject({ code: 'SENDER_RATE', retryAfterMs: expect.any(Number) });
    expect((await client.post({ id: 'other', conversation: 'c', text: 'hi', sender: 'calm' })).status).toBe(202);
  });
});
