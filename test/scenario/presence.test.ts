// What people at the webchat see while an answer comes into being, and what they must not see; and replies that change earlier messages.
import { describe, expect, it } from 'vitest';
import type { OutboundPolicy } from '../../schemas/policy.ts';
import { openChat, type Chat, type Frame } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';

/** `stream <words>` shows them one by one, and says what it was told about that; `slow` takes a while; `null` shows something and leaves the answer to another skill. */
const TELLER: TestPlugin = {
  name: 'teller',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
    const [verb, ...words] = message.text.split(' ');
    if (verb === 'slow') { await ctx.sleep(3000); return { replies: [{ text: 'done' }] }; }
    if (verb === 'stream') {
      const seen = [];
      for (const word of words) { seen.push(await ctx.reply.delta(word + ' ')); await ctx.sleep(70); }
      return { replies: [{ text: words.join(' ') + ' ' + seen.every(Boolean) }] };
    }
    if (verb === 'flood') {
      let count = 0;
      while (count < 1500 && (await ctx.reply.delta('x'.repeat(200)))) count += 1;
      return { replies: [{ text: String(count) }] };
    }
    if (verb === 'null') { await ctx.reply.delta('mine? '); await ctx.sleep(120); return null; }
    if (verb === 'fail') { await ctx.reply.delta('nearly '); await ctx.sleep(120); throw new Error('not today'); }
    if (verb === 'remember') { await ctx.kv.set('first', message.id); return { replies: [{ text: 'working on it' }] }; }
    if (verb === 'edit') return { replies: [{ text: words.join(' '), edits: await ctx.kv.get('first') }] };
    if (verb === 'edit-theirs') return { replies: [{ text: 'mine now', edits: message.id }] };
    if (verb === 'like') return { replies: [{ text: '👍🏽', reacts: message.id }] };
    return null;
  } } });`,
  manifest: { capabilities: [{ name: 'kv', quotaBytes: 10_000 }], skill: {}, limits: { wallMsPerCall: 5000 } },
};

const OTHER: TestPlugin = { name: 'other', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }) => ({ replies: [{ text: 'the other says ' + message.text }] }) } });`, manifest: { skill: {} }, enablement: { order: 900 } };

async function aHomeWith({ outbound = {}, more = [] }: { readonly outbound?: OutboundPolicy; readonly more?: readonly TestPlugin[] } = {}): Promise<TestHome> {
  const home = await aHome([TELLER, OTHER, ...more]);
  await addFirstParty(home, 'webchat', { outbound });
  return home;
}

const ofType = ({ frames }: Chat, type: string): readonly Frame[] => frames.filter((each) => each.type === type);

describe('a reply that is shown while it comes into being', () => {
  it('is shown piece by piece, then comes whole under the same id', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('stream once upon a time')).toBe('once upon a time true');
    const [message] = ofType(chat, 'message');
    const deltas = ofType(chat, 'delta');
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.map(({ text }) => text).join('')).toBe('once upon a time ');
    expect(new Set(deltas.map(({ id, inReplyTo }) => `${id} ${inReplyTo}`))).toEqual(new Set([`${message?.id} ${message?.inReplyTo}`]));
    expect(chat.frames.findLastIndex(({ type }) => type === 'delta')).toBeLessThan(chat.frames.findIndex(({ type }) => type === 'message'));
    await eventually(async () => expect((await gatehouse.api('/messages?direction=outbound')).json()).toMatchObject({ items: [{ id: message?.id, outcome: 'delivered' }] }));
  });

  it('is read again by whoever was not there, whole, once, in its place', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    await chat.ask('stream a b');
    await chat.ask('hello');
    await using again = await openChat(gatehouse.address, { conversation: chat.conversation });
    await again.frame(({ text }) => text === 'the other says hello');
    expect(again.frames.map(({ type, text }) => [type, text])).toEqual([['message', 'a b true'], ['message', 'the other says hello']]);
  });

  it('comes in few frames, however many pieces there are, and stops being shown at its bound', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    const taken = Number(await chat.ask('flood'));
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(Math.floor((64 * 1024) / 200));
    expect(ofType(chat, 'delta').length).toBeLessThan(taken / 2);
  });

  it('is not shown at all where a gate judges what leaves', async () => {
    const gate: TestPlugin = {
      name: 'gate',
      kind: 'moderation',
      source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: ({ message }) => message.text.includes('secret') ? { effect: 'modify', text: message.text.replaceAll('secret', '******'), reason: 'a secret' } : { effect: 'pass' } } });`,
      manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] } },
    };
    await using home = await aHomeWith({ more: [gate] });
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('stream a secret plan')).toBe('a ****** plan false');
    expect(chat.frames.map(({ type }) => type)).toEqual(['ack', 'message']);
    expect(JSON.stringify(chat.frames)).not.toContain('secret');
  });

  it('is not shown where the operator wants none of it', async () => {
    await using home = await aHomeWith({ outbound: { stream: 'deny' } });
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('stream a b')).toBe('a b false');
    expect(ofType(chat, 'delta')).toEqual([]);
  });

  it('is withdrawn when it is no reply after all', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('null')).toBe('the other says null');
    const [delta] = ofType(chat, 'delta');
    expect(ofType(chat, 'withdrawn').map(({ id }) => id)).toEqual([delta?.id]);
    expect(ofType(chat, 'message')[0]?.id).not.toBe(delta?.id);
    const { items } = (await gatehouse.api('/messages?direction=inbound')).json<{ items: { stages: object[] }[] }>();
    expect(items[0]?.stages).toContainEqual({ stage: 'stream', decision: 'withdrawn', reason: '6 bytes', durationMs: 0 });
    chat.say('fail');
    await eventually(() => expect(ofType(chat, 'withdrawn').length).toBeGreaterThan(2), 120_000);
    expect(ofType(chat, 'message')).toHaveLength(1);
  });
});

describe('somebody who writes', () => {
  it('is told of where the operator wants it, after a while, and not of quick answers', async () => {
    await using home = await aHomeWith({ outbound: { typing: { afterMs: 1500 } } });
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('hello')).toBe('the other says hello');
    expect(ofType(chat, 'typing')).toEqual([]);
    expect(await chat.ask('slow')).toBe('done');
    expect(chat.frames.map(({ type }) => type)).toEqual(['ack', 'message', 'ack', 'typing', 'message']);
  });

  it('is not told of otherwise', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    await chat.ask('slow');
    expect(ofType(chat, 'typing')).toEqual([]);
  });
});

describe('a reply about an earlier message', () => {
  it('edits what the skill said, for those who are there and those who come back', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    await chat.ask('remember');
    const [first] = ofType(chat, 'message');
    chat.say('edit all done');
    const edit = await chat.frame(({ type }) => type === 'edit');
    expect(edit).toMatchObject({ id: first?.id, text: 'all done' });
    await using again = await openChat(gatehouse.address, { conversation: chat.conversation });
    await again.frame(({ type }) => type === 'edit');
    expect(again.frames.map(({ type, id, text }) => [type, id, text])).toEqual([['message', first?.id, 'working on it'], ['edit', first?.id, 'all done']]);
  });

  it('is a message of its own when what it would edit is not the skill’s', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('edit-theirs')).toBe('mine now');
    expect(ofType(chat, 'edit')).toEqual([]);
  });

  it('puts an emoji on what was said', async () => {
    await using home = await aHomeWith();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    const id = chat.say('like');
    expect(await chat.frame(({ type }) => type === 'reaction')).toEqual({ type: 'reaction', to: id, emoji: '👍🏽' });
    expect(ofType(chat, 'message')).toEqual([]);
    await eventually(async () => expect((await gatehouse.api('/messages?direction=outbound')).json()).toMatchObject({ items: [{ outcome: 'delivered' }] }));
  });
});
