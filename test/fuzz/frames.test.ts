// Frames between host and sandbox, whatever the other side writes: cut anywhere, broken anywhere, and by a child that somebody else has taken over.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameDecoder, FrameProblem, FrameWriter } from '../../host/sandbox/frames.ts';
import { isChildFrame, isShallow, readChildFrame } from '../../host/sandbox/child-frames.ts';
import { compileSchema } from '../../host/schema.ts';
import { ChildFrame } from '../../schemas/sandbox-protocol.ts';
import { openFake, startFake } from '../support/fake-child.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { aCall, aPool, openSandbox, toolSource } from '../support/sandboxes.ts';
import { cuts, damaged, inPieces } from './arbitraries/bytes.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { jsonBytes, jsonValue, type Json } from './arbitraries/json.ts';

const door = fuzzDoor('frames');
const MOST = 4096;

const framed = (bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  return Buffer.concat([head, bytes]);
};

/** What a decoder makes of the pieces: the texts, and the problem that ended it. */
function decoded(pieces: readonly Buffer[]): { readonly texts: readonly string[]; readonly problem: string | undefined } {
  const texts: string[] = [];
  const decoder = new FrameDecoder((text) => texts.push(text), MOST);
  try {
    for (const piece of pieces) decoder.push(piece);
    return { texts, problem: undefined };
  } catch (thrown) {
    if (!(thrown instanceof FrameProblem)) throw thrown;
    return { texts, problem: thrown.message };
  }
}

/** The same, told from the whole at once. */
function expected(stream: Buffer): ReturnType<typeof decoded> {
  const texts: string[] = [];
  for (let at = 0; at + 4 <= stream.length; ) {
    const length = stream.readUInt32LE(at);
    if (length > MOST) return { texts, problem: `a frame of ${length} bytes; the limit is ${MOST}` };
    if (at + 4 + length > stream.length) break;
    texts.push(stream.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { texts, problem: undefined };
}

const post = fitting(ChildFrame.anyOf[4], { value: jsonValue(), args: jsonValue() });
const childFrames = fc.oneof(fitting(ChildFrame, { value: jsonValue(), args: jsonValue() }), post);

describe('frames, whatever the other side writes', () => {
  it('come out the same however the stream is cut, up to the first that is too long', () => {
    const streams = fc.oneof(fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(Buffer.alloc(0), Buffer.alloc(MOST, 'x'), Buffer.alloc(MOST + 1, 'x'), Buffer.from('é'))).map(framed), { maxLength: 8 }).map((frames) => Buffer.concat(frames)), fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)));
    return door.holds({ runs: 4000, given: fc.tuple(damaged(streams, { most: 2 }), cuts()) }, ([stream, places]) => {
      expect(decoded(inPieces(stream, places))).toEqual(expected(stream));
    });
  });

  it('are believed only when the published schema has them', () => {
    const schema = compileSchema(ChildFrame);
    return door.holds({ runs: 3000, given: fc.oneof({ weight: 6, arbitrary: edited(childFrames) }, { weight: 1, arbitrary: jsonBytes() }) }, (bytes) => {
      let frame: unknown;
      let problem = '';
      try {
        frame = readChildFrame(bytes.toString());
      } catch (thrown) {
        problem = thrown instanceof FrameProblem ? thrown.message : `not a frame problem: ${String(thrown)}`;
      }
      expect(problem).toMatch(/^(a frame that (is not JSON|the protocol does not know))?$/);
      expect(problem !== '' || schema.is(frame)).toBe(true);
    });
  });

  it('that fit the schema are understood', () => door.holds({ runs: 1500, given: childFrames }, (frame) => {
    expect(isChildFrame(JSON.parse(JSON.stringify(frame)))).toBe(true);
  }));

  it('are judged shallow or not without running out of stack', () => {
    const deep = JSON.parse(`${'[{"a":'.repeat(200_000)}1${'}]'.repeat(200_000)}`) as unknown;
    expect(isShallow(deep)).toBe(false);
    expect(isChildFrame({ t: 'slice', cpuUs: 1, posts: [{ t: 'result', call: 1, ok: true, value: deep }] })).toBe(true);
    door.tried(2);
  });

  it('keep no more than one of them: a header alone takes what it announces, and nothing larger is begun', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 200 }, () => new FrameDecoder(() => undefined, MOST));
    for (const decoder of decoders) decoder.push(Buffer.from([0x00, 0x10, 0x00, 0x00, 1]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * MOST * 4);
    for (const decoder of decoders) expect(() => decoder.push(Buffer.concat([Buffer.alloc(MOST), Buffer.from([0xff, 0xff, 0xff, 0xff])]))).toThrow(FrameProblem);
  });

  it('arrive as they were written', () => door.holds({ runs: 300, given: fc.tuple(fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 10 }), cuts()) }, async ([texts, places]) => {
    const batches: Buffer[] = [];
    const writer = new FrameWriter((bytes) => batches.push(bytes));
    for (const text of texts) writer.write(text);
    await new Promise((resolve) => setImmediate(resolve));
    expect(decoded(inPieces(Buffer.concat(batches), places)).texts).toEqual(texts);
  }));
});

describe('a sandbox that somebody else has taken over', () => {
  /** What it writes instead of an answer: frames of the protocol with edits, damage or nonsense. */
  const stream: fc.Arbitrary<Buffer> = damaged(fc.array(fc.oneof({ weight: 3, arbitrary: edited(childFrames) }, { weight: 2, arbitrary: edited(fc.record({ t: fc.constant('slice'), cpuUs: fc.nat(1000), posts: fc.array(fc.oneof(fc.record({ t: fc.constant('result'), call: fc.constant(1), ok: fc.constant(true), value: jsonValue() }), fc.record({ t: fc.constant('request'), call: fc.constant(1), request: fc.nat(5), op: fc.constantFrom('kv.get', '__proto__', 'constructor', 'toString', ''), args: jsonValue() }), fc.record({ t: fc.constant('log'), call: fc.constant(1), level: fc.constantFrom('info', 'error'), text: fc.string({ unit: 'binary' }), fields: fc.dictionary(fc.string({ maxLength: 3 }), jsonValue(), { noNullPrototype: true }) })), { maxLength: 3 }) }).map((value): Json => value)) }, { weight: 1, arbitrary: jsonBytes() }).map(framed), { minLength: 1, maxLength: 4 }).map((frames) => Buffer.concat(frames)), { most: 2 });

  it('ends with a reason or answers, and every call gets an answer', async () => {
    await door.holds({ runs: 24, given: stream }, async (bytes) => {
      const script = `next(); raw(Buffer.from('${bytes.toString('base64')}', 'base64')); setTimeout(() => process.exit(0), 400);`;
      await using fake = await openFake(script, { limits: { wallMsPerCall: 2000 } });
      const results = await Promise.all([fake.sandbox.call(aCall('one')), fake.sandbox.call(aCall('two'))]);
      for (const result of results) expect(typeof result.ok).toBe('boolean');
      await fake.sandbox.stop(0);
      expect(['frames', 'stopped', 'memory', 'abort', 'cpu', 'wall', 'signal', 'exit', 'load']).toContain((await fake.sandbox.exited).cause);
    });
  });

  it('cannot keep the host from noticing before it has loaded', async () => {
    await door.holds({ runs: 12, given: damaged(fc.oneof(fc.constant(framed(Buffer.from('{"t":"ready"}'))), jsonBytes().map(framed)), { least: 1, most: 2 }) }, async (bytes) => {
      const started = startFake(`raw(Buffer.from('${bytes.toString('base64')}', 'base64')); setTimeout(() => process.exit(0), 200);`);
      const outcome = await started.then((process) => (process.kill(), process.release(), 'ready'), (problem: unknown) => problem);
      expect(outcome === 'ready' || outcome instanceof Error).toBe(true);
    });
  });
});

describe('values that cross the border', () => {
  it('come back from the isolate as they went in', async () => {
    await using pool = aPool();
    await using open = await openSandbox(pool, { source: toolSource('return { back: input }'), limits: { cpuMsPerCall: 5000 } });
    await door.holds({ runs: 400, given: jsonValue('medium') }, async (value) => {
      const result = await open.sandbox.call(aCall(value));
      expect(result).toMatchObject({ ok: true });
      expect(JSON.stringify(result.ok && (result.value as { back: unknown }).back)).toBe(JSON.stringify(value));
    });
  });
});
