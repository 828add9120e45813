// Gates relaxed by rooms: who may relax which, and who cannot choose it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newConversation } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { aWorld, round, shown } from '../support/gate-expectations.ts';
import { concluded, roundBefore, type GateWorld } from '../support/gate-world.ts';

describe('a room', () => {
  const relaxed = newConversation();
  const flagging = newConversation();
  const rooms = {
    relaxed: { gates: { zeta: 'skip', omega: 'skip', beta: 'skip', gamma: 'skip' } },
    flagging: { gates: { zeta: 'flag', omega: 'flag', beta: 'flag', gamma: 'flag' } },
    'caf\u00e9': { gates: { omega: 'skip' } },
  } as const;
  const at = aWorld({ gate: { gamma: { required: true }, beta: { relaxTo: 'flag' }, omega: { onQuarantine: 'bypass' } }, rooms: { ...rooms, [relaxed]: rooms.relaxed, [flagging]: rooms.flagging } });
  const skipping = [{ door: 'http', room: 'relaxed' }, { door: 'socket', room: relaxed }] as const;

  it.for(skipping)('leaves out the gates it skips, on both ways, and not those that are locked: at the $door door', async ({ door, room }) => {
    await using visitor = await at.world.door(door, room);
    const text = '[inbound zeta deny] [inbound omega deny] [inbound beta deny] say [outbound zeta deny] [outbound omega modify] [outbound beta deny] ' + door;
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    const reply = text.slice(text.indexOf('say ') + 4);
    await eventually(async () => expect(await visitor.replies()).toContain(reply));
    const message = (await at.world.stored(room, 'inbound')).find((each) => each.text === text);
    expect(roundBefore('moderate', message as never)).toEqual(['zeta skip', 'omega skip', 'beta would-deny', 'gamma pass']);
    expect(roundBefore('screen', message as never)).toEqual(['zeta skip', 'omega skip', 'beta would-deny', 'gamma pass']);
    expect(shown(message as never)).toEqual({ text, flags: ['would-deny:beta'], provenance: [{ gate: 'beta', effect: 'would-deny' }] });
    expect(await visitor.say('[inbound gamma deny] hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by gamma' });
  });

  it.for([{ door: 'http', room: 'flagging' }, { door: 'socket', room: flagging }] as const)('that only flags learns what its gates would have done: at the $door door', async ({ door, room }) => {
    await using visitor = await at.world.door(door, room);
    const text = '[inbound zeta deny] [inbound omega modify] [inbound beta throw] say [outbound zeta hang] hello';
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await visitor.replies()).toEqual(['[outbound zeta hang] hello']), 120_000);
    const [message] = await at.world.stored(room, 'inbound');
    expect(shown(message ?? {})).toEqual({ text, flags: ['would-deny:zeta', 'would-modify:omega', 'unjudged:beta'], provenance: [{ gate: 'zeta', effect: 'would-deny' }, { gate: 'omega', effect: 'would-modify' }, { gate: 'beta', effect: 'unjudged' }] });
    expect((await at.world.stored(room, 'outbound')).map(({ flags }) => flags)).toEqual([['timeout:zeta']]);
  });

  it.for(['RELAXED', 'Relaxed', 'relaxed ', ' relaxed', 'relaxed\u200b', '\uff52elaxed', 'rel\u0430xed', 'relaxed/', 'cafe\u0301', '__proto__', 'constructor', 'hasOwnProperty'])('is not chosen by a name that only looks like it: %j', async (conversation) => {
    await using visitor = await at.world.door('http', conversation);
    expect(await visitor.say('[inbound omega deny] hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by omega' });
  });

  it('counts where a message goes, not where it comes from', async () => {
    await using visitor = await at.world.door('http', 'relaxed');
    const sent = async (text: string, id: string) => {
      await visitor.say(text, id);
      return await eventually(async () => {
        const message = (await at.world.stored('relaxed', 'inbound')).find((each) => each.senderMessageId === id);
        const reply = (await at.world.stored('relaxed', 'outbound')).find(({ inReplyTo }) => message && inReplyTo === id);
        expect(reply).toBeDefined();
        return reply?.text;
      });
    };
    expect(await sent('tell webhook elsewhere [outbound omega deny] hello', 't1')).toBe('REPLY_DENIED');
    expect(await at.world.stored('elsewhere', 'outbound')).toEqual([]);
    await using other = await at.world.door('http', 'other');
    expect(await other.say('tell webhook relaxed [outbound omega deny] from other', 't2')).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect((await at.world.stored('relaxed', 'outbound')).map(({ text }) => text)).toContain('[outbound omega deny] from other'));
  });

  it('makes nothing stricter of a gate that is quarantined and bypassed, nor weaker of the others', async () => {
    const { gatehouse } = at.world;
    await using visitor = await at.world.door('http');
    expect((await gatehouse.api('/plugins/omega/quarantine', { method: 'POST', body: { reason: 'a look at it' } })).status).toBe(200);
    try {
      const text = '[inbound omega deny] say [outbound omega deny] hello';
      expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
      await eventually(async () => expect(await visitor.replies()).toEqual(['[outbound omega deny] hello']));
      const message = await concluded(at.world, visitor.conversation);
      expect(shown(message)).toEqual({ text, flags: ['bypassed:omega'], provenance: [{ gate: 'omega', effect: 'bypassed' }] });
      expect(roundBefore('screen', message)).toEqual(round('omega', 'bypassed'));
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(({ flags }) => flags)).toEqual([['bypassed:omega']]);
      expect(await visitor.say('[inbound gamma deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    } finally {
      await gatehouse.api('/plugins/omega/release', { method: 'POST', body: { reason: 'it was fine' } });
    }
    await eventually(async () => expect(await visitor.say('[inbound omega deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' }));
  });

  it('takes effect as soon as its file says so, and a lock as soon as the gate says so', async () => {
    await using visitor = await at.world.door('http', 'late room');
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    const webhook = await fileOf(at.world, 'webhook');
    await at.world.home.write('manifests/plugins/webhook.json', { ...webhook, rooms: { ...Object(webhook['rooms']), 'late room': { gates: { zeta: 'skip' } } } });
    expect((await at.world.gatehouse.api('/reload', { method: 'POST' })).status).toBe(200);
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'accepted' });
    const zeta = await fileOf(at.world, 'zeta');
    await at.world.home.write('manifests/plugins/zeta.json', { ...zeta, relaxTo: 'enforce' });
    await at.world.gatehouse.api('/reload', { method: 'POST' });
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    await at.world.home.write('manifests/plugins/zeta.json', zeta);
    await at.world.gatehouse.api('/reload', { method: 'POST' });
  });
});

async function fileOf({ home }: GateWorld, name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(home.path, 'manifests/plugins', `${name}.json`), 'utf8')) as Record<string, unknown>;
}
