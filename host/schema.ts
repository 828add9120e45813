// Schemas at run time: the one user of ajv. Every document and body that crosses a border is checked here; plugins' own schemas are bounded first.
import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Static, TSchema } from 'typebox';
import { GatehouseError, problemOf } from './errors.ts';
import { PLUGIN_FORMATS, boundPluginSchema, type PluginSchemaRole } from './plugin-schema.ts';
import { explain, type Explanation } from './schema-explain.ts';
import { parseStrict, type StrictOptions } from './strict-json.ts';

export type { Explanation } from './schema-explain.ts';

/** A compiled schema. Nothing is coerced, no default is filled in, the value is never changed. */
export interface Checker<T> {
  readonly is: (value: unknown) => value is T;
  /** The first problem, or undefined when the value fits. */
  readonly explain: (value: unknown) => Explanation | undefined;
}

/** Compiles one of our own schemas, on first use and once per schema object. */
export function compileSchema<S extends TSchema>(schema: S): Checker<Static<S>>;
export function compileSchema<T>(schema: TSchema): Checker<T>;
export function compileSchema(schema: TSchema): Checker<unknown> {
  let checker = checkers.get(schema);
  if (!checker) checkers.set(schema, (checker = checkerOf(schema, () => ownAjv().compile(schema))));
  return checker;
}

/**
 * Compiles a JSON Schema that came with a plugin: `config` (a closed object), `input` (an object) or `output` of a tool. Throws PLUGIN_SCHEMA
 * when it is not a schema, or one that could make the host work without bound; plugin-schema.ts says what is allowed and why.
 */
export function compilePluginSchema(schema: unknown, where: { readonly role: PluginSchemaRole; readonly source: string }): Checker<unknown> {
  const bounded = boundPluginSchema(schema, where);
  const ajv = pluginAjv();
  try {
    const validate = ajv.compile(bounded);
    return checkerOf(bounded, () => validate);
  } catch (thrown) {
    throw new GatehouseError('PLUGIN_SCHEMA', { source: where.source, path: '/', problem: problemOf(thrown) }, { cause: thrown });
  } finally {
    ajv.removeSchema(bounded);
  }
}

/** Parses strictly, then checks. Throws JSON_… as parseStrict does, SCHEMA_UNKNOWN_KEY with the nearest known key, or SCHEMA_INVALID; both with line and column. */
export function parseDocument<T>(input: Uint8Array | string, checker: Checker<T>, options: StrictOptions): T {
  const { value, locate } = parseStrict(input, options);
  if (checker.is(value)) return value;
  const { path, problem, key, nearest } = checker.explain(value) ?? { path: '/', problem: 'does not fit the schema' };
  const pointer = path === '/' ? '' : path;
  if (key === undefined) throw new GatehouseError('SCHEMA_INVALID', { source: options.source, path, problem, ...locate(pointer) });
  const place = locate(`${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, 'key');
  throw new GatehouseError('SCHEMA_UNKNOWN_KEY', { source: options.source, path, key, nearest: nearest === undefined ? '' : ` Did you mean '${nearest}'?`, ...place });
}

const checkers = new WeakMap<TSchema, Checker<unknown>>();

function checkerOf(schema: object, compile: () => ValidateFunction): Checker<unknown> {
  let compiled: ValidateFunction | undefined;
  const validate = () => (compiled ??= compile());
  return {
    is: (value): value is unknown => validate()(value),
    explain(value) {
      const check = validate();
      return check(value) ? undefined : explain(schema, value, check.errors ?? []);
    },
  };
}

/** The code ajv writes is not optimized: that took a third of the time to compile and made no checker faster (128 ns a message either way). */
const STRICT = { code: { optimize: false }, strict: true, allowUnionTypes: true, allErrors: false, coerceTypes: false, useDefaults: false, logger: false } as const;

let own: Ajv2020 | undefined;

/** Our schemas are held against the metaschema by a test instead of at each start, which halves the time to compile them. */
function ownAjv(): Ajv2020 {
  return (own ??= new Ajv2020({ ...STRICT, meta: false, validateSchema: false, formats: PLUGIN_FORMATS }));
}

let plugins: Ajv2020 | undefined;

/** No metaschema here either: plugin-schema.ts has judged every keyword's value. Own properties only, because a plugin may name one `toString`. */
function pluginAjv(): { compile: (schema: AnySchemaObject) => ValidateFunction; removeSchema: (schema: AnySchemaObject) => unknown } {
  if (plugins) return plugins;
  plugins = new Ajv2020({ ...STRICT, meta: false, validateSchema: false, strictRequired: false, strictTypes: false, strictTuples: false, ownProperties: true, formats: PLUGIN_FORMATS });
  plugins.addKeyword({ keyword: 'x-secret', schemaType: 'boolean' });
  return plugins;
}
