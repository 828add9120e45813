// Where sessions and people can be reached: noted with their messages and no oftener than needed, tried latest first, forgotten in time.
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { BOUNDS } from '../../schemas/bounds.ts';
import { subscribe } from '../../host/events.ts';
import { Identities } from '../../host/pipeline/sessions/identities.ts';
import { noted } from '../../host/pipeline/sessions/reach.ts';
import { addressIn, sessionKey } from '../../host/pipeline/sessions/session-keys.ts';
import { BoundedTable } from '../../host/store/bounded-table.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put } from '../../host/store/store.ts';
import { routes, type RouteRow } from '../../host/store/tables.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { eventually } from '../support/eventually.ts';
import { conversationId, instanceId } from '../support/ids.ts';
import { aPipeline, type StandIn, type WorldOptions } from '../support/pipeline.ts';
import { tempDir } from '../support/temp.ts';

const LINKS = { ada: ['webhook:ada', 'webchat:v'] };
const TENTH_MS = BOUNDS.routeMs / 10;

async function aWorld(options: WorldOptions & { readonly scope?: 'peer' | 'conversation' | 'main' } = {}) {
  const sent: { channel: string; conversation: string; text: string; thread?: string; account?: string }[] = [];
  const channel = (name: string): StandIn => ({ kind: 'channel', policy: { session: { scope: options.scope ?? 'peer' } }, handlers: { receive: ({ body }) => ({ messages: [JSON.parse(body)] }), send: (delivery) => (sent.push({ channel: name, ...delivery }), { actions: [] }) } });
  const world = await aPipeline({ webhook: channel('webhook'), webchat: channel('webchat') }, { identities: new Identities(LINKS), ...options });
  const results: string[] = [];
  const unsubscribe = subscribe('route.resolved', ({ result }) => results.push(result));
  let count = 0;
  const say = async (name: string, sender: string, conversation = 'c', more: object = {}) => {
    const id = `m${++count}-${Math.random()}`;
    expect((await world.post(name, { id, conversation, sender: { id: sender }, text: id, ...more })).status).toBe(202);
    await eventually(async () => expect((await world.everyMessage()).find(({ senderMessageId }) => senderMessageId === id)?.outcome).toBe('unanswered'));
  };
  const write = (to: { session: string } | { identity: string }) => world.pipeline.operator.send({ ...to, text: 'hello' }, 'token:t');
  return { world, sent, results, say, write, async [Symbol.asyncDispose]() {
    unsubscribe();
    await world[Symbol.asyncDispose]();
  } };
}

const rowsOf = async ({ store }: { readonly store: Awaited<ReturnType<typeof aPipeline>>['store'] }) => Object.fromEntries((await store.range(routes, routes.prefix())).map(({ key, value }) => [String(key[1]), value.routes]));

describe('a message to a session or a person', () => {
  it('goes to the place where they wrote last, thread and account with it', async () => {
    await using world = await aWorld();
    await world.say('webhook', 'ada', 'w1');
    await world.say('webchat', 'v', 'x1', { thread: 't', account: 'a' });
    expect(await world.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    expect(world.sent).toMatchObject([{ channel: 'webchat', conversation: 'x1', thread: 't', account: 'a', text: 'hello' }]);
    await world.say('webhook', 'ada', 'w2');
    expect(await world.write({ session: '@identity:ada' })).toMatchObject({ outcome: 'delivered' });
    expect(world.sent[1]).toMatchObject({ channel: 'webhook', conversation: 'w2' });
    expect(world.results).toEqual(['hit', 'hit']);
    expect((await world.world.everyMessage()).filter(({ direction }) => direction === 'outbound')).toMatchObject([{ sessionKey: '@identity:ada' }, { sessionKey: '@identity:ada' }]);
  });

  it('falls back to the place before where the channel is gone or only receives, and is refused where none is left', async () => {
    await using world = await aWorld();
    await world.say('webhook', 'ada', 'w1');
    await world.say('webchat', 'v', 'x1');
    const { plugins } = world.world;
    plugins.set('webchat', { kind: 'channel', abilities: ['receive'] });
    expect(await world.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    plugins.delete('webchat');
    expect(await world.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    expect(world.sent.map(({ channel }) => channel)).toEqual(['webhook', 'webhook']);
    plugins.delete('webhook');
    await expect(world.write({ identity: 'ada' })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND', message: expect.stringContaining("'webchat' is no channel") });
    expect(world.results).toEqual(['fallback', 'fallback', 'stale']);
  });

  it('is refused when the place is older than a route is good for, to the millisecond', async () => {
    const clock = aHandClock();
    await using world = await aWorld({ clock });
    await world.say('webhook', 'ada');
    clock.turn(BOUNDS.routeMs);
    expect(await world.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    clock.turn(1);
    await expect(world.write({ identity: 'ada' })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND', message: expect.stringContaining('30 days ago') });
    expect(world.results).toEqual(['hit', 'stale']);
  });

  it('is refused for somebody who never wrote and for a session that never was', async () => {
    await using world = await aWorld();
    await expect(world.write({ identity: 'ada' })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    await expect(world.write({ session: '@peer:webhook:nobody' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(world.write({ session: 'webhook:nowhere' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(world.write({ session: '\ud800' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(world.sent).toEqual([]);
  });

  it('never goes to a group for a person', async () => {
    await using world = await aWorld();
    await world.say('webhook', 'ada', 'team', { room: { kind: 'group' } });
    await world.say('webchat', 'v', 'news', { room: { kind: 'channel' } });
    await expect(world.write({ identity: 'ada' })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    expect(await rowsOf(world.world)).toEqual({});
  });

  it('goes to the conversation where that is the session, without a row for it', async () => {
    await using world = await aWorld({ scope: 'conversation' });
    await world.say('webhook', 'bo', 'a:b', { thread: 't:1' });
    expect(await world.write({ session: '@thread:webhook:a%3Ab:t:1' })).toMatchObject({ outcome: 'delivered' });
    expect(world.sent).toMatchObject([{ channel: 'webhook', conversation: 'a:b', thread: 't:1' }]);
    expect(await rowsOf(world.world)).toEqual({});
  });

  it('finds a linked person whose sessions are conversations', async () => {
    await using world = await aWorld({ scope: 'conversation' });
    await world.say('webchat', 'v', 'x1');
    expect(await world.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    expect(world.sent).toMatchObject([{ channel: 'webchat', conversation: 'x1' }]);
  });

  it('finds its way after a restart', async () => {
    await using dir = await tempDir();
    const clock = aHandClock();
    await using store = await openStore({ dir: dir.path, clock });
    {
      await using before = await aWorld({ store, clock, scope: 'main' });
      await before.say('webhook', 'ada', 'w1');
    }
    await using after = await aWorld({ store, clock, scope: 'main' });
    expect(await after.write({ session: '@main' })).toMatchObject({ outcome: 'delivered' });
    expect(await after.write({ identity: 'ada' })).toMatchObject({ outcome: 'delivered' });
    expect(after.sent).toMatchObject([{ conversation: 'w1' }, { conversation: 'w1' }]);
  });
});

describe('a route', () => {
  it('is written when the place changes or its time is a tenth old, and with no other message', async () => {
    const clock = aHandClock();
    await using world = await aWorld({ clock });
    let written = 0;
    world.world.beforeCommit = (commit) => void (written += (commit.put ?? []).filter(({ table }) => table.name === 'routes').length);
    await world.say('webhook', 'ada');
    expect(written).toBe(1);
    clock.turn(TENTH_MS - 1);
    await world.say('webhook', 'ada');
    expect(written).toBe(1);
    clock.turn(1);
    await world.say('webhook', 'ada');
    expect(written).toBe(2);
    await world.say('webhook', 'ada', 'd');
    expect(written).toBe(3);
    expect((await rowsOf(world.world))['@identity:ada']).toMatchObject([{ conversation: 'd' }, { conversation: 'c' }]);
  });

  it('is one of eight, without two of one place, and none too old among them', () => {
    const place = fc.record({ instance: fc.constantFrom('a', 'b'), conversation: fc.constantFrom('1', '2', '3', '4', '5', '6', '7'), afterMs: fc.integer({ min: -TENTH_MS, max: BOUNDS.routeMs / 2 }) });
    fc.assert(fc.property(fc.array(place, { minLength: 1, maxLength: 60 }), (places) => {
      let row: RouteRow | undefined;
      let atMs = 1e12;
      for (const { instance, conversation, afterMs } of places) {
        atMs += afterMs;
        const next = noted(row, { instance: instanceId(instance), conversation: conversationId(conversation), atMs });
        row = next ?? row;
        expect(row?.routes[0]).toMatchObject({ instance, conversation });
        const names = row?.routes.map((each) => `${each.instance}:${each.conversation}`) ?? [];
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeLessThanOrEqual(BOUNDS.routesPerTarget);
        for (const each of next?.routes ?? []) expect(atMs - each.atMs).toBeLessThanOrEqual(BOUNDS.routeMs);
      }
    }));
  });

  it('is not kept when the message’s commit fails', async () => {
    await using world = await aWorld();
    world.world.beforeCommit = () => {
      throw new Error('no');
    };
    expect((await world.world.post('webhook', { id: 'x', conversation: 'c', sender: { id: 'ada' }, text: 'x' })).status).toBeGreaterThanOrEqual(500);
    world.world.beforeCommit = () => undefined;
    await expect(world.write({ identity: 'ada' })).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    await world.say('webhook', 'ada');
    expect(Object.keys(await rowsOf(world.world))).toEqual(['@identity:ada']);
  });

  it('of a conversation is in its key, whatever its ids are', () => {
    const id = fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A', '@', '\n'), minLength: 1, maxLength: 8 });
    fc.assert(fc.property(id, fc.option(id, { nil: undefined }), (conversation, thread) => {
      const facts = { instance: 'webhook', conversation, ...(thread !== undefined && { thread }) };
      expect(addressIn(sessionKey('conversation', { ...facts, sender: 's' }))).toEqual(facts);
    }));
    for (const scope of ['main', 'peer', 'channel-peer', 'account-channel-peer'] as const) expect(addressIn(sessionKey(scope, { instance: 'webhook', conversation: 'c', sender: 's' }))).toBeUndefined();
  });
});

describe('a table that senders fill', () => {
  const aRow = (atMs: number): RouteRow => ({ routes: [{ instance: instanceId('a'), conversation: conversationId('c'), atMs }] });

  async function aTable(most: number, forgetBefore = () => 0) {
    const dir = await tempDir();
    const clock = aHandClock();
    const store = await openStore({ dir: dir.path, clock });
    const gone: string[] = [];
    const faults: unknown[] = [];
    const table = new BoundedTable<RouteRow>({ store, table: routes, prefix: routes.prefix(), most, seenAtMs: (row) => row.routes[0]?.atMs ?? 0, forgetBefore, onGone: (key) => gone.push(String(key[1])), onFault: (thrown) => faults.push(thrown) });
    const add = async (name: string, atMs: number) => {
      await store.commit({ put: [put(routes, routes.key(name), aRow(atMs))] });
      table.grew();
    };
    const names = async () => (await store.range(routes, routes.prefix())).map(({ key }) => String(key[1]));
    return { store, table, gone, faults, add, names, async [Symbol.asyncDispose]() {
      await table[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    } };
  }

  it('loses a tenth when it grows past its bound, those seen longest ago first', async () => {
    await using bounded = await aTable(100);
    for (let n = 0; n < 101; n += 1) await bounded.add(`n${String(n).padStart(3, '0')}`, 1000 - n);
    await eventually(async () => expect(await bounded.names()).toHaveLength(90));
    expect(bounded.gone.toSorted()).toEqual(['n090', 'n091', 'n092', 'n093', 'n094', 'n095', 'n096', 'n097', 'n098', 'n099', 'n100']);
    expect(bounded.faults).toEqual([]);
  });

  it('keeps to its bound however many rows one moment brings', async () => {
    await using bounded = await aTable(50);
    await Promise.all(Array.from({ length: 400 }, (_, n) => bounded.add(`n${n}`, 5)));
    await bounded.table.trim();
    await bounded.table.trim();
    expect((await bounded.names()).length).toBeLessThanOrEqual(50);
  });

  it('loses what nobody has seen for long, below its bound too', async () => {
    await using bounded = await aTable(100, () => 50);
    await bounded.add('old', 49);
    await bounded.add('young', 50);
    await bounded.table.trim();
    expect(await bounded.names()).toEqual(['young']);
  });

  it('keeps a row that was seen again while it was about to go', async () => {
    await using bounded = await aTable(100, () => 50);
    await bounded.add('old', 10);
    const trimming = bounded.table.trim();
    await bounded.store.commit({ put: [put(routes, routes.key('old'), aRow(99))] });
    await trimming;
    expect(await bounded.names()).toEqual(['old']);
  });
});
