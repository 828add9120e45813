// WebSocket frames as a client sends them, and as none should: masks, lengths, fragments, control frames, text that is none.
import * as fc from 'fast-check';
import { OPCODE, closeFrame, wsFrame } from '../../support/raw-websocket.ts';
import { damaged } from './bytes.ts';
import { edited } from './documents.ts';
import { jsonBytes, type Json } from './json.ts';

/** What the web chat takes, and what it must refuse. */
export const chatMessages: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 5, arbitrary: edited(fc.record<Record<string, Json>>({ type: fc.constantFrom('message', 'message', 'ack', 'Message'), id: fc.oneof(fc.uuid(), fc.constantFrom('', 'x'.repeat(256), 'x'.repeat(257), '\u0000', '\ud83d')), text: fc.oneof(fc.constant('echo hi'), fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('', ' ', 'x'.repeat(70_000))) }, { noNullPrototype: true }).map((value): Json => value)) },
  { weight: 1, arbitrary: jsonBytes() },
);

const payload = fc.oneof(
  { weight: 4, arbitrary: chatMessages },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 130 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.alloc(125, 'a'), Buffer.alloc(126, 'a'), Buffer.alloc(65_535, 'b'), Buffer.alloc(65_536, 'b'), Buffer.alloc(131_072, 'c'), Buffer.alloc(131_073, 'c'), Buffer.alloc(1_048_577, 'd'), Buffer.from('Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!'), Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'), Buffer.from('f4908080', 'hex'), Buffer.from('cebae1bdb9cf83cebcceb5', 'hex')) },
);

const anyFrame: fc.Arbitrary<Buffer> = fc
  .record({
    opcode: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 1, 1, 2, 8, 9, 9, 10) }, { weight: 1, arbitrary: fc.nat(15) }),
    payload,
    fin: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    rsv: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, 2, 4, 7) }),
    masked: fc.oneof({ weight: 12, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    width: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(16 as const, 64 as const) }),
    length: fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(0, 1, 125, 126, 70_000, 2_000_000, 2 ** 40, 2n ** 63n, 2n ** 64n - 1n) }),
  })
  .map(({ width, length, ...parts }) => wsFrame({ ...parts, ...(width === undefined ? {} : { width }), ...(length === undefined ? {} : { length }) }));

/** A message cut into fragments, with control frames between them where they may be and where they may not. */
const fragmented: fc.Arbitrary<Buffer> = fc.tuple(payload, fc.integer({ min: 1, max: 5 }), fc.constantFrom(OPCODE.text, OPCODE.binary), fc.constantFrom<readonly Buffer[]>([], [wsFrame({ opcode: OPCODE.ping, payload: Buffer.from('between') })], [wsFrame({ opcode: OPCODE.text, payload: Buffer.from('{}') })]), fc.boolean()).map(([bytes, pieces, opcode, between, ends]) => {
  const size = Math.ceil(bytes.length / pieces);
  const frames = Array.from({ length: pieces }, (_, index) => wsFrame({ opcode: index === 0 ? opcode : OPCODE.continuation, payload: bytes.subarray(index * size, (index + 1) * size), fin: ends && index === pieces - 1 }));
  return Buffer.concat(frames.flatMap((frame, index) => (index === 0 ? [frame, ...between] : [frame])));
});

const closes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535).map((code) => closeFrame(code)),
  fc.tuple(fc.constantFrom(1000, 4000), fc.uint8Array({ maxLength: 123 })).map(([code, reason]) => closeFrame(code, reason)),
  fc.constantFrom(wsFrame({ opcode: OPCODE.close, payload: Buffer.alloc(0) }), wsFrame({ opcode: OPCODE.close, payload: Buffer.from([3]) }), wsFrame({ opcode: OPCODE.close, payload: Buffer.alloc(125) })),
);

/** What one client sends after its handshake. */
export const webSocketBytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 5, arbitrary: fc.array(fc.oneof({ weight: 5, arbitrary: chatMessages.map((text) => wsFrame({ opcode: OPCODE.text, payload: text })) }, { weight: 4, arbitrary: anyFrame }, { weight: 2, arbitrary: fragmented }, { weight: 1, arbitrary: closes }), { minLength: 1, maxLength: 6 }).map((frames) => Buffer.concat(frames)) },
  { weight: 1, arbitrary: damaged(fc.array(anyFrame, { minLength: 1, maxLength: 3 }).map((frames) => Buffer.concat(frames)), { least: 1, most: 3 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
);
