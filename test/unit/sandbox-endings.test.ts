// How sandboxes end, and who is blamed: the call whose code was running, and nobody else.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import { detectConfinement } from '../../host/sandbox/confinement.ts';
import type { Meter } from '../../host/sandbox/process-meter.ts';
import type { CallResult, Sandbox } from '../../host/sandbox/sandbox.ts';
import { loadSandbox } from '../../host/sandbox/sandbox-process.ts';
import { Watchdog } from '../../host/sandbox/watchdog.ts';
import { eventually } from '../support/eventually.ts';
import { openFake } from '../support/fake-child.ts';
import { aCall, aPool, aSpec, openSandbox, recordingHooks, toolSource, type SpecOptions } from '../support/sandboxes.ts';

const pool = aPool({ warm: 2 });
afterAll(() => pool[Symbol.asyncDispose]());

const failureOf = (result: CallResult) => (result.ok ? { code: 'none', retry: undefined } : { code: result.code, retry: result.retry });

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a call that burns CPU', () => {
  it.each([
    ['at once', 'for (;;);'],
    ['after an await', 'await ctx.sleep(1); for (;;);'],
    ['in code that no timer stops', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'],
    ['in a promise that never ends', 'const again = () => { Promise.resolve().then(again) }; again(); await new Promise(() => {})'],
    ['in what its result does when read', 'return { toJSON() { for (;;); } }'],
    ['in the error it throws', 'throw new Proxy(new Error("x"), { getOwnPropertyDescriptor() { for (;;); } })'],
    ['in a rejection that nobody handles', 'Promise.reject(new Proxy(new Error("x"), { get() { for (;;); } })); return 1'],
  ])('%s is blamed with CALL_CPU and a strike, and others may be tried again', async (_, body) => {
    const source = toolSource(`if (input === 'wait') await ctx.kv.get('k'); if (input === 'bad') { ${body} } return 'good'`);
    await using open = await openSandbox(pool, { source, serve: ({ op }) => (op === 'sleep' ? { ok: true, value: null } : new Promise(() => {})) });
    const innocent = open.sandbox.call(aCall('wait'));
    const guilty = open.sandbox.call(aCall('bad'));
    expect(await open.sandbox.exited).toMatchObject({ cause: 'cpu', strike: true });
    expect(failureOf(await guilty)).toEqual({ code: 'CALL_CPU', retry: false });
    expect(failureOf(await innocent)).toEqual({ code: 'SANDBOX_DIED', retry: true });
  });

  it('in many small pieces is found out too', async () => {
    const source = toolSource('for (;;) { let n = 0; for (let i = 0; i < 1e6; i++) n += i; await ctx.kv.get("k") }');
    await using open = await openSandbox(pool, { source, serve: () => ({ ok: true, value: null }), limits: { wallMsPerCall: 30_000 } });
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'CALL_CPU', retry: false });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'cpu', strike: true });
  });

  it('and runs out of wall time before its slice does is blamed at once', async () => {
    await using open = await openSandbox(pool, { source: toolSource('for (;;);'), limits: { cpuMsPerCall: 1, wallMsPerCall: 300 } });
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'CALL_CPU', retry: false });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'cpu', strike: true });
  });
});

describe('among many calls handed over at once', () => {
  it.each([
    ['spins', 'for (;;);', 'CALL_CPU'],
    ['cannot be stopped', 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', 'CALL_CPU'],
    ['runs out of memory', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);', 'SANDBOX_DIED'],
  ])('exactly the one that %s is blamed', async (_, body, code) => {
    for (const position of [0, 1, 17, 59]) {
      await using open = await openSandbox(pool, { source: toolSource(`if (input === ${position}) { ${body} } return input`), limits: code === 'CALL_CPU' ? {} : { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } });
      const results = await Promise.all(Array.from({ length: 60 }, (_each, index) => open.sandbox.call(aCall(index))));
      const failures = results.entries().filter(([, result]) => !result.ok).map(([index, result]) => ({ index, ...failureOf(result) })).toArray();
      expect(failures).toContainEqual({ index: position, code, retry: false });
      expect(failures.filter(({ index }) => index !== position).every((each) => each.code === 'SANDBOX_DIED' && each.retry === true)).toBe(true);
      expect(await open.sandbox.exited).toMatchObject({ strike: true });
    }
  });
});

describe('a call that takes memory', () => {
  it.each([
    ['in a Map, which makes V8 abort', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);'],
    ['in objects, which the isolate counts', 'const a = []; for (;;) a.push({ a });'],
    ['in one native call', 'new Array(3e8).fill(1.1)'],
    ['outside of what V8 counts', 'const all = []; for (;;) all.push(new Intl.DateTimeFormat("de", { dateStyle: "full" }));'],
  ])('%s ends its sandbox with a strike', async (_, body) => {
    const source = toolSource(`if (input === 'wait') await ctx.kv.get('k'); ${body}`);
    await using open = await openSandbox(pool, { source, serve: () => new Promise(() => {}), limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } });
    const innocent = open.sandbox.call(aCall('wait'));
    const guilty = open.sandbox.call(aCall('bad'));
    const exit = await open.sandbox.exited;
    expect(exit.strike).toBe(true);
    expect(['memory', 'abort']).toContain(exit.cause);
    expect(failureOf(await guilty)).toEqual({ code: 'SANDBOX_DIED', retry: false });
    expect(failureOf(await innocent)).toEqual({ code: 'SANDBOX_DIED', retry: true });
  });
});

describe('what comes from outside is nobody’s fault', () => {
  it('SIGKILL', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.kv.get("k")'), serve: () => new Promise(() => {}) });
    const calls = [aCall(), aCall()].map((call) => open.sandbox.call(call));
    await eventually(() => expect(open.hooks.hostCalls).toHaveLength(2));
    process.kill(open.sandbox.pid, 'SIGKILL');
    for (const result of await Promise.all(calls)) expect(failureOf(result)).toEqual({ code: 'SANDBOX_DIED', retry: true });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'outside', strike: false });
    expect(open.sandbox.accepting).toBe(false);
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'INSTANCE_UNAVAILABLE', retry: true });
  });

  it('SIGKILL in the middle of a slice', async () => {
    await using open = await openSandbox(pool, { source: toolSource('for (;;);') });
    const call = open.sandbox.call(aCall());
    setTimeout(() => process.kill(open.sandbox.pid, 'SIGKILL'), 50);
    expect(failureOf(await call)).toEqual({ code: 'SANDBOX_DIED', retry: true });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'outside', strike: false });
  });

  it('SIGSTOP for good', async () => {
    await using open = await openSandbox(pool, { limits: { wallMsPerCall: 100 } });
    process.kill(open.sandbox.pid, 'SIGSTOP');
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'CALL_TIMEOUT', retry: true });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'outside', strike: false });
  });

  it('a machine that gives an innocent call no time: it is waited for', async () => {
    const source = toolSource('let n = 0; for (let i = 0; i < 3e5; i++) n += i; return "done"');
    await using open = await openSandbox(pool, { source, limits: { wallMsPerCall: 20_000 } });
    process.kill(open.sandbox.pid, 'SIGSTOP');
    const call = open.sandbox.call(aCall());
    await new Promise((done) => setTimeout(done, 1200)); // more than twice the time of a slice
    process.kill(open.sandbox.pid, 'SIGCONT');
    expect(await call).toMatchObject({ ok: true, value: 'done' });
  });

  it('SIGINT, SIGTERM and SIGHUP, which it ignores', async () => {
    await using open = await openSandbox(pool);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(open.sandbox.pid, signal);
    expect(await open.sandbox.call(aCall('still here'))).toMatchObject({ ok: true, value: 'still here' });
  });
});

describe('an empty slice', () => {
  it('is answered without running plugin code, between calls and during them', async () => {
    await using open = await openSandbox(pool, { source: toolSource('runs += 1; if (input === "wait") await ctx.kv.get("k"); return runs', 'let runs = 0;'), serve: () => new Promise(() => {}) });
    expect(await open.sandbox.answers(5000)).toBe(true);
    void open.sandbox.call(aCall('wait'));
    expect(await Promise.all([open.sandbox.answers(5000), open.sandbox.answers(5000)])).toEqual([true, true]);
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: true, value: 2 });
  });

  it('is not answered by a sandbox that is wedged or gone', async () => {
    await using open = await openFake('for (;;) next();');
    expect(await open.sandbox.answers(50)).toBe(false);
    await open.sandbox.stop(0);
    expect(await open.sandbox.answers(5000)).toBe(false);
  });
});

describe('stopping', () => {
  it('lets calls in flight finish within the grace, and takes no new ones', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.sleep(50); return "finished"') });
    const call = open.sandbox.call(aCall());
    const stopped = open.sandbox.stop(5000);
    expect(open.sandbox.accepting).toBe(false);
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'INSTANCE_UNAVAILABLE', retry: true });
    expect(await call).toMatchObject({ ok: true, value: 'finished' });
    await stopped;
    expect(await open.sandbox.exited).toMatchObject({ cause: 'stopped', strike: false });
  });

  it('lets calls in its queue finish within the grace', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.sleep(20); return input'), limits: { concurrency: 1 } });
    const calls = [1, 2, 3].map((n) => open.sandbox.call(aCall(n)));
    await open.sandbox.stop(5000);
    expect(await Promise.all(calls)).toMatchObject([{ value: 1 }, { value: 2 }, { value: 3 }]);
  });

  it('cancels what is left when the grace is over', async () => {
    await using open = await openSandbox(pool, { source: toolSource('await ctx.kv.get("k")'), serve: () => new Promise(() => {}) });
    const call = open.sandbox.call(aCall());
    await open.sandbox.stop(30);
    expect(failureOf(await call)).toEqual({ code: 'CALL_CANCELLED', retry: true });
    expect(isAlive(open.sandbox.pid)).toBe(false);
  });

  it('may be asked for twice, and of a sandbox that is gone', async () => {
    await using open = await openSandbox(pool);
    await Promise.all([open.sandbox.stop(10), open.sandbox.stop(0)]);
    await open.sandbox.stop(0);
    expect(await open.sandbox.exited).toMatchObject({ cause: 'stopped' });
  });
});

describe('a child that is somebody else’s', () => {
  it('and reports less CPU than it uses is ended', async () => {
    await using open = await openFake('for (;;) { const f = next(); const until = Date.now() + 100; while (Date.now() < until); answer(f); }');
    while (open.sandbox.accepting) await open.sandbox.call(aCall());
    expect(await open.sandbox.exited).toMatchObject({ cause: 'cpu', detail: expect.stringContaining('reported') as string, strike: true });
  });

  it('and takes memory is ended', async () => {
    await using open = await openFake('next(); const all = []; for (;;) { all.push(Buffer.alloc(4e6, 1)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); }', { limits: { cpuMsPerCall: 5000, wallMsPerCall: 30_000 } });
    expect(failureOf(await open.sandbox.call(aCall()))).toEqual({ code: 'SANDBOX_DIED', retry: false });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'memory', strike: true });
  });

  it('and is busy with nothing to do is ended', async () => {
    await using open = await openFake('for (;;);');
    expect(await open.sandbox.exited).toMatchObject({ cause: 'cpu', strike: true });
  });
});

describe('where the machine does not tell the CPU of a process', () => {
  const blind: Meter = { read: () => undefined, memoryBytes: () => undefined, close: () => {} };

  async function openBlind(options: SpecOptions): Promise<Sandbox> {
    const { commands, started } = await detectConfinement((each) => ConfinedProcess.start(each.command({ jitless: true })));
    return await loadSandbox({ process: started, level: commands.level.name, spec: aSpec(options), hooks: recordingHooks(), clock: systemClock, watchdog: new Watchdog(systemClock), meter: blind });
  }

  it('the child times its slices itself, and says what they cost', async () => {
    const sandbox = await openBlind({ source: toolSource('if (input === "spin") { await ctx.sleep(1); for (;;); } return input') });
    expect(await sandbox.call(aCall('fine'))).toMatchObject({ ok: true, value: 'fine' });
    expect(failureOf(await sandbox.call(aCall('spin')))).toEqual({ code: 'CALL_CPU', retry: false });
    expect(await sandbox.exited).toMatchObject({ cause: 'cpu', strike: true });
  });

  it('a slice that ran out of time without using it may be tried again', async () => {
    const sandbox = await openBlind({ source: toolSource('for (;;);'), limits: { cpuMsPerCall: 50, wallMsPerCall: 5000 } });
    const call = sandbox.call(aCall());
    process.kill(sandbox.pid, 'SIGSTOP');
    await new Promise((done) => setTimeout(done, 700));
    process.kill(sandbox.pid, 'SIGCONT');
    const result = failureOf(await call);
    expect([{ code: 'CALL_TIMEOUT', retry: true }, { code: 'CALL_CPU', retry: false }]).toContainEqual(result); // by how much it ran before it was stopped
    expect(await sandbox.exited).toMatchObject({ cause: result.retry ? 'wall' : 'cpu', strike: !result.retry });
  });

  it('code that no timer stops is ended for its silence', async () => {
    const sandbox = await openBlind({ source: toolSource('Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'), limits: { wallMsPerCall: 100 } });
    expect(failureOf(await sandbox.call(aCall()))).toEqual({ code: 'CALL_TIMEOUT', retry: true }); // the wall deadline comes first
    expect(await sandbox.exited).toMatchObject({ cause: 'silence', strike: true });
  });
});

describe('no sandbox outlives its host', () => {
  const host = (start: string) => `
    import { SandboxPool } from ${JSON.stringify(resolve('host/sandbox/pool.ts'))};
    import { detectConfinement } from ${JSON.stringify(resolve('host/sandbox/confinement.ts'))};
    import { ConfinedProcess } from ${JSON.stringify(resolve('host/sandbox/confined-process.ts'))};
    import { aPool, openSandbox, toolSource } from ${JSON.stringify(resolve('test/support/sandboxes.ts'))};
    ${start}
    setInterval(() => {}, 1000);`;

  it.each([
    ['idle', 'const open = await openSandbox(aPool({ warm: 0 })); console.log(open.sandbox.pid);'],
    ['awaiting', 'const open = await openSandbox(aPool({ warm: 0 }), { source: toolSource("await ctx.kv.get(1)"), serve: () => new Promise(() => {}) }); void open.sandbox.call({ handler: "call", input: 1, callId: "c", attemptKey: "a" }); console.log(open.sandbox.pid);'],
    // No parent-death signal here: end-of-file alone has to do.
    ['without any wall', 'const found = await detectConfinement((each) => ConfinedProcess.start(each.command({ jitless: true })), { isRoot: false, node: process.execPath, architecture: process.arch, program: () => undefined, libraries: () => [] }); console.log(found.started.pid);'],
  ])('%s', async (_, start) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', host(start)], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH ?? '' } });
    const pid = await new Promise<number>((done, fail) => {
      createInterface({ input: child.stdout }).once('line', (line) => done(Number(line)));
      child.once('exit', (code) => fail(new Error(`the host ended with ${code}`)));
    });
    expect(isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    await eventually(() => expect(isAlive(pid)).toBe(false));
  });
});
