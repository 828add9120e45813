// How much is held for a quarantined gate, and for how long: beyond each bound the source is told to come again, and nothing of what is refused or given up is kept.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { put, type Store } from '../../host/store/store.ts';
import { dedupe, held } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aPipeline, arriving, type StandIn } from '../support/pipeline.ts';

const CHANNEL: StandIn = { kind: 'channel' };
const SKILL: StandIn = { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'heard' }] }) } };
const away: StandIn = { kind: 'gate', directions: ['inbound'], quarantined: true, onQuarantine: 'hold' };
/** The same gate after its release, which denies by word and says in which order it was asked. */
const back = (asked: string[]): StandIn => ({
  kind: 'gate', directions: ['inbound'],
  handlers: { evaluate: ({ message }) => (asked.push(message.text), message.text === 'bad' ? { effect: 'deny', reason: 'no' } : { effect: 'pass' }) },
});

const heldRows = async (store: Store) => (await store.range(held, held.prefix(), { limit: BOUNDS.heldMessages + 1 })).map(({ key, value }) => ({ id: String(key.at(-1)), value }));

/** The one message that is held, so many times over, each of them so large. */
async function multiply(store: Store, times: number, sizeBytes?: number): Promise<void> {
  const [row] = await heldRows(store);
  if (!row) throw new Error('nothing is held');
  const copies = Array.from({ length: times }, (_, n) => put(held, held.key('gate', `${row.id.slice(0, -8)}${String(n).padStart(8, '0')}`), { ...row.value, sizeBytes: sizeBytes ?? row.value.sizeBytes }));
  expect(await store.commit({ put: copies })).toBe('committed');
}

describe('messages held for a gate', () => {
  it.each([
    ['in number', (store: Store) => multiply(store, BOUNDS.heldMessages - 2)],
    ['in size', (store: Store) => multiply(store, 1, BOUNDS.heldBytes - 1500)],
  ])('are bounded %s, also over a restart; the source is told to come again', async (_, fill) => {
    await using first = await aPipeline({ channel: CHANNEL, gate: away, skill: SKILL });
    expect(await first.post('channel', arriving('1', 'hello'))).toMatchObject({ status: 202, body: expect.stringContaining('"held"') as unknown });
    await fill(first.store);
    await using second = await aPipeline({ channel: CHANNEL, gate: away, skill: SKILL }, { store: first.store });
    expect((await second.post('channel', arriving('2', 'one more', 'd'))).status).toBe(202);
    const before = (await heldRows(second.store)).length;
    expect(await second.post('channel', arriving('3', 'x'.repeat(1000), 'e'))).toMatchObject({ status: 503, body: expect.stringContaining('HELD_FULL') as unknown });
    expect((await heldRows(second.store)).length).toBe(before);
  });

  it('are judged in their order when it is back; what it denies then is gone, with its tombstone', async () => {
    await using world = await aPipeline({ channel: CHANNEL, gate: away, skill: SKILL });
    for (const [id, text] of [['1', 'one'], ['2', 'bad'], ['3', 'three']] as const) expect((await world.post('channel', arriving(id, text))).status).toBe(202);
    const asked: string[] = [];
    world.plugins.set('gate', back(asked));
    await world.pipeline.held.release();
    await eventually(async () => expect((await world.outbound('channel', 'c')).map(({ text }) => text)).toEqual(['heard', 'heard']));
    expect(asked).toEqual(['one', 'bad', 'three']);
    expect((await world.everyMessage()).filter(({ direction }) => direction === 'inbound').map(({ text }) => text)).toEqual(['one', 'three']);
    expect(await heldRows(world.store)).toEqual([]);
    expect(await world.post('channel', arriving('2', 'bad'))).toMatchObject({ status: 403 });
  });

  it('are given up after a day, as denied', async () => {
    const clock = aHandClock();
    await using world = await aPipeline({ channel: CHANNEL, gate: away, skill: SKILL }, { clock });
    expect((await world.post('channel', arriving('1', 'hello'))).status).toBe(202);
    clock.turn(BOUNDS.heldMs - 1);
    await world.pipeline.held.expire();
    expect(await heldRows(world.store)).toHaveLength(1);
    clock.turn(2);
    await world.pipeline.held.expire();
    expect(await heldRows(world.store)).toEqual([]);
    expect((await world.store.range(dedupe, dedupe.prefix())).map(({ value }) => value)).toMatchObject([{ outcome: 'denied', messageId: null, reason: 'held too long' }]);
  });
});
