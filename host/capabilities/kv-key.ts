// Keys of `ctx.kv`: which texts can be one, and their order. kv.ts holds every request against it before the store sees the key.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Checker } from '../schema.ts';

/** Adds to a request's checker that these fields hold text a key can be made of. */
export function withKeys<T>(checker: Checker<T>, ...fields: readonly (keyof T & string)[]): Checker<T> {
  const explain: Checker<T>['explain'] = (value) => {
    if (!checker.is(value)) return checker.explain(value);
    for (const field of fields) {
      const text = value[field];
      const problem = typeof text === 'string' ? keyProblem(text) : undefined;
      if (problem !== undefined) return { path: `/${field}`, problem };
    }
    return undefined;
  };
  return { is: (value): value is T => explain(value) === undefined, explain };
}

/** The store's order, which is that of code points; comparing JavaScript strings puts U+FFFD behind every emoji. */
export function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The smallest text behind everything that begins with `prefix`, or undefined when nothing is. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_POINT) continue;
    const next = last + 1 === FIRST_SURROGATE ? AFTER_SURROGATES : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}

const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;
const LAST_POINT = 0x10ffff;

/** Why a text cannot be a key; undefined when it can. */
export function keyProblem(text: string): string | undefined {
  if (!text.isWellFormed()) return 'a key is well-formed text, this holds half a surrogate pair';
  if (Buffer.byteLength(text) > BOUNDS.kvKeyBytes) return `a key has at most ${BOUNDS.kvKeyBytes} bytes`;
  if (/\p{Cc}/u.test(text)) return 'a key holds no control characters';
  return undefined;
}
