// Calls into a real sandbox process: what plugin code is given, what comes back, and what becomes of a call that goes wrong.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { failureClassOf, type CallResult } from '../../host/sandbox/sandbox.ts';
import { aCall, aPool, aSpec, openSandbox, recordingHooks, toolSource } from '../support/sandboxes.ts';
import { eventually } from '../support/eventually.ts';

const pool = aPool({ warm: 2 });
afterAll(() => pool[Symbol.asyncDispose]());

const valueOf = (result: CallResult) => (result.ok ? result.value : result);
const failureOf = (result: CallResult) => (result.ok ? { code: 'none', retry: false, message: JSON.stringify(result.value) } : result);

describe('a call', () => {
  it('carries any JSON value in and out', async () => {
    await using open = await openSandbox(pool);
    const values: unknown[] = [null, 0, -1.5, 'text', 'ünïcödé ✓ 𝄞', '', true, [], {}, [[1, [2]], { a: { b: null } }], { __proto__: 'x', constructor: 1 }, 'x'.repeat(300_000), 'é'.repeat(150_000)];
    for (const value of values) expect(valueOf(await open.sandbox.call(aCall(value)))).toEqual(value);
  });

  it('has the own key __proto__ of its input as data, in both directions', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return { own: Object.hasOwn(input, "__proto__"), polluted: ({}).isAdmin === true, back: input }') });
    const result = valueOf(await open.sandbox.call(aCall(JSON.parse('{"__proto__":{"isAdmin":true}}')))) as { own: boolean; polluted: boolean; back: object };
    expect(result).toMatchObject({ own: true, polluted: false });
    expect(Object.keys(result.back)).toEqual(['__proto__']);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it('gives undefined, functions and symbols as JSON does', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return input === "nothing" ? undefined : { f() {}, s: Symbol("x"), u: undefined, n: NaN, kept: 1 }') });
    expect(valueOf(await open.sandbox.call(aCall('nothing')))).toBeNull();
    expect(valueOf(await open.sandbox.call(aCall('rest')))).toEqual({ n: null, kept: 1 });
  });

  it('sees its own context and nothing else', async () => {
    const source = toolSource('return { instance: ctx.instance, config: ctx.config, callId: ctx.callId, attemptKey: ctx.attemptKey, now: ctx.now, date: Date.now(), frozen: Object.isFrozen(ctx) && Object.isFrozen(ctx.config.list), proto: Object.getPrototypeOf(Object.getPrototypeOf(ctx)) }');
    await using open = await openSandbox(pool, { source, instance: 'weather', config: { units: 'metric', list: [1] } });
    const call = aCall();
    const seen = valueOf(await open.sandbox.call(call)) as Record<string, unknown>;
    expect(seen).toMatchObject({ instance: 'weather', config: { units: 'metric', list: [1] }, callId: call.callId, attemptKey: call.attemptKey, frozen: true, proto: null });
    expect(seen.date).toBe(seen.now);
    expect(Math.abs(Number(seen.now) - Date.now())).toBeLessThan(60_000);
  });

  it('sees one time from its beginning to its end, whatever runs in between', async () => {
    await using open = await openSandbox(pool, { source: toolSource('const began = Date.now(); await ctx.sleep(input); return [ctx.now - began, ctx.now - Date.now(), ctx.now - new Date().getTime(), Date.now() === ctx.now, new Intl.DateTimeFormat("en", { fractionalSecondDigits: 3 }).format() === new Intl.DateTimeFormat("en", { fractionalSecondDigits: 3 }).format(ctx.now)]') });
    const calls: Promise<CallResult>[] = [];
    for (let index = 0; index < 8; index += 1) {
      calls.push(open.sandbox.call(aCall(40 - index * 5)));
      await new Promise((done) => setTimeout(done, 3));
    }
    for (const result of await Promise.all(calls)) expect(valueOf(result)).toEqual([0, 0, 0, true, true]);
  });

  it('draws the same random numbers when it is tried again', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return [Math.random(), Math.random()]') });
    const first = aCall();
    const numbers = valueOf(await open.sandbox.call(first));
    expect(valueOf(await open.sandbox.call({ ...aCall(), attemptKey: first.attemptKey }))).toEqual(numbers);
    expect(valueOf(await open.sandbox.call(aCall()))).not.toEqual(numbers);
  });

  it('runs beside others and is answered when it is done, not in order', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.sleep(input.ms); return input.name') });
    const order: unknown[] = [];
    await Promise.all([['slow', 60], ['fast', 1]].map(async ([name, ms]) => order.push(valueOf(await open.sandbox.call(aCall({ name, ms }))))));
    expect(order).toEqual(['fast', 'slow']);
  });

  it('reports CPU and wall time', async () => {
    await using open = await openSandbox(pool, { source: toolSource('let n = 0; for (let i = 0; i < 3e5; i++) n += i % 7; return n') });
    const result = await open.sandbox.call(aCall());
    expect(result.ok).toBe(true);
    expect(result.cpuUs).toBeGreaterThan(500);
    expect(result.wallMs).toBeGreaterThan(0.5);
    expect(open.sandbox.cpuUs).toBeGreaterThanOrEqual(result.cpuUs);
  });

  it('keeps many thousand calls apart', async () => {
    await using open = await openSandbox(pool, { source: toolSource('if (input % 3 === 0) await ctx.sleep(0); return input * 2'), serve: () => ({ ok: true, value: null }) });
    const inputs = Array.from({ length: 3000 }, (_, index) => index);
    const lanes = Array.from({ length: 200 }, async (_, lane) => {
      for (const input of inputs.filter((each) => each % 200 === lane)) expect(valueOf(await open.sandbox.call(aCall(input)))).toBe(input * 2);
    });
    await Promise.all(lanes);
    expect(open.sandbox.pending).toBe(0);
  });
});

describe('a call that fails', () => {
  it('tells what the handler threw, with name and code, and is not for trying again', async () => {
    await using open = await openSandbox(pool, { source: toolSource('throw Object.assign(new TypeError("no such town"), { code: "TOWN" })') });
    expect(failureOf(await open.sandbox.call(aCall()))).toMatchObject({ code: 'CALL_FAILED', message: 'TypeError: no such town', errorCode: 'TOWN', retry: false });
  });

  it('is terminal only when what was thrown says so itself, as data', async () => {
    const source = toolSource('throw ({ said: Object.assign(new Error("x"), { retry: false }), unsaid: new Error("x"), otherwise: Object.assign(new Error("x"), { retry: 0 }), getter: Object.defineProperty(new Error("x"), "retry", { get() { return false } }) })[input]');
    await using open = await openSandbox(pool, { source });
    for (const [how, expected] of [['said', 'terminal'], ['unsaid', 'retry'], ['otherwise', 'retry'], ['getter', 'retry']] as const) {
      const failed = await open.sandbox.call(aCall(how));
      expect([how, failed.ok || failureClassOf(failed)]).toEqual([how, expected]);
    }
  });

  it('gets less time than the instance has, where its caller says so', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return new Promise(() => {})'), limits: { wallMsPerCall: 60_000 } });
    expect(failureOf(await open.sandbox.call({ ...aCall(), wallMs: 50 }))).toMatchObject({ code: 'CALL_TIMEOUT', retry: true, message: expect.stringContaining('50 ms') as string });
  });

  it('logs the stack for the author, naming places in the plugin only', async () => {
    await using open = await openSandbox(pool, { source: toolSource('null.x') });
    await open.sandbox.call(aCall());
    const [line] = open.hooks.logs;
    expect(line).toMatchObject({ level: 'error' });
    expect(line?.text).toMatch(/TypeError: Cannot read properties of null[^]*plugin\.js:2:/);
    expect(line?.text).not.toMatch(/node:|\/host\/|file:/);
  });

  it('cuts messages short', async () => {
    await using open = await openSandbox(pool, { source: toolSource('throw new Error("x".repeat(1e6))') });
    expect(failureOf(await open.sandbox.call(aCall())).message).toHaveLength(500);
  });

  it('says so when there is no such handler, without bothering the sandbox', async () => {
    await using open = await openSandbox(pool);
    for (const handler of ['respond', '__proto__', 'constructor', '']) expect(failureOf(await open.sandbox.call(aCall(null, handler)))).toMatchObject({ code: 'PLUGIN_HANDLER_MISSING', retry: false });
  });

  it('rejects an input that is not JSON', async () => {
    await using open = await openSandbox(pool);
    await expect(open.sandbox.call(aCall(10n))).rejects.toThrow(TypeError);
    expect(open.sandbox.pending).toBe(0);
    expect(valueOf(await open.sandbox.call(aCall(1)))).toBe(1);
  });

  it.each([
    ['null', 'null'],
    ['a symbol', 'Symbol("x")'],
    ['a function', '() => 1'],
    ['an error that cannot be read', 'new Proxy(new Error("p"), { getOwnPropertyDescriptor() { throw 1 }, getPrototypeOf() { throw 2 } })'],
    ['an error with getters', 'Object.defineProperty(new Error("x"), "message", { get() { return "never read" } })'],
  ])('survives a handler that throws %s', async (_, thrown) => {
    await using open = await openSandbox(pool, { source: toolSource(`if (input) throw ${thrown}; return "still here"`) });
    expect(failureOf(await open.sandbox.call(aCall(true)))).toMatchObject({ code: 'CALL_FAILED', retry: false });
    expect(valueOf(await open.sandbox.call(aCall(false)))).toBe('still here');
  });

  it.each([
    ['cyclic', 'const a = {}; a.a = a; return a'],
    ['a BigInt', 'return 1n'],
    ['a toJSON that throws', 'return { toJSON() { throw new Error("no") } }'],
    ['a getter that throws', 'return { get x() { throw new Error("no") } }'],
  ])('reports a result that is %s', async (_, body) => {
    await using open = await openSandbox(pool, { source: toolSource(body) });
    expect(failureOf(await open.sandbox.call(aCall()))).toMatchObject({ code: 'CALL_FAILED', retry: false });
  });

  it('reports a result that nests too deep for the host to walk', async () => {
    await using open = await openSandbox(pool, { source: toolSource('let a = 1; for (let i = 0; i < input; i++) a = [a]; return a') });
    expect((await open.sandbox.call(aCall(BOUNDS.valueDepth))).ok).toBe(true);
    expect(failureOf(await open.sandbox.call(aCall(BOUNDS.valueDepth + 1)))).toMatchObject({ code: 'CALL_FAILED' });
    expect(failureOf(await open.sandbox.call(aCall(200_000)))).toMatchObject({ code: 'CALL_FAILED', message: expect.stringContaining('RangeError') as string });
  });

  it.each([
    ['ASCII', 'x', 1],
    ['two bytes each', 'é', 2],
    ['three bytes each', '✓', 3],
    ['four bytes each', '𝄞', 4],
  ])('refuses a result of more than 512 KiB, counted in bytes: %s', async (_, character, bytes) => {
    await using open = await openSandbox(pool, { source: toolSource('return input.character.repeat(input.count)') });
    const count = Math.floor((BOUNDS.resultBytes - 2) / bytes);
    expect((await open.sandbox.call(aCall({ character, count }))).ok).toBe(true);
    expect(failureOf(await open.sandbox.call(aCall({ character, count: count + 1 })))).toMatchObject({ code: 'RESULT_TOO_LARGE', retry: false });
    expect((await open.sandbox.call(aCall({ character, count: 1 }))).ok).toBe(true);
  });

  it('hands over many large results of one slice', async () => {
    const source = toolSource('if (!input) { for (const each of waiting) each("x".repeat(500000)); return waiting.length } return await new Promise((resolve) => waiting.push(resolve))', 'const waiting = [];');
    await using open = await openSandbox(pool, { source, limits: { heapMb: 128, cpuMsPerCall: 500, wallMsPerCall: 20_000 } });
    const large = Array.from({ length: 20 }, () => open.sandbox.call(aCall(true)));
    expect(valueOf(await open.sandbox.call(aCall(false)))).toBe(20);
    for (const result of await Promise.all(large)) expect(valueOf(result)).toHaveLength(500_000);
  });
});

describe('a plugin that does not load', () => {
  const load = (source: string, kind: 'tool' | 'skill' = 'tool') => pool.open(aSpec({ source, kind }), recordingHooks()).then((sandbox) => sandbox.stop(0));

  it.each([
    ['throws at the top level', 'throw new Error("boom")', 'Error: boom'],
    ['throws something odd', 'throw null', 'something that is not an Error'],
    ['has a syntax error', 'let let = 1', 'SyntaxError'],
    ['registers nothing', '1 + 1', 'did not call gatehouse.register'],
    ['registers another kind', 'gatehouse.register({ kind: "skill", handlers: { respond() {} } })', "the manifest says kind 'tool'"],
    ['registers no handler', 'gatehouse.register({ kind: "tool", handlers: {} })', '1 to 32 handlers'],
    ['registers something that is no function', 'gatehouse.register({ kind: "tool", handlers: { call: 1 } })', "the handler 'call' is not a function"],
    ['registers twice', 'for (let i = 0; i < 2; i++) gatehouse.register({ kind: "tool", handlers: { call() {} } })', 'works once'],
    ['registers only later', 'Promise.resolve().then(() => gatehouse.register({ kind: "tool", handlers: { call() {} } })).catch(() => {})', 'did not call gatehouse.register'],
    ['leaves a rejection at the top level', 'gatehouse.register({ kind: "tool", handlers: { call() {} } }); Promise.reject(new Error("x"))', 'nobody handled it'],
  ])('says why: it %s', async (_, source, why) => {
    await expect(load(source)).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED', message: expect.stringContaining(why) as string });
  });

  it('may not register when a call runs', async () => {
    await using open = await openSandbox(pool, { source: toolSource('try { gatehouse.register({ kind: "tool", handlers: { call: () => "replaced" } }) } catch (e) { return e.message }') });
    expect(valueOf(await open.sandbox.call(aCall()))).toContain('works once');
  });

  it('is ended when its top level does not end', async () => {
    await expect(pool.open(aSpec({ source: 'for (;;);' }), recordingHooks(), { loadMs: 200 })).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED', message: expect.stringContaining('200 ms') as string });
    await expect(pool.open(aSpec({ source: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)' }), recordingHooks(), { loadMs: 200 })).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED' });
  });
});

describe('logging', () => {
  it('passes level, text and fields', async () => {
    await using open = await openSandbox(pool, { source: toolSource('ctx.log.debug("d"); ctx.log.info("i", { a: 1 }); ctx.log.warn(42); ctx.log.error({ toString: () => "e" }, [1]); return 0') });
    await open.sandbox.call(aCall());
    expect(open.hooks.logs).toEqual([{ level: 'debug', text: 'd' }, { level: 'info', text: 'i', fields: { a: 1 } }, { level: 'warn', text: '42' }, { level: 'error', text: 'e' }].map((line) => ({ ...line, callId: expect.any(String) })));
  });

  it('never throws into the handler', async () => {
    const body = 'const c = {}; c.c = c; ctx.log.info("cyclic", c); ctx.log.info({ toString() { throw 1 } }); ctx.log.info(Symbol("s")); ctx.log.info("x".repeat(1e5)); ctx.log.info("big", { x: "y".repeat(1e5) }); return "fine"';
    await using open = await openSandbox(pool, { source: toolSource(body) });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('fine');
    expect(open.hooks.logs).toHaveLength(5);
    for (const { text, fields } of open.hooks.logs) expect(text.length + JSON.stringify(fields ?? {}).length).toBeLessThan(2 * BOUNDS.logLineBytes);
  });

  it('counts what it drops', async () => {
    await using open = await openSandbox(pool, { source: toolSource('for (let i = 0; i < 5000; i++) ctx.log.info("line " + i); return 0') });
    await open.sandbox.call(aCall());
    expect(open.hooks.logs.length).toBeLessThanOrEqual(BOUNDS.logLinesPerSecond);
    await eventually(async () => {
      await open.sandbox.call(aCall());
      expect(open.hooks.logs.some(({ dropped = 0 }) => dropped > 4000)).toBe(true);
    });
  });
});
