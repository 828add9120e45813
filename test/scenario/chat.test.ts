// What a person at the webchat meets: an answer, a tool's answer, a refusal, a redelivery, an old conversation.
import { describe, expect, it } from 'vitest';
import { openChat } from '../support/chat.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';

async function aChattyHome() {
  const home = await aHome();
  for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name, { required: name === 'webchat' });
  return home;
}

describe('a chat', () => {
  it('answers, uses tools, refuses, recognises redeliveries and remembers', async () => {
    await using home = await aChattyHome();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);

    expect(await chat.ask('echo hello')).toBe('hello');
    expect(await chat.ask('/help')).toMatch(/\/time/);
    expect(await chat.ask('/time Europe/Vienna')).toMatch(/Vienna/);
    expect(await chat.ask('/time Atlantis/Nowhere')).toMatch(/Atlantis/);
    expect(await chat.ask('good morning')).toMatch(/wordlist/);

    const denied = await chat.ack('look, a Trojan   Horse!');
    expect(denied).toMatchObject({ status: 'denied', code: 'MODERATION_DENIED', reason: 'No trojan horses past this gate.' });

    const id = chat.say('echo once');
    await chat.frame((each) => each.type === 'ack' && each.id === id && each.status === 'accepted');
    await chat.frame((each) => each.inReplyTo === id);
    chat.say('echo once', id);
    await chat.frame((each) => each.type === 'ack' && each.id === id && each.status === 'duplicate');

    chat.raw('not json');
    await chat.frame((each) => each.type === 'error');

    await using again = await openChat(gatehouse.address, { conversation: chat.conversation });
    await again.frame((each) => each.type === 'message' && each.text === 'hello');
    const replies = again.frames.filter((each) => each.type === 'message');
    expect(new Set(replies.map((each) => each.id)).size).toBe(replies.length);
    expect(replies.filter((each) => each.inReplyTo === id)).toHaveLength(1);
  });

  it('masks on the way in and keeps the provenance', async () => {
    await using home = await aChattyHome();
    await using gatehouse = await startGatehouse(home);
    await using chat = await openChat(gatehouse.address);
    expect(await chat.ask('echo darn it')).toBe('**** it');
    const { items } = (await gatehouse.api('/messages?direction=inbound')).json<{ items: { text: string; stages: { stage: string; decision: string; instance?: string }[] }[] }>();
    expect(items[0]?.text).toBe('echo **** it');
    expect(items[0]?.stages.map((each) => each.stage)).toEqual(['verify', 'receive', 'normalize', 'admit', 'gate', 'moderate', 'accept', 'skill', 'respond', 'sanitize', 'gate', 'screen', 'offer']);
    expect(items[0]?.stages.find((each) => each.stage === 'gate')).toMatchObject({ decision: 'modify', instance: 'wordlist' });
  });

  it('keeps conversations apart', async () => {
    await using home = await aChattyHome();
    await using gatehouse = await startGatehouse(home);
    await using first = await openChat(gatehouse.address);
    await using second = await openChat(gatehouse.address);
    expect(await first.ask('echo mine')).toBe('mine');
    expect(await second.ask('echo yours')).toBe('yours');
    expect(second.frames.some((each) => each.text === 'mine')).toBe(false);
  });
});
