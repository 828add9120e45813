// Attacks on the processor: code that never ends, in every place plugin code can run. The sandbox is ended, the plugin is blamed, the neighbour answers throughout.
import { afterAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { battle, CONTAINED, findingsOf, killBy } from '../support/hostile.ts';
import { aPool, toolSource } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

describe('code that never ends is ended', () => {
  it.each([
    ['attack 18 spin', 'for (;;);'],
    ['attack 19 spin-after-await', 'await ctx.sleep(10); for (;;);'],
    ['attack 20 native-indexOf', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'],
    ['attack 20 native-indexOf, after an await', 'await ctx.sleep(10); Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)'],
    ['attack 24 regex-redos', '/^(a+)+$/.test("a".repeat(40) + "b")'],
    ['attack 26 sort-cmp', '[3, 2, 1].sort(() => { for (;;); })'],
    ['attack 27 microtask-storm', 'const storm = () => { Promise.resolve().then(storm) }; storm(); await new Promise(() => {})'],
    ['attack 27 microtask-storm, awaiting', 'for (;;) await 0'],
    ['attack 30 err-get-proxy, thrown in a handler', 'throw new Proxy(new Error("x"), { get() { for (;;); }, getOwnPropertyDescriptor() { for (;;); }, getPrototypeOf() { for (;;); } })'],
    ['attack 30 err-get-proxy, as a rejection nobody handles', 'Promise.reject(new Proxy(new Error("x"), { get() { for (;;); } })); await ctx.sleep(10_000)'],
    ['attack 32 prepareStack-spin', 'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x")'],
    ['attack 32 prepareStack-spin, on an error of the bridge', 'Error.prepareStackTrace = () => { for (;;); }; await ctx.kv.set("k", 1n)'],
    ['a result whose toJSON never ends', 'return { toJSON() { for (;;); } }'],
    ['a thenable that never ends', 'return { then() { for (;;); } }'],
  ])('%s', async (_, handler) => {
    expect(await killBy(pool, { handler })).toEqual({ ...CONTAINED, cause: 'cpu' });
  });

  // These also take memory, and whichever limit comes first ends them.
  it.each([
    ['attack 22 bigint-square', 'let b = 3n; for (;;) b = b * b;'],
    ['attack 25 json-wide', 'JSON.parse("[" + "{},".repeat(8e6) + "{}]")'],
  ])('%s', async (_, handler) => {
    expect(await killBy(pool, { handler })).toEqual({ ...CONTAINED, cause: expect.stringMatching(/^(cpu|memory|abort)$/) as string });
  });
});

describe('at load', () => {
  it.each([
    ['attack 33 slow-boot', 'for (;;);'],
    ['attack 33 slow-boot, in a promise', `${toolSource('return 1')} (async () => { for (;;) await 0 })();`],
    ['attack 33 slow-boot, where no timer reaches', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'],
    ['attack 30 err-get-proxy', 'throw new Proxy(new Error("x"), { get() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })'],
    ['attack 30 err-get-proxy, as a rejection', `${toolSource('return 1')} Promise.reject(new Proxy(new Error("x"), { get() { for (;;); } }));`],
  ])('%s: the plugin never becomes active and is given up', async (_, source) => {
    await using fight = await battle(pool, { source, loadMs: 500 });
    await eventually(() => expect(fight.quarantined).toHaveLength(1));
    expect(fight.changes.map(({ state }) => state)).not.toContain('active');
    expect(fight.strikes.map(({ cause }) => cause)).toEqual(['load', 'load', 'load']);
    await fight.neighbourUnharmed();
  });
});

describe('what would spin outside every slice is not there', () => {
  it('attack 28 finreg', async () => {
    expect(await findingsOf(pool, { handler: 'return [typeof FinalizationRegistry, typeof WeakRef, Object.getOwnPropertyNames(globalThis).filter((name) => /Weak|Final/.test(name)).sort().join()]' })).toEqual(['undefined', 'undefined', 'WeakMap,WeakSet']);
  });

  it('attack 29 atomics-wait', async () => {
    expect(await findingsOf(pool, { handler: 'return [typeof Atomics, typeof SharedArrayBuffer, typeof setTimeout, typeof queueMicrotask, typeof setImmediate]' })).toEqual(Array(5).fill('undefined'));
  });
});

it('attack 35 spin-many: ten plugins spin at once and the innocent one is not starved', async () => {
  await using fight = await battle(pool, {});
  const spinners = Array.from({ length: 10 }, (_, index) => `spinner${index}`);
  await Promise.all(spinners.map((instance) => pool.open({ instance, plugin: `test.${instance}`, kind: 'tool', source: toolSource('for (;;);'), config: {}, limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 5000, concurrency: 4 }, jitless: true }, { onHostCall: () => Promise.reject(new Error('none')), onLog: () => {} }).then(async (sandbox) => {
    const before = fight.answered();
    const result = await sandbox.call({ handler: 'call', input: null, callId: instance, attemptKey: instance });
    expect(result).toMatchObject({ ok: false });
    expect(fight.answered()).toBeGreaterThan(before);
    await sandbox.exited;
  })));
  await fight.neighbourUnharmed();
});
