// Requests of plugin code to its host: what arrives, what goes back, and what happens to those nobody can answer any more.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { CallResult, HostReply } from '../../host/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { aCall, aPool, openSandbox, toolSource, type Serve } from '../support/sandboxes.ts';

const pool = aPool({ warm: 2 });
afterAll(() => pool[Symbol.asyncDispose]());

const valueOf = (result: CallResult) => (result.ok ? result.value : result);
const ok = (value: unknown): HostReply => ({ ok: true, value });
const never = () => new Promise<HostReply>(() => {});
/** What the handler saw of a rejection. */
const CAUGHT = 'const caught = (promise) => promise.then((value) => ({ value }), (error) => ({ code: error.code, message: error.message, isError: error instanceof Error }));';

describe('a host call', () => {
  it.each([
    ['ctx.sleep(5)', 'sleep', { ms: 5 }],
    ['ctx.http.fetch("https://a.example/", { method: "POST", body: "x" })', 'http.fetch', { url: 'https://a.example/', init: { method: 'POST', body: 'x' } }],
    ['ctx.http.fetch("https://a.example/")', 'http.fetch', { url: 'https://a.example/' }],
    ['ctx.kv.get("k")', 'kv.get', { key: 'k' }],
    ['ctx.kv.set("k", { deep: [1] })', 'kv.set', { key: 'k', value: { deep: [1] } }],
    ['ctx.kv.delete("k")', 'kv.delete', { key: 'k' }],
    ['ctx.kv.list()', 'kv.list', {}],
    ['ctx.kv.list({ prefix: "a", after: "b", limit: 3, other: 1 })', 'kv.list', { prefix: 'a', after: 'b', limit: 3 }],
    ['ctx.message.send({ instance: "webchat", conversation: "c", text: "t" })', 'message.send', { instance: 'webchat', conversation: 'c', text: 't' }],
    ['ctx.message.list("c", { after: "m", limit: 9 })', 'message.list', { conversation: 'c', after: 'm', limit: 9 }],
    ['ctx.message.list("c")', 'message.list', { conversation: 'c' }],
    ['ctx.tool.call("gatehouse.clock/now", { zone: "UTC" })', 'tool.call', { tool: 'gatehouse.clock/now', arguments: { zone: 'UTC' } }],
  ])('%s arrives as %s', async (expression, op, args) => {
    await using open = await openSandbox(pool, { source: toolSource(`return await ${expression}`), serve: () => ok({ fine: true }) });
    const call = aCall();
    expect(valueOf(await open.sandbox.call(call))).toEqual({ fine: true });
    expect(open.hooks.hostCalls).toEqual([{ callId: call.callId, attemptKey: call.attemptKey, op, args }]);
  });

  it('needs no `this`: clients may be taken apart', async () => {
    await using open = await openSandbox(pool, { source: toolSource('const { sleep, kv: { get }, log: { info } } = ctx; info("x"); await sleep(1); return await get("k")'), serve: () => ok('v') });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('v');
  });

  it('rejects with the code and message of the refusal', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return await caught(ctx.kv.get("k"))', CAUGHT), serve: () => ({ ok: false, code: 'CAPABILITY_DENIED', message: 'not granted' }) });
    expect(valueOf(await open.sandbox.call(aCall()))).toEqual({ code: 'CAPABILITY_DENIED', message: 'not granted', isError: true });
  });

  it('fails the call with that code when the plugin does not catch it', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.kv.get("k")'), serve: () => ({ ok: false, code: 'CAPABILITY_DENIED', message: 'not granted' }) });
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: false, code: 'CALL_FAILED', errorCode: 'CAPABILITY_DENIED', message: 'not granted' });
  });

  it('tells nothing of a fault inside the host', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return await caught(ctx.kv.get("k"))', CAUGHT), serve: () => Promise.reject(new Error('/home/secret/path')) });
    expect(JSON.stringify(valueOf(await open.sandbox.call(aCall())))).toBe('{"code":"INTERNAL","message":"The host could not do this.","isError":true}');
  });

  it('may be answered in any order', async () => {
    const answers: (() => void)[] = [];
    const serve: Serve = ({ args }) => new Promise((resolve) => answers.unshift(() => resolve(ok((args as { key: string }).key))));
    await using open = await openSandbox(pool, { source: toolSource('return await Promise.all(["a", "b", "c"].map((key) => ctx.kv.get(key)))'), serve });
    const result = open.sandbox.call(aCall());
    await eventually(() => expect(answers).toHaveLength(3));
    for (const answer of answers) answer();
    expect(valueOf(await result)).toEqual(['a', 'b', 'c']);
  });

  it('may be answered with a megabyte', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return (await ctx.kv.get("k")).length'), serve: () => ok('x'.repeat(1024 * 1024)) });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe(1024 * 1024);
  });

  it('reports an answer that no frame can hold', async () => {
    await using open = await openSandbox(pool, { source: toolSource('return (await caught(ctx.kv.get("k"))).code', CAUGHT), serve: () => ok('x'.repeat(BOUNDS.frameToChildBytes)) });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('RESULT_TOO_LARGE');
  });

  it('is refused inside the isolate when its arguments are too large, or are no JSON', async () => {
    const source = toolSource('return [await caught(ctx.kv.set("k", "x".repeat(80000))), await caught(ctx.kv.set("k", "✓".repeat(30000))), await caught(ctx.kv.set("k", 1n)), (await caught(ctx.kv.set("k", "x".repeat(60000)))).value]', CAUGHT);
    await using open = await openSandbox(pool, { source, serve: () => ok(1) });
    expect(valueOf(await open.sandbox.call(aCall()))).toMatchObject([{ code: 'CAPABILITY_ARGUMENT' }, { code: 'CAPABILITY_ARGUMENT' }, { isError: true, message: expect.stringContaining('BigInt') as string }, 1]);
    expect(open.hooks.hostCalls).toHaveLength(1);
  });

  it('is refused when its arguments nest too deep to walk', async () => {
    await using open = await openSandbox(pool, { source: toolSource('let a = 1; for (let i = 0; i < 1000; i++) a = [a]; return (await caught(ctx.kv.set("k", a))).code', CAUGHT), serve: () => ok(1) });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('CAPABILITY_ARGUMENT');
    expect(open.hooks.hostCalls).toHaveLength(0);
  });
});

describe('how many host calls', () => {
  it('of one call may wait is bounded', async () => {
    const source = toolSource('const all = []; for (let i = 0; i < 100; i++) all.push(caught(ctx.kv.get("k" + i))); const codes = []; for (const each of all.slice(64)) codes.push((await each).code); return codes', CAUGHT);
    await using open = await openSandbox(pool, { source, serve: never });
    expect(valueOf(await open.sandbox.call(aCall()))).toEqual(Array(36).fill('QUOTA_EXCEEDED'));
    expect(open.hooks.hostCalls).toHaveLength(BOUNDS.hostCallsPerCall);
  });

  it('of one process may wait is bounded, and given back when calls end', async () => {
    const source = toolSource('const all = []; for (let i = 0; i < 60; i++) all.push(ctx.kv.get("k").then(() => 0, (e) => e.code)); if (input) return await Promise.race([...all, ctx.sleep(50).then(() => "none", (e) => e.code)]); await ctx.sleep(300)');
    await using open = await openSandbox(pool, { source, serve: ({ op }) => (op === 'sleep' ? new Promise((resolve) => setTimeout(resolve, 200, ok(0))) : never()) });
    const others = Array.from({ length: 5 }, () => open.sandbox.call(aCall(false)));
    expect(valueOf(await open.sandbox.call(aCall(true)))).toBe('QUOTA_EXCEEDED');
    await Promise.all(others);
    const seen = open.hooks.hostCalls.length;
    expect(valueOf(await open.sandbox.call(aCall(true)))).toBe('none');
    expect(open.hooks.hostCalls.length - seen).toBe(61);
  });

  it('one call may make in all is bounded', async () => {
    const source = toolSource('for (let i = 0; ; i++) { const { code } = await caught(ctx.kv.get("k")); if (code) return [i, code] }', CAUGHT);
    await using open = await openSandbox(pool, { source, serve: () => ok(1), limits: { cpuMsPerCall: 1000, wallMsPerCall: 20_000 } });
    expect(valueOf(await open.sandbox.call(aCall()))).toEqual([BOUNDS.hostCallsTotalPerCall, 'QUOTA_EXCEEDED']);
    expect(open.hooks.hostCalls).toHaveLength(BOUNDS.hostCallsTotalPerCall);
  });
});

describe('when a call is over', () => {
  it('its context refuses with CALL_OVER and the host hears nothing', async () => {
    const source = toolSource('if (!kept) { kept = ctx; return "first" } return [await caught(kept.kv.get("k")), await caught(kept.sleep(1)), kept.log.info("still speaks"), (await caught(ctx.kv.get("own"))).value]', `let kept; ${CAUGHT}`);
    await using open = await openSandbox(pool, { source, serve: () => ok('v') });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('first');
    expect(valueOf(await open.sandbox.call(aCall()))).toMatchObject([{ code: 'CALL_OVER' }, { code: 'CALL_OVER' }, null, 'v']);
    expect(open.hooks.hostCalls.map(({ args }) => args)).toEqual([{ key: 'own' }]);
    expect(open.hooks.logs).toMatchObject([{ text: 'still speaks' }]);
  });

  it('answers that come later reach nobody', async () => {
    let answer: ((reply: HostReply) => void) | undefined;
    const source = toolSource('if (input) { ctx.kv.get("k").then(() => { touched = true }); return "gone" } return touched', 'let touched = false;');
    await using open = await openSandbox(pool, { source, serve: () => new Promise((resolve) => (answer = resolve)) });
    expect(valueOf(await open.sandbox.call(aCall(true)))).toBe('gone');
    answer?.(ok('late'));
    expect(valueOf(await open.sandbox.call(aCall(false)))).toBe(false);
  });

  it('a rejection nobody handles is told as an event and taken for no reply', async () => {
    const source = toolSource('if (!input) return "fine"; (async () => { await ctx.sleep(1); throw new Error("late") })(); await ctx.sleep(20); return "also fine"');
    await using open = await openSandbox(pool, { source });
    expect(valueOf(await open.sandbox.call(aCall(true)))).toBe('also fine');
    expect(valueOf(await open.sandbox.call(aCall(false)))).toBe('fine');
    expect(open.sandbox.accepting).toBe(true);
  });
});

describe('the clock of a call', () => {
  it('stands still during host calls', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.sleep(250); return "slept"'), limits: { wallMsPerCall: 100 } });
    expect(valueOf(await open.sandbox.call(aCall()))).toBe('slept');
  });

  it('does not stand still for ever', async () => {
    const source = toolSource('if (input) return "next"; try { await ctx.kv.get("k") } catch (error) { seen = error.code } return "too late"', 'let seen;');
    await using open = await openSandbox(pool, { source, serve: never, limits: { wallMsPerCall: 40 } });
    expect(await open.sandbox.call(aCall(false))).toMatchObject({ ok: false, code: 'CALL_TIMEOUT', retry: true });
    expect(valueOf(await open.sandbox.call(aCall(true)))).toBe('next');
  });

  it('ends a call that never settles, tells the plugin, and leaves the sandbox to others', async () => {
    const source = toolSource('if (input === "ask") return seen; if (input === "wait") { try { await ctx.kv.get("k") } catch (error) { seen = error.code } } await new Promise(() => {})', 'let seen = "nothing";');
    await using open = await openSandbox(pool, { source, serve: never, limits: { wallMsPerCall: 60 } });
    expect(await open.sandbox.call(aCall('never'))).toMatchObject({ ok: false, code: 'CALL_TIMEOUT', retry: true });
    expect(await open.sandbox.call(aCall('wait'))).toMatchObject({ ok: false, code: 'CALL_TIMEOUT', retry: true });
    expect(valueOf(await open.sandbox.call(aCall('ask')))).toBe('CALL_OVER');
    expect(open.sandbox.pending).toBe(0);
  });
});

describe('the queue in front of a sandbox', () => {
  it('holds calls beyond the concurrency and takes them in order', async () => {
    const source = toolSource('running++; most = Math.max(most, running); await ctx.sleep(5); running--; order.push(input); return { most, order: order.length }', 'let running = 0, most = 0; const order = [];');
    await using open = await openSandbox(pool, { source, limits: { concurrency: 4 } });
    const results = await Promise.all(Array.from({ length: 40 }, (_, index) => open.sandbox.call(aCall(index))));
    expect(results.every(({ ok: done }) => done)).toBe(true);
    expect(valueOf(results.at(-1) as CallResult)).toEqual({ most: 4, order: 40 });
  });

  it('is bounded: one more is told to come back', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.kv.get("k")'), serve: never, limits: { concurrency: 1 } });
    const waiting = Array.from({ length: 1 + BOUNDS.callsWaitingPerInstance }, () => open.sandbox.call(aCall()));
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: false, code: 'INSTANCE_BUSY', retry: true });
    expect(open.sandbox.pending).toBe(waiting.length);
    await open.sandbox.stop(0);
    for (const result of await Promise.all(waiting)) expect(result).toMatchObject({ ok: false, code: 'CALL_CANCELLED', retry: true });
  });

  it('lets nobody wait longer than a call may take', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.kv.get("k")'), serve: never, limits: { concurrency: 1, wallMsPerCall: 100 } });
    const first = open.sandbox.call(aCall());
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: false, code: 'INSTANCE_BUSY', retry: true });
    expect(await first).toMatchObject({ ok: false, code: 'CALL_TIMEOUT' });
  });
});
