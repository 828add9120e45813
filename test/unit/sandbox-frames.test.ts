// The frame protocol: bytes to texts, texts to frames, and what becomes of a child that does not keep to it.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { ChildFrame, HostFrame } from '../../schemas/sandbox-protocol.ts';
import { compileSchema } from '../../host/schema.ts';
import { isChildFrame, isShallow, readChildFrame } from '../../host/sandbox/child-frames.ts';
import { FrameDecoder, FrameProblem, FrameWriter } from '../../host/sandbox/frames.ts';
import { cpuRatio } from '../support/cpu-ratio.ts';
import { openFake, startFake } from '../support/fake-child.ts';
import { aCall, aPool, openSandbox, toolSource } from '../support/sandboxes.ts';

function framed(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

function decode(chunks: readonly Buffer[], maxBytes?: number): string[] {
  const texts: string[] = [];
  const decoder = new FrameDecoder((text) => texts.push(text), maxBytes);
  for (const chunk of chunks) decoder.push(chunk);
  return texts;
}

describe('the decoder', () => {
  const texts = ['', 'a', '{"t":"ready"}', 'ünïcödé ✓ 𝄞', 'x'.repeat(5000), 'y'.repeat(70_000)];
  const stream = Buffer.concat(texts.map(framed));

  it.each([1, 2, 3, 4, 5, 7, 100, 4096, 65_536, 1_000_000])('finds the same frames in chunks of %i bytes', (size) => {
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) => stream.subarray(index * size, (index + 1) * size));
    expect(decode(chunks)).toEqual(texts);
  });

  it('refuses a frame by its header, before any of its body came', () => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(BOUNDS.frameFromChildBytes + 1);
    expect(() => decode([head])).toThrow(FrameProblem);
    expect(() => decode([head.subarray(0, 3), head.subarray(3)])).toThrow(FrameProblem);
    expect(decode([framed('x'.repeat(BOUNDS.frameFromChildBytes))])[0]).toHaveLength(BOUNDS.frameFromChildBytes);
  });

  it('costs in proportion to what it is given, also byte by byte', () => {
    const chunked = (bytes: number) => {
      const frame = framed('z'.repeat(bytes));
      const chunks = Array.from({ length: frame.length }, (_, index) => frame.subarray(index, index + 1));
      return () => void decode(chunks);
    };
    expect(cpuRatio(chunked(80_000), chunked(640_000))).toBeLessThan(32); // 8 when linear, 64 when quadratic
  });
});

describe('the writer', () => {
  it('sends all frames of one turn at once, and the next turn’s apart', async () => {
    const batches: Buffer[] = [];
    const writer = new FrameWriter((bytes) => batches.push(bytes));
    const texts = ['a', 'ünï', 'x'.repeat(100_000), ''];
    for (const text of texts) expect(writer.write(text)).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    writer.write('later');
    await new Promise((resolve) => setImmediate(resolve));
    expect(batches).toHaveLength(2);
    expect(decode(batches)).toEqual([...texts, 'later']);
  });

  it('refuses a frame that is too large and keeps the others', async () => {
    const batches: Buffer[] = [];
    const writer = new FrameWriter((bytes) => batches.push(bytes));
    writer.write('before');
    expect(writer.write('x'.repeat(BOUNDS.frameToChildBytes + 1))).toBe(false);
    writer.write('after');
    await new Promise((resolve) => setImmediate(resolve));
    expect(decode(batches, BOUNDS.frameToChildBytes)).toEqual(['before', 'after']);
  });
});

describe('the check of a child’s frames', () => {
  const schema = compileSchema(ChildFrame);
  const result = { t: 'result', call: 1, ok: true, value: { any: ['thing'] } };
  const failure = { t: 'result', call: 1, ok: false, error: { name: 'Error', message: 'm' } };
  const request = { t: 'request', call: 1, request: 2, op: 'kv.get', args: { key: 'k' } };
  const log = { t: 'log', call: 1, level: 'info', text: 't' };
  const good: object[] = [
    { t: 'ready' }, { t: 'loaded', handlers: ['a', 'b'], cpuUs: 0 }, { t: 'load-failed', reason: 'r', cpuUs: 1 }, { t: 'late', message: 'm' },
    { t: 'fatal', cause: 'memory', reason: 'r' }, { t: 'posts', posts: [] }, { t: 'slice', cpuUs: 5, posts: [result, failure, request, log] }, { t: 'timeout', cpuUs: 5, posts: [] },
    { t: 'slice', cpuUs: 5, posts: [{ ...failure, error: { name: 'E', message: 'm', code: 'C', retry: false } }, { ...log, fields: { a: 1 } }, { ...log, dropped: 3 }, { ...result, value: null }] },
  ];
  const odd: unknown[] = [undefined, null, 0, -1, 1.5, 2 ** 53, '', 'x', 'x'.repeat(10_000), true, [], {}, [result], { t: 'ready' }];

  it('says what the published schema says, for every frame with one thing changed, taken away or added', () => {
    const disagreements: string[] = [];
    const compare = (frame: unknown) => {
      const value: unknown = JSON.parse(JSON.stringify(frame) ?? 'null');
      if (isChildFrame(value) !== schema.is(value)) disagreements.push(`${JSON.stringify(value).slice(0, 200)}: hand ${isChildFrame(value)}`);
    };
    for (const frame of [...good, ...odd]) compare(frame);
    for (const frame of good) for (const variant of variantsOf(frame, odd)) compare(variant);
    expect(disagreements).toEqual([]);
  });

  it('accepts what a child really sends', () => {
    for (const frame of good) expect(readChildFrame(JSON.stringify(frame))).toEqual(frame);
  });

  it('puts nothing of a child’s text into its complaint', () => {
    for (const text of ['{"t":"secret"}', 'secret', '']) expect(() => readChildFrame(text)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret') as string }) as Error);
  });
});

it('a value is walked only as deep as it may nest', () => {
  const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
  expect(isShallow(nested(BOUNDS.valueDepth))).toBe(true);
  expect(isShallow(nested(BOUNDS.valueDepth + 1))).toBe(false);
  expect(isShallow({ a: { b: [1, 'x', null] } }, 3)).toBe(true);
  expect(isShallow({ a: { b: [1] } }, 2)).toBe(false);
  expect(isShallow(nested(100_000))).toBe(false);
});

it('every frame the host sends fits the published schema', async () => {
  // A child that checks nothing but writes down what it was given, as the result of the call named `report`.
  const script = `const seen = []; for (;;) { const f = next(); seen.push(f); if (f.t === 'call' && f.input === 'report') answer(f, seen); else if (f.t === 'call') slice({ t: 'request', call: f.call, request: f.call, op: 'kv.get', args: {} }); else slice(...(f.t === 'settle' && f.call === 2 ? [{ t: 'result', call: 2, ok: true, value: 1 }] : [])); }`;
  let asked = 0;
  await using open = await openFake(script, { serve: () => ((asked += 1) === 1 ? { ok: false, code: 'X', message: 'y'.repeat(2000) } : { ok: true, value: undefined }), limits: { wallMsPerCall: 50 } });
  const timedOut = open.sandbox.call(aCall({ a: [1] }));
  await open.sandbox.call(aCall(null));
  await timedOut;
  const report = await open.sandbox.call(aCall('report'));
  const frames = report.ok ? (report.value as { t: string }[]) : [];
  expect(new Set(frames.map(({ t }) => t))).toEqual(new Set(['call', 'settle', 'cancel']));
  const checker = compileSchema(HostFrame);
  for (const frame of frames) expect([frame, checker.explain(frame)]).toEqual([frame, undefined]);
});

describe('a child that breaks the protocol is ended with a strike', () => {
  it.each([
    ['random bytes', 'raw(require("node:crypto").randomBytes(5000));'],
    ['a header of four gigabytes', 'raw(Buffer.from([255, 255, 255, 255]));'],
    ['a header just above the limit', 'const h = Buffer.alloc(4); h.writeUInt32LE(1024 * 1024 + 1); raw(h);'],
    ['a frame that is no JSON', 'raw(frame("{"));'],
    ['an empty frame', 'raw(frame(""));'],
    ['a frame of an unknown kind', 'send({ t: "grant", all: true });'],
    ['a frame with a key too many', 'send({ t: "slice", cpuUs: 1, posts: [], instance: "other" });'],
    ['a post of an unknown kind', 'slice({ t: "eval", call: 1, code: "1" });'],
    ['another ready', 'ready();'],
    ['another loaded', 'send({ t: "loaded", handlers: ["call", "admin"], cpuUs: 1 });'],
    ['more answers than frames', 'for (let i = 0; i < 3; i++) slice();'],
    ['posts without end', 'for (let i = 0; i < 2000; i++) send({ t: "posts", posts: [] });'],
    ['rejections without end', 'for (let i = 0; i < 2000; i++) send({ t: "late", message: "x" });'],
    ['deep nesting', 'raw(frame("[".repeat(500000) + "]".repeat(500000)));'],
  ])('%s', async (_, script) => {
    await using open = await openFake(`next(); ${script} for (;;) next();`);
    const result = await open.sandbox.call(aCall());
    expect(result).toMatchObject({ ok: false });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
  });

  it('a flood of results for calls it was not given', async () => {
    await using open = await openFake(`const f = next(); slice({ t: 'result', call: f.call, ok: true, value: 1 }, ...Array.from({ length: 10 }, (_, i) => ({ t: 'result', call: 1000 + i, ok: true, value: 1 }))); for (;;) { const g = next(); slice({ t: 'result', call: f.call, ok: true, value: 'forged' }, { t: 'result', call: g.call, ok: true, value: 2 }); }`);
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: true, value: 1 }); // a few are dropped and counted
    let last = await open.sandbox.call(aCall());
    for (let index = 0; index < BOUNDS.unknownFrames && last.ok; index += 1) last = await open.sandbox.call(aCall());
    expect(await open.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
  });

  it('requests with a number used before are not served twice', async () => {
    await using open = await openFake(`const f = next(); for (let i = 0; i < 8; i++) send({ t: 'posts', posts: [{ t: 'request', call: f.call, request: 1, op: 'kv.get', args: {} }] }); answer(f); for (;;) { next(); slice(); }`, { serve: () => ({ ok: true, value: 1 }) });
    await open.sandbox.call(aCall());
    expect(open.hooks.hostCalls).toHaveLength(1);
  });

  it('half a frame and then silence ends at the wall deadline', async () => {
    await using open = await openFake(`next(); raw(Buffer.from([200, 0, 0, 0, 123])); for (;;) next();`, { limits: { wallMsPerCall: 100 } });
    expect(await open.sandbox.call(aCall())).toMatchObject({ ok: false, code: 'CALL_TIMEOUT', retry: true });
    expect(await open.sandbox.exited).toMatchObject({ cause: 'silence', strike: true });
  });

  it('a process that begins with anything but ready never becomes a sandbox', async () => {
    await expect(startFake('send({ t: "loaded", handlers: ["call"], cpuUs: 0 }); for (;;) next();')).rejects.toThrow('ready');
    await expect(startFake('raw(Buffer.alloc(4, 255)); for (;;) next();')).rejects.toThrow('bytes');
    await expect(startFake('process.exit(7)')).rejects.toThrow('exit code 7');
    await expect(startFake('throw new Error("no such thing")')).rejects.toThrow('no such thing');
  });
});

it('a real sandbox names handlers once and cannot be taught others by its plugin', async () => {
  await using pool = aPool();
  await using open = await openSandbox(pool, { source: toolSource('return 1') });
  expect(open.sandbox.handlers).toEqual(['call']);
});

/** Every object and array in a value, with one property replaced, removed or added. */
function* variantsOf(value: unknown, replacements: readonly unknown[]): Generator {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key];
    const withKey = (replacement: unknown) => (Array.isArray(value) ? value.map((each: unknown, index) => (String(index) === key ? replacement : each)) : { ...value, [key]: replacement });
    for (const replacement of replacements) yield withKey(replacement);
    for (const variant of variantsOf(child, replacements)) yield withKey(variant);
  }
  if (!Array.isArray(value)) yield { ...value, extra: 1 };
}
