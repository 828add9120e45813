// What a channel tells of the place a message was said in: room, thread and account reach whoever judges, answers and delivers it, and cost nothing where a channel tells none.
import { describe, expect, it } from 'vitest';
import { Delivery, Message } from '../../schemas/message.ts';
import { compileSchema } from '../../host/schema.ts';
import { packMessage } from '../../host/store/message-record.ts';
import { aPipeline, arriving } from '../support/pipeline.ts';
import { eventually } from '../support/eventually.ts';

const PLACE = { room: { kind: 'group', name: 'Team' }, thread: 't-7', account: 'bot-2' };

async function aWorld() {
  const seen: { gate: unknown[]; skill: unknown[]; send: unknown[] } = { gate: [], skill: [], send: [] };
  const world = await aPipeline({
    door: { kind: 'channel', handlers: { receive: ({ body }) => ({ messages: [JSON.parse(body)] }), send: (delivery) => (seen.send.push(delivery), { actions: [] }) } },
    judge: { kind: 'gate', directions: ['inbound'], handlers: { evaluate: ({ message }) => (seen.gate.push(message), { effect: 'pass' }) } },
    answer: { kind: 'skill', handlers: { respond: ({ message }) => (seen.skill.push(message), { replies: [{ text: 'yes' }] }) } },
  });
  return { world, seen };
}

describe('room, thread and account', () => {
  it('are seen by gates and skills, and a reply goes back to thread and account', async () => {
    const { world, seen } = await aWorld();
    await using _ = world;
    expect((await world.post('door', { ...arriving('m1', 'hi'), ...PLACE })).status).toBe(202);
    await eventually(() => expect(seen.send).toHaveLength(1));
    expect(seen.gate).toMatchObject([PLACE]);
    expect(seen.skill).toMatchObject([PLACE]);
    expect(seen.send).toMatchObject([{ conversation: 'c', thread: 't-7', account: 'bot-2' }]);
    expect(seen.send[0]).not.toHaveProperty('room');
    expect(compileSchema(Message).explain(seen.skill[0])).toBeUndefined();
    expect(compileSchema(Delivery).explain(seen.send[0])).toBeUndefined();
  });

  it('are in no message, delivery or row of a channel that tells none', async () => {
    const { world, seen } = await aWorld();
    await using _ = world;
    await world.post('door', arriving('m1', 'hi'));
    await eventually(() => expect(seen.send).toHaveLength(1));
    const rows = (await world.everyMessage()).map(packMessage);
    for (const each of [...seen.gate, ...seen.skill, ...seen.send, ...rows]) for (const key of ['room', 'thread', 'account']) expect(each).not.toHaveProperty(key);
  });

  it.each([
    ['a kind nobody knows', { room: { kind: 'crowd' } }],
    ['an empty thread', { thread: '' }],
    ['an account beyond its bound', { account: 'a'.repeat(257) }],
    ['a thread that is no text a store can hold', { thread: 't\ud800' }],
  ])('are refused when a channel tells %s', async (_, told) => {
    const { world, seen } = await aWorld();
    await using __ = world;
    expect((await world.post('door', { ...arriving('m1', 'hi'), ...told })).status).toBeGreaterThanOrEqual(400);
    expect(seen.gate).toEqual([]);
  });
});
