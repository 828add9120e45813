// Commands and mentions, as people and systems meet them: who may, what is answered and when, what is ignored, and what a crash leaves of it.
import { describe, expect, it } from 'vitest';
import type { Enablement } from '../../schemas/enablement.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { signatureOf, webhookClient } from '../support/webhook.ts';

const SECRET = 'what the service and the host share';

const register = (kind: string, handlers: string) => `gatehouse.register({ kind: '${kind}', handlers: { ${handlers} } });`;
const skill = (respond: string, triggers?: object) => ({ kind: 'skill' as const, source: register('skill', `respond: ${respond}`), ...(triggers && { manifest: { skill: { triggers } } }) });

/** A channel that hands over what a service has signed, which knows its people: with rooms, mentions and quotes. */
async function addRooms(home: TestHome, enablement: Partial<Enablement> = {}, mentions = ''): Promise<void> {
  await home.write('rooms.secret', SECRET);
  await home.add({
    name: 'rooms',
    kind: 'channel',
    source: register('channel', `receive: async ({ body }) => ({ messages: JSON.parse(body) }), send: async ({ inReplyTo, conversation }) => ({ actions: [{ frame: { conversation }, text: '' }], remoteId: 'remote-' + inReplyTo }), ${mentions}`),
    manifest: { channel: { abilities: ['receive', 'send', ...(mentions === '' ? [] : ['mentions' as const])], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'hmac-sha256', secret: 'signing', header: 'x-signature', prefix: 'sha256=', over: 'body' }, sender: 'verified' }] } },
    enablement: { secrets: { signing: { file: 'rooms.secret' } }, ...enablement },
  });
}

interface Said {
  readonly id: string;
  readonly text: string;
  readonly [more: string]: unknown;
}

/** Says something in a group; `more` overrides what is said of the message. */
const say = async ({ address }: Pick<Gatehouse, 'address'>, ...said: readonly Said[]) => {
  const body = JSON.stringify(said.map((each) => ({ conversation: 'lobby', sender: { id: 'ada' }, room: { kind: 'group' }, ...each })));
  const answer = await fetch(`${address}/channels/rooms/in`, { method: 'POST', body, headers: { 'x-signature': signatureOf(SECRET, body) } });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

interface View {
  readonly id: string;
  readonly text: string;
  readonly direction: string;
  readonly outcome: string;
  readonly inReplyTo?: string;
}

/** Oldest first. */
const messagesOf = async (gatehouse: Gatehouse, query = '') => (await gatehouse.api(`/messages?limit=200${query}`)).json<{ items: View[] }>().items.toReversed();
const replyTo = (gatehouse: Gatehouse, id: string) =>
  eventually(async () => {
    const reply = (await messagesOf(gatehouse, '&direction=outbound')).find((each) => each.inReplyTo === id);
    if (!reply) throw new Error(`no reply to ${id}`);
    return reply.text;
  });

const MIRROR = skill(`async ({ message }) => ({ replies: [{ text: JSON.stringify({ command: message.command, wasMentioned: message.wasMentioned, repliesToBot: message.repliesToBot }) }] })`);

describe('the host’s commands', () => {
  it.each(['ada', 'mallory'])('tell %s what there is and what goes on, at the webhook', async (sender) => {
    await using home = await aHome();
    await addWebhook(home, { admit: { owners: ['ada'], senderClaims: 'accept' } });
    await addFirstParty(home, 'concierge');
    await home.add({ name: 'secretive', ...skill('async () => null', { commands: ['plain', { name: 'audit', description: 'Shows the books.', permission: 'owners' }] }) });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const ask = async (id: string, text: string) => {
      expect((await client.post({ id, conversation: 'c', text, sender })).status).toBe(202);
      return await eventually(async () => {
        const reply = (await client.replies('c')).items.find(({ inReplyTo }) => inReplyTo === id);
        if (!reply) throw new Error(`no reply to ${id}`);
        return reply.text;
      });
    };
    const help = await ask('1', '/help');
    expect(help).toMatch(/^\/help: /m);
    expect(help).toContain('/time <zone>: The time there');
    expect(help).toMatch(/^\/plain$/m);
    expect(/^\/(audit|reset)/m.test(help)).toBe(sender === 'ada');
    expect(await ask('2', '/STATUS')).toMatch(/Nothing is waiting[^]*Queue: followup\.\nSession: 2 messages since [-0-9]+ [:0-9]+ UTC\.\nLast: a reply at .* \(delivered\)\./);
  });

  it('answer at the webchat, and are refused to who may not use them, with a code', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat');
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('/help')).toBe('/help: The commands you may use here.\n/status: What this conversation is doing.');
    expect(await chat.ask(' \u200b/Status now')).toContain('Queue: followup.');
    expect(await chat.ack('/reset')).toMatchObject({ status: 'denied', code: 'COMMAND_DENIED', reason: '/reset is not for you here' });
    expect(await messagesOf(gatehouse)).toHaveLength(4);
  });

  it('begin a new session for owners, and for everybody whom the operator lets', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { owners: ['ada'] }, rooms: { open: { commands: { reset: { allow: 'everyone' } } }, some: { commands: { reset: { allow: ['bea'] } } } } });
    await home.add({ name: 'counter', ...skill('async ({ session }) => ({ replies: [{ text: session.id + " " + session.messages }] })') });
    await using gatehouse = await startGatehouse(home);
    // Posted together: what is said after the command belongs to the new session, however soon it is said.
    await say(gatehouse, { id: '1', text: 'one' }, { id: '2', text: 'two' }, { id: '3', text: '/reset' }, { id: '4', text: 'three' });
    expect(await replyTo(gatehouse, '2')).toBe('rooms:lobby#1 2');
    expect(await replyTo(gatehouse, '3')).toBe('A new session begins here.');
    expect(await replyTo(gatehouse, '4')).toBe('rooms:lobby#2 1');
    expect(await say(gatehouse, { id: '5', text: '/reset', sender: { id: 'bea' } })).toMatchObject({ status: 403, body: { code: 'COMMAND_DENIED' } });
    expect((await say(gatehouse, { id: '6', text: '/reset', sender: { id: 'cyd' }, conversation: 'open' })).status).toBe(202);
    expect((await say(gatehouse, { id: '7', text: '/reset', sender: { id: 'bea' }, conversation: 'some' })).status).toBe(202);
    expect((await say(gatehouse, { id: '8', text: '/reset', conversation: 'some' })).status).toBe(202); // an owner may everything
    expect((await say(gatehouse, { id: '9', text: '/reset', sender: { id: 'cyd' }, conversation: 'some' })).status).toBe(403);
  });

  it('are refused to an owner’s name that anybody may claim', async () => {
    await using home = await aHome();
    await addWebhook(home, { admit: { owners: ['ada'] }, commands: { deploy: { allow: ['ada'] } } });
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    for (const text of ['/reset', '/deploy']) {
      const answer = await client.post({ id: text, conversation: 'c', text, sender: 'ada' });
      expect(answer).toMatchObject({ status: 403, body: { code: 'COMMAND_DENIED', detail: expect.stringContaining('nobody has verified who this sender is') } });
    }
  });

  it('are not answered behind a skill that hangs', async () => {
    await using home = await aHome();
    await addRooms(home);
    await home.add({ name: 'stuck', ...skill('() => new Promise(() => {})'), enablement: { limits: { wallMsPerCall: 60_000 } }, manifest: { limits: { wallMsPerCall: 60_000 } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, { id: '1', text: 'hello' }, { id: '2', text: 'anybody?' });
    await say(gatehouse, { id: '3', text: '/status' });
    expect(await replyTo(gatehouse, '3')).toContain('2 messages waiting for an answer, or being answered.');
  });

  it('stop an answer that hangs, for owners, and what waits behind it is answered', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { owners: ['ada'] } });
    await home.add({ name: 'moody', ...skill(`({ message }) => message.text === 'hang' ? new Promise(() => {}) : { replies: [{ text: 're: ' + message.text }] }`), manifest: { limits: { wallMsPerCall: 60_000 } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, { id: '0', text: '/stop' });
    expect(await replyTo(gatehouse, '0')).toBe('Nothing is being answered just now.');
    await say(gatehouse, { id: '1', text: 'hang' }, { id: '2', text: 'next' });
    await eventually(async () => expect((await gatehouse.host.status()).lanes.running).toBe(1));
    expect((await say(gatehouse, { id: '3', text: '/stop', sender: { id: 'mallory' } })).status).toBe(403);
    await say(gatehouse, { id: '4', text: '/stop' });
    expect(await replyTo(gatehouse, '4')).toBe('Stopped. One message waits and will be answered.');
    expect(await replyTo(gatehouse, '2')).toBe('re: next');
    expect((await messagesOf(gatehouse, '&direction=inbound')).find(({ text }) => text === 'hang')).toMatchObject({ outcome: 'dropped', code: 'RUN_STOPPED' });
    expect((await messagesOf(gatehouse, '&direction=outbound')).some(({ inReplyTo }) => inReplyTo === '1')).toBe(false);
  });

  it('stop at the webchat what the operator lets visitors stop', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat', { commands: { stop: { allow: 'everyone' } } });
    await home.add({ name: 'stuck', ...skill('() => new Promise(() => {})'), manifest: { limits: { wallMsPerCall: 60_000 } } });
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ack('hang')).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await chat.ask('/stop')).toBe('Stopped.'));
    expect(await chat.ack('/queue')).toMatchObject({ status: 'denied', code: 'COMMAND_DENIED' });
  });

  it('give a session its queue mode, which a restart keeps', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { owners: ['ada'] } });
    {
      await using gatehouse = await startGatehouse(home);
      expect((await say(gatehouse, { id: '0', text: '/queue collect', sender: { id: 'mallory' } })).status).toBe(403);
      await say(gatehouse, { id: '1', text: '/queue' }, { id: '2', text: '/queue Collect' }, { id: '3', text: '/queue backwards' });
      expect(await replyTo(gatehouse, '1')).toMatch(/^Queue: followup: /);
      expect(await replyTo(gatehouse, '2')).toMatch(/^Queue: collect: /);
      expect(await replyTo(gatehouse, '3')).toBe('There is no such mode. The modes are: followup, collect, steer, interrupt, and default.');
    }
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, { id: '4', text: '/status' }, { id: '5', text: '/status', conversation: 'elsewhere' }, { id: '6', text: '/queue default' });
    expect(await replyTo(gatehouse, '4')).toContain('Queue: collect.');
    expect(await replyTo(gatehouse, '5')).toContain('Queue: followup.');
    expect(await replyTo(gatehouse, '6')).toMatch(/^Queue: followup: /);
  });

  it('are screened like any message, and a gate can neither make nor unmake a permission', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { owners: ['ada'] } });
    await home.add({
      name: 'meddler',
      kind: 'moderation',
      source: register('moderation', `evaluate: async ({ message: { text } }) => text === '/help no' ? { effect: 'deny', reason: 'no' } : text.startsWith('please ') ? { effect: 'modify', text: text.slice(7), reason: 'politeness' } : { effect: 'pass' }`),
      manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound', 'outbound'] } },
    });
    await home.add({ name: 'mirror', ...MIRROR });
    await using gatehouse = await startGatehouse(home);
    expect(await say(gatehouse, { id: '1', text: '/help no' })).toMatchObject({ status: 403, body: { code: 'MODERATION_DENIED' } });
    expect(await say(gatehouse, { id: '2', text: 'please /reset', sender: { id: 'mallory' } })).toMatchObject({ status: 403, body: { code: 'COMMAND_DENIED' } });
    await say(gatehouse, { id: '3', text: 'please /reset' }, { id: '4', text: 'please /shout loud' });
    expect(await replyTo(gatehouse, '3')).toBe('A new session begins here.');
    expect(await replyTo(gatehouse, '4')).toBe('{"command":{"name":"shout","arguments":"loud"}}');
  });

  it('that were accepted before a crash are answered after it, once', async () => {
    await using home = await aHome([], { boot: { deadlineMs: 10_000 } });
    await addRooms(home, { admit: { owners: ['ada'] } });
    await home.add({ name: 'wall', kind: 'moderation', source: register('moderation', `evaluate: async ({ message }) => message.text.includes('session') || message.text.includes('Session') ? new Promise(() => {}) : { effect: 'pass' }`), manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] } } });
    const struck = await startProcess(home.path);
    expect((await say(struck, { id: '0', text: 'hello' }, { id: '1', text: '/reset' }, { id: '2', text: '/status' })).status).toBe(202);
    struck.child.kill('SIGKILL');
    await struck.exited;
    await home.write('manifests/plugins/wall.json', { plugin: 'test.wall', enabled: false });
    await using gatehouse = await startGatehouse(home);
    expect(await replyTo(gatehouse, '1')).toBe('A new session begins here.');
    expect(await replyTo(gatehouse, '2')).toContain('Session: 1 message since');
    expect(await say(gatehouse, { id: '1', text: '/reset' })).toMatchObject({ status: 200, body: { status: 'duplicate' } });
    expect((await messagesOf(gatehouse, '&direction=outbound')).map(({ inReplyTo }) => inReplyTo)).toEqual(['1', '2']);
    expect((await gatehouse.api('/sessions')).json<{ items: { id: string }[] }>().items).toMatchObject([{ id: 'rooms:lobby#2' }]);
  });
});

describe('commands of skills', () => {
  it('are asked for by the same reading of the text on every channel', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { prefixes: ['!', '/'], names: ['gatehouse'] } });
    await addWebhook(home);
    await home.add({ name: 'teller', ...skill(`async ({ message }) => ({ replies: [{ text: JSON.stringify(message.command) }] })`, { commands: ['tell-me'] }) });
    await using gatehouse = await startGatehouse(home);
    const spellings = ['/tell-me a  b', '/TELL_ME a  b ', '!tell-me a  b', '@gatehouse /tell-me a  b', '/tell-me@Gatehouse a  b', '\u200e/tell-me\na  b'];
    await say(gatehouse, ...spellings.map((text, index) => ({ id: `s${index}`, text })));
    for (const index of spellings.keys()) expect(await replyTo(gatehouse, `s${index}`)).toBe('{"name":"tell-me","arguments":"a  b"}');
    await webhookClient(gatehouse.address, WEBHOOK_SECRET).post({ id: 'w', conversation: 'c', text: '/tell_me a  b' });
    expect(await replyTo(gatehouse, 'w')).toBe('{"name":"tell-me","arguments":"a  b"}');

    const texts = ['//tell-me', '`/tell-me`', '> /tell-me', 'please /tell-me', '/tell'];
    await say(gatehouse, ...texts.map((text, index) => ({ id: `t${index}`, text })));
    await eventually(async () => expect((await messagesOf(gatehouse, '&outcome=unanswered')).map(({ text }) => text)).toEqual(texts));
  });

  it('that are malformed or not for the sender are refused before anything is stored', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { owners: ['ada'] }, commands: { pay: { allow: 'owners' }, dance: { enabled: false } } });
    await home.add({ name: 'mirror', ...MIRROR });
    await using gatehouse = await startGatehouse(home);
    const refused = async (text: string, sender = 'mallory') => await say(gatehouse, { id: text.slice(0, 50), text, sender: { id: sender } });
    expect(await refused('/pay 5')).toMatchObject({ status: 403, body: { code: 'COMMAND_DENIED', reason: '/pay is not for you here' } });
    expect(await refused(`/${'x'.repeat(41)}`)).toMatchObject({ status: 400, body: { code: 'COMMAND_INVALID', reason: 'name-too-long' } });
    expect(await refused(`/say ${'x'.repeat(16_385)}`)).toMatchObject({ status: 400, body: { code: 'COMMAND_INVALID', reason: 'arguments-too-long' } });
    expect(await refused('/pау 5')).toMatchObject({ status: 400, body: { code: 'COMMAND_INVALID', reason: 'name-look-alike' } });
    expect(await messagesOf(gatehouse)).toEqual([]);
    expect((await refused('/pay 5', 'ada')).status).toBe(202);
    expect(await replyTo(gatehouse, '/pay 5')).toBe('{"command":{"name":"pay","arguments":"5"}}');
    expect((await refused('/dance')).status).toBe(202); // no command here: a text like any other
    expect(await replyTo(gatehouse, '/dance')).toBe('{}');
  });

  it('belong to the skill that is asked first; the other is told, and so is one that takes a name of the host', async () => {
    await using home = await aHome();
    await addRooms(home);
    await home.add({ name: 'second', ...skill(`async () => ({ replies: [{ text: 'second' }] })`, { commands: ['weather', 'other'] }), enablement: { order: 2 } });
    await home.add({ name: 'first', ...skill(`async () => null`, { commands: ['weather', 'status'] }), enablement: { order: 1 } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, { id: '1', text: '/weather' }, { id: '2', text: '/other' }, { id: '3', text: '/status' });
    expect(await replyTo(gatehouse, '2')).toBe('second');
    expect(await replyTo(gatehouse, '3')).toContain('Queue:');
    expect((await messagesOf(gatehouse, '&outcome=unanswered')).map(({ text }) => text)).toEqual(['/weather']);
    const collisions = gatehouse.host.diagnostics().filter(({ code }) => code === 'COMMAND_COLLISION');
    expect(collisions.map(({ instance, severity, message }) => [instance, severity, message])).toEqual([
      ['first', 'warning', "'first' does not get the command '/status': the host has it."],
      ['second', 'warning', "'second' does not get the command '/weather': 'first' has it."],
    ]);
  });
});

describe('a room that requires a mention', () => {
  it('is answered when it mentions us or answers us, and is none of our business otherwise', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { requireMention: true, names: ['gatehouse', 'U42'], senderPerSecond: 1, senderBurst: 8 } });
    await home.add({ name: 'mirror', ...MIRROR });
    await using gatehouse = await startGatehouse(home);
    const ignored = { status: 200, body: { status: 'ignored', code: 'NOT_ADDRESSED' } };
    // More than the sender's rate allows: what is not for us costs nothing.
    for (const [index, text] of ['hello', '/help', 'see https://gatehouse.example/', '`gatehouse`', '> gatehouse', 'gatehouses', '/help@other', 'a', 'b', 'c', 'd', 'e'].entries()) {
      expect(await say(gatehouse, { id: `no${index}`, text })).toMatchObject(ignored);
    }
    expect(await messagesOf(gatehouse)).toEqual([]);
    expect((await say(gatehouse, { id: '1', text: 'gatehouse, hello' })).status).toBe(202);
    expect((await say(gatehouse, { id: '2', text: 'hello', mentions: ['U42'] })).status).toBe(202);
    expect((await say(gatehouse, { id: '3', text: '/shout@gatehouse' })).status).toBe(202);
    expect((await say(gatehouse, { id: '4', text: 'hello', room: { kind: 'direct' } })).status).toBe(202);
    expect(await replyTo(gatehouse, '1')).toBe('{"wasMentioned":true}');
    expect(await replyTo(gatehouse, '2')).toBe('{"wasMentioned":true}');
    expect(await replyTo(gatehouse, '3')).toBe('{"command":{"name":"shout","arguments":""},"wasMentioned":true}');
    expect(await replyTo(gatehouse, '4')).toBe('{}');

    const own = (await messagesOf(gatehouse, '&direction=outbound'))[0]?.id;
    const theirs = (await messagesOf(gatehouse, '&direction=inbound'))[0]?.id;
    expect((await say(gatehouse, { id: '5', text: 'why?', replyTo: own })).status).toBe(202);
    expect(await replyTo(gatehouse, '5')).toBe('{"repliesToBot":true}');
    // By what the service calls it, which is known once it is delivered.
    await eventually(async () => expect((await say(gatehouse, { id: '5r', text: 'why?', replyTo: 'remote-1' })).status).toBe(202));
    expect(await say(gatehouse, { id: '6r', text: 'why?', replyTo: 'remote-1', conversation: 'elsewhere' })).toMatchObject(ignored);
    expect(await say(gatehouse, { id: '6', text: 'why?', replyTo: theirs })).toMatchObject(ignored);
    expect(await say(gatehouse, { id: '7', text: 'why?', replyTo: own, conversation: 'elsewhere' })).toMatchObject(ignored);
    expect(await say(gatehouse, { id: '8', text: 'why?', replyTo: 'not one of ours' })).toMatchObject(ignored);
  });

  it('asks the channel where it has an opinion of its own, and does without it where that fails', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { requireMention: true, names: ['gatehouse'] } }, `mentions: async ({ text, sender, conversation }) => { if (text === 'throw') throw new Error('no'); return { mentioned: text === 'you there' && sender.id === 'ada' && conversation === 'lobby' }; }`);
    await home.add({ name: 'mirror', ...MIRROR });
    await using gatehouse = await startGatehouse(home);
    const ignored = { status: 200, body: { status: 'ignored' } };
    expect(await say(gatehouse, { id: '1', text: 'hello' })).toMatchObject(ignored);
    expect(await say(gatehouse, { id: '2', text: 'throw' })).toMatchObject(ignored);
    expect((await say(gatehouse, { id: '3', text: 'you there' })).status).toBe(202);
    expect(await replyTo(gatehouse, '3')).toBe('{"wasMentioned":true}');
    expect((await say(gatehouse, { id: '4', text: 'throw gatehouse' })).status).toBe(202); // not even asked
  });

  it('keeps nothing of what it ignores: the same message is judged afresh when the policy has changed', async () => {
    await using home = await aHome();
    await addRooms(home, { admit: { requireMention: true, names: ['gatehouse'] } });
    await home.add({ name: 'mirror', ...MIRROR });
    {
      await using gatehouse = await startGatehouse(home);
      expect(await say(gatehouse, { id: '1', text: 'hello' }, { id: '2', text: 'gatehouse' })).toMatchObject({ status: 202, body: { items: [{ status: 'ignored', code: 'NOT_ADDRESSED' }, { status: 'accepted' }] } });
    }
    await home.write('manifests/plugins/rooms.json', { plugin: 'test.rooms', source: 'plugins/test.rooms-1.0.0', secrets: { signing: { file: 'rooms.secret' } } });
    await using gatehouse = await startGatehouse(home);
    expect(await say(gatehouse, { id: '1', text: 'hello' }, { id: '2', text: 'gatehouse' })).toMatchObject({ body: { items: [{ status: 'accepted' }, { status: 'duplicate' }] } });
  });

  it('is told to a socket as an ack of its own', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat', { admit: { requireMention: true, names: ['gatehouse'] } });
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ack('hello')).toMatchObject({ status: 'ignored', code: 'NOT_ADDRESSED' });
    expect(await chat.ask('@gatehouse /help')).toContain('/help');
  });
});
