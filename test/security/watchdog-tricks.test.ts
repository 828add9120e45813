// Attacks of our own on the watchdog: work that no interrupt reaches, CPU spread so that no slice looks long, answers that come first and trouble after, and the moments at
// which something else happens too: a kill, an upgrade, a quarantine.
import { afterAll, describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../host/supervisor/restart-policy.ts';
import { eventually } from '../support/eventually.ts';
import { battle, CONTAINED, killBy } from '../support/hostile.ts';
import { aCall, aPool, aSpec, toolSource } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

const ENDED = { ...CONTAINED, cause: expect.stringMatching(/^(cpu|memory|abort)$/) as string };

describe('native loops and bombs', () => {
  it.each([
    ['attack g30 native-loops, reverse', 'Array.prototype.reverse.call({ length: 2 ** 53 - 2 })'],
    ['attack g30 native-loops, copyWithin', 'Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0)'],
    ['attack g30 native-loops, lastIndexOf', 'Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)'],
    ['attack g30 native-loops, String.raw', 'String.raw({ raw: { length: 2 ** 53 - 1 } })'],
    ['attack g30 native-loops, sort', 'Array.from({ length: 5e6 }, (_, i) => -i).sort().sort().sort().sort(); for (;;) [].concat(Array(1e6))'],
    ['attack g31 endless-iterators, Set.union', 'new Set().union({ size: Infinity, has: () => true, keys: () => ({ next: () => ({ value: 1, done: false }) }) })'],
    ['attack g31 endless-iterators, Promise.all', 'Promise.all({ [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) })'],
    ['attack g31 endless-iterators, Object.groupBy', 'Object.groupBy({ [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) }, () => 1)'],
    ['attack g31 endless-iterators, Array.fromAsync', 'await Array.fromAsync({ [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 1, done: false }) }) })'],
    ['attack g31 endless-iterators, helpers', 'Iterator.from({ next: () => ({ value: 1, done: false }) }).flatMap((x) => [x, x]).drop(1e9).toArray()'],
    ['attack g32 unicode-bombs, Segmenter', 'const s = "e\\u0301\\u200d\\ud83d\\udc69".repeat(2e6); for (const each of new Intl.Segmenter("th", { granularity: "word" }).segment(s)) void each; for (;;);'],
    ['attack g32 unicode-bombs, normalize', 'for (;;) "\\ufdfa".repeat(1e6).normalize("NFKD").length'],
    ['attack g32 unicode-bombs, compare', 'const c = new Intl.Collator("ja", { numeric: true }); for (;;) c.compare("\\u0e40\\u0e01".repeat(1e6), "\\u0e40\\u0e02".repeat(1e6))'],
    ['attack g33 regexp-bombs, v flag', 'new RegExp("^(?:[\\\\p{L}--[a-z]]|[\\\\p{Lu}&&[A-Z]]|\\\\p{RGI_Emoji})*\\\\d".repeat(4) + "$", "v").test("A".repeat(50)); for (;;) new RegExp("[" + "\\\\p{L}".repeat(1000) + "]{1000}", "v").test("A".repeat(1e5))'],
    ['attack g33 regexp-bombs, lookbehind', '/(?<=(a*)*b)c$/.test("a".repeat(30) + "c"); /(x+x+)+y/.test("x".repeat(60))'],
    ['attack g33 regexp-bombs, replace', '"a".repeat(1e5).replaceAll(/(?=(a+)+b)/g, "$1".repeat(1e3)); for (;;);'],
    ['attack g34 number-bombs, decimal', 'BigInt("9".repeat(2e6)).toString().length; for (;;) BigInt("9".repeat(2e6))'],
    ['attack g34 number-bombs, shift', 'let b = 1n; for (;;) b = (b << 100000n) ** 2n % 7n + (b << 65536n)'],
    ['attack g35 label-loops', 'outer: for (;;) { inner: for (;;) { if (input) continue outer; break inner } }'],
    ['attack g35 label-loops, in a getter of the result', 'return { get a() { again: do { continue again } while (true) } }'],
    ['attack g36 proxy-chains', 'let p = {}; for (let i = 0; i < 1e4; i++) p = new Proxy(p, {}); for (;;) { try { p.x } catch {} }'],
    ['attack g36 proxy-chains, of keys', 'return new Proxy({}, { ownKeys: () => Array.from({ length: 1e6 }, (_, i) => "k" + i), getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })'],
  ])('%s: the sandbox is ended and comes back', async (_, handler) => {
    expect(await killBy(pool, { handler })).toEqual(ENDED);
  });
});

describe('time spread thin', () => {
  it('attack g40 under-the-limit: work that stays below it is allowed, counted, and at nobody else’s cost', async () => {
    await using fight = await battle(pool, { handler: 'let x = 0; for (let i = 0; i < 2e5; i++) x += i; return x > 0', limits: { cpuMsPerCall: 50 } });
    for (let call = 0; call < 50; call += 1) expect(await fight.value()).toBe(true);
    expect(fight.strikes).toEqual([]);
    expect(fight.supervisor.stats('attacker')?.cpuUs).toBeGreaterThan(50 * 100);
    await fight.neighbourUnharmed();
  });

  it('attack g41 alternating-slices: CPU is added up over the slices of a call, however short each is', async () => {
    expect(await killBy(pool, { handler: 'for (;;) { const until = 1.5e6; for (let i = 0; i < until; i++); await ctx.sleep(10) }', limits: { wallMsPerCall: 60_000 } })).toEqual({ ...CONTAINED, cause: 'cpu' });
  });

  it('attack g42 sleep-modulation: many calls that sleep and wake without end meet a bound of host calls', async () => {
    await using fight = await battle(pool, { handler: 'if (input === "peace") return 1; for (;;) await Promise.all(Array.from({ length: 8 }, () => ctx.sleep(10)))', limits: { wallMsPerCall: 30_000, cpuMsPerCall: 5000 }, serve: () => ({ ok: true, value: null }) });
    const results = await Promise.all(Array.from({ length: 8 }, (_, index) => fight.call(index)));
    expect(new Set(results.map((result) => (result.ok ? 'ok' : result.code)))).toEqual(new Set(['CALL_FAILED']));
    expect(results.every((result) => !result.ok && /host calls/.test(result.message))).toBe(true);
    expect(await fight.value('peace')).toBe(1);
    await fight.neighbourUnharmed();
  });

  it('attack g43 crowd: sixty calls at once that each work hard wait for each other, not the neighbour for them', async () => {
    await using fight = await battle(pool, { handler: 'let x = 0; for (let i = 0; i < 1e6; i++) x += i; return input', limits: { cpuMsPerCall: 1000, wallMsPerCall: 60_000 } });
    const before = fight.answered();
    const results = await Promise.all(Array.from({ length: 60 }, (_, index) => fight.value(index)));
    expect(results).toEqual(Array.from({ length: 60 }, (_, index) => index));
    expect(fight.answered()).toBeGreaterThan(before + 60);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g44 garbage: CPU that the collector uses is the plugin’s', async () => {
    expect(await killBy(pool, { handler: 'let kept = []; for (;;) { kept.push(Array.from({ length: 1000 }, (_, i) => ({ i }))); if (kept.length > 40) kept = kept.slice(20) }' })).toEqual(ENDED);
  });
});

describe('answers and ends at one moment', () => {
  it('attack g45 tail-of-microtasks: a call that answers and then never stops has not answered', async () => {
    expect(await killBy(pool, { handler: 'const storm = () => Promise.resolve().then(storm); Promise.resolve().then(() => Promise.resolve().then(() => Promise.resolve().then(storm))); return "answered"' })).toEqual({ ...CONTAINED, cause: 'cpu' });
  });

  it('attack g46 answer-then-spin: an answer that had left the process stands, and what follows is a strike all the same', async () => {
    const handler = `if (input !== 'attack') return 'peaceful'; const fill = 'x'.repeat(60_000); Promise.resolve().then(() => 0).then(() => 0).then(() => 0).then(() => 0).then(async () => { for (let i = 0; i < 30; i++) { ctx.log.info(fill, { fill: fill.slice(0, 1900) }) } for (;;); }); return 'x'.repeat(400_000)`;
    await using fight = await battle(pool, { handler });
    const result = await fight.call('attack');
    await eventually(() => expect(fight.strikes).toMatchObject([{ cause: 'cpu' }]));
    expect(result.ok ? result.value : result.code).toMatch(/^(x{400000}|CALL_CPU)$/);
    expect(await fight.value()).toBe('peaceful');
    await fight.neighbourUnharmed();
  });

  it('attack g47 one-spins-all-wait: the calls beside one that never ends are innocent, and work when tried again', async () => {
    await using fight = await battle(pool, { handler: 'if (input === "spin") for (;;); await ctx.sleep(10); return input' });
    const [spin, ...others] = await Promise.all([fight.call('spin'), ...Array.from({ length: 20 }, (_, index) => fight.call(index))]);
    expect(spin).toMatchObject({ ok: false, code: 'CALL_CPU', retry: false });
    expect(others.every((result) => result.ok || result.retry)).toBe(true);
    for (const index of others.keys()) expect(await fight.value(index)).toBe(index);
    expect(fight.strikes).toHaveLength(1);
    await fight.neighbourUnharmed();
  });

  it('attack g48 stop-while-answering: a sandbox stopped in the middle answers every call once', async () => {
    for (let round = 0; round < 5; round += 1) {
      await using fight = await battle(pool, { handler: 'await ctx.sleep(10); return input', limits: generous });
      const calls = Array.from({ length: 64 }, (_, index) => fight.call(index));
      const stopped = new Promise((resolve) => setTimeout(resolve, 5 + 3 * round)).then(() => fight.supervisor.stop('attacker'));
      const results = await Promise.all(calls);
      await stopped;
      expect(results).toHaveLength(64);
      const odd = results.filter((result, index) => (result.ok ? result.value !== index : !['CALL_CANCELLED', 'INSTANCE_UNAVAILABLE'].includes(result.code)));
      expect(odd).toEqual([]);
      await fight.neighbourUnharmed();
    }
  });

  it('attack g49 upgrade-during-call: a plugin that crashes while its successor comes up does not fend it off', async () => {
    await using fight = await battle(pool, { handler: 'if (input === "spin") for (;;); return "old"' });
    const crashed = async () => {
      expect(await fight.call('spin')).toMatchObject({ ok: false, code: 'CALL_CPU' });
      await eventually(() => expect(fight.supervisor.stats('attacker')?.restarts).toBe(1));
    };
    await fight.supervisor.replace(aSpec({ instance: 'attacker', source: toolSource('return "new"') }), { selfTest: crashed, graceMs: 5000 });
    expect(await fight.value()).toBe('new');
    await fight.neighbourUnharmed();
    expect(await fight.value()).toBe('new'); // the restart that was under way has not put the old one back
  });

  it('attack g51 upgrade-and-linger: calls of the old version that never end are ended when its grace is over', async () => {
    await using fight = await battle(pool, { handler: 'await new Promise(() => {})', limits: { wallMsPerCall: 60_000 } });
    const lingering = Array.from({ length: 10 }, () => fight.call());
    await fight.supervisor.replace(aSpec({ instance: 'attacker', source: toolSource('return "new"') }), { graceMs: 50 });
    for (const result of await Promise.all(lingering)) expect(result).toMatchObject({ ok: false, code: 'CALL_CANCELLED' });
    expect(await fight.value()).toBe('new');
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g50 quarantine-during-call: with the last strike every call of the instance is answered, those waiting too', async () => {
    await using fight = await battle(pool, { handler: 'if (input === "spin") for (;;); await ctx.sleep(10_000); return input', limits: { wallMsPerCall: 20_000 } });
    const { strikes } = DEFAULT_POLICY;
    for (let strike = 1; strike < strikes; strike += 1) await fight.call('spin');
    const others = Array.from({ length: 10 }, () => fight.call('patient'));
    expect(await fight.call('spin')).toMatchObject({ ok: false, code: 'CALL_CPU' });
    const answered = await Promise.all(others);
    expect(answered.filter((result) => result.ok)).toEqual([]);
    await eventually(() => expect(fight.quarantined).toHaveLength(1));
    expect(await fight.supervisor.call('attacker', aCall('late'))).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    await fight.neighbourUnharmed();
  });
});

const generous = { cpuMsPerCall: 2000, wallMsPerCall: 20_000 };
