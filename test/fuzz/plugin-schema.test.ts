// JSON Schemas that plugins bring along, whatever they say: bounded or refused, and meaning what the standard says.
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { PLUGIN_FORMATS } from '../../host/plugin-schema.ts';
import { compilePluginSchema, type Checker } from '../../host/schema.ts';
import { cpuRatio } from '../support/cpu-ratio.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { fits } from '../support/schema-oracle.ts';
import { anySchema, instances } from './arbitraries/schemas.ts';
import type { Json } from './arbitraries/json.ts';

const door = fuzzDoor('plugin-schema');
const metaschema = new Ajv2020({ strict: false, validateSchema: true });

function compiled(schema: Json): Checker<unknown> | GatehouseError {
  try {
    return compilePluginSchema(schema, { role: 'output', source: 'outputSchema' });
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return thrown;
    throw thrown;
  }
}

describe('schemas of plugins, whatever they say', () => {
  it('are schemas by the metaschema when they are accepted, and refused at a place that is there', () => door.holds({ runs: 600, given: anySchema() }, (schema) => {
    const outcome = compiled(schema);
    const refusal = outcome instanceof GatehouseError ? outcome : undefined;
    expect(refusal?.code ?? 'accepted').toMatch(/^(PLUGIN_SCHEMA|accepted)$/);
    expect(refusal === undefined || holdsPath(schema, String(refusal.fields['path']))).toBe(true);
    expect(refusal !== undefined || metaschema.validateSchema(schema as object)).toBe(true);
  }));

  it('mean what the standard says, and say what is wrong about any value', () => door.holds({ runs: 600, given: fc.tuple(anySchema(), fc.array(instances(), { minLength: 4, maxLength: 8 })) }, ([schema, values]) => {
    const checker = compiled(schema);
    if (checker instanceof GatehouseError) return;
    door.tried(values.length - 1);
    for (const value of values) {
      const expected = fits(schema as boolean, value, PLUGIN_FORMATS);
      const explanation = checker.explain(value);
      expect([value, checker.is(value), explanation === undefined]).toEqual([value, expected, expected]);
      expect(explanation?.problem ?? 'fits').not.toBe('');
      expect(explanation === undefined || explanation.path === '/' || explanation.path.startsWith('/')).toBe(true);
    }
  }));

  it.each<[string, Json, (size: number) => Json]>([
    ['texts that must differ', { type: 'array', items: { type: 'string' }, uniqueItems: true }, (size) => Array.from({ length: size / 8 }, (_, n) => `t${n}`)],
    ['numbers that must differ', { type: 'array', items: { type: 'number' }, uniqueItems: true }, (size) => Array.from({ length: size / 8 }, (_, n) => n)],
    ['many alternatives of one list', { anyOf: Array.from({ length: 32 }, (_, n) => ({ type: 'array', items: { type: 'integer', maximum: 10 + n } })) }, (size) => Array.from({ length: size / 8 }, (_, n) => (n > size / 9 ? 999 : 1))],
    ['items of many kinds', { type: 'array', maxItems: 100_000, items: { type: 'object', properties: { a: { enum: ['x', 'y'] } }, additionalProperties: { type: 'string' } } }, (size) => Array.from({ length: size / 32 }, () => ({ a: 'x', b: 'y', c: 'z' }))],
    ['one object with many keys', { type: 'object', propertyNames: { maxLength: 40 }, additionalProperties: { type: 'integer' } }, (size) => Object.fromEntries(Array.from({ length: size / 16 }, (_, n) => [`key-${n}`, n]))],
    ['a long text', { type: 'string', maxLength: 100_000_000, format: 'uri' }, (size) => 'x'.repeat(size)],
  ])('cost in proportion to %s', (_, schema, valueOf) => {
    const checker = compiled(schema) as Checker<unknown>;
    const [small, large] = [valueOf(32_000), valueOf(256_000)];
    expect(cpuRatio(() => void checker.explain(small), () => void checker.explain(large))).toBeLessThan(32); // 8 when linear, 64 when quadratic
  });
});

/** Whether a pointer of a refusal, or at least what it stands in, is there. */
function holdsPath(schema: unknown, path: string): boolean {
  let here: unknown = schema;
  const parts = path.split('/').slice(1);
  for (const [index, part] of parts.entries()) {
    if (path === '/') return true;
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const below: unknown = typeof here === 'object' && here !== null && Object.hasOwn(here, key) ? Reflect.get(here, key) : undefined;
    if (below === undefined && index < parts.length - 1) return false;
    here = below;
  }
  return true;
}
