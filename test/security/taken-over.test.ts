// Attacks of our own by a sandbox process that is no longer ours: somebody broke out of the isolate and speaks on the pipe, lies about everything, or will not go.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { CallResult } from '../../host/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { openFake } from '../support/fake-child.ts';
import { battle, type Battle } from '../support/hostile.ts';
import { aCall, aPool, type OpenSandbox, type Serve, type SpecOptions } from '../support/sandboxes.ts';

const pool = aPool({ warm: 2 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

/** A taken process that runs `script` once the host believes it has loaded, beside an innocent plugin that is called all the while. */
async function takeOver(script: string, options: SpecOptions & { readonly serve?: Serve } = {}): Promise<{ readonly fight: Battle; readonly taken: OpenSandbox } & AsyncDisposable> {
  const fight = await battle(pool, {});
  const taken = await openFake(script, { ...options, limits: { wallMsPerCall: 200, ...options.limits } });
  return {
    fight,
    taken,
    async [Symbol.asyncDispose]() {
      await taken[Symbol.asyncDispose]();
      await fight[Symbol.asyncDispose]();
    },
  };
}

const codeOf = (result: CallResult) => (result.ok ? 'ok' : result.code);
const calls = (taken: OpenSandbox, count: number) => Promise.all(Array.from({ length: count }, (_, index) => taken.sandbox.call(aCall(index))));
/** Sleeps without an event loop; what a taken process does while it waits for nothing. */
const PAUSE = 'const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);';

describe('bytes', () => {
  it('attack g60 slow-loris: a frame that comes byte by byte for ever is silence', async () => {
    await using scene = await takeOver(`${PAUSE} next(); raw(Buffer.from([200, 0, 0, 0])); for (;;) { raw(Buffer.from('{')); pause(20); }`);
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toMatch(/CALL_TIMEOUT|SANDBOX_DIED/);
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'silence', strike: true });
    await scene.fight.neighbourUnharmed();
  });

  it.each([
    ['attack g61 length-tricks, zero', 'raw(Buffer.alloc(4))'],
    ['attack g61 length-tricks, the sign bit', 'raw(Buffer.from([0, 0, 0, 128]))'],
    ['attack g61 length-tricks, all bits', 'raw(Buffer.from([255, 255, 255, 255]))'],
    ['attack g61 length-tricks, one more than a frame may have', `const head = Buffer.alloc(4); head.writeUInt32LE(${BOUNDS.frameFromChildBytes + 1}); raw(head)`],
    ['attack g61 length-tricks, the most a frame may have, of nothing', `const most = Buffer.alloc(4 + ${BOUNDS.frameFromChildBytes}); most.writeUInt32LE(${BOUNDS.frameFromChildBytes}); raw(most)`],
    ['attack g61 length-tricks, cut in the middle of a character', 'const text = Buffer.from(JSON.stringify({ t: "late", message: "é" })); const head = Buffer.alloc(4); head.writeUInt32LE(text.length - 3); raw(Buffer.concat([head, text]))'],
    ['attack g62 odd-json, a prototype key', 'raw(frame(`{"t":"slice","cpuUs":1,"posts":[],"__proto__":{"t":"slice"}}`))'],
    ['attack g62 odd-json, one key twice', 'raw(frame(`{"t":"slice","t":"fatal","cause":"memory","cpuUs":1,"posts":[]}`))'],
    ['attack g62 odd-json, numbers beyond numbers', 'raw(frame(`{"t":"slice","cpuUs":1e999,"posts":[]}`))'],
    ['attack g62 odd-json, a negative zero of CPU and a fraction', 'raw(frame(`{"t":"slice","cpuUs":0.5,"posts":[]}`))'],
    ['attack g62 odd-json, an array that is no list of posts', 'raw(frame(`{"t":"slice","cpuUs":1,"posts":{"length":1}}`))'],
    ['attack g62 odd-json, a hundred thousand levels', 'raw(frame(`{"t":"slice","cpuUs":1,"posts":[{"t":"request","call":1,"request":1,"op":"kv.get","args":${"[".repeat(1e5)}${"]".repeat(1e5)}}],"x":1}`))'],
    ['attack g63 twice-born, ready again', 'send({ t: "ready" })'],
    ['attack g63 twice-born, loaded again with other handlers', 'send({ t: "loaded", handlers: ["respond", "evaluate"], cpuUs: 1 })'],
  ])('%s: is the end of the process, and of nothing else', async (_, script) => {
    await using scene = await takeOver(`next(); ${script}; for (;;) next();`);
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('SANDBOX_FRAME');
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
    expect(scene.taken.hooks.hostCalls).toEqual([]);
    await scene.fight.neighbourUnharmed();
  });

  it('attack g64 stderr-flood: a hundred megabytes of complaints are not kept', async () => {
    const before = process.memoryUsage.rss();
    await using scene = await takeOver(`const f = next(); const noise = Buffer.alloc(1 << 20, 120); try { for (let i = 0; i < 100; i++) fs.writeSync(2, noise); } catch {} answer(f, 'heard'); for (;;) next();`, { limits: { wallMsPerCall: 20_000 } });
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toMatch(/ok|SANDBOX_DIED/);
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 * 2 ** 20);
    await scene.fight.neighbourUnharmed();
  });
});

describe('answers', () => {
  it('attack g65 interleaved: answers for other calls within a slice are taken once, and each call has one', async () => {
    await using scene = await takeOver(`const [a, b, c] = [next(), next(), next()]; const result = (f, value) => ({ t: 'result', call: f.call, ok: true, value });
      slice(result(c, 'c'), result(a, 'a'), result(b, 'b')); slice(result(a, 'again')); slice(result(b, 'again'), result(c, 'again')); for (;;) answer(next());`);
    const results = await calls(scene.taken, 3);
    expect(results.map((result) => result.ok && result.value)).toEqual(['a', 'b', 'c']);
    expect(await scene.taken.sandbox.call(aCall('next'))).toMatchObject({ ok: true, value: 'next' });
    expect(scene.taken.sandbox.accepting).toBe(true);
    await scene.fight.neighbourUnharmed();
  });

  it('attack g66 answer-before-question: a result for a call that was not made yet ends the process', async () => {
    await using scene = await takeOver(`slice({ t: 'result', call: 1, ok: true, value: 'guessed' }); for (;;) answer(next());`);
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('INSTANCE_UNAVAILABLE');
    await scene.fight.neighbourUnharmed();
  });

  it('attack g67 guessed-ids: results and requests for calls of the past and the future are counted, not believed', async () => {
    const guesses = Array.from({ length: BOUNDS.unknownFrames }, (_, index) => `{ t: 'result', call: ${index * 7 + 100}, ok: true, value: 'guess' }`);
    await using scene = await takeOver(`let f = next(); slice(${guesses.join(', ')}, { t: 'result', call: f.call, ok: true, value: 'own' }); f = next(); slice({ t: 'request', call: 1, request: 1, op: 'kv.get', args: {} }); for (;;) next();`);
    expect(await scene.taken.sandbox.call(aCall())).toMatchObject({ ok: true, value: 'own' });
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('SANDBOX_DIED'); // one guess too many, on a call that is over
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
    expect(scene.taken.hooks.hostCalls).toEqual([]);
    await scene.fight.neighbourUnharmed();
  });

  it('attack g68 request-numbers: a number is used once, and never backwards', async () => {
    await using scene = await takeOver(`const f = next(); const request = (n) => ({ t: 'request', call: f.call, request: n, op: 'kv.get', args: { n } }); slice(request(5), request(5), request(4), request(0), request(6)); next(); next(); slice(); answer(f, 'done'); for (;;) next();`, { serve: () => ({ ok: true, value: null }), limits: { wallMsPerCall: 2000 } });
    const call = scene.taken.sandbox.call(aCall());
    await eventually(() => expect(scene.taken.hooks.hostCalls.map(({ args }) => args)).toEqual([{ n: 5 }, { n: 6 }]));
    expect(await call).toMatchObject({ ok: true, value: 'done' });
    await scene.fight.neighbourUnharmed();
  });

  it('attack g69 request-flood: thousands of requests in one slice are refused beyond the bound, and cost the host little', async () => {
    await using scene = await takeOver(`const f = next(); slice(...Array.from({ length: 4000 }, (_, i) => ({ t: 'request', call: f.call, request: i + 1, op: 'kv.get', args: { i } }))); for (;;) next();`, { serve: () => new Promise(() => {}) });
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).not.toBe('ok');
    expect(scene.taken.hooks.hostCalls).toHaveLength(BOUNDS.hostCallsPerCall);
    await scene.fight.neighbourUnharmed();
  });

  it('attack g70 reply-flood-after-cancel: what is said about a call that was given up reaches nobody', async () => {
    await using scene = await takeOver(`const f = next(); next(); slice(...Array.from({ length: 4000 }, () => ({ t: 'result', call: f.call, ok: true, value: 'late' })), { t: 'request', call: f.call, request: 1, op: 'kv.get', args: {} }); slice(); for (;;) answer(next());`, { limits: { wallMsPerCall: 100 } });
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('CALL_TIMEOUT');
    expect(await scene.taken.sandbox.call(aCall('after'))).toMatchObject({ ok: true, value: 'after' });
    expect(scene.taken.hooks.hostCalls).toEqual([]);
    await scene.fight.neighbourUnharmed();
  });

  it('attack g71 late-flood: more rejections than code could cause in one slice end the process', async () => {
    await using scene = await takeOver(`next(); for (let i = 0; i < 1000; i++) send({ t: 'late', message: 'x'.repeat(500) }); for (;;) next();`);
    expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('SANDBOX_FRAME');
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
    await scene.fight.neighbourUnharmed();
  });

  it('attack g72 identity: frames that name another instance, user or call id are refused or mean nothing', async () => {
    await using scene = await takeOver(`const f = next(); slice({ t: 'request', call: f.call, request: 1, op: 'kv.get', args: { instance: 'neighbour', callId: 'other', user: 'root' } }); next(); answer(f, f.callId); for (;;) next();`, { serve: ({ args }) => ({ ok: true, value: args }), limits: { wallMsPerCall: 2000 } });
    const call = aCall();
    expect(await scene.taken.sandbox.call(call)).toMatchObject({ ok: true, value: call.callId });
    expect(scene.taken.hooks.hostCalls).toEqual([{ callId: call.callId, attemptKey: call.attemptKey, op: 'kv.get', args: { instance: 'neighbour', callId: 'other', user: 'root' } }]);
    await scene.fight.neighbourUnharmed();
  });
});

describe('accounts', () => {
  it.each([
    ['attack g73 cpu-claims, all there is', `answer(next()); const f = next(); send({ t: 'slice', cpuUs: Number.MAX_SAFE_INTEGER, posts: [{ t: 'result', call: f.call, ok: true, value: 1 }] });`, 'cpu'],
    ['attack g73 cpu-claims, none while it burns', `next(); const until = Date.now() + 3000; while (Date.now() < until) send({ t: 'late', message: 'busy' });`, expect.stringMatching(/^(cpu|frames)$/)],
  ])('%s: its own claim is held against it, never for it', async (_, script, cause) => {
    await using scene = await takeOver(`${script} for (;;) next();`, { limits: { wallMsPerCall: 5000 } });
    await scene.taken.sandbox.call(aCall());
    await scene.taken.sandbox.call(aCall());
    expect(await scene.taken.sandbox.exited).toMatchObject({ cause: cause as string, strike: true });
    await scene.fight.neighbourUnharmed();
  });

  it.each([['not a number', 'NaN'], ['a number beyond all frames', '2 ** 50'], ['a negative number', '-5'], ['infinity', 'Infinity']])('attack g74 progress-lies: a note of %s in the shared file blames nobody else, and breaks nothing', async (_, note) => {
    await using scene = await takeOver(`next(); next(); next(); fs.writeSync(4, new Float64Array([${note}]), 0, 8, 0); raw(Buffer.alloc(4)); for (;;) next();`);
    const results = await calls(scene.taken, 3);
    expect(results.map(codeOf).filter((code) => !['SANDBOX_FRAME', 'SANDBOX_DIED'].includes(code))).toEqual([]);
    expect(results.filter((result) => !result.ok && !result.retry).length).toBeLessThanOrEqual(1);
    expect(await scene.taken.sandbox.exited).toMatchObject({ strike: true });
    await scene.fight.neighbourUnharmed();
  });
});

describe('going', () => {
  it('attack g75 closed-pipe: a process that closes its pipe with calls in flight is ended, and its calls are answered', async () => {
    await using scene = await takeOver(`next(); next(); next(); fs.closeSync(3); ${PAUSE} for (;;) pause(1000);`);
    const results = await calls(scene.taken, 3);
    expect(results.map(codeOf).filter((code) => code === 'ok')).toEqual([]);
    expect(await scene.taken.sandbox.exited).toMatchObject({ strike: true });
    await scene.fight.neighbourUnharmed();
  });

  it('attack g76 deaf: a process that ignores every signal it may ignore is gone when it is stopped', async () => {
    await using scene = await takeOver(`for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPIPE', 'SIGXFSZ', 'SIGUSR2', 'SIGALRM', 'SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU']) process.on(signal, () => {}); for (;;) answer(next());`);
    const { pid } = scene.taken.sandbox;
    expect(await scene.taken.sandbox.call(aCall(1))).toMatchObject({ ok: true });
    process.kill(pid, 'SIGTERM');
    expect(await scene.taken.sandbox.call(aCall(2))).toMatchObject({ ok: true });
    await scene.taken.sandbox.stop(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await scene.fight.neighbourUnharmed();
  });

  it('attack g77 offspring: a process that leaves a child behind with its pipe open keeps nobody waiting', async () => {
    await using scene = await takeOver(`const f = next(); const child = require('node:child_process').spawn('sleep', ['20'], { stdio: ['ignore', 'ignore', 2, 3], detached: true }); answer(f, child.pid); next(); process.kill(process.pid, 'SIGSEGV'); for (;;) next();`, { limits: { wallMsPerCall: 5000 } });
    const born = await scene.taken.sandbox.call(aCall());
    try {
      expect(codeOf(await scene.taken.sandbox.call(aCall()))).toBe('SANDBOX_DIED');
      expect(await scene.taken.sandbox.exited).toMatchObject({ cause: 'abort', strike: true });
      await scene.fight.neighbourUnharmed();
    } finally {
      // Here nothing confines the process; what a sandbox can leave behind is told in test/security/confinement.test.ts.
      process.kill(born.ok ? Number(born.value) : Number.NaN, 'SIGKILL');
    }
  });

  it('attack g78 answer-and-die: an answer written in the same instant as the process ends is an answer, and an end by signal is nobody’s strike', async () => {
    await using fight = await battle(pool, {});
    for (let round = 0; round < 15; round += 1) {
      await using taken = await openFake(`for (let i = 0; i < ${round % 4}; i++) answer(next()); const f = next(); answer(f, 'last words'); process.kill(process.pid, 'SIGKILL');`);
      const results = [];
      for (let call = 0; call <= round % 4; call += 1) results.push(await taken.sandbox.call(aCall(call)));
      expect(results.at(-1)).toMatchObject({ ok: true, value: 'last words' });
      expect(await taken.sandbox.exited).toMatchObject({ cause: 'outside', strike: false });
    }
    await fight.neighbourUnharmed();
  });

  it('attack g79 stopped-while-flooding: a process killed in the middle of its answers has answered each call once, or not at all', async () => {
    await using fight = await battle(pool, {});
    for (let round = 0; round < 10; round += 1) {
      await using taken = await openFake('for (;;) { const f = next(); answer(f); answer(f); }', { limits: { concurrency: 64 } });
      const asked = calls(taken, 64);
      setTimeout(() => void taken.sandbox.stop(0), round);
      const results = await asked;
      expect(results).toHaveLength(64);
      expect(results.filter((result, index) => result.ok && result.value !== index)).toEqual([]);
    }
    await fight.neighbourUnharmed();
  });
});
