// JSON Schemas as plugins bring them along: most of them ones the host supports, some with what it must refuse, some not schemas at all.
import * as fc from 'fast-check';
import { AWKWARD_KEYS, jsonValue, type Json } from './json.ts';

const name = fc.oneof({ weight: 6, arbitrary: fc.stringMatching(/^[a-d]{1,2}$/) }, { weight: 2, arbitrary: fc.constantFrom('toString', 'valueOf', 'hasOwnProperty') }, { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_KEYS.filter((key) => key !== '__proto__' && key !== 'constructor' && key !== 'prototype')) });
const scalar = fc.oneof(fc.constantFrom<Json>('x', '', 'a', 0, 1, true, null), fc.integer({ min: -5, max: 5 }), name);
const size = fc.nat(4);

/** Keywords that bind values of one type. */
const bounds = {
  string: fc.record({ minLength: size, maxLength: size, format: fc.constantFrom('date', 'date-time', 'uri', 'uuid') }, { requiredKeys: [], noNullPrototype: true }),
  number: fc.record({ minimum: fc.integer({ min: -5, max: 5 }), maximum: fc.integer({ min: -5, max: 5 }), exclusiveMinimum: fc.integer({ min: -5, max: 5 }), multipleOf: fc.constantFrom(1, 2, 0.5, 0.1) }, { requiredKeys: [], noNullPrototype: true }),
};

/** Schemas the host supports. */
export const supported = (): fc.Arbitrary<Json> =>
  fc.letrec<{ schema: Json; object: Json }>((tie) => ({
    object: fc.record(
      {
        type: fc.constant('object'),
        properties: fc.dictionary(name, tie('schema'), { maxKeys: 3, noNullPrototype: true }),
        required: fc.uniqueArray(name, { maxLength: 2 }),
        additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
        propertyNames: fc.constantFrom<Json>({ maxLength: 3 }, { enum: ['a', 'b', 'toString'] }),
        minProperties: size,
        maxProperties: fc.integer({ min: 1, max: 6 }),
        title: fc.constant('T'),
        default: jsonValue(),
      },
      { requiredKeys: ['type'], noNullPrototype: true },
    ),
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.boolean(),
      fc.constant({}),
      bounds.string.map((limits): Json => ({ type: 'string', ...limits })),
      fc.tuple(fc.constantFrom('integer', 'number'), bounds.number).map(([type, limits]): Json => ({ type, ...limits })),
      fc.constantFrom<Json>({ type: 'boolean' }, { type: 'null' }, { type: ['string', 'null'] }),
      scalar.map((value): Json => ({ const: value })),
      fc.uniqueArray(scalar, { minLength: 1, maxLength: 4 }).map((values): Json => ({ enum: values })),
      tie('object'),
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: size, maxItems: fc.integer({ min: 0, max: 6 }) }, { requiredKeys: ['type'], noNullPrototype: true }),
      fc.record({ type: fc.constant('array'), prefixItems: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }), items: fc.boolean() }, { requiredKeys: ['type', 'prefixItems'], noNullPrototype: true }),
      fc.constantFrom<Json>({ type: 'array', items: { type: 'string' }, uniqueItems: true }, { type: 'array', items: { type: 'number' }, uniqueItems: true, maxItems: 4 }),
      fc.tuple(fc.constantFrom('anyOf', 'oneOf', 'allOf'), fc.array(tie('schema'), { minLength: 1, maxLength: 3 })).map(([keyword, branches]): Json => ({ [keyword]: branches })),
      tie('schema').map((not): Json => ({ not })),
    ),
  })).object;

/** What no plugin may bring into the host: keywords that fetch, backtrack, recurse or do nothing, and nonsense. */
const FOREIGN: readonly (readonly [string, Json])[] = [
  ['pattern', '(a+)+$'], ['patternProperties', { 'a+': true }], ['$ref', '#'], ['$ref', 'https://example.org/s'], ['$ref', '#/$defs/self'], ['$ref', '#/$defs/toString'], ['$dynamicRef', '#x'], ['$id', 'x'], ['$anchor', 'x'],
  ['contains', true], ['dependentSchemas', {}], ['dependentRequired', {}], ['if', true], ['then', true], ['unevaluatedProperties', false], ['contentEncoding', 'base64'], ['format', 'regex'], ['format', 'toString'], ['type', 'any'], ['type', []],
  ['enum', []], ['enum', [[1]]], ['const', {}], ['minLength', -1], ['minLength', 1.5], ['multipleOf', 0], ['multipleOf', -1], ['required', ['a', 'a']], ['required', 'a'], ['uniqueItems', true], ['items', []], ['properties', []], ['anyOf', []], ['nullable', true], ['$defs', {}],
  ['$schema', 'http://json-schema.org/draft-07/schema#'], ['toString', 1], ['hasOwnProperty', true], ['description', 5], ['x-secret', 'yes'], ['discriminator', { propertyName: 'a' }], ['$async', true], ['$data', true], ['minimum', { $data: '/a' }],
];

/** Supported ones with something foreign put in at some depth, ones that refer to definitions, and values that are no schemas. */
export const anySchema = (): fc.Arbitrary<Json> =>
  fc.oneof(
    { weight: 4, arbitrary: supported() },
    { weight: 4, arbitrary: fc.tuple(supported(), fc.constantFrom(...FOREIGN), fc.nat(20)).map(([schema, [keyword, value], place]) => planted(schema, keyword, value, place)) },
    { weight: 2, arbitrary: fc.tuple(supported(), fc.dictionary(fc.constantFrom('a', 'b', 'toString', 'x.y'), fc.oneof(supported(), fc.constantFrom<Json>({ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }, { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] })), { maxKeys: 3, noNullPrototype: true }), fc.constantFrom('a', 'b', 'toString')).map(([schema, definitions, used]) => Object.assign({}, schema, { $defs: definitions, properties: { used: { $ref: `#/$defs/${used}` } } })) },
    { weight: 1, arbitrary: jsonValue() },
  );

function planted(schema: Json, keyword: string, value: Json, place: number): Json {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return { [keyword]: value };
  const inner = Object.entries(schema).filter(([, each]) => typeof each === 'object' && each !== null && !Array.isArray(each));
  const [key, below] = inner[place % Math.max(1, inner.length)] ?? [];
  return key === undefined || below === undefined || place % 2 === 0 ? { ...Object(schema), [keyword]: value } : { ...Object(schema), [key]: planted(below, keyword, value, Math.floor(place / 2)) };
}

/** Values to hold against such a schema: near ones and any. */
export const instances = (): fc.Arbitrary<Json> =>
  fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      scalar,
      fc.constantFrom<Json>('2026-11-21', '2026-02-30', '2026-11-21T08:00:00.000Z', 'https://example.org/', '00000000-0000-4000-8000-000000000000', 0.1, 0.30000000000000004, 1.5, 3, '😀', '😀😀'),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
