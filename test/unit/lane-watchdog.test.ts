// A run that makes no step: told once, cancelled, given up if that does not help; what it still says counts for nothing.
import { describe, expect, it } from 'vitest';
import { subscribe, type Events } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aLaneHome, heardIn, say } from '../support/lane-home.ts';
import { aPipeline, arriving, type StandIn } from '../support/pipeline.ts';

/** What the watchdog tells while `work` goes on. */
function listening() {
  const stuck: Events['lane.stuck'][] = [];
  const freed: Events['lane.freed'][] = [];
  const stop = [subscribe('lane.stuck', (fields) => stuck.push(fields)), subscribe('lane.freed', (fields) => freed.push(fields))];
  return { stuck, freed, [Symbol.dispose]: () => stop.forEach((each) => each()) };
}

describe('a lane whose run makes no step', () => {
  it('is told once; its call is cancelled, and its message is answered by another try', async () => {
    using told = listening();
    await using home = await aLaneHome({}, { pipeline: { lanes: { stuckAfterMs: 1000 } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse.address, '1', 'hold');
    await eventually(async () => expect((await gatehouse.host.lanes.list({})).items).toMatchObject([{ session: 'door:c', state: 'running', depth: 1 }]));
    await eventually(() => expect(told.stuck).toMatchObject([{ instance: 'door', action: 'cancelled' }]));
    await say(gatehouse.address, 'go', 'go', 'elsewhere');
    await eventually(async () => expect(heardIn((await gatehouse.host.messages.list({ conversation: 'c' })).items)).toEqual([{ id: '1', text: 'hold' }]));
    await eventually(() => expect(told.freed).toMatchObject([{ instance: 'door', how: 'cancelled' }]));
    expect(told.stuck).toHaveLength(1);
  });

  it('that does not end when it is told to is given up, tried again, and can store nothing any more', async () => {
    using told = listening();
    const calls: ((value: unknown) => void)[] = [];
    const skill: StandIn = { kind: 'skill', handlers: { respond: () => (calls.length === 0 ? new Promise((resolve) => calls.push(resolve)) : { replies: [{ text: 'from the second try' }] }) } };
    await using world = await aPipeline({ hook: { kind: 'channel' }, skill }, { settings: { lanes: { stuckAfterMs: 1000 } } });
    await world.post('hook', arriving('1', 'hello'));
    await world.post('hook', arriving('2', 'behind it'));
    await eventually(() => expect(told.freed).toMatchObject([{ how: 'given up' }]));
    await eventually(async () => expect((await world.outbound('hook', 'c')).map(({ text }) => text)).toEqual(['from the second try', 'from the second try']));
    calls[0]?.({ replies: [{ text: 'too late' }] });
    await new Promise((resolve) => setImmediate(resolve));
    expect((await world.outbound('hook', 'c')).map(({ text }) => text)).not.toContain('too late');
    expect((await world.everyMessage()).filter(({ direction }) => direction === 'inbound').map(({ outcome }) => outcome)).toEqual(['answered', 'answered']);
    await eventually(() => expect([world.pipeline.lanes.waiting, world.pipeline.lanes.running]).toEqual([0, 0]));
  });

  it('is tried again as a whole where it answers several messages', async () => {
    const asked: string[] = [];
    const skill: StandIn = { kind: 'skill', handlers: { respond: ({ message }: { message: { text: string } }) => {
      asked.push(message.text);
      return asked.length === 1 ? new Promise(() => undefined) : { replies: [{ text: 'once' }] };
    } } };
    await using world = await aPipeline({ hook: { kind: 'channel', policy: { queue: { mode: 'collect', debounceMs: 300 } } }, skill }, { settings: { lanes: { stuckAfterMs: 1000 } } });
    for (const [id, text] of [['1', 'one'], ['2', 'two'], ['3', 'three']] as const) await world.post('hook', arriving(id, text));
    await eventually(() => expect(asked).toHaveLength(2), 120_000);
    expect(asked).toEqual(['one\ntwo\nthree', 'one\ntwo\nthree']);
    await eventually(async () => expect((await world.everyMessage()).filter(({ direction }) => direction === 'inbound').map(({ outcome }) => outcome)).toEqual(['answered', 'answered', 'answered']));
    expect((await world.outbound('hook', 'c')).map(({ text }) => text)).toEqual(['once']);
    await eventually(() => expect([world.pipeline.lanes.waiting, world.pipeline.lanes.running]).toEqual([0, 0]));
  });

  it('three times in a row leaves a dead letter', async () => {
    const skill: StandIn = { kind: 'skill', handlers: { respond: () => new Promise(() => undefined) } };
    await using world = await aPipeline({ hook: { kind: 'channel' }, skill }, { settings: { lanes: { stuckAfterMs: 1000 } } });
    await world.post('hook', arriving('1', 'hello'));
    await eventually(async () => expect(await world.everyMessage()).toMatchObject([{ outcome: 'dead-lettered', code: 'LANE_STUCK' }]), 120_000);
    await eventually(() => expect([world.pipeline.lanes.waiting, world.pipeline.lanes.running]).toEqual([0, 0]));
  });

  it('is left alone while its answer is being stored', async () => {
    using told = listening();
    const skill: StandIn = { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'stored late' }] }) } };
    await using world = await aPipeline({ hook: { kind: 'channel' }, skill }, { settings: { lanes: { stuckAfterMs: 1000 } } });
    const flush = Promise.withResolvers<void>();
    let commits = 0;
    world.beforeCommit = () => ((commits += 1) === 2 ? flush.promise : undefined);
    await world.post('hook', arriving('1', 'hello'));
    await eventually(() => expect(told.stuck).toMatchObject([{ step: 'conclude', action: 'none' }]));
    flush.resolve();
    await eventually(() => expect(told.freed).toMatchObject([{ how: 'by itself' }]));
    expect((await world.outbound('hook', 'c')).map(({ text }) => text)).toEqual(['stored late']);
  });

  it('is none while it makes steps', async () => {
    using told = listening();
    await using home = await aLaneHome({}, { pipeline: { lanes: { stuckAfterMs: 1000 } } });
    await using gatehouse = await startGatehouse(home);
    for (let n = 0; n < 30; n += 1) await say(gatehouse.address, String(n), 'slow');
    await eventually(async () => expect(heardIn((await gatehouse.host.messages.list({ conversation: 'c', limit: 200 })).items)).toHaveLength(30));
    expect(told.stuck).toEqual([]);
  });
});

describe('an operator', () => {
  it('ends a run: its message is dropped, and what waits goes on', async () => {
    await using home = await aLaneHome();
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse.address, '1', 'mark and hold');
    await eventually(async () => expect((await gatehouse.host.lanes.list({})).items).toMatchObject([{ state: 'running' }]));
    await say(gatehouse.address, '2', 'marks');
    expect((await gatehouse.api('/lanes/door%3Ac/interrupt', { method: 'POST' })).json()).toEqual({ session: 'door:c', interrupted: true });
    await eventually(async () => expect(heardIn((await gatehouse.host.messages.list({ conversation: 'c' })).items)).toEqual([{ id: '2', text: 'none' }]));
    expect((await gatehouse.host.messages.list({ conversation: 'c', outcome: 'dropped' })).items).toMatchObject([{ senderMessageId: '1', code: 'RUN_STOPPED' }]);
    expect((await gatehouse.api('/lanes/door%3Ac/interrupt', { method: 'POST' })).json()).toEqual({ session: 'door:c', interrupted: false });
  });
});
