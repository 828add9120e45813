// The first code in every isolate: hardens the globals and is the plugin's side of the bridge. main.js evaluates its text inside the isolate and keeps references to what it returns.
//
// Host safety does not rest on this file (one isolate, one process, JSON text only, a parent that believes nothing); what does: that a plugin cannot break its
// own bridge in ways that look like somebody else's fault, that calls stay apart, and that code is what was signed. Every intrinsic used after plugin code
// has run is captured first; objects that plugin code could otherwise reach into have no prototype.
'use strict';

// oxlint-disable typescript/unbound-method, typescript/no-unsafe-type-assertion, no-eval -- taking methods off their prototypes, and `eval` off the globals, is what this file is for; JSDoc has no other way to say what a frame is
/**
 * @typedef {{ t: 'call', call: number, handler: string, callId: string, attemptKey: string, now: number, input: unknown }} CallFrame
 * @typedef {{ t: 'settle', call: number, request: number, ok: true, value: unknown } | { t: 'settle', call: number, request: number, ok: false, error: { code: string, message: string } }} SettleFrame
 * @typedef {CallFrame | SettleFrame | { t: 'cancel', call: number }} Frame
 * @typedef {{ __proto__: null, resolve: (value: unknown) => void, reject: (error: Error) => void }} Waiting
 * @typedef {Record<string, unknown>} Arguments
 * @typedef {{ kind: string, instance: string, config: unknown, seed: number, now: number, bounds: import('../../../schemas/sandbox-protocol.ts').IsolateBounds }} Settings
 */

/**
 * Self-contained: only its text crosses into the isolate.
 * @param {(text: string) => void} post takes one JSON text; a function of this isolate that cannot fail
 * @param {string} settingsText
 */
function bootstrap(post, settingsText) {
  'use strict';
  const { parse, stringify } = JSON;
  const { apply, construct, defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, setPrototypeOf } = Reflect;
  const { freeze } = Object;
  const { imul } = Math;
  const OwnPromise = Promise;
  const OwnError = Error;
  const OwnTypeError = TypeError;
  const OwnDate = Date;
  const OwnArrayBuffer = ArrayBuffer;
  const StringOf = String;
  const evaluate = eval;
  const uncurry = Function.prototype.call.bind(Function.prototype.bind, Function.prototype.call);
  /** @type {(text: string, index: number) => number} */
  const codeAt = uncurry(String.prototype.charCodeAt);
  /** @type {(text: string, from: number, to: number) => string} */
  const cut = uncurry(String.prototype.slice);
  const global = globalThis;
  /** A property descriptor that inherits nothing. @param {PropertyDescriptor} given */
  const property = (given) => {
    setPrototypeOf(given, null);
    return given;
  };

  /** @type {Settings} */
  const settings = parse(settingsText);
  const { instance, kind, seed, bounds } = settings;

  // A Map whose methods live on a prototype of its own, out of the plugin's reach.
  /** @template Key, Value @extends {Map<Key, Value>} */
  class Table extends Map {}
  for (const name of ownKeys(Map.prototype)) {
    const method = getOwnPropertyDescriptor(Map.prototype, name);
    if (method && name !== 'constructor') defineProperty(Table.prototype, name, method);
  }
  setPrototypeOf(Table.prototype, null);

  // --- What a call may see ---------------------------------------------------------------------------------------------------------------------

  /** The host's side of one call; never visible to plugin code. */
  // oxlint-disable-next-line no-extraneous-class -- an object literal without prototype would be a slow dictionary
  class Call {
    /** @param {CallFrame} frame */
    constructor(frame) {
      this.id = frame.call;
      this.callId = frame.callId;
      this.attemptKey = frame.attemptKey;
      this.now = frame.now;
      this.over = false;
      /** State of Math.random, made on first use. @type {number | undefined} */
      this.random = undefined;
      /** Host calls without an answer. @type {Table<number, Waiting> | undefined} */
      this.waiting = undefined;
    }
  }
  // A setter that a plugin puts on Object.prototype must not be handed a Call.
  setPrototypeOf(Call.prototype, null);

  /** @type {Table<number, Call>} */
  const calls = new Table();
  /** Whose slice is running: gives Date and Math.random their call. */
  let current = /** @type {Pick<Call, 'now' | 'attemptKey' | 'random'>} */ ({ __proto__: null, now: settings.now, attemptKey: '', random: undefined });
  let waitingInProcess = 0;
  let lastRequest = 0;
  let postsLeft = 0;
  let logsLeft = 0;
  let logsDropped = 0;

  /** @param {string} code @param {string} message */
  const refusal = (code, message) => {
    const error = new OwnError(message);
    defineProperty(error, 'code', property({ value: code, enumerable: true, configurable: true, writable: true }));
    return error;
  };

  /** isolated-vm compares each handler that is attached to a rejected promise with all unhandled rejections; a promise that is rejected later has its handler by then. */
  const rejectSoon = async (/** @type {(error: Error) => void} */ reject, /** @type {Error} */ error) => {
    // oxlint-disable-next-line typescript/await-thenable -- one turn later is the point
    await undefined;
    reject(error);
  };

  /** Posts one request to the host. @param {Call} call @param {string} op @param {Arguments} args @returns {Promise<unknown>} */
  const request = (call, op, args) =>
    new OwnPromise((resolve, reject) => {
      const refused = refusalOf(call);
      if (refused !== undefined) {
        void rejectSoon(reject, refused);
        return;
      }
      const json = stringify(args);
      // Writing the arguments out may have run plugin code, so the call is looked at again.
      const refusedNow = fits(json, bounds.hostCallBytes) ? refusalOf(call) : refusal('CAPABILITY_ARGUMENT', `The arguments of ${op} have more than ${bounds.hostCallBytes} bytes.`);
      if (refusedNow !== undefined) {
        void rejectSoon(reject, refusedNow);
        return;
      }
      const id = ++lastRequest;
      // Post first: at the edge of the stack any of these may throw, and an answer nobody waits for is harmless.
      post(`{"t":"request","call":${call.id},"request":${id},"op":"${op}","args":${json}}`);
      postsLeft -= 1;
      call.waiting ??= new Table();
      call.waiting.set(id, { __proto__: null, resolve, reject });
      waitingInProcess += 1;
    });

  /** @param {Call} call */
  const refusalOf = (call) => {
    if (call.over) return refusal('CALL_OVER', 'The call this request belongs to is over. Await host calls inside the handler.');
    if (waitingInProcess >= bounds.hostCallsPerProcess || (call.waiting !== undefined && call.waiting.size >= bounds.hostCallsPerCall)) {
      return refusal('QUOTA_EXCEEDED', `At most ${bounds.hostCallsPerCall} host calls of one call, and ${bounds.hostCallsPerProcess} in all, may wait for an answer.`);
    }
    return postsLeft > 0 ? undefined : refusal('QUOTA_EXCEEDED', 'Too many host calls without awaiting any of them.');
  };

  /** Writes a log line; never throws for what it is given, drops what is too much. @param {Call} call @param {string} level @param {unknown} text @param {unknown} fields */
  const log = (call, level, text, fields) => {
    if (logsLeft <= 0) {
      logsDropped += 1;
      return;
    }
    logsLeft -= 1;
    let line = '';
    let extra = '';
    try {
      line = cut(StringOf(text), 0, bounds.logLineBytes);
      const json = typeof fields === 'object' && fields !== null ? stringify(fields) : undefined;
      if (json !== undefined && json[0] === '{') extra = fits(json, bounds.logLineBytes) ? `,"fields":${json}` : ',"fields":{"omitted":"the fields were too large"}';
    } catch {
      line = 'a log line that could not be written';
    }
    const dropped = logsDropped === 0 ? '' : `,"dropped":${logsDropped}`;
    logsDropped = 0;
    post(`{"t":"log","call":${call.id},"level":"${level}","text":${stringify(line)}${extra}${dropped}}`);
  };

  /**
   * What handlers get as `ctx`: frozen, without prototype in the plugin's reach, clients made when first touched (making them all costs more than a trivial call).
   * Every member may be taken off and passed around; none needs its `this`.
   */
  class Ctx {
    #call;
    /** @type {object | undefined} */ #log;
    /** @type {Function | undefined} */ #sleep;
    /** @type {object | undefined} */ #http;
    /** @type {object | undefined} */ #kv;
    /** @type {object | undefined} */ #message;
    /** @type {object | undefined} */ #tool;
    /** @type {object | undefined} */ #reply;

    /** @param {Call} call */
    constructor(call) {
      this.#call = call;
      this.instance = instance;
      this.config = config;
      this.callId = call.callId;
      this.attemptKey = call.attemptKey;
      this.now = call.now;
      freeze(this);
    }

    get log() {
      const call = this.#call;
      /** @param {string} level */
      const at = (level) => /** @type {(text: unknown, fields?: unknown) => void} */ ((text, fields) => log(call, level, text, fields));
      return (this.#log ??= freeze({ __proto__: null, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }));
    }

    get sleep() {
      const call = this.#call;
      return (this.#sleep ??= /** @param {unknown} ms */ (ms) => request(call, 'sleep', { __proto__: null, ms }));
    }

    get http() {
      const call = this.#call;
      return (this.#http ??= freeze({ __proto__: null, fetch: /** @param {unknown} url @param {unknown} [init] */ (url, init) => request(call, 'http.fetch', { __proto__: null, url, init }) }));
    }

    get kv() {
      const call = this.#call;
      return (this.#kv ??= freeze({
        __proto__: null,
        get: /** @param {unknown} key */ (key) => request(call, 'kv.get', { __proto__: null, key }),
        set: /** @param {unknown} key @param {unknown} value */ (key, value) => request(call, 'kv.set', { __proto__: null, key, value }),
        delete: /** @param {unknown} key */ (key) => request(call, 'kv.delete', { __proto__: null, key }),
        list: /** @param {Arguments} [options] */ (options) => request(call, 'kv.list', { __proto__: null, prefix: options?.prefix, after: options?.after, limit: options?.limit }),
      }));
    }

    get message() {
      const call = this.#call;
      return (this.#message ??= freeze({
        __proto__: null,
        send: /** @param {Arguments} message */ (message) => request(call, 'message.send', { __proto__: null, ...message }),
        list: /** @param {unknown} conversation @param {Arguments} [options] */ (conversation, options) => request(call, 'message.list', { __proto__: null, conversation, after: options?.after, limit: options?.limit }),
      }));
    }

    get tool() {
      const call = this.#call;
      return (this.#tool ??= freeze({ __proto__: null, call: /** @param {unknown} tool @param {unknown} given */ (tool, given) => request(call, 'tool.call', { __proto__: null, tool, arguments: given }) }));
    }

    get reply() {
      const call = this.#call;
      return (this.#reply ??= freeze({ __proto__: null, delta: /** @param {unknown} text */ (text) => request(call, 'reply.delta', { __proto__: null, text }) }));
    }
  }
  // Without this, `new ctx.constructor(…)` would make a ctx for any object that looks like a call.
  deleteProperty(Ctx.prototype, 'constructor');
  setPrototypeOf(Ctx.prototype, null);
  freeze(Ctx.prototype);

  // --- Calls -----------------------------------------------------------------------------------------------------------------------------------

  /** @typedef {(input: unknown, ctx: Ctx) => unknown} Handler */
  /** @type {Table<string, Handler>} */
  const handlers = new Table();

  /** @param {CallFrame} frame */
  const begin = (frame) => {
    const call = new Call(frame);
    calls.set(call.id, call);
    current = call;
    void run(call, /** @type {Handler} */ (handlers.get(frame.handler)), frame.input);
  };

  /** @param {Call} call @param {Handler} handler @param {unknown} input */
  const run = async (call, handler, input) => {
    let json;
    try {
      // `await` of a native promise looks up no `then` that the plugin could have replaced.
      json = stringify(await handler(input, new Ctx(call))) ?? 'null';
    } catch (error) {
      logFailure(call, error);
      finish(call, failure(error));
      return;
    }
    finish(call, fits(json, bounds.resultBytes) ? `"ok":true,"value":${json}` : TOO_LARGE);
  };

  const TOO_LARGE = `"ok":false,"error":{"name":"RangeError","message":"The result has more than ${bounds.resultBytes} bytes.","code":"RESULT_TOO_LARGE"}`;

  /** @param {Call} call @param {string} outcome */
  const finish = (call, outcome) => {
    if (call.over) return;
    close(call);
    post(`{"t":"result","call":${call.id},${outcome}}`);
  };

  /** @param {Call} call */
  const close = (call) => {
    call.over = true;
    calls.delete(call.id);
    if (call.waiting !== undefined) waitingInProcess -= call.waiting.size;
  };

  /** The host gave the call up: what waits inside it unwinds, what it still does reaches nobody. @param {number} id */
  const cancel = (id) => {
    const call = calls.get(id);
    if (call === undefined) return;
    current = call;
    close(call);
    call.waiting?.forEach(({ reject }) => reject(refusal('CALL_OVER', 'The call was cancelled.')));
  };

  /** @param {SettleFrame} frame */
  const settle = (frame) => {
    const call = calls.get(frame.call);
    const waiting = call?.waiting?.get(frame.request);
    if (call === undefined || waiting === undefined) return;
    current = call;
    call.waiting?.delete(frame.request);
    waitingInProcess -= 1;
    if (frame.ok) waiting.resolve(frame.value);
    else waiting.reject(refusal(frame.error.code, frame.error.message));
  };

  /** One frame of the host, as JSON text whose own properties are all there. @param {string} text */
  const receive = (text) => {
    postsLeft = bounds.postsPerSlice;
    logsLeft = bounds.logLinesPerSlice;
    /** @type {Frame} */
    const frame = parse(text);
    if (frame.t === 'call') begin(frame);
    else if (frame.t === 'settle') settle(frame);
    else cancel(frame.call);
  };

  // --- Errors that plugin code throws ------------------------------------------------------------------------------------------------------------

  /** Reads a data property without running accessors; a Proxy's traps still run, inside the slice's time. @param {unknown} thrown @param {string} name @returns {unknown} */
  const dataOf = (thrown, name) => {
    let holder = thrown;
    for (let depth = 0; depth < 4 && typeof holder === 'object' && holder !== null; depth += 1) {
      const found = getOwnPropertyDescriptor(holder, name);
      if (found) return found.value;
      holder = getPrototypeOf(holder);
    }
    return undefined;
  };

  /** @param {unknown} thrown @param {string} name */
  const textOf = (thrown, name) => {
    const value = dataOf(thrown, name);
    return typeof value === 'string' ? value : undefined;
  };

  /** @param {unknown} thrown anything at all */
  const describe = (thrown) => {
    let name = 'Error';
    let message = typeof thrown === 'string' ? thrown : 'something that is not an Error was thrown';
    let code;
    let retry;
    try {
      name = textOf(thrown, 'name') ?? name;
      message = textOf(thrown, 'message') ?? message;
      code = textOf(thrown, 'code');
      retry = dataOf(thrown, 'retry') === false ? false : undefined;
    } catch {
      message = 'an error that cannot be read was thrown';
    }
    return { __proto__: null, name: cut(name, 0, 100), message: cut(message, 0, 500), code: code === undefined ? undefined : cut(code, 0, 100), retry };
  };

  /** @param {unknown} thrown */
  const failure = (thrown) => `"ok":false,"error":${stringify(describe(thrown))}`;

  const readStack = getOwnPropertyDescriptor(new OwnError(), 'stack')?.get;

  /** The stack is for the author, so it goes to the log; it names places in plugin.js only. @param {Call} call @param {unknown} thrown */
  const logFailure = (call, thrown) => {
    try {
      const own = typeof thrown === 'object' && thrown !== null ? getOwnPropertyDescriptor(thrown, 'stack') : undefined;
      const stack = own && own.get === readStack && readStack !== undefined ? apply(readStack, thrown, []) : own?.value;
      if (typeof stack === 'string') log(call, 'error', stack, undefined);
    } catch {
      // A Proxy that refuses to be read has nothing to tell its author.
    }
  };

  /** Whether a text has at most so many bytes as UTF-8; counts only when the length leaves it open. @param {string} text @param {number} maxBytes */
  const fits = (text, maxBytes) => {
    if (text.length * 3 <= maxBytes) return true;
    if (text.length > maxBytes) return false;
    let bytes = 0;
    for (let index = 0; index < text.length; index += 1) {
      const code = codeAt(text, index);
      if (code < 0x80) bytes += 1;
      else if (code < 0x800) bytes += 2;
      else if (code < 0xd800 || code > 0xdbff) bytes += 3;
      else {
        // A pair takes four bytes. A half alone, which JSON.rawJSON lets through, is written as U+FFFD, which takes three.
        const next = codeAt(text, index + 1);
        const isPair = next >= 0xdc00 && next <= 0xdfff;
        bytes += isPair ? 4 : 3;
        if (isPair) index += 1;
      }
    }
    return bytes <= maxBytes;
  };

  // --- Loading -----------------------------------------------------------------------------------------------------------------------------------

  let mayRegister = false;

  /** @param {unknown} definition */
  const register = (definition) => {
    if (!mayRegister) throw new OwnTypeError('gatehouse.register() works once, while the script is loaded');
    if (typeof definition !== 'object' || definition === null) throw new OwnTypeError('gatehouse.register() takes { kind, handlers }');
    const { kind: claimed, handlers: given } = /** @type {{ kind: unknown, handlers: Record<string, unknown> }} */ (definition);
    if (claimed !== kind) throw new OwnTypeError(`the manifest says kind '${kind}', the script registers '${cut(StringOf(claimed), 0, 40)}'`);
    if (typeof given !== 'object' || given === null) throw new OwnTypeError('handlers is not an object');
    /** @type {Table<string, Handler>} */
    const found = new Table();
    for (const name of ownKeys(given)) {
      if (typeof name !== 'string' || name.length > 40) throw new OwnTypeError('a handler has a name of more than 40 characters');
      const handler = given[name];
      if (typeof handler !== 'function') throw new OwnTypeError(`the handler '${name}' is not a function`);
      found.set(name, /** @type {Handler} */ (handler));
    }
    if (found.size === 0 || found.size > 32) throw new OwnTypeError('there must be 1 to 32 handlers');
    mayRegister = false;
    found.forEach((handler, name) => handlers.set(name, handler));
  };

  /** Evaluates the plugin's script as it is, nothing wrapped around it. Returns JSON: `{"handlers":[…]}` or `{"reason":"…"}`. @param {string} source */
  const load = (source) => {
    mayRegister = true;
    try {
      evaluate(`${source}\n//# sourceURL=plugin.js`);
    } catch (error) {
      const { name, message } = describe(error);
      return stringify({ __proto__: null, reason: cut(`${name}: ${message}`, 0, 500) });
    } finally {
      mayRegister = false;
    }
    if (handlers.size === 0) return '{"reason":"the script did not call gatehouse.register()"}';
    let names = '';
    handlers.forEach((_, name) => (names += `${names === '' ? '' : ','}${stringify(name)}`));
    return `{"handlers":[${names}]}`;
  };

  // --- The world of the plugin -------------------------------------------------------------------------------------------------------------------

  /** @param {object} target @param {PropertyKey} name @param {unknown} value */
  const pin = (target, name, value) => defineProperty(target, name, property({ value, writable: false, enumerable: false, configurable: false }));

  // Standard ECMAScript and Intl; everything else goes, whatever a later V8 adds. Shared memory, weak references and WebAssembly would be clocks, code that
  // runs outside every slice, and memory nobody counts.
  const ALLOWED = new Set(
    ('globalThis Infinity NaN undefined isFinite isNaN parseFloat parseInt decodeURI decodeURIComponent encodeURI encodeURIComponent ' +
      'Object Function Boolean Symbol Number BigInt Math Date String RegExp Array Map Set WeakMap WeakSet Promise Proxy Reflect JSON Iterator Intl ' +
      'Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray ' +
      'Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float16Array Float32Array Float64Array').split(' '),
  );
  for (const name of ownKeys(global)) if (typeof name !== 'string' || !ALLOWED.has(name)) deleteProperty(global, name);

  // No code from strings: the source that was signed is the source that runs. V8's own switch has no effect in an isolate of isolated-vm.
  for (const sample of [function () {}, function* () {}, async () => {}, async function* () {}]) {
    const prototype = /** @type {object} */ (getPrototypeOf(sample));
    const Refusing = function () {
      throw new OwnTypeError('code generation from strings is disabled');
    };
    Refusing.prototype = prototype;
    pin(prototype, 'constructor', Refusing);
  }
  pin(global, 'Function', Function.prototype.constructor);

  // No resizable buffers: V8 does not count them against the memory limit.
  const { isView } = OwnArrayBuffer;
  const FixedArrayBuffer = /** @this {unknown} @param {unknown} length */ function ArrayBuffer(length) {
    if (new.target === undefined) throw new OwnTypeError("Constructor ArrayBuffer requires 'new'");
    return construct(OwnArrayBuffer, [length], new.target);
  };
  FixedArrayBuffer.prototype = OwnArrayBuffer.prototype;
  pin(FixedArrayBuffer, 'isView', isView);
  pin(OwnArrayBuffer.prototype, 'constructor', FixedArrayBuffer);
  pin(global, 'ArrayBuffer', FixedArrayBuffer);
  for (const name of ['resize', 'transfer', 'transferToFixedLength']) deleteProperty(OwnArrayBuffer.prototype, name);

  // The same call sees the same time and the same numbers, also when it is tried again; and no clock finer than the host's messages.
  const FixedDate = /** @this {unknown} @param {unknown[]} given */ function Date(...given) {
    if (new.target === undefined) return apply(dateToString, new OwnDate(current.now), []);
    return construct(OwnDate, given.length === 0 ? [current.now] : given, new.target);
  };
  const dateToString = OwnDate.prototype.toString;
  FixedDate.prototype = OwnDate.prototype;
  pin(FixedDate, 'UTC', OwnDate.UTC);
  pin(FixedDate, 'parse', OwnDate.parse);
  pin(FixedDate, 'now', () => current.now);
  pin(FixedDate, 'length', 7);
  pin(OwnDate.prototype, 'constructor', FixedDate);
  pin(global, 'Date', FixedDate);

  const format = getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format')?.get;
  const { formatToParts } = Intl.DateTimeFormat.prototype;
  if (format) {
    const fixedFormat = /** @this {Intl.DateTimeFormat} */ function () {
      const bound = apply(format, this, []);
      return /** @param {Date | number} [date] */ (date) => bound(date === undefined ? current.now : date);
    };
    defineProperty(Intl.DateTimeFormat.prototype, 'format', property({ get: fixedFormat, enumerable: false, configurable: true }));
  }
  const fixedFormatToParts = /** @this {Intl.DateTimeFormat} @param {Date | number} [date] */ function (date) {
    return apply(formatToParts, this, [date === undefined ? current.now : date]);
  };
  defineProperty(Intl.DateTimeFormat.prototype, 'formatToParts', property({ value: fixedFormatToParts, writable: true, enumerable: false, configurable: true }));

  /** FNV-1a. @param {string} text */
  const hash = (text) => {
    let state = 0x811c9dc5;
    for (let index = 0; index < text.length; index += 1) state = imul(state ^ codeAt(text, index), 0x01000193);
    return state;
  };
  // mulberry32, seeded per call by its attempt key: not for secrets, and it says so in the documentation.
  pin(Math, 'random', () => {
    const state = ((current.random ?? (seed ^ hash(current.attemptKey))) + 0x6d2b79f5) | 0;
    current.random = state;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  });

  /** @param {unknown} value @returns {unknown} */
  const deepFreeze = (value) => {
    if (typeof value !== 'object' || value === null) return value;
    for (const name of ownKeys(value)) deepFreeze(/** @type {Record<PropertyKey, unknown>} */ (value)[name]);
    return freeze(value);
  };
  const config = deepFreeze(settings.config);

  pin(global, 'gatehouse', freeze({ __proto__: null, register }));
  return { load, receive };
}

module.exports = { bootstrap };
