// Dead letters over a whole host: found by what they are about, put back once however often one asks, guarded, many at once, across a kill, forgotten in time; and what one poisonous message may cost.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeadLetterDetail, DeadLetterView, MessageDetail } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { webhookClient } from '../support/webhook.ts';

const register = (kind: string, handlers: string) => `gatehouse.register({ kind: '${kind}', handlers: { ${handlers} } });`;

/** Fails on everything until its configuration says that it is mended. */
async function addFragile(home: TestHome, mended = false): Promise<void> {
  await home.add({
    name: 'fragile',
    kind: 'skill',
    source: register('skill', `respond: async ({ message }, ctx) => { if (!ctx.config.mended) throw new Error('still broken'); return { replies: [{ text: 'mended: ' + message.text }] }; }`),
    manifest: { skill: {}, config: { type: 'object', properties: { mended: { type: 'boolean' } }, additionalProperties: false } },
    enablement: { config: { mended } },
  });
}

async function letters(gatehouse: Gatehouse, query = ''): Promise<readonly DeadLetterView[]> {
  return (await gatehouse.api(`/dead-letters${query}`)).json<{ items: DeadLetterView[] }>().items;
}

async function aBrokenHost(home: TestHome, conversations: readonly string[]) {
  await addWebhook(home);
  await addFragile(home);
  const gatehouse = await startGatehouse(home);
  const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
  for (const conversation of conversations) expect((await client.post({ id: '1', conversation, text: `to ${conversation}` })).status).toBe(202);
  await eventually(async () => expect(await letters(gatehouse)).toHaveLength(conversations.length), 120_000);
  return { gatehouse, client };
}

async function mend(home: TestHome, gatehouse: Gatehouse): Promise<void> {
  await addFragile(home, true);
  expect((await gatehouse.api('/reload', { method: 'POST' })).status).toBe(200);
}

describe('dead letters', () => {
  it('are found by what they are about, newest first', async () => {
    await using home = await aHome();
    const { gatehouse } = await aBrokenHost(home, ['a', 'b', 'c']);
    await using _ = gatehouse;
    const all = await letters(gatehouse);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted().toReversed());
    expect(all[0]).toMatchObject({ instance: 'webhook', direction: 'inbound', stage: 'respond', by: 'fragile', code: 'RESPOND_FAILED', attempts: 5 });
    expect((await letters(gatehouse, '?conversation=b')).map(({ conversation }) => conversation)).toEqual(['b']);
    for (const [query, count] of [['code=RESPOND_FAILED', 3], ['code=DELIVERY_FAILED', 0], ['instance=webhook', 3], ['instance=webchat', 0], ['stage=respond', 3], ['direction=outbound', 0], ['since=2000-01-01T00:00:00Z', 3], ['until=2000-01-01T00:00:00Z', 0]] as const) {
      expect([query, (await letters(gatehouse, `?${query}`)).length]).toEqual([query, count]);
    }
    expect((await gatehouse.api('/dead-letters?since=yesterday')).json()).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
    const first = (await gatehouse.api('/dead-letters?limit=2')).json<{ items: DeadLetterView[]; cursor: string }>();
    const second = (await gatehouse.api(`/dead-letters?limit=2&cursor=${first.cursor}`)).json<{ items: DeadLetterView[]; cursor: null }>();
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(all.map(({ id }) => id));

    const shown = (await gatehouse.api(`/dead-letters/${all[0]?.id}`)).json<DeadLetterDetail>();
    expect(shown.message).toMatchObject({ outcome: 'dead-lettered', text: `to ${shown.conversation}` });
    expect(shown.message?.stages?.filter(({ decision }) => decision === 'failed')).toHaveLength(5);
  });

  it('are put back once however often one asks, and come back as the same letter when the work fails again', async () => {
    await using home = await aHome();
    const { gatehouse, client } = await aBrokenHost(home, ['a']);
    await using _ = gatehouse;
    const [letter] = await letters(gatehouse);
    const replay = () => gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' });
    const answers = await Promise.all([replay(), replay(), replay()]);
    expect(answers.map((each) => each.status)).toEqual([202, 202, 202]);
    expect(answers.map((each) => each.json()['status']).toSorted()).toEqual(['already', 'already', 'replayed']);
    expect(await letters(gatehouse)).toEqual([]);
    expect((await gatehouse.api(`/dead-letters/${letter?.id}`, { method: 'DELETE' })).json()).toMatchObject({ status: 409, code: 'DEAD_LETTER_BUSY' });
    const [again] = await eventually(async () => {
      const items = await letters(gatehouse);
      expect(items).toHaveLength(1);
      return items;
    }, 120_000);
    expect(again).toMatchObject({ id: letter?.id, messageId: letter?.messageId, replays: 1 });

    await mend(home, gatehouse);
    expect((await replay()).json()).toMatchObject({ status: 'replayed' });
    await eventually(async () => expect((await client.replies('a')).items.map(({ text }) => text)).toEqual(['mended: to a']));
    await eventually(async () => expect((await gatehouse.api(`/dead-letters/${letter?.id}`)).status).toBe(404));
  });

  it('are put back all at once, in their conversations once each, also when the host is killed in between', async () => {
    await using home = await aHome();
    const conversations = Array.from({ length: 30 }, (_, n) => `c${n}`);
    const { gatehouse } = await aBrokenHost(home, conversations);
    await addFragile(home, true);
    await gatehouse[Symbol.asyncDispose]();

    const struck = await startProcess(home.path);
    const token = await readFile(join(home.path, 'data/admin-token'), 'utf8');
    const marked = await fetch(`${struck.address}/api/v1/dead-letters/replay`, { method: 'POST', headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' }, body: JSON.stringify({ code: 'RESPOND_FAILED' }) });
    struck.child.kill('SIGKILL');
    expect(await marked.json().catch(() => ({ marked: 30 }))).toMatchObject({ marked: 30 });
    await struck.exited;

    await using second = await startGatehouse(home);
    const client = webhookClient(second.address, WEBHOOK_SECRET);
    for (const conversation of conversations) await eventually(async () => expect((await client.replies(conversation)).items.map(({ text }) => text)).toEqual([`mended: to ${conversation}`]), 120_000);
    expect(await letters(second)).toEqual([]);
  });

  it('put back five times without success, or without their channel, need a person who insists', async () => {
    await using home = await aHome();
    const { gatehouse } = await aBrokenHost(home, ['a']);
    await using _ = gatehouse;
    const [letter] = await letters(gatehouse);
    const guarded = { status: 409, code: 'DEAD_LETTER_GUARDED' };
    expect((await gatehouse.api('/plugins/webhook/disable', { method: 'POST', body: { reason: 'a test' } })).status).toBe(200);
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).json()).toMatchObject({ ...guarded, detail: expect.stringContaining('its channel is not enabled') });
    expect((await gatehouse.api('/dead-letters/replay', { method: 'POST', body: {} })).json()).toEqual({ marked: 0, guarded: { 'its channel is not enabled': 1 }, more: false });
    expect((await gatehouse.api('/plugins/webhook/enable', { method: 'POST' })).status).toBe(200);
    for (let replays = 1; replays <= 5; replays += 1) {
      expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).status).toBe(202);
      await eventually(async () => expect(await letters(gatehouse)).toMatchObject([{ replays }]), 120_000);
    }
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).json()).toMatchObject({ ...guarded, detail: expect.stringContaining('5 times already') });
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST', body: { force: true } })).status).toBe(202);
  });

  it('cannot be put back without end in a moment', async () => {
    await using home = await aHome();
    const { gatehouse } = await aBrokenHost(home, ['a']);
    await using _ = gatehouse;
    const [letter] = await letters(gatehouse);
    const answers = await Promise.all(Array.from({ length: 80 }, () => gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })));
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(50);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.json()).toMatchObject({ code: 'REPLAY_RATE' });
    expect(refused?.headers.get('retry-after')).toBeTruthy();
  });
});

describe('a message that costs a skill its sandbox', () => {
  it('is given up before it takes the skill from everybody, and its lane goes on', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await home.add({ name: 'greedy', kind: 'skill', source: register('skill', `respond: async ({ message }) => { if (message.text === 'poison') for (;;); return { replies: [{ text: 'got ' + message.text }] }; }`), enablement: { limits: { cpuMsPerCall: 20 } } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    for (const [id, text] of [['1', 'before'], ['2', 'poison'], ['3', 'after']] as const) expect((await client.post({ id, conversation: 'c', text })).status).toBe(202);
    await eventually(async () => expect((await client.replies('c')).items.map(({ text }) => text)).toEqual(['got before', 'got after']), 120_000);
    expect(await letters(gatehouse)).toMatchObject([{ stage: 'respond', by: 'greedy', code: 'MESSAGE_POISONED', attempts: 2 }]);
    expect(gatehouse.host.plugins.show('greedy')).toMatchObject({ strikes: 2, state: 'active' });
  });
});

describe('messages show', () => {
  it('tells the whole walk: stages, decisions, plugins, times, costs and replies', async () => {
    await using home = await aHome();
    await addWebhook(home);
    for (const name of ['wordlist', 'echo'] as const) await addFirstParty(home, name);
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const posts = await Promise.all(['a', 'b'].map((text, n) => client.post({ id: `${n}`, conversation: 'c', text: `echo ${text}` })));
    await eventually(async () => expect((await client.replies('c')).items).toHaveLength(2));
    for (const [n, { body }] of posts.entries()) {
      const shown = (await gatehouse.api(`/messages/${String(body['messageId'])}`)).json<MessageDetail>();
      expect(shown).toMatchObject({ direction: 'inbound', outcome: 'answered', text: `echo ${'ab'[n]}` });
      expect(shown.replies).toMatchObject([{ direction: 'outbound', outcome: 'delivered', text: 'ab'[n], inReplyTo: `${n}` }]);
      expect(shown.stages?.map(({ stage }) => stage)).toEqual(expect.arrayContaining(['verify', 'receive', 'normalize', 'admit', 'gate', 'moderate', 'skill', 'respond', 'sanitize', 'screen']));
      expect(shown.costs.map(({ instance }) => instance).toSorted()).toEqual(['echo', 'webhook', 'wordlist']);
      // Judged on the way in and on the way out.
      expect(shown.costs.find(({ instance }) => instance === 'wordlist')).toMatchObject({ calls: 2, cpuMs: expect.any(Number), wallMs: expect.any(Number) });
      const reply = (await gatehouse.api(`/messages/${shown.replies?.[0]?.id}`)).json<MessageDetail>();
      expect(reply.costs).toMatchObject([{ instance: 'webhook', calls: 1 }]);
    }
  });
});
