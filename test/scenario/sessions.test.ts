// Sessions over a whole host: two real channels, people who write on both, an operator who says who is who, begins anew, and writes to a person instead of a conversation.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostConfig } from '../../schemas/host-config.ts';
import type { MessageView, SessionView } from '../../schemas/control.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { webhookClient } from '../support/webhook.ts';

/** Says which session it was asked in. */
const TELLER = `gatehouse.register({ kind: 'skill', handlers: { respond: ({ session }) => ({ replies: [{ text: session.id + ' ' + session.messages }] }) } });`;

async function aTellingHome(config: HostConfig = {}): Promise<TestHome> {
  const home = await aHome([{ name: 'teller', kind: 'skill', source: TELLER, manifest: { skill: {} } }], config);
  await addWebhook(home);
  await addFirstParty(home, 'webchat');
  return home;
}

function theWebhook({ address }: Pick<Gatehouse, 'address'>) {
  const client = webhookClient(address, WEBHOOK_SECRET);
  let count = 0;
  return {
    ...client,
    /** Says something and waits for the reply to it. */
    async ask(conversation: string, sender: string, place: { readonly room?: object; readonly thread?: string; readonly account?: string } = {}): Promise<string> {
      const id = `w${++count}-${process.hrtime.bigint()}`;
      expect((await client.raw(JSON.stringify({ id, conversation, sender: { id: sender }, text: 'which?', ...place }))).status).toBe(202);
      return await eventually(async () => {
        const reply = (await client.replies(conversation)).items.find(({ inReplyTo }) => inReplyTo === id);
        expect(reply).toBeDefined();
        return reply?.text ?? '';
      });
    },
  };
}

const senderIn = async (gatehouse: Gatehouse, conversation: string) => (await gatehouse.api(`/messages?conversation=${conversation}&direction=inbound`)).json<{ items: MessageView[] }>().items[0]?.sender.id ?? '';

describe('the scope of sessions', () => {
  it.each([
    ['conversation', (visitor: string, conversation: string) => ['webhook:c#1 1', 'webhook:c#1 2', 'webhook:d#1 1', `webchat:${conversation}#1 1`, visitor && 'webhook:c#1 3']],
    ['main', () => ['@main#1 1', '@main#1 2', '@main#1 3', '@main#1 4', '@main#1 5']],
    ['peer', (visitor: string) => ['@peer:webhook:ada#1 1', '@peer:webhook:bo#1 1', '@peer:webhook:ada#1 2', `@peer:webchat:${visitor}#1 1`, '@peer:webhook:ada#1 3']],
    ['channel-peer', (visitor: string) => ['@channel:webhook:peer:ada#1 1', '@channel:webhook:peer:bo#1 1', '@channel:webhook:peer:ada#1 2', `@channel:webchat:peer:${visitor}#1 1`, '@channel:webhook:peer:ada#1 3']],
    ['account-channel-peer', (visitor: string) => ['@account::webhook:peer:ada#1 1', '@account::webhook:peer:bo#1 1', '@account::webhook:peer:ada#1 2', `@account::webchat:peer:${visitor}#1 1`, '@account::webhook:peer:ada#1 3']],
  ] as const)('%s holds over webhook and webchat, and a restart', async (scope, expected) => {
    await using home = await aTellingHome({ pipeline: { session: { scope } } });
    const told: string[] = [];
    let visitor = '';
    let conversation = '';
    {
      await using gatehouse = await startGatehouse(home);
      const webhook = theWebhook(gatehouse);
      told.push(await webhook.ask('c', 'ada'), await webhook.ask('c', 'bo'), await webhook.ask('d', 'ada'));
      await using chat = await openChat(gatehouse.address);
      told.push(await chat.ask('which?'));
      conversation = chat.conversation;
      visitor = await senderIn(gatehouse, conversation);
      expect(visitor).toMatch(/^visitor-/);
    }
    await using again = await startGatehouse(home);
    told.push(await theWebhook(again).ask('c', 'ada'));
    expect(told).toEqual(expected(visitor, conversation));
  });
});

describe('one person on two channels', () => {
  it('is linked while the host runs, shares one session, is written to where they wrote last, and begins anew', async () => {
    await using home = await aTellingHome({ pipeline: { session: { scope: 'peer' } } });
    await using gatehouse = await startGatehouse(home);
    const webhook = theWebhook(gatehouse);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('which?')).toMatch(/^@peer:webchat:visitor-/);
    const visitor = await senderIn(gatehouse, chat.conversation);

    const config = { listen: '127.0.0.1:0', log: { level: 'error' }, pipeline: { session: { scope: 'peer' } } };
    await home.write('manifests/host.json', { ...config, identities: { ada: ['webhook:ada', `webchat:${visitor}`] } });
    expect((await gatehouse.api('/reload', { method: 'POST' })).json()).toMatchObject({ refused: [] });
    expect(await webhook.ask('c', 'ada')).toBe('@identity:ada#1 1');
    expect(await chat.ask('which?')).toBe('@identity:ada#1 2');
    expect(await webhook.ask('c', 'bo')).toBe('@peer:webhook:bo#1 1');

    // What cannot be taken up changes nothing and is told.
    await home.write('manifests/host.json', { ...config, identities: { ada: ['webhook:ada'], bo: ['webhook:ada'] } });
    expect((await gatehouse.api('/reload', { method: 'POST' })).json()).toMatchObject({ refused: [{ code: 'CONFIG_UNSAFE' }] });
    expect(await webhook.ask('d', 'ada')).toBe('@identity:ada#1 3');

    // One lane: what both channels say at once is answered one after the other, each where it was said.
    const asked = await Promise.all([webhook.ask('c', 'ada'), chat.ask('which?'), webhook.ask('d', 'ada'), chat.ask('which?')]);
    expect(asked.toSorted()).toEqual(['@identity:ada#1 4', '@identity:ada#1 5', '@identity:ada#1 6', '@identity:ada#1 7']);

    await chat.ask('which?');
    const send = async (text: string) => (await gatehouse.api('/messages', { method: 'POST', body: { identity: 'ada', text } })).json();
    expect(await send('to the page')).toMatchObject({ outcome: 'delivered' });
    await chat.frame((frame) => frame.type === 'message' && frame.text === 'to the page');
    expect((await gatehouse.api('/plugins/webchat/disable', { method: 'POST', body: { reason: 'gone' } })).status).toBe(200);
    expect(await send('to the webhook')).toMatchObject({ outcome: 'delivered' });
    expect([...(await webhook.replies('c')).items, ...(await webhook.replies('d')).items].map(({ text }) => text)).toContain('to the webhook');

    const key = encodeURIComponent('@identity:ada');
    const shown = (await gatehouse.api(`/sessions/${key}`)).json<SessionView>();
    expect(shown).toMatchObject({ id: '@identity:ada#1', messages: 8 });
    expect(shown.routes?.map(({ instance }) => instance)).toEqual(['webchat', 'webhook', 'webhook']);
    expect((await gatehouse.api(`/sessions/${key}/reset`, { method: 'POST' })).json()).toMatchObject({ id: '@identity:ada#2', messages: 0 });
    expect(await webhook.ask('c', 'ada')).toBe('@identity:ada#2 1');
    expect((await gatehouse.api('/sessions')).json<{ items: SessionView[] }>().items.map((each) => each.key)).toContain('@identity:ada');
  });
});

describe('what the webhook tells of a place', () => {
  it('keeps groups, threads and accounts apart, and is shown', async () => {
    await using home = await aTellingHome({ pipeline: { session: { scope: 'account-channel-peer' } } });
    await using gatehouse = await startGatehouse(home);
    const webhook = theWebhook(gatehouse);
    const group = { kind: 'group', name: 'Team' };
    expect(await webhook.ask('c', 'ada', { account: 'bot-1' })).toBe('@account:bot-1:webhook:peer:ada#1 1');
    expect(await webhook.ask('d', 'ada', { account: 'bot-2', room: { kind: 'direct' } })).toBe('@account:bot-2:webhook:peer:ada#1 1');
    expect(await webhook.ask('team', 'ada', { room: group })).toBe('webhook:team#1 1');
    expect(await webhook.ask('team', 'bo', { room: group })).toBe('webhook:team#1 2');
    expect(await webhook.ask('team', 'ada', { room: group, thread: 't1' })).toBe('@thread:webhook:team:t1#1 1');
    const session = (await gatehouse.api('/sessions/webhook%3Ateam')).json<SessionView>();
    expect(session.rooms).toMatchObject([{ instance: 'webhook', conversation: 'team', kind: 'group', name: 'Team', participants: 2, people: [{ id: 'ada' }, { id: 'bo' }] }]);
  });
});

describe('a host that is killed', () => {
  it('has begun a session anew for good, and goes on counting where it stood', async () => {
    await using home = await aTellingHome();
    const signedBy = async (host: HostProcess) => ({ webhook: theWebhook(host), token: (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim() });
    {
      const host = await startProcess(home.path);
      const { webhook, token } = await signedBy(host);
      expect(await webhook.ask('c', 'ada')).toBe('webhook:c#1 1');
      const reset = await fetch(`${host.address}/api/v1/sessions/webhook%3Ac/reset`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
      expect(await reset.json()).toMatchObject({ id: 'webhook:c#2', messages: 0 });
      process.kill(host.pid, 'SIGKILL');
      await host.exited;
    }
    {
      const host = await startProcess(home.path);
      const { webhook } = await signedBy(host);
      expect(await webhook.ask('c', 'ada')).toBe('webhook:c#2 1');
      expect(await webhook.ask('c', 'ada')).toBe('webhook:c#2 2');
      process.kill(host.pid, 'SIGKILL');
      await host.exited;
    }
    await using host = await startProcess(home.path);
    expect(await (await signedBy(host)).webhook.ask('c', 'ada')).toBe('webhook:c#2 3');
  });
});
