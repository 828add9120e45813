// Places and the people in them: noted where a channel tells of them, when there is something new, and no further than their bounds.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { SessionView } from '../../schemas/control.ts';
import { compileSchema } from '../../host/schema.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { participants, rooms } from '../../host/store/tables.ts';
import { Rooms } from '../../host/pipeline/sessions/rooms.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aPipeline } from '../support/pipeline.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const GROUP = { kind: 'group', name: 'Team' };

async function aWorld(clock = aHandClock()) {
  const world = await aPipeline({ door: { kind: 'channel' } }, { clock });
  const written: string[] = [];
  world.beforeCommit = (commit) => void written.push(...(commit.put ?? []).map(({ table }) => table.name).filter((name) => name === 'rooms' || name === 'participants'));
  let count = 0;
  /** Says something, and tells which rows of rooms it wrote. */
  const say = async (sender: string, room: object | null = GROUP, name?: string, conversation = 'c') => {
    written.length = 0;
    const id = `m${++count}`;
    expect((await world.post('door', { id, conversation, sender: { id: sender, ...(name !== undefined && { name }) }, text: id, ...(room && { room }) })).status).toBe(202);
    return written.toSorted();
  };
  return { world, clock, say, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe('a room', () => {
  it('is noted with the first message that tells of it, and its people one by one', async () => {
    await using world = await aWorld();
    expect(await world.say('ada', GROUP, 'Ada')).toEqual(['participants', 'rooms']);
    expect(await world.say('ada', GROUP, 'Ada')).toEqual([]);
    expect(await world.say('bo')).toEqual(['participants', 'rooms']);
    expect(await world.say('bo')).toEqual([]);
    const shown = await world.world.pipeline.sessions.show('door:c');
    expect(shown.rooms).toEqual([{ instance: 'door', conversation: 'c', ...GROUP, firstAt: '2026-01-15T00:00:00.000Z', lastAt: '2026-01-15T00:00:00.000Z', participants: 2, people: [{ id: 'ada', name: 'Ada', lastAt: '2026-01-15T00:00:00.000Z' }, { id: 'bo', lastAt: '2026-01-15T00:00:00.000Z' }] }]);
    expect(compileSchema(SessionView).explain(shown)).toBeUndefined();
    const [listed] = (await world.world.pipeline.sessions.list({ limit: 10 })).items;
    expect(listed?.rooms).toMatchObject([{ ...GROUP, participants: 2 }]);
    expect(listed?.rooms?.[0]).not.toHaveProperty('people');
  });

  it('is noted again when it or somebody in it is called otherwise, and once an hour', async () => {
    await using world = await aWorld();
    await world.say('ada', GROUP, 'Ada');
    expect(await world.say('ada', { kind: 'group', name: 'The team' }, 'Ada')).toEqual(['rooms']);
    expect(await world.say('ada', { kind: 'channel', name: 'The team' }, 'Ada')).toEqual(['rooms']);
    expect(await world.say('ada', { kind: 'channel' }, 'Ada')).toEqual(['rooms']);
    expect(await world.say('ada', { kind: 'channel' }, 'Ada L.')).toEqual(['participants']);
    world.clock.turn(BOUNDS.seenEveryMs - 1);
    expect(await world.say('ada', { kind: 'channel' }, 'Ada L.')).toEqual([]);
    world.clock.turn(1);
    expect(await world.say('ada', { kind: 'channel' }, 'Ada L.')).toEqual(['participants', 'rooms']);
    expect((await world.world.pipeline.sessions.show('door:c')).rooms?.[0]).toMatchObject({ kind: 'channel', participants: 1, firstAt: '2026-01-15T00:00:00.000Z', lastAt: '2026-01-15T01:00:00.000Z' });
  });

  it('is nothing for a channel that tells of none', async () => {
    await using world = await aWorld();
    await world.say('ada');
    expect(await world.say('ada', null, 'Ada', 'd')).toEqual([]);
    expect(await world.world.store.range(rooms, rooms.prefix())).toHaveLength(1);
    expect(await world.world.pipeline.sessions.show('door:d')).not.toHaveProperty('rooms');
  });

  it('knows so many people and no more', async () => {
    await using world = await aWorld();
    const posts = Array.from({ length: BOUNDS.participantsPerRoom + 5 }, (_, n) => world.world.post('door', { id: `p${n}`, conversation: 'c', sender: { id: `s${n}` }, text: 'hi', room: GROUP }));
    for (const { status } of await Promise.all(posts)) expect(status).toBe(202);
    expect(await world.world.store.range(participants, participants.prefix('door', 'c'))).toHaveLength(BOUNDS.participantsPerRoom);
    expect((await world.world.pipeline.sessions.show('door:c')).rooms?.[0]).toMatchObject({ participants: BOUNDS.participantsPerRoom });
    expect(await world.say('one-more')).toEqual([]);
    expect(await world.say('s0')).toEqual([]);
  });

  it('goes with its people when nobody has spoken there for long, and comes back with who speaks then', async () => {
    await using dir = await tempDir();
    const clock = aHandClock();
    await using store = await openStore({ dir: dir.path, clock });
    await using known = new Rooms({ store, clock, log: silentLog });
    const note = async (sender: string, conversation = 'c') => {
      using noting = await known.open('door', { id: 'x', conversation, sender: { id: sender }, text: '', room: { kind: 'group' } }, clock.now());
      const put = noting.rows();
      if (put.length > 0) await store.commit({ put });
      noting.done(true);
    };
    await note('ada');
    await note('bo');
    clock.turn(BOUNDS.roomMs);
    await note('cy', 'd');
    expect(await known.trim()).toBe(0);
    clock.turn(1);
    expect(await known.trim()).toBe(1);
    expect(await known.viewOf('door', 'c')).toBeUndefined();
    expect(await store.range(participants, participants.prefix('door', 'c'))).toEqual([]);
    await note('bo');
    await note('ada');
    expect(await known.viewOf('door', 'c', { people: 10 })).toMatchObject({ participants: 2, people: [{ id: 'ada' }, { id: 'bo' }] });
    expect(await known.viewOf('door', 'd')).toMatchObject({ participants: 1 });
  });

  it('is not kept when the message’s commit fails', async () => {
    await using world = await aWorld();
    world.world.beforeCommit = () => {
      throw new Error('no');
    };
    expect((await world.world.post('door', { id: 'x', conversation: 'c', sender: { id: 'ada' }, text: 'x', room: GROUP })).status).toBeGreaterThanOrEqual(500);
    world.world.beforeCommit = () => undefined;
    await world.say('ada');
    expect((await world.world.pipeline.sessions.show('door:c')).rooms?.[0]).toMatchObject({ participants: 1 });
    expect(await world.world.store.range(participants, participants.prefix())).toHaveLength(1);
  });
});
