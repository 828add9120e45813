// Keys as bytes: an injective, order-preserving encoding of key paths. `lmdb.ts` is its only user.
//
// Each part is self-delimiting, in the manner of FoundationDB's tuple layer (https://apple.github.io/foundationdb/data-modeling.html#tuples):
//   string  0x02, UTF-8 with 0x00 written as 0x00 0xFF, then 0x00
//   number  0x21, the 64-bit float big-endian, sign bit flipped (all bits when negative)
// so no byte of a part can pass for a boundary, whatever the sender put into an id. The `ordered-binary` package that comes with lmdb-js
// does not promise that: from 64 characters on it writes NUL unescaped, and ["…\0b"] equals ["…", "b"].
import { GatehouseError } from '../errors.ts';
import type { Key } from './store.ts';

/** lmdb-js allows 1,978 bytes with 4 KiB pages; two are kept for the ends of ranges. */
export const MAX_KEY_BYTES = 1976;

const STRING = 0x02;
const NUMBER = 0x21;
const END = 0x00;
/** Follows 0x00 inside a string; greater than every tag, so that a shorter string sorts first. */
const ESCAPE = 0xff;

const scratch = Buffer.allocUnsafe(MAX_KEY_BYTES * 4);

/** Throws STORE_KEY for a key that is empty, too long, or holds a lone surrogate or NaN: two of those could meet in one encoding. */
export function encodeKey(table: string, key: Key): Buffer {
  if (key.length === 0) throw new GatehouseError('STORE_KEY', { table, problem: 'it is empty' });
  return encodePrefix(table, key);
}

/** Like `encodeKey`, but may be empty: the bytes every key under this prefix begins with. */
export function encodePrefix(table: string, key: Key): Buffer {
  let at = 0;
  for (const part of key) {
    at = typeof part === 'string' ? writeString(table, part, at) : writeNumber(table, part, at);
    if (at > MAX_KEY_BYTES) throw new GatehouseError('STORE_KEY', { table, problem: `it is longer than ${MAX_KEY_BYTES} bytes` });
  }
  return Buffer.from(scratch.subarray(0, at));
}

/** The first bytes after everything under a prefix: no part begins with 0xFF. */
export function endOfPrefix(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(ESCAPE)]);
}

/** The first bytes after this key alone: its children still follow. */
export function justAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

export function decodeKey(bytes: Buffer): Key {
  const key: (string | number)[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === NUMBER) {
      key.push(readNumber(bytes, at + 1));
      at += 9;
    } else {
      const end = endOfString(bytes, at + 1);
      key.push(readString(bytes, at + 1, end));
      at = end + 1;
    }
  }
  return key;
}

function writeString(table: string, text: string, start: number): number {
  if (text.length > MAX_KEY_BYTES) return MAX_KEY_BYTES + 1;
  if (!text.isWellFormed()) throw new GatehouseError('STORE_KEY', { table, problem: 'it holds a lone surrogate' });
  scratch[start] = STRING;
  let at = start + 1;
  if (text.includes('\0')) {
    for (const byte of Buffer.from(text)) {
      scratch[at++] = byte;
      if (byte === END) scratch[at++] = ESCAPE;
    }
  } else at += scratch.write(text, at);
  scratch[at] = END;
  return at + 1;
}

function writeNumber(table: string, value: number, start: number): number {
  if (Number.isNaN(value)) throw new GatehouseError('STORE_KEY', { table, problem: 'it holds NaN' });
  scratch[start] = NUMBER;
  scratch.writeDoubleBE(value + 0, start + 1);
  flipSign(scratch, start + 1, value >= 0);
  return start + 9;
}

function endOfString(bytes: Buffer, start: number): number {
  let end = bytes.indexOf(END, start);
  while (bytes[end + 1] === ESCAPE) end = bytes.indexOf(END, end + 2);
  if (end < 0) throw new GatehouseError('STORE_FAILED', { problem: 'a key on disk is damaged' });
  return end;
}

/** 0xFF never occurs in UTF-8, so every one of them is an escape. */
function readString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.subarray(start, end);
  return (text.includes(ESCAPE) ? Buffer.from(text.filter((byte) => byte !== ESCAPE)) : text).toString('utf8');
}

function readNumber(bytes: Buffer, start: number): number {
  const copy = Buffer.from(bytes.subarray(start, start + 8));
  flipSign(copy, 0, (copy.readUInt8(0) & 0x80) !== 0);
  return copy.readDoubleBE(0);
}

function flipSign(target: Buffer, start: number, positive: boolean): void {
  if (positive) target.writeUInt8(target.readUInt8(start) ^ 0x80, start);
  else for (let at = start; at < start + 8; at += 1) target.writeUInt8(target.readUInt8(at) ^ 0xff, at);
}
