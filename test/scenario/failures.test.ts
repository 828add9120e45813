// What happens when parts fail: gates that are down, skills that throw, deliveries that never work; nothing passes, nothing is lost.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

const register = (kind: string, handlers: string) => `gatehouse.register({ kind: '${kind}', handlers: { ${handlers} } });`;
const gate = (evaluate: string) => ({ kind: 'moderation' as const, source: register('moderation', `evaluate: ${evaluate}`), manifest: { moderation: { mode: 'gate' as const, phase: 'policy' as const, directions: ['inbound' as const] } } });

interface Letter {
  readonly id: string;
  readonly messageId: string;
  readonly stage: string;
  readonly code: string;
}

describe('a gate', () => {
  it('that is quarantined lets nothing pass, and a redelivery is judged afresh after its release', async () => {
    await using home = await aHome();
    await addWebhook(home);
    for (const name of ['wordlist', 'echo'] as const) await addFirstParty(home, name);
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);

    expect((await gatehouse.api('/plugins/wordlist/quarantine', { method: 'POST', body: { reason: 'looks odd' } })).status).toBe(200);
    expect(await client.post({ id: 'g1', conversation: 'c', text: 'echo hi' })).toMatchObject({ status: 503, body: { code: 'GATE_UNAVAILABLE' } });
    expect((await gatehouse.api('/plugins/wordlist/release', { method: 'POST', body: { reason: 'was fine' } })).status).toBe(200);
    await eventually(async () => expect((await client.post({ id: 'g1', conversation: 'c', text: 'echo hi' })).status).toBe(202));
  });

  it('that throws, hangs or answers nonsense lets nothing pass', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await home.add({ name: 'moody', ...gate(`async ({ message }) => { if (message.text === 'throw') throw new Error('no'); if (message.text === 'hang') return new Promise(() => {}); if (message.text === 'nonsense') return { effect: 'maybe' }; return { effect: 'pass' }; }`), enablement: { limits: { wallMsPerCall: 200 } } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    expect(await client.post({ id: '1', conversation: 'c', text: 'throw' })).toMatchObject({ status: 503, body: { code: 'GATE_FAILED' } });
    expect(await client.post({ id: '2', conversation: 'c', text: 'nonsense' })).toMatchObject({ status: 503, body: { code: 'GATE_FAILED' } });
    expect(await client.post({ id: '3', conversation: 'c', text: 'hang' })).toMatchObject({ status: 503, body: { code: expect.stringMatching(/^GATE_(TIMEOUT|UNAVAILABLE)$/) } });
    await eventually(async () => expect((await client.post({ id: '4', conversation: 'c', text: 'fine' })).status).toBe(202));
  });

  it('with onQuarantine hold keeps messages durably and moderates them in order on release', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await addFirstParty(home, 'wordlist', { onQuarantine: 'hold' });
    await addFirstParty(home, 'echo');
    const held: unknown[] = [];
    {
      await using gatehouse = await startGatehouse(home);
      const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
      await gatehouse.api('/plugins/wordlist/quarantine', { method: 'POST', body: { reason: 'looks odd' } });
      for (const [id, text] of [['h1', 'echo one'], ['h2', 'a trojan horse'], ['h3', 'echo three']] as const) {
        const answer = await client.post({ id, conversation: 'c', text });
        expect(answer).toMatchObject({ status: 202, body: { status: 'held' } });
        held.push(answer.body['messageId']);
      }
    }
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    expect((await client.replies('c')).items).toEqual([]);
    expect(await client.post({ id: 'h4', conversation: 'c', text: 'echo four' })).toMatchObject({ status: 202, body: { status: 'held' } });
    const released = gatehouse.api('/plugins/wordlist/release', { method: 'POST', body: { reason: 'was fine' } });
    const late = client.post({ id: 'h5', conversation: 'c', text: 'echo five' });
    expect([(await released).status, (await late).status]).toEqual([200, 202]);
    await eventually(async () => expect((await client.replies('c')).items.map((each) => each.text)).toEqual(['one', 'three', 'four', 'five']));
    expect(await client.post({ id: 'h2', conversation: 'c', text: 'again' })).toMatchObject({ status: 403, body: { code: 'MODERATION_DENIED' } });
    expect((await client.post({ id: 'h1', conversation: 'c', text: 'again' })).body).toMatchObject({ status: 'duplicate', messageId: held[0] });
  });
});

describe('an arrival', () => {
  it('with the same ids at two instances at the same moment is two messages', async () => {
    await using home = await aHome();
    const door = (name: string) => home.add({
      name,
      kind: 'channel',
      source: register('channel', `receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] })`),
      manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
    });
    await door('bot-a');
    await door('bot-b');
    await using gatehouse = await startGatehouse(home);
    const post = async (name: string) => (await gatehouse.fetch(`/channels/${name}/in`, { method: 'POST', body: JSON.stringify({ id: '1', conversation: 'group', sender: { id: 's' }, text: 'hi' }) })).json<{ status: string; messageId: string }>();
    const [a, b] = await Promise.all([post('bot-a'), post('bot-b')]);
    expect([a.status, b.status]).toEqual(['accepted', 'accepted']);
    expect(a.messageId).not.toBe(b.messageId);
    const again = await Promise.all(Array.from({ length: 8 }, () => post('bot-a')));
    expect(new Set(again.map(({ status, messageId }) => `${status} ${messageId}`))).toEqual(new Set([`duplicate ${a.messageId}`]));
  });

  it('that a later gate denies costs the gates before it nothing', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await home.add({ name: 'counter', ...gate(`async ({ message }, ctx) => { await ctx.kv.set(message.id, 'x'.repeat(1000)); return { effect: 'pass' }; }`), manifest: { moderation: { mode: 'gate', phase: 'validation', directions: ['inbound'] }, capabilities: [{ name: 'kv', quotaBytes: 4000 }] } });
    await home.add({ name: 'strict', ...gate(`async () => ({ effect: 'deny', reason: 'never' })`) });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    for (let n = 0; n < 12; n += 1) expect(await client.post({ id: `d${n}`, conversation: 'c', text: 'hi' })).toMatchObject({ status: 403, body: { reason: 'never' } });
  });
});

describe('a dead letter', () => {
  it('keeps a message no skill could answer, and replay answers it once the skill is mended', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await home.add({
      name: 'fragile',
      kind: 'skill',
      source: register('skill', `respond: async ({ message }, ctx) => { if ((await ctx.kv.get('mended')) || message.text === 'mend') { await ctx.kv.set('mended', true); return { replies: [{ text: 'mended: ' + message.text }] }; } throw new Error('still broken'); }`),
      manifest: { skill: {}, capabilities: [{ name: 'kv', quotaBytes: 1000 }] },
    });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    await client.post({ id: 'd1', conversation: 'sad', text: 'hello' });
    const letter = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: Letter[] }>();
      expect(items).toHaveLength(1);
      return items[0] as Letter;
    }, 120_000);
    expect(letter).toMatchObject({ stage: 'respond', code: 'RESPOND_FAILED' });
    expect((await client.replies('sad')).items).toEqual([]);

    await client.post({ id: 'd2', conversation: 'glad', text: 'mend' });
    await eventually(async () => expect((await client.replies('glad')).items).toHaveLength(1));
    expect((await gatehouse.api(`/dead-letters/${letter.id}/replay`, { method: 'POST' })).status).toBe(202);
    await eventually(async () => expect((await client.replies('sad')).items.map((each) => each.text)).toEqual(['mended: hello']));
    expect((await gatehouse.api('/dead-letters')).json<{ items: Letter[] }>().items).toEqual([]);
    expect((await gatehouse.api(`/dead-letters/${letter.id}/replay`, { method: 'POST' })).status).toBe(404);
  });

  it('keeps a reply its channel could not send, and can be dropped', async () => {
    await using home = await aHome();
    await home.add({
      name: 'oneway',
      kind: 'channel',
      source: register('channel', `receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => { throw new Error('line is down'); }`),
      manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
    });
    await addFirstParty(home, 'echo');
    await using gatehouse = await startGatehouse(home);
    const posted = await gatehouse.fetch('/channels/oneway/in', { method: 'POST', body: JSON.stringify({ id: '1', conversation: 'c', sender: { id: 's' }, text: 'echo lost?' }) });
    expect(posted.status).toBe(202);
    const letter = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: Letter[] }>();
      expect(items).toHaveLength(1);
      return items[0] as Letter;
    }, 120_000);
    expect(letter).toMatchObject({ stage: 'deliver', code: 'DELIVERY_FAILED' });
    const shown = (await gatehouse.api(`/dead-letters/${letter.id}`)).json<{ text: string }>();
    expect(shown.text).toBe('lost?');
    expect((await gatehouse.api(`/dead-letters/${letter.id}`, { method: 'DELETE' })).status).toBe(200);
    expect((await gatehouse.api(`/messages/${letter.messageId}`)).json()).toMatchObject({ outcome: 'dropped' });
  });
});
