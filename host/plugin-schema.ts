// JSON Schemas that plugins bring along run in the host, so they may only say what costs the host bounded work. Used by schema.ts, before ajv sees them.
import { GatehouseError } from './errors.ts';

/** `config` is closed at its root, `input` is an object, `output` may be any JSON. */
export type PluginSchemaRole = 'config' | 'input' | 'output';

/**
 * What a plugin's schema may not do, and why:
 * - `pattern`, `patternProperties`: a regular expression can backtrack for hours, in the host, outside every sandbox limit. The plugin checks patterns in its own code.
 * - `$ref` other than `#/$defs/<name>`, or recursive: no fetching, no endless descent; references count as if written out, so doubling chains hit the node limit.
 * - `uniqueItems` on anything but scalars, big `enum`s, `contains`: comparing each with each.
 * - many alternatives (`anyOf`, `oneOf`, `allOf`, `not`), or any inside lists without `maxItems`: each reads the whole value again, once per item.
 * - every other keyword and format: what is not enforced is not accepted.
 */
export const PLUGIN_SCHEMA_BOUNDS = { bytes: 32 * 1024, depth: 12, nodes: 512, enumValues: 256, branches: 64, alternatives: 10_000 } as const;

type Schema = Readonly<Record<string, unknown>>;

interface Where {
  readonly role: PluginSchemaRole;
  readonly source: string;
}

/** Returns the schema, known to be bounded. Throws PLUGIN_SCHEMA naming the place. */
export function boundPluginSchema(schema: unknown, where: Where): Schema {
  const fail: Fail = (path, problem) => {
    throw new GatehouseError('PLUGIN_SCHEMA', { source: where.source, path: path || '/', problem });
  };
  if (!isRecord(schema)) return fail('', 'a schema is an object');
  if (JSON.stringify(schema).length > PLUGIN_SCHEMA_BOUNDS.bytes) return fail('', `it is larger than ${PLUGIN_SCHEMA_BOUNDS.bytes} bytes`);
  if (where.role !== 'output' && schema['type'] !== 'object') fail('/type', "the root must have \"type\": \"object\"");
  if (where.role === 'config' && schema['additionalProperties'] !== false) fail('/additionalProperties', 'the root must have "additionalProperties": false, so that a misspelt setting is found');
  const definitions = definitionsOf(schema, fail);
  const measured = new Map<string, Cost>();
  const cost = measure(schema, '', 1, { definitions, measured, fail });
  for (const name of Object.keys(definitions)) measureDefinition(name, `/$defs/${name}`, 1, { definitions, measured, fail });
  if (cost.nodes > PLUGIN_SCHEMA_BOUNDS.nodes) fail('', `it has ${cost.nodes} parts with its references written out; the limit is ${PLUGIN_SCHEMA_BOUNDS.nodes}`);
  if (cost.branches > PLUGIN_SCHEMA_BOUNDS.branches) fail('', `it has ${cost.branches} alternatives with its references written out; the limit is ${PLUGIN_SCHEMA_BOUNDS.branches}`);
  if (cost.alternatives > PLUGIN_SCHEMA_BOUNDS.alternatives) fail('', 'one value could make the host try too many alternatives; give lists that contain anyOf, oneOf, allOf or not a maxItems (objects a maxProperties)');
  return schema;
}

/** Checked without regular expressions that could backtrack; a format outside this list is refused. */
export const PLUGIN_FORMATS: Record<string, (text: string) => boolean> = {
  date: (text) => text.length === 10 && isDay(text),
  'date-time': (text) => text.length <= 40 && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text) && isDay(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)),
  uri: (text) => text.length <= 2000 && URL.canParse(text),
  uuid: (text) => text.length === 36 && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text),
};

/** February 30th parses as March 2nd; only a day that comes back unchanged exists. */
function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

type Fail = (path: string, problem: string) => never;

/** Parts and alternatives with references written out, and how many alternatives one value can make the host try. */
interface Cost {
  readonly nodes: number;
  readonly branches: number;
  readonly alternatives: number;
}

interface Survey {
  readonly definitions: Schema;
  /** By definition name; a name that is being measured is marked with `MEASURING`. */
  readonly measured: Map<string, Cost>;
  readonly fail: Fail;
}

const NOTHING: Cost = { nodes: 0, branches: 0, alternatives: 0 };
const MEASURING: Cost = { ...NOTHING };
const LEAF: Cost = { ...NOTHING, nodes: 1 };

const TYPES: ReadonlySet<unknown> = new Set(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']);
const SCALARS: ReadonlySet<unknown> = new Set(['boolean', 'integer', 'number', 'string']);

type Rule = (value: unknown, path: string, level: number, parent: Schema, survey: Survey) => Cost | void;

const anything: Rule = () => undefined;
const words: Rule = (value, path, _, __, { fail }) => (typeof value === 'string' && value.length <= 4000 ? undefined : fail(path, 'it must be a text of at most 4000 characters'));
const flag: Rule = (value, path, _, __, { fail }) => (typeof value === 'boolean' ? undefined : fail(path, 'it must be true or false'));
const count: Rule = (value, path, _, __, { fail }) => (Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : fail(path, 'it must be a whole number from 0'));
const amount: Rule = (value, path, _, __, { fail }) => (typeof value === 'number' && Number.isFinite(value) ? undefined : fail(path, 'it must be a number'));
const scalar: Rule = (value, path, _, __, { fail }) => (typeof value !== 'object' || value === null ? undefined : fail(path, 'only texts, numbers, booleans and null can be compared'));
const refused = (problem: string): Rule => (_, path, __, ___, { fail }) => fail(path, problem);

const nameMap: Rule = (value, path, level, _, survey) => {
  if (!isRecord(value)) return survey.fail(path, 'it must be an object of schemas');
  return total(Object.entries(value).map(([name, each]) => measure(each, `${path}/${escaped(name)}`, level + 1, survey)));
};

const alternativesOf: Rule = (value, path, level, _, survey) => {
  if (!Array.isArray(value) || value.length === 0) return survey.fail(path, 'it must be a list of schemas');
  const all = total(value.map((each, index) => measure(each, `${path}/${index}`, level + 1, survey)));
  return { nodes: all.nodes, branches: all.branches + value.length, alternatives: all.alternatives + value.length };
};

const alternative: Rule = (value, path, level, _, survey) => {
  const inner = measure(value, path, level + 1, survey);
  return { nodes: inner.nodes, branches: inner.branches + 1, alternatives: inner.alternatives + 1 };
};

/** A schema applied to each of up to `limit` items; without alternatives inside, its cost is bounded by the value's own size. */
const repeated = (limit: 'maxItems' | 'maxProperties'): Rule => (value, path, level, parent, survey) => {
  if (typeof value === 'boolean') return undefined;
  const inner = measure(value, path, level + 1, survey);
  const most = parent[limit];
  return { ...inner, alternatives: inner.alternatives === 0 ? 0 : inner.alternatives * (typeof most === 'number' ? most : Infinity) };
};

/** Every keyword there is; whatever is not a row is refused. */
const KEYWORDS: Readonly<Record<string, Rule>> = {
  $schema: (value, path, _, __, { fail }) => (value === 'https://json-schema.org/draft/2020-12/schema' ? undefined : fail(path, 'only draft 2020-12 is supported')),
  $comment: words,
  $defs: anything,
  $ref: (value, path, level, _, survey) => {
    const name = typeof value === 'string' ? /^#\/\$defs\/([A-Za-z0-9_.-]+)$/.exec(value)?.[1] : undefined;
    if (name === undefined || !Object.hasOwn(survey.definitions, name)) return survey.fail(path, 'only "#/$defs/<name>" of the same schema can be referred to');
    return measureDefinition(name, path, level, survey);
  },
  title: words,
  description: words,
  default: anything,
  examples: anything,
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
  'x-secret': flag,
  type: (value, path, _, __, { fail }) => ([value].flat().length > 0 && [value].flat().every((each) => TYPES.has(each)) ? undefined : fail(path, 'there is no such type')),
  enum: (value, path, level, parent, survey) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > PLUGIN_SCHEMA_BOUNDS.enumValues) return survey.fail(path, `it must list 1 to ${PLUGIN_SCHEMA_BOUNDS.enumValues} values`);
    value.forEach((each, index) => scalar(each, `${path}/${index}`, level, parent, survey));
    return undefined;
  },
  const: scalar,
  format: (value, path, _, __, { fail }) => (typeof value === 'string' && Object.hasOwn(PLUGIN_FORMATS, value) ? undefined : fail(path, `the host checks only the formats ${Object.keys(PLUGIN_FORMATS).join(', ')}`)),
  minLength: count,
  maxLength: count,
  minimum: amount,
  maximum: amount,
  exclusiveMinimum: amount,
  exclusiveMaximum: amount,
  multipleOf: (value, path, _, __, { fail }) => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? undefined : fail(path, 'it must be a number above 0')),
  // ajv does not miss an empty key.
  required: (value, path, _, __, { fail }) => (Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '') && new Set(value).size === value.length ? undefined : fail(path, 'it must list each key once, and no empty one')),
  properties: nameMap,
  additionalProperties: repeated('maxProperties'),
  propertyNames: repeated('maxProperties'),
  minProperties: count,
  maxProperties: count,
  items: repeated('maxItems'),
  prefixItems: (value, path, level, _, survey) => {
    if (!Array.isArray(value) || value.length === 0) return survey.fail(path, 'it must be a list of schemas');
    return total(value.map((each, index) => measure(each, `${path}/${index}`, level + 1, survey)));
  },
  minItems: count,
  maxItems: count,
  uniqueItems: (value, path, _, parent, { fail }) => {
    if (value === false || (value === true && isRecord(parent['items']) && SCALARS.has(parent['items']['type']))) return;
    fail(path, 'only lists whose items are of one scalar type can be asked to be unique');
  },
  anyOf: alternativesOf,
  oneOf: alternativesOf,
  allOf: alternativesOf,
  not: alternative,
  pattern: refused('regular expressions would run in the host; check the text in the plugin instead'),
  patternProperties: refused('regular expressions would run in the host; use additionalProperties'),
};

function measure(schema: unknown, path: string, level: number, survey: Survey): Cost {
  if (typeof schema === 'boolean') return LEAF;
  if (!isRecord(schema)) return survey.fail(path, 'a schema is an object, true or false');
  if (level > PLUGIN_SCHEMA_BOUNDS.depth) return survey.fail(path, `it nests deeper than ${PLUGIN_SCHEMA_BOUNDS.depth} levels`);
  const costs: Cost[] = [LEAF];
  for (const [keyword, value] of Object.entries(schema)) {
    const here = `${path}/${escaped(keyword)}`;
    const rule = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
    if (!rule || (keyword === '$defs' && path !== '')) return survey.fail(here, 'this keyword is not supported');
    costs.push(rule(value, here, level, schema, survey) ?? NOTHING);
  }
  return total(costs);
}

function measureDefinition(name: string, path: string, level: number, survey: Survey): Cost {
  const known = survey.measured.get(name);
  if (known === MEASURING) return survey.fail(path, 'a schema cannot refer to itself');
  if (known) return known;
  survey.measured.set(name, MEASURING);
  const cost = measure(survey.definitions[name], `/$defs/${escaped(name)}`, level + 1, survey);
  survey.measured.set(name, cost);
  return cost;
}

function definitionsOf(schema: Schema, fail: Fail): Schema {
  const definitions = schema['$defs'] ?? {};
  return isRecord(definitions) ? definitions : fail('/$defs', 'it must be an object of schemas');
}

function total(costs: readonly Cost[]): Cost {
  return costs.reduce((sum, each) => ({ nodes: sum.nodes + each.nodes, branches: sum.branches + each.branches, alternatives: sum.alternatives + each.alternatives }), NOTHING);
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
