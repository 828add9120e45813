// Documents of a known shape: values that a schema allows, then changed where a person or an attacker would change them.
import * as fc from 'fast-check';
import { damagedText } from './bytes.ts';
import { AWKWARD_KEYS, AWKWARD_TEXTS, JSON_PIECES, NUMBER_TOKENS, jsonValue, type Json } from './json.ts';

/** The part of a JSON Schema that this repository's own schemas use. */
interface Schema {
  readonly type?: string;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Values that fit the schema; `overrides` replaces the arbitrary of a property wherever that name stands. */
export function fitting(schema: object, overrides: Readonly<Record<string, fc.Arbitrary<Json>>> = {}): fc.Arbitrary<Json> {
  const of = (each: Schema): fc.Arbitrary<Json> => {
    if ('const' in each) return fc.constant(each.const ?? null);
    if (each.enum) return fc.constantFrom(...each.enum);
    if (each.anyOf) return fc.oneof(...each.anyOf.map(of));
    switch (each.type) {
      case 'object':
        return objectOf(each);
      case 'array': {
        const limits = { minLength: each.minItems ?? 0, maxLength: Math.min(each.maxItems ?? 3, Math.max(3, each.minItems ?? 0)) };
        const items = of(each.items ?? {});
        return each.uniqueItems === true ? fc.uniqueArray(items, { ...limits, comparator: (a, b) => JSON.stringify(a) === JSON.stringify(b) }) : fc.array(items, limits);
      }
      case 'string':
        return textOf(each);
      case 'integer':
        return fc.integer({ min: each.minimum ?? -(2 ** 31), max: Math.min(each.maximum ?? 2 ** 31, 2 ** 53 - 1) });
      case 'number':
        return fc.double({ min: each.minimum ?? -1e9, max: each.maximum ?? 1e9, noNaN: true });
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      default:
        return jsonValue();
    }
  };
  const objectOf = ({ properties = {}, required = [], patternProperties, additionalProperties }: Schema): fc.Arbitrary<Json> => {
    if (patternProperties) {
      const [[pattern, inner] = ['', {}]] = Object.entries(patternProperties);
      return fc.dictionary(fc.stringMatching(new RegExp(pattern)), of(inner), { maxKeys: 3, noNullPrototype: true });
    }
    if (Object.keys(properties).length === 0 && additionalProperties !== false) return fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), jsonValue(), { maxKeys: 3, noNullPrototype: true });
    const model = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, overrides[name] ?? of(inner)]));
    return fc.record(model, { requiredKeys: [...required], noNullPrototype: true });
  };
  return of(schema);
}

function textOf({ pattern, minLength = 0, maxLength = Infinity }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) {
    const whole = new RegExp(pattern);
    return fc.stringMatching(new RegExp(withoutLookaheads(pattern))).filter((text) => text.length <= maxLength && text.length >= minLength && whole.test(text));
  }
  return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) });
}

/** fast-check makes no texts for them; what it makes without is held against the whole pattern. */
function withoutLookaheads(pattern: string): string {
  const begin = pattern.indexOf('(?!');
  if (begin === -1) return pattern;
  let depth = 0;
  for (let at = begin; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === '(') depth += 1;
    else if (pattern[at] === ')' && --depth === 0) return pattern.slice(0, begin) + withoutLookaheads(pattern.slice(at + 1));
  }
  throw new Error(`a lookahead without an end: ${pattern}`);
}

/** Where in a document, as a share of its places; what is done there. */
interface Edit {
  readonly at: number;
  readonly what: 'replace' | 'remove' | 'rename' | 'add' | 'wrap' | 'double' | 'deepen' | 'lengthen';
  readonly name: string;
  readonly value: Json;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(0xffff),
  what: fc.constantFrom('replace', 'remove', 'rename', 'add', 'wrap', 'double', 'deepen', 'lengthen'),
  name: fc.constantFrom(...AWKWARD_KEYS.filter((name) => name !== '__proto__'), 'instance', 'plugin', 'id', 'config', 'requird', 'grant', 'x'),
  value: fc.oneof(jsonValue(), fc.constantFrom<Json>(...AWKWARD_TEXTS, null, true, -1, 0, 1.5, 1e21, [], {})),
});

/** The document with up to `most` edits to its values, and with `textual` chance (of 10) of damage to its text; as bytes. */
export function edited(document: fc.Arbitrary<Json>, { most = 2, textual = 3 }: { readonly most?: number; readonly textual?: number } = {}): fc.Arbitrary<Buffer> {
  const text = fc.tuple(document, fc.array(edit, { maxLength: most }), fc.constantFrom(undefined, 2, '\t')).map(([value, edits, indent]) => JSON.stringify(edits.reduce(changed, value), null, indent) ?? 'null');
  return fc.oneof({ weight: 10 - textual, arbitrary: text }, { weight: textual, arbitrary: fc.oneof(damagedText(text, { least: 1, most: 2, dictionary: JSON_PIECES }), renumbered(text), doubledKey(text)) }).map((each) => Buffer.from(each));
}

/** One number of the text in another spelling. */
const renumbered = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(text, fc.constantFrom(...NUMBER_TOKENS), fc.nat(100)).map(([each, token, which]) => {
    const numbers = [...each.matchAll(/(?<=[:[,]\s*)-?\d[\d.eE+-]*(?=\s*[,}\]])/g)];
    const found = numbers[which % Math.max(1, numbers.length)];
    return found ? each.slice(0, found.index) + token + each.slice(found.index + found[0].length) : each;
  });

/** One key of the text given twice, the second time perhaps in another spelling. */
const doubledKey = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(text, fc.nat(100), fc.boolean()).map(([each, which, spelt]) => {
    const keys = [...each.matchAll(/"((?:[^"\\]|\\.)+)"\s*:/g)];
    const found = keys[which % Math.max(1, keys.length)];
    if (!found) return each;
    const name = spelt ? `\\u${(found[1] ?? 'x').charCodeAt(0).toString(16).padStart(4, '0')}${(found[1] ?? 'x').slice(1)}` : found[1];
    return `${each.slice(0, found.index)}"${name}": null, ${each.slice(found.index)}`;
  });

/** Every place of a value, itself first. */
function placesOf(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, Json][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...entries.flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function changed(document: Json, { at, what, name, value }: Edit): Json {
  const places = placesOf(document);
  const path = places[at % places.length] ?? [];
  return withAt(document, path, (here) => {
    switch (what) {
      case 'replace':
        return value;
      case 'remove':
        return undefined;
      case 'rename':
        return isObject(here) ? Object.fromEntries(Object.entries(here).map(([key, inner], index) => [index === 0 ? name : key, inner])) : here;
      case 'add':
        return isObject(here) ? { ...here, [name]: value } : Array.isArray(here) ? [...here, value] : value;
      case 'wrap':
        return [here];
      case 'double':
        return Array.isArray(here) ? [...here, ...here] : typeof here === 'string' ? here + here : here;
      case 'deepen':
        return Array.from({ length: 12 }).reduce<Json>((inner) => [inner], here);
      case 'lengthen':
        return typeof here === 'string' ? here + 'x'.repeat(400) : Array.isArray(here) ? Array.from({ length: 100 }, () => here[0] ?? value) : here;
      default:
        return what satisfies never;
    }
  });
}

function withAt(document: Json, [key, ...rest]: readonly (string | number)[], change: (here: Json) => Json | undefined): Json {
  if (key === undefined) return change(document) ?? null;
  if (Array.isArray(document)) return document.flatMap((each: Json, index) => (index === key ? (rest.length === 0 ? (change(each) ?? []) : [withAt(each, rest, change)]) : [each]));
  if (!isObject(document)) return document;
  return Object.fromEntries(
    Object.entries(document).flatMap(([name, each]): [string, Json][] => {
      if (name !== key) return [[name, each]];
      const next = rest.length === 0 ? change(each) : withAt(each, rest, change);
      return next === undefined ? [] : [[name, next]];
    }),
  );
}

const isObject = (value: Json): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);
