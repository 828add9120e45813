// Attacks on memory: what the isolate counts, what it does not, and what makes V8 abort. The sandbox is ended, the host does not grow, the neighbour answers throughout.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { battle, CONTAINED, findingsOf, killBy } from '../support/hostile.ts';
import { aPool } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

/** CPU is not what stops these. */
const limits = { cpuMsPerCall: 5000, wallMsPerCall: 60_000 };

describe('memory without end is ended', () => {
  it.each([
    ['attack 36 map-bomb', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);'],
    ['attack 36 map-bomb, as a Set', 'const s = new Set(); for (let i = 0; ; i++) s.add(i);'],
    ['attack 36 map-bomb, after an await', 'await ctx.sleep(10); const m = new Map(); for (let i = 0; ; i++) m.set(i, i);'],
    ['attack 38 fill-huge', 'new Array(3e8).fill(1.1)'],
    ['attack 38 fill-huge, nested', 'let o = []; for (;;) o = [o, new Array(100).fill(1)];'],
    ['attack 43 small-typed', 'const all = []; for (;;) all.push(new Uint8Array(65));'],
    ['strings that grow', 'let s = "x"; const all = []; for (;;) { all.push(s.repeat(1000) + all.length); all.at(-1).charCodeAt(500); }'],
    ['promises that pile up', 'const pile = () => new Promise(() => {}).finally(pile); const all = []; for (;;) all.push(pile());'],
    ['formatters, whose memory V8 does not count', 'const all = []; for (;;) all.push(new Intl.DateTimeFormat("de", { dateStyle: "full" }));'],
  ])('%s', async (_, handler) => {
    const hostBefore = process.memoryUsage.rss();
    expect(await killBy(pool, { handler, limits })).toEqual({ ...CONTAINED, cause: expect.stringMatching(/^(memory|abort)$/) as string });
    expect(process.memoryUsage.rss() - hostBefore).toBeLessThan(200 * 1024 * 1024);
  });
});

describe('memory that V8 does not count is not to be had', () => {
  it('attack 39 resizable-ab: the option is ignored, by every way to the constructor', async () => {
    const handler = `const size = { maxByteLength: 1 << 30 };
      class Sub extends ArrayBuffer {}
      const ways = [new ArrayBuffer(8, size), new (new Uint8Array(1).buffer.constructor)(8, size), new Sub(8, size), Reflect.construct(ArrayBuffer, [8, size]), Reflect.construct(ArrayBuffer, [8, size], Sub), new ArrayBuffer(8, size).slice(0, 4), new Uint8Array(8).slice().buffer];
      return [ways.map((each) => each.resizable), ['resize', 'transfer', 'transferToFixedLength'].map((name) => typeof ArrayBuffer.prototype[name]), typeof SharedArrayBuffer]`;
    expect(await findingsOf(pool, { handler })).toEqual([Array(7).fill(false), Array(3).fill('undefined'), 'undefined']);
  });

  it('attack 41 wasm-mem: there is no WebAssembly, with a JIT or without', async () => {
    for (const jitless of [true, false]) expect(await findingsOf(pool, { jitless, handler: 'return typeof WebAssembly' })).toBe('undefined');
  });

  it('buffers beyond the limit are refused as errors, or end the sandbox', async () => {
    await using fight = await battle(pool, { handler: 'const all = []; try { for (;;) all.push(new ArrayBuffer(8 << 20)) } catch (error) { return [error.name, all.length < 40] }' });
    const result = await fight.call();
    expect([['RangeError', true], 'SANDBOX_DIED']).toContainEqual(result.ok ? result.value : result.code);
    await fight.neighbourUnharmed();
  });
});

describe('results and log lines have a size', () => {
  it('attack 44 big-result: 500 MB are refused inside the isolate', async () => {
    await using fight = await battle(pool, { handler: 'return input === "attack" ? "x".repeat(500e6) : "small"', limits: { ...limits, heapMb: 64 } });
    const hostBefore = process.memoryUsage.rss();
    const result = await fight.call('attack');
    // Joining half a gigabyte may cost the sandbox its life; it never reaches the host.
    expect(['RESULT_TOO_LARGE', 'CALL_FAILED', 'SANDBOX_DIED']).toContain(result.ok ? 'ok' : result.code);
    expect(process.memoryUsage.rss() - hostBefore).toBeLessThan(200 * 1024 * 1024);
    await using modest = await battle(pool, { handler: 'return input === "attack" ? "x".repeat(5e6) : "small"' });
    expect(await modest.call('attack')).toMatchObject({ ok: false, code: 'RESULT_TOO_LARGE', retry: false });
    expect(await modest.value()).toBe('small');
    await fight.neighbourUnharmed();
    await modest.neighbourUnharmed();
  });

  it('attack 44 big-result, as an error message', async () => {
    await using fight = await battle(pool, { handler: 'if (input !== "attack") return 1; throw Object.assign(new Error("x".repeat(1e6)), { code: "c".repeat(1e6), name: "n".repeat(1e6) })' });
    const result = await fight.call('attack');
    expect(result).toMatchObject({ ok: false, code: 'CALL_FAILED' });
    expect(JSON.stringify(result).length).toBeLessThan(2000);
    expect(await fight.value()).toBe(1);
    await fight.neighbourUnharmed();
  });

  it('attack 46 deep-result: reported as the error it is', async () => {
    await using fight = await battle(pool, { handler: 'if (input !== "attack") return 1; let a = []; for (let i = 0; i < 2e5; i++) a = [a]; return a' });
    expect(await fight.call('attack')).toMatchObject({ ok: false, code: 'CALL_FAILED', message: expect.stringMatching(/RangeError/) as string, retry: false });
    expect(await fight.value()).toBe(1);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack 48 log-flood: few lines, short ones, and a count of the rest', async () => {
    await using fight = await battle(pool, { handler: 'if (input !== "attack") { ctx.log.info("after"); return 1 } for (let i = 0; i < 1e5; i++) ctx.log.info("line " + i, { i }); ctx.log.error("x".repeat(1e7)); return 2', limits });
    expect(await fight.value('attack')).toBe(2);
    expect(fight.logs.length).toBeLessThanOrEqual(BOUNDS.logLinesPerSecond);
    for (const line of fight.logs) expect(JSON.stringify(line).length).toBeLessThan(3 * BOUNDS.logLineBytes);
    await fight.neighbourUnharmed();
  });
});
