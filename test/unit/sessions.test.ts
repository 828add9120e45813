// Sessions through the real pipeline and store: who shares one, in which order they are answered, when a new one begins, and what a crash leaves of it.
import { describe, expect, it } from 'vitest';
import type { Session } from '../../schemas/message.ts';
import type { SessionPolicy } from '../../schemas/policy.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { sessions } from '../../host/store/tables.ts';
import { Identities } from '../../host/pipeline/sessions/identities.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, type PipelineWorld, type StandIn, type WorldOptions } from '../support/pipeline.ts';
import { tempDir } from '../support/temp.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Two channels under one policy, and a skill that says back what it was told, with the session it was told in. */
async function aWorld(session: SessionPolicy, options: WorldOptions & { readonly links?: Record<string, string[]> } = {}) {
  const seen: { text: string; session: Session }[] = [];
  const policy = { session };
  const plugins: Record<string, StandIn> = {
    webhook: { kind: 'channel', policy },
    webchat: { kind: 'channel', policy },
    echo: { kind: 'skill', handlers: { respond: ({ message, session: of }) => (seen.push({ text: message.text, session: of }), { replies: [{ text: `re ${message.text}` }] }) } },
  };
  const world = await aPipeline(plugins, { identities: new Identities(options.links), ...options });
  let count = 0;
  const say = async (channel: string, sender: string, conversation = 'c', more: object = {}) => {
    const text = `m${++count}`;
    expect((await world.post(channel, { id: text, conversation, sender: { id: sender }, text, ...more })).status).toBe(202);
    return await eventually(() => {
      const told = seen.find((each) => each.text === text);
      expect(told).toBeDefined();
      return (told as { session: Session }).session;
    });
  };
  return { world, seen, say, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

const rowsOf = async ({ store }: PipelineWorld) => Object.fromEntries((await store.range(sessions, sessions.prefix())).map(({ key, value }) => [String(key[1]), value]));

describe('the scope', () => {
  it('is a conversation by default, for whoever writes in it', async () => {
    await using world = await aWorld({});
    expect((await world.say('webhook', 'ada')).key).toBe('webhook:c');
    expect(await world.say('webhook', 'bo')).toMatchObject({ key: 'webhook:c', id: 'webhook:c#1', messages: 2 });
    expect((await world.say('webhook', 'ada', 'd')).messages).toBe(1);
    expect((await world.say('webhook', 'ada', 'c', { thread: 't' })).key).toBe('@thread:webhook:c:t');
  });

  it('main is one session over channels, conversations and people', async () => {
    await using world = await aWorld({ scope: 'main' });
    await world.say('webhook', 'ada');
    await world.say('webchat', 'bo', 'd');
    expect(await world.say('webhook', 'cy', 'e', { thread: 't' })).toMatchObject({ key: '@main', messages: 3 });
  });

  it('peer is a person: linked, on every channel; not linked, on one', async () => {
    await using world = await aWorld({ scope: 'peer' }, { links: { ada: ['webhook:ada', 'webchat:visitor-1'] } });
    await world.say('webhook', 'ada');
    await world.say('webchat', 'visitor-1', 'd');
    expect(await world.say('webhook', 'ada', 'e')).toMatchObject({ key: '@identity:ada', messages: 3 });
    expect(await world.say('webchat', 'ada')).toMatchObject({ key: '@peer:webchat:ada', messages: 1 });
    expect(await world.say('webhook', 'visitor-1')).toMatchObject({ key: '@peer:webhook:visitor-1', messages: 1 });
  });

  it('channel-peer is a person on one channel, over conversations', async () => {
    await using world = await aWorld({ scope: 'channel-peer' }, { links: { ada: ['webhook:ada', 'webhook:ada2', 'webchat:visitor-1'] } });
    await world.say('webhook', 'ada');
    expect(await world.say('webhook', 'ada2', 'd')).toMatchObject({ key: '@channel:webhook:identity:ada', messages: 2 });
    expect(await world.say('webchat', 'visitor-1')).toMatchObject({ key: '@channel:webchat:identity:ada', messages: 1 });
    expect(await world.say('webchat', 'bo')).toMatchObject({ key: '@channel:webchat:peer:bo', messages: 1 });
  });

  it('account-channel-peer tells the accounts of a channel apart', async () => {
    await using world = await aWorld({ scope: 'account-channel-peer' });
    await world.say('webhook', 'ada', 'c', { account: 'bot-1' });
    expect(await world.say('webhook', 'ada', 'd', { account: 'bot-1' })).toMatchObject({ key: '@account:bot-1:webhook:peer:ada', messages: 2 });
    expect(await world.say('webhook', 'ada', 'c', { account: 'bot-2' })).toMatchObject({ key: '@account:bot-2:webhook:peer:ada', messages: 1 });
    expect(await world.say('webhook', 'ada')).toMatchObject({ key: '@account::webhook:peer:ada', messages: 1 });
  });

  it('leaves groups to themselves, unless their room says otherwise', async () => {
    await using world = await aWorld({ scope: 'main' });
    const { plugins } = world.world;
    expect((await world.say('webhook', 'ada', 'dm', { room: { kind: 'direct' } })).key).toBe('@main');
    expect((await world.say('webhook', 'ada', 'team', { room: { kind: 'group' } })).key).toBe('webhook:team');
    plugins.set('webhook', { kind: 'channel', policy: { session: { scope: 'main' }, rooms: { team: { session: { scope: 'main' } } } } });
    expect((await world.say('webhook', 'ada', 'team', { room: { kind: 'group' } })).key).toBe('@main');
    expect((await world.say('webhook', 'ada', 'other', { room: { kind: 'channel' } })).key).toBe('webhook:other');
  });
});

describe('one session over several conversations', () => {
  it('is one lane: answered one after the other in the order of acceptance, each reply in its own conversation', async () => {
    let inWork = 0;
    let most = 0;
    const order: string[] = [];
    const policy = { session: { scope: 'peer' as const } };
    await using world = await aPipeline({
      webhook: { kind: 'channel', policy },
      webchat: { kind: 'channel', policy },
      slow: { kind: 'skill', handlers: { respond: async ({ message }) => {
        most = Math.max(most, ++inWork);
        await new Promise((resolve) => setImmediate(resolve));
        inWork -= 1;
        order.push(message.text);
        return { replies: [{ text: `re ${message.text}` }] };
      } } },
    }, { identities: new Identities({ ada: ['webhook:ada', 'webchat:v'] }) });
    const sent: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const [channel, sender] = n % 2 === 0 ? (['webhook', 'ada'] as const) : (['webchat', 'v'] as const);
      sent.push(`m${n}`);
      expect((await world.post(channel, { id: `m${n}`, conversation: `c${n % 3}`, sender: { id: sender }, text: `m${n}` })).status).toBe(202);
    }
    await eventually(() => expect(order).toHaveLength(12));
    expect(order).toEqual(sent);
    expect(most).toBe(1);
    for (let n = 0; n < 12; n += 1) {
      const replies = await eventually(async () => {
        const rows = await world.outbound(n % 2 === 0 ? 'webhook' : 'webchat', `c${n % 3}`);
        expect(rows.map(({ text }) => text)).toContain(`re m${n}`);
        return rows;
      });
      expect(replies.find(({ text }) => text === `re m${n}`)).toMatchObject({ inReplyTo: `m${n}`, sessionKey: '@identity:ada' });
    }
  });
});

describe('a session', () => {
  it('idle begins anew with the message that ends a silence of exactly the limit', async () => {
    const clock = aHandClock();
    await using world = await aWorld({ reset: { policy: 'idle', idleMinutes: 10 } }, { clock });
    const first = await world.say('webhook', 'ada');
    clock.turn(10 * MINUTE_MS - 1);
    expect(await world.say('webhook', 'ada')).toMatchObject({ id: 'webhook:c#1', startedAt: first.startedAt, messages: 2 });
    clock.turn(10 * MINUTE_MS);
    const next = await world.say('webhook', 'ada');
    expect(next).toMatchObject({ key: 'webhook:c', id: 'webhook:c#2', messages: 1 });
    expect(Date.parse(next.startedAt)).toBe(clock.now());
    expect(await rowsOf(world.world)).toMatchObject({ 'webhook:c': { generation: 2, messages: 1, startedAt: next.startedAt } });
  });

  it('daily begins anew at its hour, once a day, and each conversation by itself', async () => {
    const clock = aHandClock(Date.UTC(2026, 2, 28, 12));
    await using world = await aWorld({ reset: { policy: 'daily', hour: 2, timeZone: 'Europe/Berlin' } }, { clock });
    await world.say('webhook', 'ada');
    await world.say('webhook', 'ada', 'd');
    clock.turn(13 * HOUR_MS - 1); // 2026-03-29T00:59:59.999Z; clocks go from 02:00 to 03:00 a millisecond later
    expect((await world.say('webhook', 'ada')).id).toBe('webhook:c#1');
    clock.turn(1);
    expect((await world.say('webhook', 'ada')).id).toBe('webhook:c#2');
    clock.turn(20 * HOUR_MS);
    expect(await world.say('webhook', 'ada')).toMatchObject({ id: 'webhook:c#2', messages: 2 });
    expect((await world.say('webhook', 'ada', 'd')).id).toBe('webhook:d#2');
  });

  it('goes on after a restart, and begins anew where the silence was in between', async () => {
    await using dir = await tempDir();
    const clock = aHandClock();
    await using store = await openStore({ dir: dir.path, clock });
    const policy: SessionPolicy = { reset: { policy: 'idle', idleMinutes: 10 } };
    {
      await using before = await aWorld(policy, { clock, store });
      await before.say('webhook', 'ada');
      clock.turn(10 * MINUTE_MS);
      expect((await before.say('webhook', 'ada', 'c', { id: 'x1' })).id).toBe('webhook:c#2');
    }
    {
      await using after = await aWorld(policy, { clock, store });
      clock.turn(9 * MINUTE_MS);
      expect(await after.say('webhook', 'ada', 'c', { id: 'x2' })).toMatchObject({ id: 'webhook:c#2', messages: 2 });
    }
    clock.turn(10 * MINUTE_MS);
    await using last = await aWorld(policy, { clock, store });
    expect(await last.say('webhook', 'ada', 'c', { id: 'x3' })).toMatchObject({ id: 'webhook:c#3', messages: 1 });
  });

  it('keeps its generation when the commit that would have begun a new one fails, and begins it with the next', async () => {
    const clock = aHandClock();
    await using world = await aWorld({ reset: { policy: 'idle', idleMinutes: 1 } }, { clock });
    await world.say('webhook', 'ada');
    clock.turn(MINUTE_MS);
    world.world.beforeCommit = (commit) => {
      if (commit.put?.some(({ table }) => table.name === 'sessions')) throw new Error('no');
    };
    expect((await world.world.post('webhook', { id: 'lost', conversation: 'c', sender: { id: 'ada' }, text: 'lost' })).status).toBeGreaterThanOrEqual(500);
    expect(await rowsOf(world.world)).toMatchObject({ 'webhook:c': { messages: 1 } });
    expect((await rowsOf(world.world))['webhook:c']).not.toHaveProperty('generation');
    world.world.beforeCommit = () => undefined;
    expect(await world.say('webhook', 'ada')).toMatchObject({ id: 'webhook:c#2', messages: 1 });
  });

  it('begins anew when the operator says so, with the next message, and over a restart', async () => {
    await using dir = await tempDir();
    const clock = aHandClock();
    await using store = await openStore({ dir: dir.path, clock });
    {
      await using world = await aWorld({}, { clock, store });
      await world.say('webhook', 'ada');
      clock.turn(1000);
      const { pipeline } = world.world;
      expect(await pipeline.sessions.reset('webhook:c')).toMatchObject({ id: 'webhook:c#2', messages: 0 });
      expect(await pipeline.sessions.show('webhook:c')).toMatchObject({ id: 'webhook:c#2', messages: 0 });
      await expect(pipeline.sessions.reset('webhook:nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
      await expect(pipeline.sessions.show('webhook:\ud800')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    }
    await using world = await aWorld({}, { clock, store });
    expect(await world.say('webhook', 'ada', 'c', { id: 'x1' })).toMatchObject({ id: 'webhook:c#2', messages: 1 });
    expect((await world.world.pipeline.sessions.list({ limit: 10 })).items).toMatchObject([{ key: 'webhook:c', messages: 1 }]);
  });

  it('is reset once and for all among messages that come at the same time', async () => {
    await using world = await aWorld({});
    await world.say('webhook', 'ada');
    const { pipeline } = world.world;
    const posts = (n: number) => Array.from({ length: 20 }, (_, at) => world.world.post('webhook', { id: `p${n}-${at}`, conversation: 'c', sender: { id: 'ada' }, text: `p${n}-${at}` }));
    const before = posts(1);
    const reset = pipeline.sessions.reset('webhook:c');
    const after = posts(2);
    const { startedAt } = await reset;
    for (const { status } of await Promise.all([...before, ...after])) expect(status).toBe(202);
    const row = (await rowsOf(world.world))['webhook:c'];
    // What the store has is what memory has: a count from before the reset has not overtaken it.
    expect(row).toMatchObject({ generation: 2, startedAt });
    expect(await pipeline.sessions.show('webhook:c')).toMatchObject({ id: 'webhook:c#2', startedAt, messages: row?.messages });
  });

  it('stays as it was when a reset cannot be stored', async () => {
    await using world = await aWorld({});
    await world.say('webhook', 'ada');
    world.world.beforeCommit = () => {
      throw new Error('no');
    };
    await expect(world.world.pipeline.sessions.reset('webhook:c')).rejects.toThrow('no');
    world.world.beforeCommit = () => undefined;
    expect(await world.say('webhook', 'ada')).toMatchObject({ id: 'webhook:c#1', messages: 2 });
  });

  it('is not ended by a clock that was set back, and is idle again in time after it', async () => {
    let set = 0;
    const hand = aHandClock();
    const clock = { ...hand, now: () => hand.now() + set };
    await using world = await aWorld({ reset: { policy: 'idle', idleMinutes: 10 } }, { clock });
    await world.say('webhook', 'ada');
    set = -365 * 24 * HOUR_MS;
    expect((await world.say('webhook', 'ada')).id).toBe('webhook:c#1');
    hand.turn(10 * MINUTE_MS);
    expect((await world.say('webhook', 'ada')).id).toBe('webhook:c#2');
  });

  it('takes no row but its own, and none more than before, under the defaults', async () => {
    await using world = await aWorld({});
    const tables: string[][] = [];
    world.world.beforeCommit = (commit) => void tables.push((commit.put ?? []).map(({ table }) => table.name).toSorted());
    await world.say('webhook', 'ada');
    await eventually(() => expect(tables).toHaveLength(2));
    expect(tables).toEqual([['dedupe', 'lanes', 'messages', 'sessions'], ['conversations', 'conversations', 'endings', 'messages']]);
    expect(Object.keys((await rowsOf(world.world))['webhook:c'] ?? {}).toSorted()).toEqual(['lastAt', 'messages', 'startedAt']);
  });
});
