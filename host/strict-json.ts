// Strict JSON: what every file, request body and payload from outside goes through before anyone believes a field of it.
import { isUtf8 } from 'node:buffer';
import { GatehouseError } from './errors.ts';

export interface StrictOptions {
  /** What the text is, for messages: a file's path, `the request body`. */
  readonly source: string;
  readonly maxBytes: number;
  /** Deepest nesting of objects and arrays; `{}` is one level. */
  readonly maxDepth: number;
}

/** Both 1-based; columns count UTF-16 units, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface ParsedJson {
  readonly value: unknown;
  /** Where an RFC 6901 pointer's value (or its key) stands in the text; the nearest ancestor that exists when it does not. */
  readonly locate: (pointer: string, what?: 'value' | 'key') => Position;
}

/**
 * Parses exactly RFC 8259 and less: no duplicate or prototype-reaching keys, no byte order mark, no invalid UTF-8, no lone surrogates, no numbers
 * that parsers disagree about, nothing after the value. Two readers must agree: the scanner below and the engine's own JSON.parse.
 * Throws JSON_TOO_LARGE, JSON_ENCODING, JSON_TOO_DEEP, JSON_DUPLICATE_KEY, JSON_FORBIDDEN_KEY and JSON_INVALID, all but the first with line and column.
 */
export function parseStrict(input: Uint8Array | string, options: StrictOptions): ParsedJson {
  const text = typeof input === 'string' ? checkText(input, options) : decode(input, options);
  const cursor: Cursor = { text, at: 0, depth: 0, maxDepth: options.maxDepth, source: options.source };
  scanValue(cursor);
  skipSpace(cursor);
  if (cursor.at < text.length) refuse(cursor, cursor.at, 'unexpected text after the value');
  return { value: JSON.parse(text) as unknown, locate: (pointer, what = 'value') => positionAt(text, find(text, pointer, what)) };
}

/** Keys that reach a prototype when code copies them carelessly (attack 97 proto-manifest, 109 msg-proto). */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

interface Cursor {
  readonly text: string;
  readonly source: string;
  readonly maxDepth: number;
  at: number;
  depth: number;
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function decode(bytes: Uint8Array, { source, maxBytes }: StrictOptions): string {
  if (bytes.byteLength > maxBytes) throw new GatehouseError('JSON_TOO_LARGE', { source, size: bytes.byteLength, limit: maxBytes });
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view[0] === 0xef && view[1] === 0xbb && view[2] === 0xbf) throw new GatehouseError('JSON_ENCODING', { source, line: 1, column: 1, offset: 0, problem: 'it starts with a byte order mark' });
  const text = view.toString('utf8');
  if (isUtf8(view)) return text;
  const offset = firstDamage(view, text);
  const before = view.toString('utf8', 0, offset);
  throw new GatehouseError('JSON_ENCODING', { source, ...positionAt(before, before.length), offset, problem: 'these bytes are no character' });
}

/** Decoding replaced damaged bytes; where encoding again first differs is the damage, and its character's first byte is the position. */
function firstDamage(bytes: Buffer, decoded: string): number {
  const again = Buffer.from(decoded, 'utf8');
  let offset = 0;
  while (offset < bytes.length && bytes[offset] === again[offset]) offset++;
  while (offset > 0 && ((again[offset] ?? 0) & 0xc0) === 0x80) offset--;
  return offset;
}

function checkText(text: string, { source, maxBytes }: StrictOptions): string {
  const size = text.length * 3 > maxBytes ? Buffer.byteLength(text) : text.length;
  if (size > maxBytes) throw new GatehouseError('JSON_TOO_LARGE', { source, size, limit: maxBytes });
  if (text.charCodeAt(0) === 0xfeff) throw new GatehouseError('JSON_ENCODING', { source, line: 1, column: 1, offset: 0, problem: 'it starts with a byte order mark' });
  if (text.isWellFormed()) return text;
  const repaired = text.toWellFormed();
  let at = 0;
  while (text.charCodeAt(at) === repaired.charCodeAt(at)) at++;
  throw new GatehouseError('JSON_ENCODING', { source, ...positionAt(text, at), offset: Buffer.byteLength(text.slice(0, at)), problem: 'half of a surrogate pair stands alone' });
}

function scanValue(cursor: Cursor): void {
  skipSpace(cursor);
  const code = cursor.text.charCodeAt(cursor.at);
  if (code === QUOTE) scanString(cursor);
  else if (code === OPEN_OBJECT) scanObject(cursor);
  else if (code === OPEN_ARRAY) scanArray(cursor);
  else if (code === MINUS || (code >= ZERO && code <= 0x39)) scanNumber(cursor);
  else scanWord(cursor);
}

function scanObject(cursor: Cursor): void {
  enter(cursor);
  if (closes(cursor, CLOSE_OBJECT)) return;
  const keys = new KeySet();
  for (;;) {
    skipSpace(cursor);
    const at = cursor.at;
    if (cursor.text.charCodeAt(at) !== QUOTE) refuse(cursor, at, at < cursor.text.length ? "expected a key in double quotes" : 'the text ends inside an object');
    const escaped = scanString(cursor);
    const key = escaped ? unquote(cursor.text.slice(at, cursor.at)) : cursor.text.slice(at + 1, cursor.at - 1);
    if (FORBIDDEN_KEYS.has(key)) throw new GatehouseError('JSON_FORBIDDEN_KEY', { source: cursor.source, key, ...positionAt(cursor.text, at) });
    if (!keys.add(key)) throw new GatehouseError('JSON_DUPLICATE_KEY', { source: cursor.source, key: shorten(key), ...positionAt(cursor.text, at) });
    skipSpace(cursor);
    if (cursor.text.charCodeAt(cursor.at) !== COLON) refuse(cursor, cursor.at, "expected ':' after the key");
    cursor.at++;
    scanValue(cursor);
    if (ends(cursor, CLOSE_OBJECT)) return;
  }
}

function scanArray(cursor: Cursor): void {
  enter(cursor);
  if (closes(cursor, CLOSE_ARRAY)) return;
  do scanValue(cursor);
  while (!ends(cursor, CLOSE_ARRAY));
}

function enter(cursor: Cursor): void {
  if (++cursor.depth > cursor.maxDepth) throw new GatehouseError('JSON_TOO_DEEP', { source: cursor.source, limit: cursor.maxDepth, ...positionAt(cursor.text, cursor.at) });
  cursor.at++;
}

/** True, and past it, when the container just entered is empty. */
function closes(cursor: Cursor, close: number): boolean {
  skipSpace(cursor);
  if (cursor.text.charCodeAt(cursor.at) !== close) return false;
  cursor.at++;
  cursor.depth--;
  return true;
}

/** True at the container's end, false after a comma; anything else is refused. */
function ends(cursor: Cursor, close: number): boolean {
  skipSpace(cursor);
  const code = cursor.text.charCodeAt(cursor.at);
  if (code !== COMMA && code !== close) refuse(cursor, cursor.at, cursor.at < cursor.text.length ? `expected ',' or '${String.fromCharCode(close)}'` : 'the text ends too early');
  cursor.at++;
  if (code === COMMA) return false;
  cursor.depth--;
  return true;
}

/** Leaves the cursor after the closing quote; true when the string holds an escape. */
function scanString(cursor: Cursor): boolean {
  const { text } = cursor;
  const start = cursor.at;
  let escaped = false;
  let at = start + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    if (code === BACKSLASH) {
      escaped = true;
      at = scanEscape(cursor, at);
    } else if (code < SPACE) {
      refuse(cursor, at, 'a control character inside a string must be escaped');
    } else if (at >= text.length) {
      refuse(cursor, start, 'this string never ends');
    } else {
      at++;
    }
  }
  cursor.at = at + 1;
  return escaped;
}

const SIMPLE_ESCAPES: ReadonlySet<string> = new Set(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']);
const HEX_ESCAPE = /\\u([0-9a-fA-F]{4})/y;

/** Returns the position after the escape at `at`; a surrogate escape must come as high and low together. */
function scanEscape(cursor: Cursor, at: number): number {
  if (SIMPLE_ESCAPES.has(cursor.text.charAt(at + 1))) return at + 2;
  const unit = hexEscape(cursor.text, at);
  if (unit === undefined) return refuse(cursor, at, 'there is no such escape');
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  const low = unit < 0xdc00 ? hexEscape(cursor.text, at + 6) : undefined;
  if (low === undefined || low < 0xdc00 || low > 0xdfff) refuse(cursor, at, 'half of a surrogate pair stands alone');
  return at + 12;
}

function hexEscape(text: string, at: number): number | undefined {
  HEX_ESCAPE.lastIndex = at;
  const digits = HEX_ESCAPE.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Integers beyond ±(2^53−1) round silently, `-0` is an integer to some readers and not to others, 1e999 is infinite: all refused (attack 96 json-numbers). */
function scanNumber(cursor: Cursor): void {
  const { text, at } = cursor;
  const next = text.charCodeAt(at + 1);
  const isDigit = next >= ZERO && next <= 0x39;
  if (!isDigit && next !== POINT && next !== 0x65 && next !== 0x45 && text.charCodeAt(at) !== MINUS) {
    cursor.at++;
    return;
  }
  NUMBER.lastIndex = at;
  const token = NUMBER.exec(text)?.[0];
  if (token === undefined) return refuse(cursor, at, 'this is not a number');
  const after = text.charCodeAt(at + token.length);
  if ((after >= ZERO && after <= 0x39) || after === POINT) refuse(cursor, at, 'this is not a number');
  const value = Number(token);
  if (token === '-0') refuse(cursor, at, "'-0' is read differently by different parsers; write 0");
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) refuse(cursor, at, 'this number is too large to be read exactly; write it as a string');
  cursor.at += token.length;
}

const WORD = /true|false|null/y;

function scanWord(cursor: Cursor): void {
  WORD.lastIndex = cursor.at;
  const word = WORD.exec(cursor.text)?.[0];
  if (word === undefined) return refuse(cursor, cursor.at, cursor.at < cursor.text.length ? 'expected a value' : 'the text ends too early');
  cursor.at += word.length;
}

function skipSpace(cursor: Cursor): void {
  const { text } = cursor;
  let { at } = cursor;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) break;
    at++;
  }
  cursor.at = at;
}

function refuse(cursor: Cursor, at: number, problem: string): never {
  throw new GatehouseError('JSON_INVALID', { source: cursor.source, problem, ...positionAt(cursor.text, at) });
}

/** Most objects have few keys: comparing a handful beats hashing them. */
class KeySet {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** False when the key was there already. */
  add(key: string): boolean {
    if (this.#many) {
      if (this.#many.has(key)) return false;
      this.#many.add(key);
      return true;
    }
    if (this.#few.includes(key)) return false;
    if (this.#few.push(key) === 16) this.#many = new Set(this.#few);
    return true;
  }
}

function unquote(literal: string): string {
  return String(JSON.parse(literal));
}

function shorten(key: string): string {
  return key.length > 100 ? `${key.slice(0, 100)}…` : key;
}

function positionAt(text: string, at: number): Position {
  let line = 1;
  let lineStart = 0;
  for (let index = 0; index < at; index++) {
    const code = text.charCodeAt(index);
    if (code !== LINE_FEED && !(code === RETURN && text.charCodeAt(index + 1) !== LINE_FEED)) continue;
    line++;
    lineStart = index + 1;
  }
  return { line, column: at - lineStart + 1 };
}

/** Offset of a pointer's value or key in text that has passed the scanner. */
function find(text: string, pointer: string, what: 'value' | 'key'): number {
  const cursor: Cursor = { text, at: 0, depth: 0, maxDepth: Infinity, source: '' };
  skipSpace(cursor);
  let found = cursor.at;
  for (const part of pointer.split('/').slice(1)) {
    const child = findChild(cursor, part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (!child) break;
    cursor.at = child.value;
    found = what === 'key' ? child.key : child.value;
  }
  return found;
}

function findChild(cursor: Cursor, name: string): { key: number; value: number } | undefined {
  const open = cursor.text.charCodeAt(cursor.at);
  if (open !== OPEN_OBJECT && open !== OPEN_ARRAY) return undefined;
  const close = open === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
  enter(cursor);
  if (closes(cursor, close)) return undefined;
  for (let index = 0; ; index++) {
    skipSpace(cursor);
    const key = cursor.at;
    let label = String(index);
    if (open === OPEN_OBJECT) {
      scanString(cursor);
      label = unquote(cursor.text.slice(key, cursor.at));
      skipSpace(cursor);
      cursor.at++;
      skipSpace(cursor);
    }
    const value = cursor.at;
    if (label === name) return { key, value };
    scanValue(cursor);
    if (ends(cursor, close)) return undefined;
  }
}
