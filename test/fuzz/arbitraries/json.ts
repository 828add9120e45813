// JSON as people, programs and attackers write it: values with awkward keys and numbers, and their text in every legal spelling and many illegal ones.
import * as fc from 'fast-check';
import { damaged } from './bytes.ts';

/** Names that mean something to JavaScript, to Unicode or to a parser. */
export const AWKWARD_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '', ' ', 'a', 'A', 'ａ', 'e\u0301', 'é', '\u0000', '\u2028', '😀', '100%', '%zz', '~', '~1', '/', 'a/b', '0', '-1', '1e3', 'length', 'then', 'toJSON', '\ufeff', '\u202e'];

/** Texts that survive one reader and not the next. */
export const AWKWARD_TEXTS = ['', ' ', '\u0000', '\u001b[2J', '\u2028', '\u202e', '\ufeff', '😀', 'e\u0301', '\ud83d', '\udc00', '../../etc/passwd', 'C:\\x', '%00', '%2e%2e%2f', '<script>', '${1}', '{a}', 'null', 'NaN', '__proto__', 'a'.repeat(300), '１２７.0.0.1', 'ﬁ', 'İ', 'ß', '\r\n', "'; drop table", '0', '-0', '1e999'];

/** Number tokens on which readers disagree, and their harmless neighbours. */
export const NUMBER_TOKENS = ['0', '-0', '0.0', '-0.0', '1', '-1', '01', '-01', '1.', '.5', '1.0', '1e3', '1E+3', '1e-3', '1e999', '-1e999', '1e-999', '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740991', '-9007199254740992', '1e21', '1e15', '0e99999', '0.1e1', '1e', '1e+', '+1', '0x10', '1_000', 'Infinity', '-Infinity', 'NaN', '4.9e-324', '1.7976931348623157e308', '1.7976931348623159e308', '123456789012345678901234567890', '0.30000000000000004'];

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const key = fc.oneof({ weight: 3, arbitrary: fc.stringMatching(/^[a-z][a-zA-Z0-9-]{0,8}$/) }, { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_KEYS) });
/** UTF-16 units as they fall, halves of pairs in every order. */
const units = fc.array(fc.oneof(fc.constantFrom(0, 0x22, 0x5c, 0x7f, 0xd7ff, 0xd800, 0xd83d, 0xdbff, 0xdc00, 0xde00, 0xdfff, 0xe000, 0xfeff, 0xffff), fc.nat(0xffff)), { maxLength: 4 }).map((codes) => String.fromCharCode(...codes));
const words = fc.oneof({ weight: 2, arbitrary: units }, { weight: 3, arbitrary: fc.string({ maxLength: 12 }) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) }, { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_TEXTS) });
const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, 1, -1, 2 ** 31, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e21, 5e-324));

/** Any value JSON can write, awkward keys included; `__proto__` is an own key here, as JSON.parse makes it. */
export const jsonValue = (depthSize: 'small' | 'medium' = 'small'): fc.Arbitrary<Json> =>
  fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize },
      fc.constantFrom(null, true, false),
      number,
      words,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries): Json => Object.fromEntries(entries)),
    ),
  })).value;

const space = fc.oneof({ weight: 60, arbitrary: fc.constant('') }, { weight: 20, arbitrary: fc.constantFrom(' ', '\n', '\t', '\r\n', '  ') }, { weight: 1, arbitrary: fc.constantFrom('\u00a0', '\ufeff', '\v', '/**/', '\u2028') });

/** A string literal in one of its spellings: plain, escaped unit by unit, or with an escape that is none. */
const literal = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(text, fc.integer({ min: 0, max: 9 })).map(([value, spelling]) => {
    if (spelling < 6) return JSON.stringify(value);
    if (spelling < 8) return `"${Array.from({ length: value.length }, (_, index) => `\\u${value.charCodeAt(index).toString(16).padStart(4, '0')}`).join('')}"`;
    if (spelling === 8) return `"${value.replaceAll(/["\\]/g, '')}"`;
    return `"${value.replaceAll(/["\\]/g, '')}\\${value.charAt(0) || 'x'}"`;
  });

/** Text that is nearly always meant as JSON: rendered piece by piece, so that duplicate keys, odd spaces and odd spellings come by themselves. */
export const jsonText = (): fc.Arbitrary<string> =>
  fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom('null', 'true', 'false') }, { weight: 1, arbitrary: fc.constantFrom('nul', 'True', 'undefined', '') }),
      fc.oneof({ weight: 2, arbitrary: number.map((value) => JSON.stringify(value)) }, { weight: 1, arbitrary: fc.constantFrom(...NUMBER_TOKENS) }),
      literal(words),
      fc.tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 5 })).map(([inner, items]) => `[${inner}${items.map((parts) => parts.join('')).join(',')}]`),
      fc.tuple(space, fc.array(fc.tuple(space, literal(key), space, tie('value'), space), { maxLength: 5 })).map(([inner, entries]) => `{${inner}${entries.map(([before, name, colon, value, after]) => `${before}${name}${colon}:${value}${after}`).join(',')}}`),
    ),
  })).value;

/** What parsers of JSON stumble over, for mutations. */
export const JSON_PIECES = ['"', '\\', '{', '}', '[', ']', ',', ':', '{}', '[]', '""', '\\u0000', '\\ud800', '\\udc00', '\\u005f_proto__', '"__proto__":', '"a":1,"a":2,', '-0', '1e999', '9007199254740993', '\u00ef\u00bb\u00bf', '\u00ed\u00a0\u0080', '\u00c0\u00af', '\u00ff', '\u0000', '\n', '\r', '//', '/*', '*/', 'NaN', '[[[[[[[[[[[[[[[[[[', '#'];

/** Such text as bytes, some of them damaged. */
export const jsonBytes = (most = 3): fc.Arbitrary<Buffer> => damaged(jsonText().map((text) => Buffer.from(text)), { most, dictionary: JSON_PIECES });
