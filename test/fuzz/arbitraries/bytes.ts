// Bytes that went wrong on the way: flipped, cut, doubled, mixed with what parsers stumble over.
import * as fc from 'fast-check';

/** One change; `at` is a share of the length, so that it shrinks towards the beginning and fits any input. */
type Change =
  | { readonly kind: 'flip'; readonly at: number; readonly mask: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'overwrite'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'cut'; readonly at: number };

const at = fc.nat(0xffff);
const few = fc.uint8Array({ minLength: 1, maxLength: 8 });

const change = (dictionary: readonly string[]): fc.Arbitrary<Change> => {
  const piece = dictionary.length === 0 ? few : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...dictionary).map((text) => Buffer.from(text, 'latin1')) }, { weight: 1, arbitrary: few });
  return fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at, mask: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constant('insert' as const), at, bytes: piece }),
    fc.record({ kind: fc.constant('overwrite' as const), at, bytes: piece }),
    fc.record({ kind: fc.constant('remove' as const), at, length: fc.integer({ min: 1, max: 16 }) }),
    fc.record({ kind: fc.constant('repeat' as const), at, length: fc.integer({ min: 1, max: 64 }) }),
    fc.record({ kind: fc.constant('cut' as const), at }),
  );
};

/** The input with up to `most` changes; `dictionary` holds bytes worth inserting, as latin1. */
export function damaged(input: fc.Arbitrary<Uint8Array>, { least = 0, most = 3, dictionary = [] }: { readonly least?: number; readonly most?: number; readonly dictionary?: readonly string[] } = {}): fc.Arbitrary<Buffer> {
  return fc.tuple(input, fc.array(change(dictionary), { minLength: least, maxLength: most })).map(([bytes, changes]) => changes.reduce(applied, Buffer.from(bytes)));
}

/** The same for text; what is no UTF-8 afterwards is replaced as a decoder would. */
export function damagedText(input: fc.Arbitrary<string>, options: Parameters<typeof damaged>[1] = {}): fc.Arbitrary<string> {
  return damaged(input.map((text) => Buffer.from(text)), options).map((bytes) => bytes.toString('utf8'));
}

/** The input in pieces, cut wherever. */
export function inPieces(bytes: Uint8Array, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => Buffer.from(bytes.subarray(places[index], end)));
}

export const cuts = (most = 12): fc.Arbitrary<number[]> => fc.array(fc.nat(1_000_000), { maxLength: most });

function applied(bytes: Buffer, step: Change): Buffer {
  const place = Math.floor((step.at / 0x10000) * (bytes.length + 1));
  const before = bytes.subarray(0, place);
  const after = bytes.subarray(place);
  switch (step.kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes);
      if (place < flipped.length) flipped[place] = (flipped[place] ?? 0) ^ step.mask;
      return flipped;
    }
    case 'insert':
      return Buffer.concat([before, step.bytes, after]);
    case 'overwrite':
      return Buffer.concat([before, step.bytes, after.subarray(step.bytes.length)]);
    case 'remove':
      return Buffer.concat([before, after.subarray(step.length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, step.length), after]);
    case 'cut':
      return before;
    default:
      return step satisfies never;
  }
}
