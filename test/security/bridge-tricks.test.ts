// Attacks of our own on the bridge, from inside the isolate: every object, promise and error that crosses it is as odd as the language allows. What comes out is
// one answer per call, JSON and nothing else, and a bridge that still works.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { subscribe } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { battle, findingsOf } from '../support/hostile.ts';
import { aPool, type Serve } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

const echoArguments: Serve = ({ op, args }) => ({ ok: true, value: { op, args } });
/** In scope of a handler: how a promise or a function ended. */
const OUTCOME = `const outcome = async (f) => { try { return ['done', await f()] } catch (error) { return ['refused', error?.code ?? error?.name ?? String(error)] } };`;
const generous = { cpuMsPerCall: 2000, wallMsPerCall: 20_000 };

describe('answers', () => {
  it('attack g1 settle-twice: a call has one answer, the first, however often it is given', async () => {
    const handler = `
      if (input !== 'attack') return 'one';
      return { then(resolve, reject) { resolve({ then(inner) { inner('first'); inner('second'); throw new Error('third') } }); resolve('fourth'); reject(new Error('fifth')); throw new Error('sixth') } }`;
    await using fight = await battle(pool, { handler });
    expect(await fight.value('attack')).toBe('first');
    expect(await Promise.all(Array.from({ length: 20 }, () => fight.value('peace')))).toEqual(Array(20).fill('one'));
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g2 crossed-calls: answers of calls that run at once, and use each other’s ctx, stay apart', async () => {
    const top = 'const contexts = [];';
    const handler = 'contexts.push(ctx); const other = contexts[Math.floor(Math.random() * contexts.length)]; const seen = await other.kv.get(String(input)).catch((error) => error.code); await ctx.sleep(10); return [input, ctx.callId, seen === "CALL_OVER" || seen.args.key === String(input)]';
    await using fight = await battle(pool, { top, handler, serve: echoArguments, limits: generous });
    const inputs = Array.from({ length: 60 }, (_, index) => index);
    const answers = (await Promise.all(inputs.map((each) => fight.value(each)))) as [number, string, boolean][];
    expect(answers.map(([each]) => each)).toEqual(inputs);
    expect(new Set(answers.map(([, callId]) => callId)).size).toBe(60);
    expect(answers.map(([, , own]) => own)).toEqual(inputs.map(() => true));
    await fight.neighbourUnharmed();
  });

  it('attack g3 reentrant-post: host calls made while the arguments of another are written out get their own answers', async () => {
    const handler = `
      const inner = []; let depth = 0;
      const nested = () => ({ toJSON() { if (depth++ < 20) inner.push(ctx.kv.set('inner' + depth, nested())); return depth } });
      const outer = await ctx.kv.set('outer', nested());
      const answers = await Promise.all(inner);
      return [outer.args.key, answers.map(({ args }) => args.key).sort().join() === Array.from({ length: 20 }, (_, index) => 'inner' + (index + 1)).sort().join()]`;
    expect(await findingsOf(pool, { handler, serve: echoArguments })).toEqual(['outer', true]);
  });

  it('attack g4 result-calls: a result that makes host calls while it is written out is a result, and its calls reach nobody later', async () => {
    const handler = `return { toJSON() { for (let i = 0; i < 10; i++) ctx.kv.set('late', i).then(() => { globalThis.answered = true }, () => {}); ctx.log.info('from toJSON'); return [input, typeof globalThis.answered] } }`;
    await using fight = await battle(pool, { handler, serve: echoArguments });
    for (const input of ['attack', 'again']) expect(await fight.value(input)).toEqual([input, 'undefined']);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g5 exotic-results: whatever is returned arrives as JSON.stringify writes it, or as the error it threw', async () => {
    const odd: Readonly<Record<string, readonly [string, unknown]>> = {
      undefined: ['undefined', null], symbol: ['Symbol("s")', null], fn: ['() => 1', null], nan: ['NaN', null], 'minus zero': ['-0', 0], sparse: ['[, 1, , 2]', [null, 1, null, 2]], boxed: ['[new Number(1), new String("s"), Object(true)]', [1, 's', true]],
      'array with keys': ['Object.assign([1], { hidden: 2 })', [1]], proxy: ['new Proxy([1, 2], { get: (t, k) => (k === "length" ? 1 : t[k]) })', [1]], typed: ['new Float64Array([NaN, 1])', { 0: null, 1: 1 }], map: ['new Map([[1, 2]])', {}], date: ['new Date(NaN)', null], regexp: ['/x/', {}],
      generator: ['(function* () { yield 1 })()', {}], 'beyond numbers': ['JSON.rawJSON ? JSON.rawJSON("1e999") : Infinity', expect.toSatisfy((value) => value === null || value === Infinity) as unknown], 'to nothing': ['({ toJSON() {} })', null], inherited: ['Object.create({ a: 1 })', {}], accessor: ['({ get a() { return 1 } })', { a: 1 }],
      bigint: ['1n', 'CALL_FAILED'], cyclic: ['(() => { const a = []; a.push(a); return a })()', 'CALL_FAILED'], revoked: ['(() => { const { proxy, revoke } = Proxy.revocable([], {}); revoke(); return proxy })()', 'CALL_FAILED'], thrower: ['({ get a() { throw new RangeError("x") } })', 'CALL_FAILED'],
    };
    const cases = Object.entries(odd).map(([name, [expression]]) => `${JSON.stringify(name)}: () => (${expression})`);
    await using fight = await battle(pool, { handler: `return ({ ${cases.join(', ')} })[input]()` });
    const found: Record<string, unknown> = {};
    for (const name of Object.keys(odd)) {
      const result = await fight.call(name);
      found[name] = result.ok ? result.value : result.code;
    }
    expect(found).toEqual(Object.fromEntries(Object.entries(odd).map(([name, [, expected]]) => [name, expected])));
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g6 raw-surrogates: half characters that JSON.rawJSON lets through are counted as the bytes they take', async () => {
    const handler = `if (input !== 'attack') return 'peaceful'; return JSON.rawJSON('"' + '\\ud800'.repeat(${Math.floor(BOUNDS.resultBytes / 2) - 2}) + '"')`;
    await using fight = await battle(pool, { handler, limits: generous });
    expect(await fight.call('attack')).toMatchObject({ ok: false, code: 'RESULT_TOO_LARGE' });
    expect(await fight.value()).toBe('peaceful');
    await fight.neighbourUnharmed();
  });

  it('attack g7 many-keys: a result of as many keys as fit is read in time, one of more is refused', async () => {
    await using fight = await battle(pool, { handler: 'return Object.fromEntries(Array.from({ length: input }, (_, i) => [i.toString(36) + "k", 0]))', limits: { ...generous, heapMb: 128 } });
    expect(Object.keys((await fight.value(40_000)) as object)).toHaveLength(40_000);
    expect(await fight.call(80_000)).toMatchObject({ ok: false, code: 'RESULT_TOO_LARGE' });
    expect(await fight.value(1)).toEqual({ '0k': 0 });
    await fight.neighbourUnharmed();
  });

  it('attack g8 proto-everywhere: a key named __proto__ is a key like any other at every border', async () => {
    const poison = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},"a":[{"__proto__":{"isAdmin":true}}]}';
    const handler = `const poison = JSON.parse('${poison}'); ctx.log.info('x', poison); const back = await ctx.kv.set('k', poison); await ctx.message.send(poison); await ctx.tool.call('t', poison); Object.assign({}, back.args.value); return [typeof ({}).isAdmin, back.args.value, poison]`;
    await using fight = await battle(pool, { handler, serve: echoArguments });
    const [seen, ...values] = (await fight.value(JSON.parse(poison))) as [string, ...unknown[]];
    expect(seen).toBe('undefined');
    expect(JSON.stringify(values)).toBe(`[${poison},${poison}]`);
    expect(fight.logs).toHaveLength(1);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    for (const { args } of fight.hostCalls) expect(Object.getPrototypeOf(args)).toBe(Object.prototype);
    await fight.neighbourUnharmed();
  });

  it('attack g9 lone-surrogates: half characters in results, errors, logs and arguments break no frame', async () => {
    const handler = `ctx.log.warn('half \\ud800', { '\\udfff': '\\ud800' }); const { args } = await ctx.kv.get('\\udc00'); if (input === 'throw') throw Object.assign(new Error('\\ud83d'), { code: '\\ud83d', name: '\\udead' }); return [args.key, '\\ud800']`;
    await using fight = await battle(pool, { handler, serve: echoArguments });
    expect(await fight.value('x')).toEqual(['\udc00', '\ud800']);
    expect(await fight.call('throw')).toMatchObject({ ok: false, code: 'CALL_FAILED', message: '\udead: \ud83d', errorCode: '\ud83d' });
    expect(fight.logs[0]).toEqual({ level: 'warn', text: 'half \ud800', fields: { '\udfff': '\ud800' }, callId: expect.any(String) });
    expect(await fight.value('x')).toBeDefined();
    await fight.neighbourUnharmed();
  });

  it('attack g10 deep-frames: values nest to a bound, in both directions, and 65,536 levels meet it', async () => {
    const nest = 'const nest = (levels) => { let value = 1; for (let i = 0; i < levels; i++) value = [value]; return value };';
    const handler = `if (input.how === 'argument') return outcome(() => ctx.kv.set('k', nest(input.levels))); if (input.how === 'field') { ctx.log.info('deep', { nest: nest(input.levels) }); return 'logged' } return nest(input.levels)`;
    await using fight = await battle(pool, { top: nest + OUTCOME, handler, serve: () => ({ ok: true, value: null }), limits: generous });
    expect(await fight.call({ how: 'result', levels: BOUNDS.valueDepth })).toMatchObject({ ok: true });
    // Beyond some thousands the isolate runs out of stack by itself.
    for (const levels of [BOUNDS.valueDepth + 1, 2000, 65_536]) {
      expect(await fight.call({ how: 'result', levels })).toMatchObject({ ok: false, code: 'CALL_FAILED', retry: false });
      expect(await fight.value({ how: 'argument', levels })).toEqual(['refused', expect.stringMatching(/^(CAPABILITY_ARGUMENT|RangeError)$/)]);
      expect(await fight.value({ how: 'field', levels })).toBe('logged');
    }
    expect(fight.logs.filter(({ fields }) => fields !== undefined && !('omitted' in fields))).toEqual([]);
    expect(fight.hostCalls).toEqual([]);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });
});

describe('promises', () => {
  it('attack g11 hijacked-then: a `then` on every object makes a plugin wait for itself, and nobody else', async () => {
    const handler = `if (input === 'hijack') { Object.prototype.then = function () {}; return 1 } if (input === 'heal') { delete Object.prototype.then; return 'healed' } return { plain: await ctx.kv.get('k') }`;
    await using fight = await battle(pool, { handler, serve: echoArguments, limits: { wallMsPerCall: 100 } });
    expect(await fight.value('hijack')).toBe(1);
    expect(await fight.call('object')).toMatchObject({ ok: false, code: 'CALL_TIMEOUT' });
    expect(await fight.value('heal')).toBe('healed');
    expect(await fight.value('object')).toMatchObject({ plain: { op: 'kv.get' } });
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g12 promise-species: subclasses, species and constructors that lie change no answer', async () => {
    const handler = `
      class Liar extends Promise { static get [Symbol.species]() { throw new Error('species') } then(a, b) { return super.then(a, b) } }
      const odd = [() => Liar.resolve('subclass'), () => Object.defineProperty(Promise.resolve('own constructor'), 'constructor', { get() { throw new TypeError('constructor') } }), () => Object.setPrototypeOf(Promise.resolve('bare'), null), () => Object.defineProperty(ctx.kv.get('k'), 'then', { value: (done) => done('own then') }), () => Object.assign(async () => {}, { then(done) { done('function') } })];
      return odd[input]()`;
    await using fight = await battle(pool, { handler, serve: echoArguments });
    const answers = [];
    for (const index of [0, 1, 2, 3, 4]) {
      const result = await fight.call(index);
      answers.push(result.ok ? result.value : result.message);
    }
    expect(answers).toEqual([expect.stringMatching(/subclass|species/), expect.stringMatching(/own constructor|TypeError/), expect.anything(), 'own then', 'function']);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g13 generators: async generators that hijack return and throw end where their call ends', async () => {
    const handler = `
      const hijack = async function* () { try { yield 1; yield 2 } finally { yield 'kept'; await ctx.sleep(10) } };
      const seen = []; for await (const each of hijack()) { seen.push(each); if (seen.length === 1) break }
      const hostile = { [Symbol.asyncIterator]() { return this }, next() { return { then(done) { done({ get done() { seen.push('done'); return seen.length > 4 }, get value() { return 'lazy' } }) } } }, return() { throw new Error('return') } };
      try { for await (const each of hostile) { seen.push(each); if (seen.length > 6) break } } catch (error) { seen.push(error.message) }
      const generator = hijack(); await generator.next(); seen.push((await generator.return('early')).value, await generator.throw(new Error('thrown')).catch((error) => error.message));
      return seen`;
    expect(await findingsOf(pool, { handler })).toEqual([1, 'done', 'lazy', 'done', 'lazy', 'done', 'kept', 'thrown']);
    // A handler that is itself a generator answers with an empty object, and its body never runs.
    await using fight = await battle(pool, { source: 'gatehouse.register({ kind: "tool", handlers: { call: async function* () { for (;;); } } })' });
    expect(await fight.value()).toEqual({});
    await fight.neighbourUnharmed();
  });

  it('attack g14 disposables: what `using` disposes of runs within the call, and what it suppresses is reported', async () => {
    const top = `${OUTCOME} const resource = (name, seen, dispose) => ({ [Symbol.dispose]() { seen.push(name); dispose?.() }, async [Symbol.asyncDispose]() { seen.push(name); dispose?.() } });`;
    const handler = `
      const seen = [];
      await outcome(async () => { using a = resource('a', seen, () => { throw new Error('a') }); await using b = resource('b', seen, () => { throw new Error('b') }); throw new Error('body') }).then(([, name]) => seen.push(name));
      const suppressed = await (async () => { using a = resource('x', seen, () => { throw new Error('x') }); throw new Error('y') })().catch((error) => error);
      seen.push(suppressed.constructor.name, typeof suppressed.constructor.constructor, typeof DisposableStack, typeof SuppressedError);
      try { suppressed.constructor.constructor('return process')() } catch { seen.push('refused') }
      return seen`;
    expect(await findingsOf(pool, { handler, top })).toEqual(['b', 'a', 'SuppressedError', 'x', 'SuppressedError', 'function', 'undefined', 'undefined', 'refused']);
  });

  it('attack g15 late-values: rejections nobody handles, with values nobody expects, are told in short and change nothing', async () => {
    const late: string[] = [];
    const unsubscribe = subscribe('sandbox.late-rejection', ({ instance, message }) => void (instance === 'attacker' && late.push(message)));
    const values = ['null', 'undefined', 'Symbol("s")', '1n', '() => 1', '"x".repeat(1e6)', 'new Error("y".repeat(1e6))', '{ get message() { throw 1 } }', 'Proxy.revocable({}, {}).proxy', 'new (class extends Error { get message() { return 5 } })()', '"Script execution timed out."'];
    await using fight = await battle(pool, { handler: `if (input === null) return 'peaceful'; Promise.reject([${values.join(', ')}][input]); return 'rejected'`, limits: { cpuMsPerCall: 500 } });
    for (const index of values.keys()) expect(await fight.value(index)).toBe('rejected');
    expect(await fight.value()).toBe('peaceful');
    await eventually(() => expect(late.length).toBeGreaterThanOrEqual(values.length - 1));
    unsubscribe();
    expect(Math.max(...late.map((message) => message.length))).toBeLessThanOrEqual(500);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g16 overflow-in-settle: running out of stack while an answer arrives leaves the bridge whole', async () => {
    const handler = `
      if (input === 'set') { Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { const deep = () => deep(); deep() } }); return 1 }
      if (input === 'unset') { delete Object.prototype.then; return 2 }
      if (input === 'attack') return ctx.kv.get('k').then(() => 'got', (error) => error.name);
      return (await Promise.all(Array.from({ length: 64 }, () => ctx.kv.get('k')))).length`;
    await using fight = await battle(pool, { handler, serve: echoArguments, limits: generous });
    await fight.value('set');
    expect(await fight.value('attack')).toBe('RangeError');
    await fight.value('unset');
    for (let round = 0; round < 3; round += 1) expect(await fight.value('peace')).toBe(64);
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });
});

describe('errors', () => {
  it('attack g17 odd-throws: anything can be thrown, and each is one short failure', async () => {
    const thrown = [
      'null', 'undefined', 'Symbol("s")', '1n', '() => 1', '0', '"plain"', '{}', '[]', 'Object.create(null)', '{ get message() { throw new Error("getter") } }', '{ message: 5, name: {}, code: [] }', '{ toString() { for (;;); } }', '{ [Symbol.toPrimitive]() { for (;;); } }',
      '(() => { const e = new Error("cyclic"); e.cause = e; return e })()', '(() => { let e = new Error("bottom"); for (let i = 0; i < 1e4; i++) e = new Error("chain", { cause: e }); return e })()', 'new AggregateError(Array.from({ length: 1e4 }, () => new Error("one")), "many")',
      'Object.defineProperty(new Error("x"), "stack", { get() { throw new Error("stack") } })', 'Object.assign(new Error("x"), { stack: "forged\\n    at host.ts:1:1" })', 'new Proxy(new Error("behind"), {})', 'Object.setPrototypeOf(new Error("x"), new Proxy({}, {}))',
    ];
    await using fight = await battle(pool, { handler: `if (input === null) return 'peaceful'; throw [${thrown.map((each) => `() => (${each})`).join(', ')}][input]()`, limits: { cpuMsPerCall: 500 } });
    for (const [index, each] of thrown.entries()) {
      const result = await fight.call(index);
      expect([each, result.ok ? 'ok' : result.code, !result.ok && result.message.length <= 620]).toEqual([each, 'CALL_FAILED', true]);
    }
    expect(await fight.value()).toBe('peaceful');
    expect(fight.strikes).toEqual([]);
    await fight.neighbourUnharmed();
  });

  it('attack g18 log-reentrancy: log lines that log while they are written are counted like all others', async () => {
    const handler = `
      let depth = 0; const text = { toString() { if (depth++ < 5000) ctx.log.info(text, { get again() { ctx.log.warn(text); return depth } }); return 'line ' + depth } };
      ctx.log.error(text); ctx.log.info(Symbol('s')); ctx.log.info('x', { toJSON() { return 'no object' } }); ctx.log.info('x', [1]); ctx.log.info('x', { b: 1n }); ctx.log.info({ toString() { throw 1 } }); return depth > 0`;
    await using fight = await battle(pool, { handler, limits: generous });
    expect(await fight.value()).toBe(true);
    expect(fight.logs.length).toBeGreaterThan(0);
    expect(fight.logs.length).toBeLessThanOrEqual(BOUNDS.logLinesPerSecond);
    for (const { text, fields } of fight.logs) expect([typeof text, text.length <= BOUNDS.logLineBytes, fields === undefined || !Array.isArray(fields)]).toEqual(['string', true, true]);
    await fight.neighbourUnharmed();
  });
});

describe('arguments', () => {
  it('attack g19 to-primitive: objects that turn into numbers and texts arrive as the objects they are', async () => {
    const handler = `
      let turned = 0; const number = { valueOf() { turned++; return 5 }, [Symbol.toPrimitive]() { turned++; return 5 } };
      const sent = [await ctx.sleep(number), await ctx.kv.get({ toString() { turned++; return 'k' } }), await ctx.kv.list({ limit: number, prefix: ['p'] }), await ctx.tool.call(Object('t'), number), await ctx.message.list(new String('c'), { limit: Object(5n) }).catch((error) => error.name)];
      return [turned, sent.map((each) => each.args ?? each)]`;
    expect(await findingsOf(pool, { handler, serve: echoArguments })).toEqual([0, [{ ms: {} }, { key: {} }, { prefix: ['p'], limit: {} }, { tool: 't', arguments: {} }, 'TypeError']]);
  });

  it('attack g20 proxies: a Proxy in every place is asked inside the isolate, and only its answers leave', async () => {
    const handler = `
      const asked = []; const proxy = new Proxy({ a: 1 }, { get(target, key) { asked.push(String(key)); return Reflect.get(target, key) }, ownKeys(target) { asked.push('ownKeys'); return Reflect.ownKeys(target) } });
      const sent = [await ctx.kv.set(proxy, proxy), await ctx.message.send(proxy), await ctx.http.fetch(proxy, proxy), await ctx.kv.list(proxy), await ctx.tool.call(proxy, [proxy])].map(({ args }) => args);
      ctx.log.info(proxy, proxy); return [asked.length > 10, sent, proxy]`;
    await using fight = await battle(pool, { handler, serve: echoArguments });
    expect(await fight.value()).toEqual([true, [{ key: { a: 1 }, value: { a: 1 } }, { a: 1 }, { url: { a: 1 }, init: { a: 1 } }, {}, { tool: { a: 1 }, arguments: [{ a: 1 }] }], { a: 1 }]);
    expect(fight.logs[0]).toMatchObject({ fields: { a: 1 } });
    await fight.neighbourUnharmed();
  });

  it('attack g21 own-toJSON: arguments that replace themselves while they are written out are judged as what they became', async () => {
    const handler = `return [await outcome(() => ctx.message.send({ toJSON() { return 'replaced' } })), await outcome(() => ctx.message.send({ toJSON() {} })), await outcome(() => ctx.message.send({ toJSON: 5, a: 1 })), await outcome(() => ctx.message.send('text')), await outcome(() => ctx.message.send([1, 2])), await outcome(() => ctx.message.send(null))]`;
    await using fight = await battle(pool, { top: OUTCOME, handler, serve: ({ args }) => ({ ok: true, value: args }) });
    expect(await fight.value()).toEqual([['done', 'replaced'], ['refused', 'TypeError'], ['done', { toJSON: 5, a: 1 }], ['done', { 0: 't', 1: 'e', 2: 'x', 3: 't' }], ['done', { 0: 1, 1: 2 }], ['done', {}]]);
    await fight.neighbourUnharmed();
  });
});

describe('what is not there', () => {
  it('attack g22 absent-apis: nothing that keeps time, shares memory, runs later, or loads code, by name or by walking', async () => {
    const handler = `
      const names = ['Temporal', 'WeakRef', 'FinalizationRegistry', 'Atomics', 'SharedArrayBuffer', 'WebAssembly', 'ShadowRealm', 'structuredClone', 'queueMicrotask', 'setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame', 'performance', 'console', 'postMessage', 'MessageChannel', 'Worker', 'fetch', 'XMLHttpRequest', 'WebSocket', 'crypto', 'URL', 'TextEncoder', 'Buffer', 'process', 'require', 'module', 'global', 'unescape', 'DisposableStack', 'AsyncDisposableStack', 'gc', 'd8', 'print', 'load', 'read'];
      const there = names.filter((name) => name in globalThis);
      const seen = new Set(); const queue = [globalThis, ctx, [].values(), new Map().entries(), 'x'[Symbol.iterator](), 'x'.matchAll(/x/g), Iterator.from([]).map((x) => x), (function* () {})(), (async function* () {})(), Promise.resolve(), new Proxy({}, {}), new Intl.Segmenter('en').segment('x'), new Intl.Segmenter('en').segment('x')[Symbol.iterator](), (() => { try { null.x } catch (e) { return e } })()];
      while (queue.length > 0) { const at = queue.pop(); if ((typeof at !== 'object' && typeof at !== 'function') || at === null || seen.has(at)) continue; seen.add(at); queue.push(Object.getPrototypeOf(at)); for (const key of Reflect.ownKeys(at)) { const d = Reflect.getOwnPropertyDescriptor(at, key); queue.push(d.value, d.get, d.set) } }
      const walked = [...seen].filter((each) => typeof each === 'function' && names.includes(each.name)).map((each) => each.name);
      return { there, walked, loaded: await import('node:fs').then(() => 'loaded', () => 'refused') }`;
    for (const jitless of [true, false]) expect(await findingsOf(pool, { handler, jitless, limits: generous })).toEqual({ there: [], walked: [], loaded: 'refused' });
    await using fight = await battle(pool, { source: 'gatehouse.register({ kind: "tool", handlers: { call: async () => import.meta.url } })' });
    expect(fight.changes.map(({ state }) => state)).toEqual(['starting', 'backoff']);
    await fight.neighbourUnharmed();
  });

  it('attack g23 sloppy-mode: `with`, `arguments`, labels, static blocks and hoisting find nothing of the bootstrap', async () => {
    const top = `var found = []; class Static { static { found.push(typeof call, typeof bounds, typeof post, typeof settings); } static #secret = 1; static { found.push(typeof Static.#secret) } } var parse = 'mine'; function receive() { return 'mine' } var load, calls, handlers, current;`;
    const handler = `with (ctx) { with (globalThis) { found.push(typeof sleep, typeof receive, typeof Table) } } label: { break label } (function () { found.push(arguments.callee.caller === self, typeof this) })(); try { eval('1') } catch (error) { found.push(error.name) } return found.splice(0)`;
    await using fight = await battle(pool, { source: `${top} gatehouse.register({ kind: 'tool', handlers: { call: async function self(input, ctx) { ${handler} } } });` });
    expect(await fight.value()).toEqual(['undefined', 'undefined', 'undefined', 'undefined', 'number', 'function', 'function', 'undefined', true, 'object', 'ReferenceError']);
    expect(await fight.value()).toEqual(['function', 'function', 'undefined', true, 'object', 'ReferenceError']);
    await fight.neighbourUnharmed();
  });

  it('attack g24 detached-buffers: no way to detach, share or resize memory, and typed arrays cross as plain objects', async () => {
    const handler = `const buffer = new ArrayBuffer(8); const ways = [() => buffer.transfer(), () => buffer.resize(4), () => structuredClone(buffer, { transfer: [buffer] }), () => new DataView(buffer, 0, 9), () => new Uint8Array(buffer, 9), () => ArrayBuffer.prototype.constructor.call({}, 8), () => new ArrayBuffer(2 ** 40), () => new Uint8Array({ length: 2 ** 40 })];
      return [ways.map((way) => { try { way(); return 'did' } catch (error) { return error.name } }), buffer.detached ?? false, buffer.resizable, await ctx.kv.set('k', [new Uint16Array([1]), new DataView(buffer), buffer])]`;
    expect(await findingsOf(pool, { handler, serve: ({ args }) => ({ ok: true, value: args }) })).toEqual([expect.not.arrayContaining(['did']), false, false, { key: 'k', value: [{ 0: 1 }, {}, {}] }]);
  });
});

describe('time', () => {
  it('attack 74 covert-timing: no clock moves within a call, however long it works, and sleeps are coarse', async () => {
    const handler = `
      const clocks = () => [Date.now(), +new Date(), Date(), new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'full' }).format(), new Intl.DateTimeFormat('en', { fractionalSecondDigits: 3 }).formatToParts().map(({ value }) => value).join(), new Date().toLocaleTimeString(), Reflect.construct(Date, []).getTime(), new (class extends Date {})().getTime(), new Date().constructor.now(), ctx.now].join();
      const before = clocks(); let x = 0; for (let i = 0; i < 1e6; i++) x += i % 7; const after = clocks();
      return [before === after, x > 0]`;
    expect(await findingsOf(pool, { handler, limits: generous })).toEqual([true, true]);
  });

  it('attack g25 date-edges: dates beyond all dates, and time zones, are the same on every machine', async () => {
    const handler = `return [new Date(8.64e15 + 1).getTime(), new Date(8.64e15).toISOString(), new Date(-8.64e15).getUTCFullYear(), Date.UTC(275760, 8, 13, 0, 0, 0, 1), new Date(2026, 0, 1).getTimezoneOffset(), Intl.DateTimeFormat().resolvedOptions().timeZone, Date.parse('2026-01-01T00:00:00+99:99'), (() => { try { return new Date(NaN).toISOString() } catch (error) { return error.name } })(), (() => { try { return new Intl.DateTimeFormat('en', { timeZone: '../etc/passwd' }).format(0) } catch (error) { return error.name } })()]`;
    expect(await findingsOf(pool, { handler })).toEqual([null, '+275760-09-13T00:00:00.000Z', -271821, null, 0, 'UTC', null, 'RangeError', 'RangeError']);
  });
});
