// A stream of bytes as numbered lines, as they are: verify-export.ts hashes them, so nothing is decoded, trimmed or forgiven.

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line feed. */
  readonly bytes: Buffer;
  /** False for a last line that has no line feed. */
  readonly isEnded: boolean;
}

const LINE_FEED = 0x0a;

/** A line that is longer than `mostBytes` is given as far as that, and nothing after it. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<Line, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, begin)) {
      number += 1;
      yield { number, bytes: bytes.subarray(begin, Math.min(end, begin + mostBytes + 1)), isEnded: true };
      if (end - begin > mostBytes) return;
      begin = end + 1;
    }
    rest = Buffer.from(bytes.subarray(begin));
    if (rest.length > mostBytes) break;
  }
  if (rest.length > 0) yield { number: number + 1, bytes: rest.subarray(0, mostBytes + 1), isEnded: false };
}
