// Every effect of a gate at every place, in and out, over HTTP and sockets.
import { describe, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aWorld, everywhere, keptAfter, round, roundUpTo, shown } from '../support/gate-expectations.ts';
import { concluded, roundBefore } from '../support/gate-world.ts';

describe('a gate', () => {
  const at = aWorld();

  it.concurrent.for(everywhere.flatMap((one) => ['pass', 'modify', 'flag'].map((effect) => ({ ...one, effect }))))('that says $effect on the way in, $gate at the $door door', async ({ door, gate, effect }, { expect }) => {
    await using visitor = await at.world.door(door);
    const order = `[inbound ${gate} ${effect}]`;
    expect(await visitor.say(`${order} say hello`)).toMatchObject({ status: 'accepted' });
    const message = await concluded(at.world, visitor.conversation);
    expect(shown(message)).toEqual(keptAfter(effect, gate, `${order} say hello`, order));
    expect(roundBefore('moderate', message)).toEqual(round(gate, effect));
    await eventually(async () => expect(await visitor.replies()).toEqual(['hello']));
  });

  it.concurrent.for(everywhere)('that denies on the way in lets nothing of it stay, and is not asked again: $gate at the $door door', async ({ door, gate }, { expect }) => {
    await using visitor = await at.world.door(door);
    const denied = { status: 'MODERATION_DENIED', reason: `denied by ${gate}` };
    expect(await visitor.say(`[inbound ${gate} deny-once] say hello`, 'd')).toEqual(denied);
    expect(await visitor.say(`say hello`, 'd')).toEqual(denied);
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
    expect(await visitor.say('say on', 'e')).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await visitor.replies()).toEqual(['on']));
  });

  it.concurrent.for(everywhere)('that gives no answer in time refuses, and judges afresh what comes again: $gate at the $door door', async ({ door, gate }, { expect }) => {
    await using visitor = await at.world.door(door);
    expect(await visitor.say(`[inbound ${gate} hang-once] say hello`, 'h')).toMatchObject({ status: 'GATE_TIMEOUT' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
    expect(await visitor.say(`[inbound ${gate} hang-once] say hello`, 'h')).toMatchObject({ status: 'accepted' });
    const message = await concluded(at.world, visitor.conversation);
    expect(shown(message)).toEqual({ text: `[inbound ${gate} hang-once] say hello`, flags: [] });
    expect(roundBefore('moderate', message)).toEqual(round(gate, 'pass'));
  });

  it.concurrent.for(everywhere.flatMap((one) => ['pass', 'modify', 'flag'].map((effect) => ({ ...one, effect }))))('that says $effect on the way out, $gate at the $door door', async ({ door, gate, effect }, { expect }) => {
    await using visitor = await at.world.door(door);
    const order = `[outbound ${gate} ${effect}]`;
    await visitor.say(`say ${order} hello`);
    const expected = keptAfter(effect, gate, `${order} hello`, order);
    await eventually(async () => expect(await visitor.replies()).toEqual([expected.text]));
    const answered = await concluded(at.world, visitor.conversation);
    expect(roundBefore('screen', answered)).toEqual(round(gate, effect));
    expect(shown(answered)).toEqual({ text: `say ${order} hello`, flags: [] });
    expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([expected]);
  });

  it.concurrent.for(everywhere)('that denies on the way out lets no reply leave: $gate at the $door door', async ({ door, gate }, { expect }) => {
    await using visitor = await at.world.door(door);
    await visitor.say(`say [outbound ${gate} deny] hello`);
    const message = await concluded(at.world, visitor.conversation);
    expect(message.outcome).toBe('unanswered');
    expect(roundBefore('screen', message)).toEqual(roundUpTo(gate, 'deny'));
    expect(await at.world.stored(visitor.conversation, 'outbound')).toEqual([]);
    expect(await visitor.replies()).toEqual([]);
  });

  it.concurrent.for(everywhere)('that gives no answer in time holds the reply until it does: $gate at the $door door', async ({ door, gate }, { expect }) => {
    await using visitor = await at.world.door(door);
    const reply = `[outbound ${gate} hang-once] hello`;
    await visitor.say(`say ${reply}`);
    await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 120_000);
    const message = await concluded(at.world, visitor.conversation);
    expect(roundBefore('screen', message)).toEqual(roundUpTo(gate, 'unavailable'));
    expect(message.stages).toContainEqual(expect.objectContaining({ stage: 'screen', decision: 'retry', reason: 'GATE_TIMEOUT' }));
    expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([{ text: reply, flags: [] }]);
  });
});
