// What plugins send, through the real pipeline and store: when it becomes durable and how often, who judges it, what is refused, and where a ring of plugins ends.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { Decision, Message } from '../../schemas/message.ts';
import { CallScope } from '../../host/broker/call-scope.ts';
import { systemClock } from '../../host/clock.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { createIds } from '../../host/ids.ts';
import { Echoes } from '../../host/pipeline/echoes.ts';
import { PluginWrites } from '../../host/pipeline/plugin-writes.ts';
import { put } from '../../host/store/store.ts';
import { conversations, deliveries, kv, messages, type MessageRow } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { withIds, type WithPlainIds } from '../support/ids.ts';
import { aPipeline, arriving, type PipelineWorld, type StandIn, type StandInContext } from '../support/pipeline.ts';

const GRANT: Grant = { name: 'message.send', instances: ['desk', 'street', 'letterbox', 'nobody', 'herald'] };
const KV: Grant = { name: 'kv', quotaBytes: 10_000 };
const channel: StandIn = { kind: 'channel' };
const to = (conversation: string, text: string, instance = 'desk') => ({ instance, conversation, text });
const send = (ctx: StandInContext, args: object) => ctx.ask<{ messageId: string }>('message.send', args);

/** A skill that passes every message on to the desk and answers with what it was told. */
const herald = (args: (message: Message) => object = ({ text }) => to('duty', text)): StandIn => ({
  kind: 'skill',
  grants: [GRANT, KV],
  handlers: {
    async respond({ message }: { message: Message }, ctx) {
      const told = await send(ctx, args(message)).then(({ messageId }) => messageId, (error: Error & { code?: string }) => String(error.code));
      return { replies: [{ text: told }] };
    },
  },
});

/** Posts one message to the street and resolves with its reply. */
async function ask(world: PipelineWorld, text: string, id = text): Promise<string> {
  expect((await world.post('street', arriving(id, text))).status).toBe(202);
  return await eventually(async () => {
    const reply = (await world.outbound('street', 'c')).find(({ inReplyTo }) => inReplyTo === id);
    expect(reply).toBeDefined();
    return reply?.text ?? '';
  });
}

/** An outbound message as it is stored. */
const row = (text: string, parts: Partial<WithPlainIds<MessageRow>> = {}) => withIds<MessageRow>({ id: text, instance: 'desk', conversation: 'c', sessionKey: 'desk:c', sender: { id: 'plugin:x' }, direction: 'outbound', outcome: 'pending', text, mentions: [], media: [], at: '', flags: [], stages: [], ...parts });

const expectDelivered = (world: PipelineWorld, ...texts: readonly string[]) =>
  eventually(async () => expect((await world.outbound('desk', 'duty')).map(({ text, outcome }) => [text, outcome])).toEqual(texts.map((text) => [text, 'delivered'])));

describe('a message that a plugin sends', () => {
  it('is delivered once, under the id the plugin was told, with its sender and hops stamped by the host', async () => {
    const seen: unknown[] = [];
    await using world = await aPipeline({ street: channel, desk: { kind: 'channel', handlers: { send: (delivery: unknown) => (seen.push(delivery), { actions: [] }) } }, herald: herald() });
    const messageId = await ask(world, 'fire');
    await expectDelivered(world, 'fire');
    expect((await world.store.get(messages, messages.key(messageId)))?.value).toMatchObject({ id: messageId, instance: 'desk', conversation: 'duty', sender: { id: 'plugin:herald' }, direction: 'outbound', hops: 1 });
    expect(seen).toMatchObject([{ id: messageId, inReplyTo: null, text: 'fire', hops: 1, attempt: 1 }]);
    expect((await world.outbound('street', 'c'))[0]).not.toHaveProperty('hops');
  });

  it('goes with the call: a call that fails sends nothing, and its next attempt sends once', async () => {
    let tries = 0;
    const fragile: StandIn = {
      kind: 'skill',
      grants: [GRANT],
      handlers: {
        async respond({ message }: { message: Message }, ctx) {
          await send(ctx, to('duty', message.text));
          if (++tries < 3) throw new Error('not yet');
          return { replies: [{ text: 'done' }] };
        },
      },
    };
    await using world = await aPipeline({ street: channel, desk: channel, fragile });
    await ask(world, 'fire');
    await expectDelivered(world, 'fire');
    expect(tries).toBe(3);
  });

  it('goes once, although the commit that carries it fails first', async () => {
    await using world = await aPipeline({ street: channel, desk: channel, herald: herald() });
    let failures = 0;
    world.beforeCommit = ({ put = [] }) => {
      if (put.some(({ table, value }) => table.name === messages.name && (value as MessageRow).text === 'fire' && (value as MessageRow).direction === 'outbound') && failures++ === 0) throw new Error('the disk is full');
    };
    await ask(world, 'fire');
    await expectDelivered(world, 'fire');
    expect(failures).toBeGreaterThan(1);
  });

  it('goes with what a channel’s send wrote, although settling fails first', async () => {
    let sends = 0;
    const street: StandIn = {
      kind: 'channel',
      grants: [GRANT, KV],
      handlers: {
        async send({ text }: { text: string }, ctx) {
          sends += 1;
          await ctx.ask('kv.set', { key: 'sent', value: text });
          await send(ctx, to('duty', `sent: ${text}`));
          return { actions: [] };
        },
      },
    };
    await using world = await aPipeline({ street, desk: channel, echo: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } } });
    let failures = 0;
    world.beforeCommit = ({ put = [] }) => {
      if (put.some(({ table }) => table.name === kv.name) && failures++ === 0) throw new Error('the disk is full');
    };
    await ask(world, 'hi');
    await expectDelivered(world, 'sent: hello');
    expect((await world.store.get(kv, kv.key('street', 'sent')))?.value.value).toBe('hello');
    expect([sends, failures]).toEqual([1, 2]);
  });

  it('of a tool goes with the call that used the tool, and not when the tool fails', async () => {
    const tool: StandIn = {
      kind: 'tool',
      grants: [GRANT],
      handlers: {
        async call({ arguments: text }: { arguments: string }, ctx) {
          await send(ctx, to('duty', text));
          if (text === 'bad') throw new Error('no');
          return null;
        },
      },
    };
    const user: StandIn = {
      kind: 'skill',
      grants: [{ name: 'tool.call', tools: ['test/pager'] }],
      handlers: {
        async respond(_: unknown, ctx) {
          for (const text of ['good', 'bad', 'better']) await ctx.ask('tool.call', { tool: 'test/pager', arguments: text }).catch(() => undefined);
          return { replies: [{ text: 'paged' }] };
        },
      },
    };
    await using world = await aPipeline({ street: channel, desk: channel, user, pager: tool });
    await ask(world, 'hi');
    await expectDelivered(world, 'good', 'better');
    expect((await world.outbound('desk', 'duty'))[0]?.sender).toEqual({ id: 'plugin:pager' });
  });

  it('waits in the store when the host stops before its delivery, and goes at the next start with the same id', async () => {
    await using first = await aPipeline({ street: channel, herald: herald(), desk: { kind: 'channel', handlers: { send: () => new Promise(() => undefined) } } });
    const messageId = await ask(first, 'fire');
    await first.pipeline.drain(0);
    await using second = await aPipeline({ street: channel, desk: channel, herald: herald() }, { store: first.store });
    await expectDelivered(second, 'fire');
    expect((await second.outbound('desk', 'duty'))[0]?.id).toBe(messageId);
  });

  it('sent by a delivery that is taken up at a start is not taken up itself a second time', async () => {
    const relay: StandIn = { kind: 'channel', grants: [GRANT], handlers: { send: async ({ text }: { text: string }, ctx) => (await send(ctx, to(text, text)), { actions: [] }) } };
    const received: string[] = [];
    const desk: StandIn = { kind: 'channel', handlers: { send: ({ text }: { text: string }) => (received.push(text), { actions: [] }) } };
    await using world = await aPipeline({ street: relay, desk }, { recover: false });
    // As many as one page of the search, so that it goes on to a second.
    const waiting = Array.from({ length: 2000 }, (_, n) => row(`0000-${String(n).padStart(4, '0')}`, { instance: 'street', conversation: `c${n}` }));
    await world.store.commit({ put: waiting.flatMap((each) => [put(messages, messages.key(each.id), each), put(deliveries, deliveries.key(each.id), { instance: each.instance, conversation: each.conversation, attempts: 0 })]) });
    // The second page is read once there is something of this run in it.
    const somethingIsSent = () => eventually(async () => expect(await world.store.range(conversations, conversations.prefix('desk'), { limit: 10 })).toHaveLength(10));
    world.beforeRange = async (table, { after } = {}) => void (table.name === deliveries.name && after && (await somethingIsSent()));
    expect(await world.pipeline.recover()).toMatchObject({ deliveries: 2000 });
    await eventually(async () => expect(await world.waitingDeliveries()).toBe(0), 120_000);
    expect(received.toSorted()).toEqual(waiting.map(({ text }) => text));
  });

  it('has its place where it was committed: a reader whose cursor is past its id still finds it', async () => {
    const { promise: go, resolve } = Promise.withResolvers<void>();
    const slow: StandIn = {
      kind: 'skill',
      grants: [GRANT],
      handlers: {
        async respond({ message }: { message: Message }, ctx) {
          const { messageId } = await send(ctx, to('duty', message.text));
          if (message.text === 'early') await go;
          return { replies: [{ text: messageId }] };
        },
      },
    };
    await using world = await aPipeline({ street: channel, desk: channel, slow });
    expect((await world.post('street', arriving('early', 'early', 'one'))).status).toBe(202);
    await world.post('street', arriving('late', 'late', 'two'));
    await expectDelivered(world, 'late');
    const read = async (after?: string) => {
      const scope = world.broker.open('reader');
      const page = await world.broker.serve({ instance: 'desk', plugin: 'test.desk', grants: [{ name: 'message.read', conversations: 'own' }] }, { callId: 'reader', attemptKey: '', op: 'message.list', args: { conversation: 'duty', ...(after === undefined ? {} : { after }) } });
      world.broker.close(scope);
      return (page as { value: { items: { id: string; text: string }[]; cursor: string | null } }).value;
    };
    const cursor = (await read()).cursor ?? '';
    resolve();
    await expectDelivered(world, 'late', 'early');
    const rest = await read(cursor);
    expect(rest.items.map(({ text }) => text)).toEqual(['early']);
    expect(String(rest.items[0]?.id) < cursor).toBe(true);
    // And the id of what has a place of its own is a cursor as well.
    expect(await read(rest.cursor ?? '')).toEqual({ items: [], cursor: null });
  });

  it('comes before the replies of its call, and the sends of one call keep their order', async () => {
    const chatty: StandIn = {
      kind: 'skill',
      grants: [GRANT],
      handlers: {
        async respond(_: unknown, ctx) {
          for (const text of ['one', 'two', 'three']) await send(ctx, { instance: 'street', conversation: 'c', text });
          return { replies: [{ text: 'four' }] };
        },
      },
    };
    const received: string[] = [];
    await using world = await aPipeline({ street: { kind: 'channel', handlers: { send: ({ text }: { text: string }) => (received.push(text), { actions: [] }) } }, chatty });
    await ask(world, 'go');
    expect((await world.outbound('street', 'c')).map(({ text }) => text)).toEqual(['one', 'two', 'three', 'four']);
    await eventually(() => expect(received).toEqual(['one', 'two', 'three', 'four']));
  });

  it('is stored and delivered by one commit, whoever asks to commit its call again', async () => {
    await using world = await aPipeline({ desk: channel });
    const told: string[] = [];
    const writes = new PluginWrites({ directory: { isFrozen: () => false }, store: world.store, ledger: world.ledger, ids: createIds(systemClock), onSent: ({ id }) => told.push(id) });
    const scope = new CallScope('call');
    scope.send(row('m1', { conversation: 'duty' }));
    world.beforeCommit = () => Promise.reject(new Error('the disk is full'));
    await expect(writes.commit(scope)).rejects.toThrow('disk');
    world.beforeCommit = () => undefined;
    for (let n = 0; n < 2; n += 1) await writes.commit(scope);
    expect(told).toEqual(['m1']);
    expect(await world.store.range(conversations, conversations.prefix('desk', 'duty'))).toHaveLength(1);
  });
});

describe('receive', () => {
  const scanner = (handed: () => object[]): StandIn => ({
    kind: 'channel',
    grants: [GRANT, KV],
    handlers: {
      async receive(_: unknown, ctx) {
        const found = handed();
        await ctx.ask('kv.set', { key: 'cursor', value: found.length });
        await send(ctx, to('duty', `${found.length} came`));
        return found.length > 0 ? { messages: found } : { respond: { status: 200 } };
      },
    },
  });
  const strict: StandIn = { kind: 'gate', directions: ['inbound'], handlers: { evaluate: ({ message }: { message: Message }): Decision => (message.text === 'bad' ? { effect: 'deny', reason: 'no' } : { effect: 'pass' }) } };
  const cursor = async (world: PipelineWorld) => (await world.store.get(kv, kv.key('street', 'cursor')))?.value.value;

  it('sends without any message, in a commit of its own', async () => {
    await using world = await aPipeline({ street: scanner(() => []), desk: channel });
    expect((await world.post('street', {})).status).toBe(200);
    await expectDelivered(world, '0 came');
  });

  it.for([1, 2])('sends with %i message(s) once, however often the source delivers them again', async (count) => {
    await using world = await aPipeline({ street: scanner(() => Array.from({ length: count }, (_, n) => arriving(`m${n}`, 'hi'))), desk: channel });
    for (let n = 0; n < 3; n += 1) await world.post('street', {});
    await expectDelivered(world, `${count} came`);
    expect(await cursor(world)).toBe(count);
  });

  it('commits what it wrote with the last of its messages', async () => {
    await using world = await aPipeline({ street: scanner(() => [arriving('a', 'hi'), arriving('b', 'hi')]), desk: channel });
    const tables: string[][] = [];
    world.beforeCommit = ({ put = [] }) => void tables.push(put.map(({ table }) => table.name));
    await world.post('street', {});
    const carrying = tables.findIndex((names) => names.includes('kv'));
    expect(tables[carrying]).toEqual(expect.arrayContaining(['dedupe', 'lanes', 'kv', 'deliveries']));
    expect(tables.slice(0, carrying).filter((names) => names.includes('dedupe'))).toHaveLength(1);
  });

  it('sends nothing with a message that is refused', async () => {
    await using world = await aPipeline({ street: scanner(() => [arriving('a', 'bad')]), desk: channel, strict });
    expect((await world.post('street', {})).status).toBe(403);
    expect(await cursor(world)).toBe(1);
    expect(await world.everyMessage()).toEqual([]);
  });

  it('sends with a message that is held, in the commit that holds it', async () => {
    await using world = await aPipeline({ street: scanner(() => [arriving('a', 'hi')]), desk: channel, strict: { ...strict, quarantined: true, onQuarantine: 'hold' } });
    const statuses = [(await world.post('street', {})).status, (await world.post('street', {})).status];
    expect(statuses).toEqual([202, 200]);
    await expectDelivered(world, '1 came');
  });
});

describe('the gates', () => {
  const gate = (evaluate: (message: Message, ctx: StandInContext) => Decision | Promise<Decision>): StandIn => ({ kind: 'gate', directions: ['outbound'], grants: [GRANT, KV], handlers: { evaluate: ({ message }: { message: Message }, ctx) => evaluate(message, ctx) } });

  it('judge a message before it is stored: a refusal reaches the plugin, and nothing of the message the disk', async () => {
    const outcomes: Events['message.outcome'][] = [];
    const stop = subscribe('message.outcome', (event) => void (event.outcome === 'denied' && outcomes.push(event)));
    await using world = await aPipeline({ street: channel, desk: channel, herald: herald(), strict: gate(({ text }) => (text.includes('secret') ? { effect: 'deny', reason: 'a secret' } : { effect: 'pass' })) });
    expect(await ask(world, 'a secret word')).toBe('REPLY_DENIED');
    stop();
    expect(outcomes).toMatchObject([{ instance: 'desk', direction: 'outbound', code: 'REPLY_DENIED' }]);
    expect(await world.outbound('desk', 'duty')).toEqual([]);
    expect((await world.everyMessage()).map(({ instance }) => instance)).not.toContain('desk');
  });

  it.for<[string, Partial<StandIn>]>([
    ['GATE_UNAVAILABLE', { quarantined: true }],
    ['GATE_FAILED', { handlers: { evaluate: () => Promise.reject(new Error('no')) } }],
  ])('that do not answer let nothing pass: %s', async ([code, broken]) => {
    await using world = await aPipeline({ desk: channel, broken: { ...gate(() => ({ effect: 'pass' })), ...broken } });
    let told: string | undefined;
    world.plugins.set('hasty', { kind: 'skill', grants: [GRANT], handlers: { respond: (_: unknown, ctx) => send(ctx, to('duty', 'x')).catch((error: Error & { code?: string }) => void (told = error.code)) } });
    const { scope } = await world.calls.call('hasty', 'respond', {}, { attemptKey: 'm', waitMs: 0 });
    expect([told, scope.hasWrites]).toEqual([code, false]);
  });

  it('see sender, hops and conversation, change the text, and are recorded', async () => {
    const seen: Message[] = [];
    await using world = await aPipeline({ street: channel, desk: channel, herald: herald(), mask: gate((message) => (seen.push(message), { effect: 'modify', text: message.text.toUpperCase(), reason: 'loud', labels: ['loud'] })) });
    const messageId = (await ask(world, 'fire')).toLowerCase();
    await expectDelivered(world, 'FIRE');
    expect(seen[0]).toMatchObject({ id: messageId, instance: 'desk', conversation: 'duty', sender: { id: 'plugin:herald' }, hops: 1 });
    expect((await world.outbound('desk', 'duty'))[0]).toMatchObject({ flags: ['loud'], stages: expect.arrayContaining([expect.objectContaining({ stage: 'gate', instance: 'mask', decision: 'modify' }), expect.objectContaining({ stage: 'screen', instance: 'herald' })]) });
  });

  it('write to kv with the send they judged, each seeing what it wrote for the send before', async () => {
    const counter = gate(async ({ instance }, ctx) => {
      if (instance === 'desk') await ctx.ask('kv.set', { key: 'n', value: Number(await ctx.ask('kv.get', { key: 'n' })) + 1 });
      return { effect: 'pass' };
    });
    const twice: StandIn = { kind: 'skill', grants: [GRANT], handlers: { respond: async (_: unknown, ctx) => (await send(ctx, to('duty', 'a')), await send(ctx, to('duty', 'b')), { replies: [{ text: 'done' }] }) } };
    await using world = await aPipeline({ street: channel, desk: channel, twice, counter });
    await ask(world, 'go');
    expect((await world.store.get(kv, kv.key('counter', 'n')))?.value.value).toBe(2);
  });

  it('keep nothing for a reply that a later gate refuses', async () => {
    const first = gate(async (message, ctx) => (await ctx.ask('kv.set', { key: 'seen', value: message.text }), await send(ctx, to('duty', `seen: ${message.text}`)), { effect: 'pass' }));
    const second = gate(({ instance }) => (instance === 'street' ? { effect: 'deny', reason: 'never' } : { effect: 'pass' }));
    await using world = await aPipeline({ street: channel, desk: channel, talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } }, first, second });
    await world.post('street', arriving('1', 'hi'));
    await eventually(async () => expect((await world.everyMessage())[0]).toMatchObject({ outcome: 'unanswered', code: 'REPLY_DENIED' }));
    expect(await world.everyMessage()).toHaveLength(1);
    expect(await world.store.get(kv, kv.key('first', 'seen'))).toBeUndefined();
  });

  it('are not asked about what they send themselves, and two that answer each other come to an end', async () => {
    const asked: string[] = [];
    const alerting = (name: string) =>
      gate(async (message, ctx) => {
        asked.push(`${name}: ${message.hops ?? 0}`);
        await send(ctx, to('duty', `${name} saw ${message.hops ?? 0}`)).catch((error: Error & { code?: string }) => asked.push(`${name} ${error.code}`));
        return { effect: 'pass' };
      });
    await using alone = await aPipeline({ street: channel, desk: channel, talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } }, left: alerting('left') });
    await ask(alone, 'hi');
    await expectDelivered(alone, 'left saw 0');
    expect(asked).toEqual(['left: 0']);

    asked.length = 0;
    await using world = await aPipeline({ street: channel, desk: channel, talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } }, left: alerting('left'), right: alerting('right') });
    await ask(world, 'hi');
    expect(asked).toContain('left MESSAGE_HOPS');
    expect(Math.max(...(await world.everyMessage()).map(({ hops = 0 }) => hops))).toBe(BOUNDS.messageHops);
  });

  it('write with what an operator sends', async () => {
    await using world = await aPipeline({ street: channel, desk: channel, logger: gate(async (message, ctx) => (await ctx.ask('kv.set', { key: 'seen', value: message.text }), { effect: 'pass' })) });
    expect(await world.pipeline.operator.send({ channel: 'street', to: 'c', text: 'hello' }, 'token:1')).toMatchObject({ outcome: 'delivered' });
    expect((await world.store.get(kv, kv.key('logger', 'seen')))?.value.value).toBe('hello');
  });

  it('that answer after the call is over leave nothing behind', async () => {
    const { promise: go, resolve } = Promise.withResolvers<void>();
    await using world = await aPipeline({ street: channel, desk: channel, slow: gate(async (_, ctx) => (await go, await ctx.ask('kv.set', { key: 'k', value: 1 }), { effect: 'pass' })) });
    world.plugins.set('hasty', { kind: 'skill', grants: [GRANT], handlers: { respond: (_: unknown, ctx) => void send(ctx, to('duty', 'late')).catch((error: Error & { code?: string }) => (refused = error.code)) } });
    let refused: string | undefined;
    const { scope } = await world.calls.call('hasty', 'respond', {}, { attemptKey: 'm', waitMs: 0 });
    resolve();
    await eventually(() => expect(refused).toBe('CALL_OVER'));
    expect([scope.hasWrites, await world.ledger.used('slow')]).toEqual([false, 0]);
    scope.release();
    await expectRoom(world);
  });

  it('that refuse a message cost it its place in the queue', async () => {
    await using world = await aPipeline({ desk: channel, strict: gate(() => ({ effect: 'deny', reason: 'never' })) });
    await expect(fill(world)).rejects.toThrow('never');
    world.plugins.delete('strict');
    await expectRoom(world);
  });
});

/** Every place in the queue of the conversation is free. */
async function expectRoom(world: PipelineWorld): Promise<void> {
  world.plugins.delete('slow');
  const scopes = [];
  for (let n = 0; n < BOUNDS.laneDepth; n += 1) scopes.push(await fill(world));
  for (const scope of scopes) scope.release();
}

/** One call that has sent to the desk, and keeps its place until it is released. */
async function fill(world: PipelineWorld) {
  world.plugins.set('filler', { kind: 'skill', grants: [GRANT], handlers: { respond: async (_: unknown, ctx) => void (await send(ctx, to('duty', 'x'))) } });
  const { result, scope } = await world.calls.call('filler', 'respond', {}, { attemptKey: 'm', waitMs: 0 });
  if (!result.ok) throw new Error(result.message);
  return scope;
}

describe('observers', () => {
  it('send nothing, because what they are told may yet come to nothing; what they note is kept', async () => {
    const told: unknown[] = [];
    const watcher: StandIn = {
      kind: 'observer',
      grants: [GRANT, KV, { name: 'tool.call', tools: ['test/pager'] }],
      handlers: {
        async evaluate({ message, direction }: { message: Message; direction: string }, ctx) {
          await ctx.ask('kv.set', { key: direction, value: message.text });
          for (const attempt of [() => send(ctx, to('duty', 'x')), () => ctx.ask('tool.call', { tool: 'test/pager', arguments: {} })]) await attempt().catch((error: Error & { code?: string }) => told.push(error.code));
          return { effect: 'pass' };
        },
      },
    };
    const pager: StandIn = { kind: 'tool', grants: [GRANT], handlers: { call: async (_: unknown, ctx) => await send(ctx, to('duty', 'x')) } };
    await using world = await aPipeline({ street: channel, desk: channel, talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } }, watcher, pager });
    await ask(world, 'hi');
    await eventually(async () => expect([(await world.store.get(kv, kv.key('watcher', 'inbound')))?.value.value, (await world.store.get(kv, kv.key('watcher', 'outbound')))?.value.value]).toEqual(['hi', 'hello']));
    expect(told).toEqual(['MESSAGE_UNKEPT', 'TOOL_FAILED', 'MESSAGE_UNKEPT', 'TOOL_FAILED']);
    expect(await world.outbound('desk', 'duty')).toEqual([]);
  });
});

describe('a send is refused', () => {
  const refusals: readonly [what: string, args: object, code: string][] = [
    ['to an instance that the grant does not name', to('duty', 'x', 'elsewhere'), 'CAPABILITY_DENIED'],
    ['to an instance that is not there', to('duty', 'x', 'nobody'), 'MESSAGE_TARGET'],
    ['to an instance that is no channel', to('duty', 'x', 'herald'), 'MESSAGE_TARGET'],
    ['to a channel that only receives', to('duty', 'x', 'letterbox'), 'MESSAGE_TARGET'],
    ['with a sender of its own', { ...to('duty', 'x'), sender: { id: 'operator' } }, 'CAPABILITY_ARGUMENT'],
    ['with an id of its own', { ...to('duty', 'x'), id: '1' }, 'CAPABILITY_ARGUMENT'],
    ['with hops of its own', { ...to('duty', 'x'), hops: 0 }, 'CAPABILITY_ARGUMENT'],
    ['as an answer to somebody', { ...to('duty', 'x'), inReplyTo: '1' }, 'CAPABILITY_ARGUMENT'],
    ['without a conversation', { instance: 'desk', text: 'x' }, 'CAPABILITY_ARGUMENT'],
    ['to a conversation without a name', to('', 'x'), 'CAPABILITY_ARGUMENT'],
    ['to a conversation with half a character', to('\ud800', 'x'), 'CAPABILITY_ARGUMENT'],
    ['to a conversation with a name too long', to('c'.repeat(257), 'x'), 'CAPABILITY_ARGUMENT'],
    ['with a text that is a number', { ...to('duty', ''), text: 5 }, 'CAPABILITY_ARGUMENT'],
    ['without a text', to('duty', ''), 'CAPABILITY_ARGUMENT'],
    ['with a text of which nothing is left', to('duty', '\u202e\u0000 '), 'CAPABILITY_ARGUMENT'],
    ['with a text beyond 64 KiB of UTF-8', to('duty', 'é'.repeat(BOUNDS.messageTextBytes / 2 + 1)), 'CAPABILITY_ARGUMENT'],
  ];

  it.for(refusals)('%s', async ([, args, code]) => {
    await using world = await aPipeline({ street: channel, desk: channel, letterbox: { kind: 'channel', abilities: ['receive'] }, herald: herald(() => args) });
    expect(await ask(world, 'go')).toBe(code);
    expect((await world.everyMessage()).filter(({ hops }) => hops !== undefined)).toEqual([]);
  });

  it('beyond sixteen in one call, with its tools', async () => {
    const codes: unknown[] = [];
    const flood = async (ctx: StandInContext, times: number) => {
      for (let n = 0; n < times; n += 1) await send(ctx, to('duty', String(n))).catch((error: Error & { code?: string }) => codes.push(error.code));
    };
    const user: StandIn = { kind: 'skill', grants: [GRANT, { name: 'tool.call', tools: ['test/pager'] }], handlers: { respond: async (_: unknown, ctx) => (await flood(ctx, 10), await ctx.ask('tool.call', { tool: 'test/pager', arguments: {} }), { replies: [{ text: 'done' }] }) } };
    const pager: StandIn = { kind: 'tool', grants: [GRANT], handlers: { call: async (_: unknown, ctx) => await flood(ctx, 10) } };
    await using world = await aPipeline({ street: channel, desk: channel, user, pager });
    await ask(world, 'go');
    expect(codes).toEqual(Array.from({ length: 20 - BOUNDS.sendsPerCall }, () => 'QUOTA_EXCEEDED'));
    expect(await world.outbound('desk', 'duty')).toHaveLength(BOUNDS.sendsPerCall);
  });

  it('beyond the quota of the grant', async () => {
    const world = await aPipeline({ street: channel, desk: channel, herald: { ...herald(), grants: [{ ...GRANT, quota: { perMinute: 2 } }] } });
    await using _ = world;
    const told = [];
    for (const text of ['a', 'b', 'c']) told.push(await ask(world, text));
    expect(told.map((each) => each === 'QUOTA_EXCEEDED')).toEqual([false, false, true]);
  });

  it('while a thousand messages wait for the conversation, those not yet committed included', async () => {
    await using world = await aPipeline({ street: channel, desk: { kind: 'channel', handlers: { send: () => new Promise(() => undefined) } } });
    const scopes = [];
    for (let n = 0; n < BOUNDS.laneDepth; n += 1) scopes.push(await fill(world));
    await expect(fill(world)).rejects.toThrow('1000 messages waiting');
    scopes.pop()?.release();
    (await fill(world)).release();
    for (const scope of scopes) scope.release();
  });
});

describe('a ring of plugins', () => {
  it('of channels whose sends answer each other ends after four hops, and each message is there once', async () => {
    const refused: unknown[] = [];
    const relay = (other: string): StandIn => ({
      kind: 'channel',
      grants: [GRANT],
      handlers: {
        async send({ text }: { text: string }, ctx) {
          await send(ctx, { instance: other, conversation: 'c', text: `${text}+` }).catch((error: Error & { code?: string }) => refused.push(error.code));
          return { actions: [] };
        },
      },
    });
    const denied: Events['capability.denied'][] = [];
    const stop = subscribe('capability.denied', (event) => denied.push(event));
    await using world = await aPipeline({ street: relay('desk'), desk: relay('street'), talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'ball' }] }) } } });
    await ask(world, 'go');
    await eventually(() => expect(refused).toEqual(['MESSAGE_HOPS']));
    stop();
    await eventually(async () => expect(await world.waitingDeliveries()).toBe(0));
    const sent = (await world.everyMessage()).filter(({ direction }) => direction === 'outbound');
    expect(sent.map(({ text, hops }) => [text, hops])).toEqual([['ball', undefined], ...Array.from({ length: BOUNDS.messageHops }, (_, n) => [`ball${'+'.repeat(n + 1)}`, n + 1])]);
    expect(denied).toMatchObject([{ capability: 'message.send', code: 'MESSAGE_HOPS' }]);
  });

  it('that closes outside, where a bot says the words again, ends as well', async () => {
    const told: string[] = [];
    const forwarder: StandIn = {
      kind: 'skill',
      grants: [GRANT],
      handlers: {
        async respond({ message }: { message: Message }, ctx) {
          told.push(await send(ctx, to('c', message.text, message.instance === 'desk' ? 'street' : 'desk')).then(() => `sent at ${message.hops ?? 0}`, (error: Error & { code?: string }) => String(error.code)));
          return null;
        },
      },
    };
    const world: PipelineWorld = await aPipeline({ forwarder });
    await using _ = world;
    let echoed = 0;
    for (const name of ['street', 'desk']) world.plugins.set(name, { kind: 'channel', handlers: { send: ({ text }: { text: string }) => (void world.post(name, arriving(`echo-${++echoed}`, ` ${text}`)), { actions: [] }) } });
    await world.post('street', arriving('1', 'parrot'));
    await eventually(() => expect(told.at(-1)).toBe('MESSAGE_HOPS'));
    expect(told).toEqual(['sent at 0', 'sent at 1', 'sent at 2', 'sent at 3', 'MESSAGE_HOPS']);
  });

  it('does not hinder people who answer what was sent to them', async () => {
    await using world = await aPipeline({ street: channel, desk: channel, herald: herald() });
    for (let n = 0; n < 8; n += 1) expect(await ask(world, `question ${n}`)).not.toContain('MESSAGE');
    await world.post('desk', arriving('answer', 'on my way', 'duty'));
    await eventually(async () => expect((await world.everyMessage()).find(({ text, direction }) => text === 'on my way' && direction === 'inbound')).toMatchObject({ outcome: 'answered' }));
    expect((await world.everyMessage()).find(({ text, direction }) => text === 'on my way' && direction === 'inbound')).not.toHaveProperty('hops');
  });
});

describe('echoes', () => {
  it('are known in their own conversation, for ten minutes, and only so many of them', () => {
    const clock = { at: 0, now: () => 0, monotonicMs: () => clock.at };
    const echoes = new Echoes(clock, 2);
    echoes.remember(row('plain'));
    for (const text of ['a', 'b', 'c']) echoes.remember(row(text, { hops: 2 }));
    expect(['plain', 'a', 'b', 'c'].map((text) => echoes.hopsOf('desk', 'c', text))).toEqual([0, 0, 2, 2]);
    expect([echoes.hopsOf('desk', 'd', 'c'), echoes.hopsOf('street', 'c', 'c')]).toEqual([0, 0]);
    clock.at = 10 * 60 * 1000 + 1;
    expect(echoes.hopsOf('desk', 'c', 'c')).toBe(0);
  });

  it('cost nothing while nobody sends', () => {
    expect(new Echoes(systemClock).hopsOf('desk', 'c', '\ud800')).toBe(0);
  });
});

describe('keys of nested calls', () => {
  it('of two skills that work on one message differ, and are the same at every attempt', async () => {
    const keys: string[] = [];
    let tries = 0;
    const caller = (answers: boolean): StandIn => ({
      kind: 'skill',
      grants: [{ name: 'tool.call', tools: ['test/pager'] }],
      handlers: {
        async respond(_: unknown, ctx) {
          await ctx.ask('tool.call', { tool: 'test/pager', arguments: {} });
          if (answers && ++tries < 2) throw new Error('again');
          return answers ? { replies: [{ text: 'done' }] } : null;
        },
      },
    });
    const pager: StandIn = { kind: 'tool', handlers: { call: (_: unknown, { call }) => void keys.push(call.attemptKey) } };
    await using world = await aPipeline({ street: channel, first: caller(false), second: caller(true), pager });
    await ask(world, 'hi');
    const [one, two] = keys;
    expect(keys).toEqual([one, two, one, two]);
    expect(one).not.toBe(two);
  });
});

it('rows of conversations name the message when the place is not its id', async () => {
  await using world = await aPipeline({ street: channel, desk: channel, herald: herald() });
  const messageId = await ask(world, 'fire');
  const rows = await world.store.range(conversations, conversations.prefix('desk', 'duty'));
  expect(rows.map(({ value }) => value)).toEqual([{ direction: 'outbound', messageId }]);
  expect(String(rows[0]?.key[3]) > messageId).toBe(true);
});
