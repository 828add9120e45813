// Length-prefixed frames on a byte stream: what confined-process.ts reads from and writes to fd 3 of a sandbox.
import { BOUNDS } from '../../schemas/bounds.ts';

const HEADER_BYTES = 4;
const BATCH_BYTES = 64 * 1024;

/** The child broke the protocol; its process is ended. */
export class FrameProblem extends Error {}

/**
 * Cuts a byte stream into frame texts. The length is judged from the header, before a byte of the body is kept; each byte is copied at most once.
 * `push` throws FrameProblem when a frame announces more than `maxBytes`; nothing may be pushed after that.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  readonly #onFrame: (text: string) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;

  constructor(onFrame: (text: string) => void, maxBytes: number = BOUNDS.frameFromChildBytes) {
    this.#onFrame = onFrame;
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) offset = this.#body ? this.#fillBody(this.#body, chunk, offset) : this.#startFrame(chunk, offset);
  }

  #startFrame(chunk: Buffer, from: number): number {
    let offset = from;
    let length: number;
    if (this.#headerFilled === 0 && chunk.length - offset >= HEADER_BYTES) {
      length = chunk.readUInt32LE(offset);
      offset += HEADER_BYTES;
    } else {
      const taken = Math.min(HEADER_BYTES - this.#headerFilled, chunk.length - offset);
      chunk.copy(this.#header, this.#headerFilled, offset, offset + taken);
      this.#headerFilled += taken;
      offset += taken;
      if (this.#headerFilled < HEADER_BYTES) return offset;
      length = this.#header.readUInt32LE(0);
      this.#headerFilled = 0;
    }
    if (length > this.#maxBytes) throw new FrameProblem(`a frame of ${length} bytes; the limit is ${this.#maxBytes}`);
    if (chunk.length - offset >= length) {
      this.#onFrame(chunk.toString('utf8', offset, offset + length));
      return offset + length;
    }
    this.#body = Buffer.allocUnsafe(length);
    this.#bodyFilled = chunk.copy(this.#body, 0, offset);
    return chunk.length;
  }

  #fillBody(body: Buffer, chunk: Buffer, offset: number): number {
    const taken = chunk.copy(body, this.#bodyFilled, offset, offset + body.length - this.#bodyFilled);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === body.length) {
      this.#body = undefined;
      this.#onFrame(body.toString('utf8'));
    }
    return offset + taken;
  }
}

/** Gathers frames for one event-loop turn and hands them to `sink` as one buffer. */
export class FrameWriter {
  readonly #sink: (bytes: Buffer) => void;
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #used = 0;
  #scheduled = false;

  constructor(sink: (bytes: Buffer) => void) {
    this.#sink = sink;
  }

  /** Queues one JSON text. False, with nothing queued, when it has more bytes than a frame may. */
  write(text: string): boolean {
    const end = this.#used + HEADER_BYTES;
    const most = end + text.length * 3;
    if (most > this.#batch.length) this.#grow(most);
    const length = this.#batch.write(text, end);
    if (length > BOUNDS.frameToChildBytes) return false;
    this.#batch.writeUInt32LE(length, this.#used);
    this.#used = end + length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flush);
    }
    return true;
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    // The socket may keep what it is given, so it is given a copy, and the batch is used again.
    this.#sink(Buffer.from(this.#batch.subarray(0, this.#used)));
    this.#used = 0;
    if (this.#batch.length > 16 * BATCH_BYTES) this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  };

  #grow(leastBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(leastBytes, this.#batch.length * 2));
    this.#batch.copy(larger, 0, 0, this.#used);
    this.#batch = larger;
  }
}
