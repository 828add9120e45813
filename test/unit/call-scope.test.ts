// The scope of a call: what it takes while it is open, what becomes of latecomers, and what tools called from it see of each other.
import { describe, expect, it } from 'vitest';
import { Type } from 'typebox';
import { Broker } from '../../host/broker/broker.ts';
import { CallScope } from '../../host/broker/call-scope.ts';
import { MinuteQuotas, SenderRates } from '../../host/broker/quota.ts';
import { KvLedger } from '../../host/capabilities/kv-ledger.ts';
import { kvOperations } from '../../host/capabilities/kv.ts';
import { toolCall } from '../../host/capabilities/tool-call.ts';
import { systemClock } from '../../host/clock.ts';
import { createLog } from '../../host/log.ts';
import { PluginCalls, type CallInstance } from '../../host/pipeline/plugin-calls.ts';
import type { CallResult, PluginCall } from '../../host/sandbox/sandbox.ts';
import { compileSchema } from '../../host/schema.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { Grant } from '../../schemas/capability.ts';
import { tempDir } from '../support/temp.ts';

const entry = (value: unknown) => ({ value, sizeBytes: 2 });

describe('a call scope', () => {
  it.for(['close', 'release'] as const)('takes nothing more after %s', (end) => {
    const scope = new CallScope('c');
    scope.write('shop', 'early', entry(1));
    scope[end]();
    expect(() => scope.write('shop', 'late', entry(2))).toThrow(expect.objectContaining({ code: 'CALL_OVER' }));
    expect([...(scope.writes.get('shop')?.keys() ?? [])]).toEqual(['early']);

    let late = 0;
    scope.onRelease(() => (late += 1));
    expect(late).toBe(1);
    scope.release();
    expect(late).toBe(1);
  });

  it('refuses a nested scope that comes too late, and gives back what it holds', () => {
    const scope = new CallScope('c');
    const nested = new CallScope('n', { parent: scope });
    let held = 1;
    nested.write('tool', 'k', entry(1));
    nested.onRelease(() => (held -= 1));
    scope.close();
    expect(() => scope.absorb(nested)).toThrow(expect.objectContaining({ code: 'CALL_OVER' }));
    expect(held).toBe(0);
    expect(scope.hasWrites).toBe(false);
  });

  it('keeps writes and reservations from its close until its release', () => {
    const scope = new CallScope('c');
    let held = 1;
    scope.onRelease(() => (held -= 1));
    scope.write('shop', 'k', entry(1));
    scope.close();
    expect([scope.hasWrites, held]).toEqual([true, 1]);
    scope.release();
    expect(held).toBe(0);
  });

  it('shows a nested scope what the scopes around it wrote, its own writes first', () => {
    const outer = new CallScope('c');
    const middle = new CallScope('m', { parent: outer });
    const inner = new CallScope('i', { parent: middle });
    expect(inner.depth).toBe(2);
    for (const key of ['a', 'b', 'c']) outer.write('tool', key, entry('outer'));
    middle.write('tool', 'b', entry('middle'));
    inner.write('tool', 'c', null);
    expect(inner.read('tool', 'a')).toEqual(entry('outer'));
    expect(inner.read('tool', 'b')).toEqual(entry('middle'));
    expect(inner.read('tool', 'c')).toBeNull();
    expect(inner.read('other', 'a')).toBeUndefined();
    expect([...inner.visible('tool')]).toEqual([['a', entry('outer')], ['b', entry('middle')], ['c', null]]);
    expect([...inner.writes.get('tool') ?? []]).toEqual([['c', null]]);
  });
});

const SKILL: Grant = { name: 'tool.call', tools: ['test.tools/count'] };
const finished = (value: unknown) => ({ ok: true, value, wallMs: 1, cpuUs: 1 }) as CallResult;

/** A broker, its calls and a real store; `behaviour` stands in for the sandboxes. */
async function aWorld(behaviour: (world: { readonly ask: Ask; readonly seen: PluginCall[] }) => CallInstance) {
  const dir = await tempDir();
  const store = await openStore({ dir: dir.path, clock: systemClock });
  const ledger = new KvLedger(store);
  const anything = compileSchema<unknown>(Type.Unknown());
  const broker: Broker = new Broker({
    operations: [
      ...kvOperations(store, ledger),
      toolCall({ find: (address) => ({ address, instance: 'tools', name: 'count', input: anything, output: anything }), call: (tool, args, parent, attemptKey) => calls.callTool(tool, args, parent, attemptKey) }),
    ],
    quotas: new MinuteQuotas(systemClock),
    log: createLog('error'),
  });
  const ask: Ask = (instance, call, op, args) => broker.serve({ instance, plugin: `test.${instance}`, grants: [SKILL, { name: 'kv', quotaBytes: 1000 }] }, { callId: call.callId, attemptKey: call.attemptKey, op, args });
  const seen: PluginCall[] = [];
  const answer = behaviour({ ask, seen });
  const calls: PluginCalls = new PluginCalls(broker, async (instance, call, options) => {
    seen.push(call);
    return await answer(instance, call, options);
  });
  return {
    ledger,
    calls,
    seen,
    ask,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

type Ask = (instance: string, call: PluginCall, op: string, args: unknown) => ReturnType<Broker['serve']>;

/** A skill that calls its tool twice; the tool counts its calls in kv. */
const countTwice = ({ ask }: { readonly ask: Ask }): CallInstance => async (instance, call) => {
  if (instance === 'skill') {
    for (const tool of ['test.tools/count', 'test.tools/count']) await ask('skill', call, 'tool.call', { tool, arguments: {} });
    return finished(null);
  }
  const before = await ask('tools', call, 'kv.get', { key: 'n' });
  const listed = await ask('tools', call, 'kv.list', {});
  const n = ((before as { value: number | null }).value ?? 0) + 1;
  await ask('tools', call, 'kv.set', { key: 'n', value: n });
  return finished({ n, listed: (listed as { value: { items: unknown[] } }).value.items.length });
};

describe('calls of plugins', () => {
  it('lets the second call of a tool see what the first one wrote', async () => {
    await using world = await aWorld(countTwice);
    const { scope } = await world.calls.call('skill', 'respond', {}, { attemptKey: 'm1', waitMs: 0 });
    expect(scope.read('tools', 'n')).toMatchObject({ value: 2 });
  });

  it('gives the tool calls of every attempt at the same work the same keys', async () => {
    await using world = await aWorld(countTwice);
    const attempt = async () => {
      world.seen.length = 0;
      (await world.calls.call('skill', 'respond', {}, { attemptKey: 'm1', waitMs: 0 })).scope.release();
      return world.seen.map((each) => each.attemptKey);
    };
    expect(await attempt()).toEqual(['m1', 'm1/skill/1', 'm1/skill/2']);
    expect(await attempt()).toEqual(['m1', 'm1/skill/1', 'm1/skill/2']);
  });

  it('keeps tool calls of calls that have no key of their own apart', async () => {
    await using world = await aWorld(countTwice);
    for (let i = 0; i < 2; i++) (await world.calls.call('skill', 'receive', {}, { attemptKey: '', waitMs: 0 })).scope.release();
    const keys = world.seen.map((each) => each.attemptKey).filter((key) => key !== '');
    expect(new Set(keys).size).toBe(4);
  });

  it('ends and releases the scope of a call that could not be made', async () => {
    const broken = new Error('the pipe broke');
    await using world = await aWorld(({ ask }) => async (_instance, call) => {
      await ask('skill', call, 'kv.set', { key: 'k', value: 'reserved' });
      throw broken;
    });
    await expect(world.calls.call('skill', 'respond', {}, { attemptKey: 'm1', waitMs: 0 })).rejects.toBe(broken);
    expect(await world.ledger.used('skill')).toBe(0);
    const [call] = world.seen;
    expect(call && (await world.ask('skill', call, 'kv.get', { key: 'k' }))).toMatchObject({ ok: false, code: 'CALL_OVER' });
  });
});

describe('rates of senders', () => {
  it('forget whoever has been silent longest, not whoever came first', () => {
    const clock = { now: () => 0, monotonicMs: () => 0 };
    const rates = new SenderRates(clock, 2);
    const take = (sender: string) => rates.take(sender, 1, 2);
    expect([take('regular'), take('guest'), take('regular')]).toEqual([true, true, true]);
    take('newcomer');
    expect(take('regular')).toBe(false);
  });
});
