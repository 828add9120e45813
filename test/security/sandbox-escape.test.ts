// Attempts to get out of the isolate: at the host's functions, its frames, its globals, or at code that nobody signed.
import { readFile, readdir, readlink } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { battle, findingsOf } from '../support/hostile.ts';
import { aPool, toolSource } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

/** In scope of a handler: what came of trying. */
const TRY = `const attempt = (f) => { try { const value = f(); return value === undefined ? 'undefined' : 'got ' + typeof value } catch (error) { return 'threw' } };`;

const ALLOWED_GLOBALS =
  'AggregateError,Array,ArrayBuffer,BigInt,BigInt64Array,BigUint64Array,Boolean,DataView,Date,Error,EvalError,Float16Array,Float32Array,Float64Array,Function,Infinity,Int16Array,Int32Array,Int8Array,Intl,Iterator,JSON,Map,Math,NaN,Number,Object,Promise,Proxy,RangeError,ReferenceError,Reflect,RegExp,Set,String,Symbol,SyntaxError,TypeError,URIError,Uint16Array,Uint32Array,Uint8Array,Uint8ClampedArray,WeakMap,WeakSet,decodeURI,decodeURIComponent,encodeURI,encodeURIComponent,gatehouse,globalThis,isFinite,isNaN,parseFloat,parseInt,undefined'.split(',');

it('attack 1 ctor-chain: no constructor on the way to anything makes code, and there is no process', async () => {
  const handler = `
    const refused = await ctx.kv.get('k').catch((error) => error);
    const starts = { ctx, sleep: ctx.sleep, http: ctx.http, fetch: ctx.http.fetch, log: ctx.log.info, config: ctx.config, input, promise: ctx.sleep(1), refused, register: gatehouse.register, gatehouse, ctxPrototype: Object.getPrototypeOf(ctx), getter: Object.getOwnPropertyDescriptor(Object.getPrototypeOf(ctx), 'kv').get };
    const found = {};
    for (const [name, start] of Object.entries(starts)) {
      let at = start;
      for (let depth = 0; depth < 5; depth++) {
        found[name + '.constructor'.repeat(depth)] = [attempt(() => at('return process')()), attempt(() => new at('return process')())].filter((each) => each.startsWith('got')).join();
        at = at?.constructor;
        if (at === undefined || at === null) break;
      }
    }
    return { made: Object.entries(found).filter(([, each]) => /function/.test(each)), names: [typeof process, typeof require, typeof module, typeof global, typeof ivm, typeof $0, typeof post], ctxConstructor: typeof ctx.constructor }`;
  const found = await findingsOf(pool, { handler, top: TRY });
  expect(found).toEqual({ made: [], names: Array(7).fill('undefined'), ctxConstructor: 'undefined' });
});

describe('attack 2 this-walk', () => {
  it('sloppy this and the global object hold only what is allowed', async () => {
    const handler = `const self = (function () { return this })(); return { same: self === globalThis, keys: Reflect.ownKeys(self).map(String).sort(), names: Object.keys(self) }`;
    const found = (await findingsOf(pool, { handler })) as { same: boolean; keys: string[]; names: string[] };
    expect(found.same).toBe(true);
    expect(found.keys.filter((key) => !ALLOWED_GLOBALS.includes(key))).toEqual([]);
    expect(found.names).toEqual([]);
  });

  it('every function that can be reached belongs to this isolate', async () => {
    const handler = `
      const seen = new Set(); const foreign = []; const queue = [[globalThis, 'globalThis'], [ctx, 'ctx'], [input, 'input']];
      const own = [Object.prototype, Function.prototype, null];
      while (queue.length > 0 && seen.size < 20000) {
        const [value, path] = queue.pop();
        if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
        seen.add(value);
        let root = value; while (Object.getPrototypeOf(root) !== null) root = Object.getPrototypeOf(root);
        if (typeof value === 'function' && value !== Function.prototype && !(value instanceof Function)) foreign.push(path);
        if (typeof value === 'function' && root !== Object.prototype) foreign.push(path);
        for (const key of Reflect.ownKeys(value)) {
          const found = Object.getOwnPropertyDescriptor(value, key);
          for (const part of ['value', 'get', 'set']) if (found && found[part]) queue.push([found[part], path + '.' + String(key)]);
        }
        queue.push([Object.getPrototypeOf(value), path + '.__proto__']);
      }
      return { count: seen.size > 500, foreign, odd: [...seen].filter((each) => typeof each === 'function' && /^(Reference|Callback|ExternalCopy|NativeModule|Isolate|Context|Script|Module)$/.test(each.name)).map((each) => each.name) }`;
    expect(await findingsOf(pool, { handler })).toEqual({ count: true, foreign: [], odd: [] });
  });
});

it('attack 3 callsite: stack frames show places in the plugin, no function, no this, no host', async () => {
  const top = `
    const frames = [];
    Error.prepareStackTrace = (error, sites) => { for (const site of sites) frames.push([String(site.getFileName()), typeof site.getThis(), typeof site.getFunction(), String(site.getEvalOrigin())]); return 'stack' };
    Error.stackTraceLimit = 100;`;
  const handler = `
    const errors = [new Error('own'), await ctx.kv.get('k').catch((error) => error), await ctx.kv.set('k', 1n).catch((error) => error)];
    try { gatehouse.register({}) } catch (error) { errors.push(error) }
    try { JSON.stringify({ toJSON() { throw new Error('inside') } }) } catch (error) { errors.push(error) }
    await ctx.kv.set('k', { toJSON() { errors.push(new Error('in the bridge')); return 1 } }).catch(() => {});
    for (const error of errors) error.stack;
    return frames`;
  const frames = (await findingsOf(pool, { handler, top })) as [string, string, string, string][];
  expect(frames.length).toBeGreaterThan(5);
  const files = [...new Set(frames.map(([file]) => file))];
  expect(files.filter((file) => !['plugin.js', 'gatehouse:bootstrap', 'undefined', 'null'].includes(file))).toEqual([]);
  expect(frames.flat().join(' ')).not.toMatch(/node:|file:|\/host\/|main\.js|isolated-vm/);
  // The bootstrap is strict code, of which V8 shows neither `this` nor the function.
  const revealing = frames.filter(([file, self, fn]) => file === 'gatehouse:bootstrap' && (self !== 'undefined' || fn !== 'undefined'));
  expect(revealing).toEqual([]);
});

it('attack 4 caller-walk: a function called by the bootstrap cannot look back', async () => {
  const handler = `
    const seen = [];
    function look() { try { seen.push(String(look.caller)) } catch (error) { seen.push('threw') } try { seen.push(String(arguments.callee.caller)) } catch (error) { seen.push('threw') } return 1 }
    look();
    await ctx.kv.set('k', { toJSON: look }).catch(() => {});
    ctx.log.info({ toString: look });
    seen.push(...await new Promise((resolve) => resolve({ then: (done) => { look(); done([]) } })));
    globalThis.look = look;
    return { toJSON() { look(); return seen } }`;
  const seen = (await findingsOf(pool, { handler })) as string[];
  expect(seen.length).toBeGreaterThan(6);
  expect(seen.join('\n')).not.toMatch(/stringify|post\(|waiting|bounds|native code/);
});

it('attack 6 stack-exhaust-host: at the edge of the stack the bridge stays consistent', async () => {
  const handler = `
    if (input !== 'attack') { const all = []; for (let i = 0; i < 64; i++) all.push(ctx.sleep(0)); return (await Promise.all(all)).length }
    const methods = [() => ctx.sleep(1), () => ctx.http.fetch('x'), () => ctx.kv.get('k'), () => ctx.kv.set('k', 1), () => ctx.kv.list({}), () => ctx.message.send({}), () => ctx.message.list('c'), () => ctx.tool.call('t', {}), () => ctx.log.info('x', { a: 1 })];
    let overflows = 0;
    for (const method of methods) for (let pad = 0; pad < 8; pad++) {
      const deep = (left) => { try { deep(left + 1) } catch (error) { if (left % 8 === pad && overflows++ < 500) { try { Promise.resolve(method()).catch(() => {}) } catch {} } throw error } };
      try { deep(0) } catch {}
    }
    return overflows > 0`;
  await using fight = await battle(pool, { handler, limits: { cpuMsPerCall: 2000, wallMsPerCall: 20_000 }, serve: () => ({ ok: true, value: null }) });
  expect(await fight.value('attack')).toBe(true);
  for (let round = 0; round < 3; round += 1) expect(await fight.value()).toBe(64);
  expect(fight.strikes).toEqual([]);
  await fight.neighbourUnharmed();
});

it('attack 8 thenable-arg: odd arguments are written out inside the isolate, or refused there', async () => {
  const handler = `
    const outcome = (promise) => promise.then(() => 'sent', (error) => error.name);
    const cyclic = {}; cyclic.c = cyclic;
    const odd = { thenable: { then() { throw 1 } }, proxy: new Proxy({ a: 1 }, {}), revoked: (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })(), getter: { get a() { return 'read' } }, thrower: { get a() { throw new Error('x') } }, cyclic, big: 1n, symbol: Symbol('s'), fn() {}, date: new Date(0), map: new Map([[1, 2]]), typed: new Uint8Array(2), own: JSON.parse('{"__proto__":{"a":1}}') };
    const found = {};
    for (const [name, value] of Object.entries(odd)) found[name] = await outcome(ctx.kv.set(name, value));
    found.spread = await outcome(ctx.message.send(odd.proxy));
    return found`;
  await using fight = await battle(pool, { handler, serve: () => ({ ok: true, value: null }) });
  expect(await fight.value()).toEqual({ thenable: 'sent', proxy: 'sent', revoked: 'TypeError', getter: 'sent', thrower: 'Error', cyclic: 'TypeError', big: 'TypeError', symbol: 'sent', fn: 'sent', date: 'sent', map: 'sent', typed: 'sent', own: 'sent', spread: 'sent' });
  const sent = Object.fromEntries(fight.hostCalls.filter(({ op }) => op === 'kv.set').map(({ args }) => [(args as { key: string }).key, (args as { value?: unknown }).value]));
  expect(sent).toEqual({ thenable: {}, proxy: { a: 1 }, getter: { a: 'read' }, symbol: undefined, fn: undefined, date: '1970-01-01T00:00:00.000Z', map: {}, typed: { 0: 0, 1: 0 }, own: JSON.parse('{"__proto__":{"a":1}}') as unknown });
  expect(({} as { a?: number }).a).toBeUndefined();
  await fight.neighbourUnharmed();
});

it('attack 12 codegen: no text becomes code, by any constructor', async () => {
  const handler = `
    const kinds = { plain: function () {}, generator: function* () {}, async: async () => {}, asyncGenerator: async function* () {}, method: { m() {} }.m, bound: (() => {}).bind(), klass: class {}, native: Math.max, ctx: ctx.sleep };
    const found = {};
    for (const [name, kind] of Object.entries(kinds)) {
      found[name] = attempt(() => kind.constructor('return 1')());
      found[name + ' prototype'] = attempt(() => Object.getPrototypeOf(kind).constructor('return 1')());
      found[name + ' new'] = attempt(() => new kind.constructor('return 1')());
      found[name + ' reflect'] = attempt(() => Reflect.construct(kind.constructor, ['return 1'])());
    }
    found.global = attempt(() => Function('return 1')());
    found.target = attempt(() => Reflect.construct(Object, [], Function) instanceof Function && 'x'.y.z);
    found.sub = attempt(() => new (class extends Function {})('return 1')());
    found.eval = attempt(() => (0, eval)('1'));
    found.timer = attempt(() => setTimeout('1', 0));
    found.import = await import('fs').then(() => 'got module', () => 'threw');
    found.shadow = attempt(() => new ShadowRealm().evaluate('1'));
    found.json = attempt(() => JSON.parse('{"a":1}', Function));
    return Object.entries(found).filter(([, each]) => each.startsWith('got'))`;
  for (const jitless of [true, false]) expect(await findingsOf(pool, { handler, top: TRY, jitless })).toEqual([]);
});

it('attack 13 wasm-jit: no WebAssembly and no shared memory, by any path', async () => {
  const handler = `return [typeof WebAssembly, typeof SharedArrayBuffer, typeof Atomics, attempt(() => new (Object.getPrototypeOf(Int8Array))(1)), attempt(() => structuredClone(1)), Object.getOwnPropertyNames(globalThis).filter((name) => /Shared|Wasm|Assembly/i.test(name)).length]`;
  for (const jitless of [true, false]) expect(await findingsOf(pool, { handler, top: TRY, jitless })).toEqual(['undefined', 'undefined', 'undefined', 'threw', 'threw', 0]);
});

describe('attack 14 proto-hijack-boot', () => {
  it('replacing every method of every intrinsic changes nothing in the bridge', async () => {
    const top = `
      const touched = []; const keep = { Object, Reflect, push: (value) => { touched[touched.length] = value } };
      const getNames = Reflect.ownKeys, describe = Reflect.getOwnPropertyDescriptor, define = Reflect.defineProperty;
      const register = gatehouse.register;
      const handlers = { call: async (input, ctx) => {
        const { log, sleep, http, kv, message, tool } = ctx;
        log.info('hello', { a: 1 });
        const values = [await sleep(1), await kv.get('k'), await kv.set('k', { deep: [1, 2] }), await kv.list({ prefix: 'p' }), await http.fetch('u', { method: 'GET' }), await message.send({ text: 't' }), await message.list('c'), await tool.call('t', { x: 1 })];
        let refused; try { await kv.delete('no') } catch (error) { refused = error }
        return { values, refused: refused.code + ' ' + refused.message, hijacked: touched, callId: ctx.callId }
      } };
      register({ kind: 'tool', handlers });
      const targets = [Array.prototype, Promise.prototype, Promise, JSON, Map.prototype, Set.prototype, Reflect, Object, Object.prototype, Function.prototype, String.prototype, RegExp.prototype, Math, Number.prototype, Error.prototype, Symbol, Iterator.prototype, Object.getPrototypeOf([].values()), Date, Date.prototype];
      const hijack = { __proto__: null, configurable: true, writable: true };
      for (let t = 0; t < targets.length; t++) {
        const names = getNames(targets[t]);
        for (let n = 0; n < names.length; n++) {
          const name = names[n], found = describe(targets[t], name);
          if (!found || !found.configurable || typeof found.value !== 'function' || name === 'constructor') continue;
          hijack.value = function () { keep.push(name); throw new TypeError('hijacked') };
          define(targets[t], name, hijack);
        }
      }`;
    await using fight = await battle(pool, { source: top, serve: ({ op, args }) => (op === 'kv.delete' ? { ok: false, code: 'NO', message: 'never' } : { ok: true, value: { op, args } }) });
    const value = (await fight.value()) as { values: { op: string }[]; refused: string; hijacked: unknown[] };
    expect(value.values.map(({ op }) => op)).toEqual(['sleep', 'kv.get', 'kv.set', 'kv.list', 'http.fetch', 'message.send', 'message.list', 'tool.call']);
    expect(value.refused).toBe('NO never');
    expect(value.hijacked).toEqual([]);
    expect(fight.logs).toEqual([{ level: 'info', text: 'hello', fields: { a: 1 }, callId: expect.any(String) }]);
    expect(fight.hostCalls[2]?.args).toEqual({ key: 'k', value: { deep: [1, 2] } });
    await fight.neighbourUnharmed();
  });

  it('setters and getters on Object.prototype see nothing of the bridge', async () => {
    const top = `
      const caught = []; let armed = true;
      for (const name of ['id', 't', 'call', 'callId', 'attemptKey', 'now', 'over', 'random', 'waiting', 'request', 'op', 'args', 'ok', 'value', 'error', 'code', 'message', 'name', 'resolve', 'reject', 'handler', 'input', 'instance', 'config', 'get', 'set', 'writable', 'enumerable', 'configurable', 'toJSON', 'then', 'log', 'kv', 'fields', 'dropped', '__proto__x'])
        Object.defineProperty(Object.prototype, name, { __proto__: null, set(value) { if (armed) caught[caught.length] = 'set ' + name }, get() { if (armed) caught[caught.length] = 'get ' + name + ' on ' + typeof this; return undefined }, configurable: true });`;
    const handler = `
      const first = await ctx.kv.get('k'); ctx.log.info('x', undefined); let code; try { await ctx.kv.delete('k') } catch (error) { armed = false; code = Object.getOwnPropertyDescriptor(error, 'code').value; armed = true }
      armed = false; return { first, code, caught: caught.filter((each) => !/then|toJSON/.test(each)), ids: [typeof ctx.callId, typeof ctx.now] }`;
    await using fight = await battle(pool, { handler, top, serve: ({ op }) => (op === 'kv.delete' ? { ok: false, code: 'NO', message: 'never' } : { ok: true, value: 'v' }) });
    expect(await fight.value()).toEqual({ first: 'v', code: 'NO', caught: [], ids: ['string', 'number'] });
    await fight.neighbourUnharmed();
  });
});

it('attack 15 toJSON-swap: the host acts on the text that was checked, read once', async () => {
  const handler = `let reads = 0; const shifty = { toJSON() { reads++; return reads === 1 ? 'innocent' : 'evil' } }; let gets = 0; const lazy = { get url() { gets++; return gets === 1 ? 'https://good.example' : 'https://evil.example' } };
    await ctx.kv.set('k', shifty); await ctx.message.send(lazy); return { reads, gets }`;
  await using fight = await battle(pool, { handler, serve: () => ({ ok: true, value: null }) });
  expect(await fight.value()).toEqual({ reads: 1, gets: 1 });
  expect(fight.hostCalls.map(({ args }) => args)).toEqual([{ key: 'k', value: 'innocent' }, { url: 'https://good.example' }]);
  expect(Object.getPrototypeOf(fight.hostCalls[0]?.args)).toBe(Object.prototype);
  await fight.neighbourUnharmed();
});

it('attack 17 inspector: debugger does nothing, and SIGUSR1 opens no port', async () => {
  await using fight = await battle(pool, { handler: 'debugger; return typeof Debugger' });
  expect(await fight.value()).toBe('undefined');
  const pid = fight.pid() as number;
  const listening = async () => {
    const sockets = (await Promise.all((await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))).filter((each) => each.startsWith('socket:')).length;
    const tcp = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').filter((line) => line.includes(' 0A '));
    return { sockets, tcp: (await readlink(`/proc/${pid}/ns/net`)) === (await readlink('/proc/self/ns/net')) ? [] : tcp };
  };
  const before = await listening();
  process.kill(pid, 'SIGUSR1');
  expect(await fight.value()).toBe('undefined');
  expect(await listening()).toEqual(before);
  expect(fight.pid()).toBe(pid);
  await fight.neighbourUnharmed();
});

it('attack 86 global-bleed: what one plugin sets, no other sees, and a new process of the same knows nothing', async () => {
  const source = toolSource('if (input === "attack") { globalThis.mark = 1; Object.prototype.mark = 2; Array.prototype.map = () => "stolen"; JSON.parse = () => "stolen"; return "done" } if (input === "spin") for (;;); return [typeof globalThis.mark, ({}).mark ?? null, [1].map((x) => x + 1)]');
  await using fight = await battle(pool, { source });
  expect(await fight.value('attack')).toBe('done');
  const other = await pool.open({ instance: 'other', plugin: 'test.other', kind: 'tool', source, config: {}, limits: { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 4 }, jitless: true }, { onHostCall: () => Promise.reject(new Error('none')), onLog: () => {} });
  expect(await other.call({ handler: 'call', input: 'look', callId: 'c', attemptKey: 'a' })).toMatchObject({ ok: true, value: ['undefined', null, [2]] });
  await other.stop(0);
  expect(await fight.value('look')).toEqual(['number', 2, 'stolen']); // its own state is its own business
  await fight.call('spin');
  expect(await fight.value('look')).toEqual(['undefined', null, [2]]);
  await fight.neighbourUnharmed();
});

it('attack 108 source-close: the script is evaluated as it is, nothing stands around it to be closed', async () => {
  const tail = '}); evil(); (function(){';
  await using fight = await battle(pool, { source: `${toolSource('return typeof evil')}\n// ${tail}` });
  expect(await fight.value()).toBe('undefined');
  await using closed = await battle(pool, { source: `${toolSource('return 1')}\n${tail}` });
  expect(closed.changes.map(({ state }) => state)).toEqual(['starting', 'backoff']);
  await fight.neighbourUnharmed();
});
