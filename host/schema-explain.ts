// Turns ajv's errors into one sentence about one place: the alternative that was meant, the key that was meant. Used by schema.ts.
import { nearestOf } from './nearest.ts';

/** What is wrong with a value, and where. */
export interface Explanation {
  /** RFC 6901 pointer into the value; `/` is the value itself. */
  readonly path: string;
  /** Continues the sentence "… is wrong at <path>: ". Never holds the value, which may be a secret. */
  readonly problem: string;
  /** The unknown key, when that is the problem. */
  readonly key?: string;
  /** The known key closest to it by edit distance. */
  readonly nearest?: string;
}

/** The part of an ajv error this needs. */
export interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

/** Names the first problem of `value`; of a union, the problem in the alternative that its tag, or else its keys, say was meant. */
export function explain(schema: unknown, value: unknown, errors: readonly SchemaError[]): Explanation {
  let scope = errors;
  for (;;) {
    const union = outermostUnion(scope);
    if (!union) break;
    const branches = schemaAt(schema, union.path);
    const target = valueAt(value, union.error.instancePath);
    const choice = Array.isArray(branches) ? meantAlternative(branches, target) : undefined;
    if (choice === undefined) return { path: union.error.instancePath || '/', problem: 'fits none of the allowed forms' };
    if (typeof choice === 'object') return { path: choice.tag === undefined ? union.error.instancePath || '/' : `${union.error.instancePath}/${escaped(choice.tag)}`, problem: choice.problem };
    const prefix = `${union.path}/${choice}/`;
    const inside = scope.filter((each) => each.schemaPath.startsWith(prefix));
    if (inside.length === 0) break;
    scope = inside;
  }
  const error = scope[0];
  return error ? describe(schema, value, error) : { path: '/', problem: 'does not fit the schema' };
}

const UNIONS: ReadonlySet<string> = new Set(['anyOf', 'oneOf']);

/** The failed union whose alternatives every remaining error is about, with its own path in the schema; none when an error lies outside it. */
function outermostUnion(errors: readonly SchemaError[]): { path: string; error: SchemaError } | undefined {
  const unions = errors.filter((each) => UNIONS.has(each.keyword)).sort((a, b) => a.schemaPath.length - b.schemaPath.length);
  const error = unions[0];
  return error && errors.every((each) => each === error || each.schemaPath.startsWith(`${error.schemaPath}/`)) ? { path: error.schemaPath, error } : undefined;
}

/** The index of the alternative that was meant, or the tag that none of them has. */
function meantAlternative(branches: readonly unknown[], value: unknown): number | { tag?: string; problem: string } | undefined {
  const ofType = branches.flatMap((branch, index) => (fitsType(branch, value) ? [index] : []));
  if (ofType.length === 0) return { problem: `must be ${listed([...new Set(branches.map(typeName))])}, but is ${nameOfType(value)}` };
  if (!isRecord(value)) return ofType[0];
  const scored = ofType.map((index) => ({ index, ...score(branches[index], value) }));
  const untagged = scored.filter((each) => each.mismatch === undefined);
  const wrongTag = untagged.length === 0 ? commonTag(scored.map(({ mismatch }) => mismatch)) : undefined;
  if (wrongTag !== undefined) return { tag: wrongTag, problem: `must be ${listed(quoted(branches.flatMap((branch) => allowedValues(propertyOf(branch, wrongTag)) ?? [])))}` };
  const best = (untagged.length > 0 ? untagged : scored).reduce((left, right) => (right.points > left.points ? right : left));
  return best.index;
}

/** The key by which every alternative is ruled out. */
const commonTag = (mismatches: readonly (string | undefined)[]): string | undefined => (new Set(mismatches).size === 1 ? mismatches[0] : undefined);

/** A matching tag outweighs any number of keys; a key the alternative knows speaks for it, one it does not against it. */
function score(branch: unknown, value: Readonly<Record<string, unknown>>): { points: number; mismatch?: string } {
  const properties = isRecord(branch) && isRecord(branch['properties']) ? branch['properties'] : {};
  let points = 0;
  let mismatch: string | undefined;
  for (const [key, given] of Object.entries(value)) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (!isRecord(property)) {
      points -= 1;
      continue;
    }
    points += 1;
    const allowed = allowedValues(property);
    if (allowed?.includes(given)) points += 100;
    else if (allowed) mismatch = key;
  }
  return mismatch === undefined ? { points } : { points, mismatch };
}

function describe(schema: unknown, value: unknown, error: SchemaError): Explanation {
  const path = error.instancePath || '/';
  const { params } = error;
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
      return unknownKey(path, key, nearestOf(key, knownKeys(schema, error)));
    }
    case 'required': {
      const missing = String(params['missingProperty']);
      const misspelt = unknownKeys(schema, value, error).find((key) => nearestOf(key, [missing]) !== undefined);
      return misspelt === undefined ? { path, problem: `the key '${missing}' is missing` } : unknownKey(path, misspelt, missing);
    }
    case 'type':
      return { path, problem: `must be ${listed([params['type']].flat().map((each) => article(String(each))))}, but is ${nameOfType(valueAt(value, error.instancePath))}` };
    case 'const':
      return { path, problem: `must be ${alternatives(schema, error, [params['allowedValue']])}` };
    case 'enum':
      return { path, problem: `must be ${alternatives(schema, error, Array.isArray(params['allowedValues']) ? params['allowedValues'] : [])}` };
    case 'pattern': {
      // People are told what it is, not the expression that knows it. A description is a phrase (`an https origin …`) or a sentence.
      const described = schemaAt(schema, `${error.schemaPath.slice(0, error.schemaPath.lastIndexOf('/'))}/description`);
      if (typeof described !== 'string') return { path, problem: error.message ?? 'does not fit the schema' };
      return { path, problem: described.endsWith('.') ? `it is not written as it must be: ${described.slice(0, -1)}` : `must be ${described}` };
    }
    default:
      return { path, problem: error.message ?? 'does not fit the schema' };
  }
}

function unknownKey(path: string, key: string, nearest: string | undefined): Explanation {
  return { path, problem: `the key '${shorten(key)}' is unknown`, key, ...(nearest === undefined ? {} : { nearest }) };
}

function knownKeys(schema: unknown, error: SchemaError): readonly string[] {
  const properties = schemaAt(schema, `${error.schemaPath.slice(0, error.schemaPath.lastIndexOf('/'))}/properties`);
  return isRecord(properties) ? Object.keys(properties) : [];
}

/** Of a closed object; an open one has none. */
function unknownKeys(schema: unknown, value: unknown, error: SchemaError): readonly string[] {
  const closed = schemaAt(schema, `${error.schemaPath.slice(0, error.schemaPath.lastIndexOf('/'))}/additionalProperties`) === false;
  const target = valueAt(value, error.instancePath);
  const known = new Set(knownKeys(schema, error));
  return closed && isRecord(target) ? Object.keys(target).filter((key) => !known.has(key)) : [];
}

/** The allowed values of a failed `const` or `enum`; of a tag, those of every alternative beside it. */
function alternatives(schema: unknown, error: SchemaError, own: readonly unknown[]): string {
  const tag = /^(.*\/(?:anyOf|oneOf))\/\d+(\/properties\/[^/]+)\/(?:const|enum)$/.exec(error.schemaPath);
  const branches = tag ? schemaAt(schema, tag[1] ?? '') : undefined;
  const all = tag && Array.isArray(branches) ? branches.flatMap((_, index) => allowedValues(schemaAt(schema, `${tag[1]}/${index}${tag[2]}`)) ?? []) : own;
  return listed(quoted(all.length > 0 ? all : own));
}

const quoted = (values: readonly unknown[]): string[] => values.slice(0, 40).map((each) => (typeof each === 'string' ? `'${shorten(each)}'` : JSON.stringify(each)));

function allowedValues(schema: unknown): readonly unknown[] | undefined {
  if (!isRecord(schema)) return undefined;
  if (Object.hasOwn(schema, 'const')) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined;
}

/** What a path of ajv into a schema leads to: a pointer in a URI fragment, so its names are percent-encoded. */
function schemaAt(schema: unknown, path: string): unknown {
  return followed(schema, path.replace(/^#/, '').split('/').slice(1).map(decodeURIComponent));
}

/** What a pointer into a value leads to. Its names come from outside and may hold any character, a `%` too. */
function valueAt(value: unknown, pointer: string): unknown {
  return followed(value, pointer.split('/').slice(1));
}

/** Follows the parts of an RFC 6901 pointer through plain data; undefined where they lead nowhere. */
function followed(root: unknown, parts: readonly string[]): unknown {
  let here = root;
  for (const raw of parts) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = Reflect.get(here, part);
  }
  return here;
}

/** A key as one part of a pointer. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');

function propertyOf(branch: unknown, name: string): unknown {
  const properties = isRecord(branch) ? branch['properties'] : undefined;
  return isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

function fitsType(branch: unknown, value: unknown): boolean {
  if (!isRecord(branch) || branch['type'] === undefined) return true;
  return [branch['type']].flat().some((type) => type === jsonType(value) || (type === 'number' && typeof value === 'number'));
}

function typeName(branch: unknown): string {
  return isRecord(branch) && typeof branch['type'] === 'string' ? article(branch['type']) : 'another type';
}

function nameOfType(value: unknown): string {
  return value === undefined ? 'missing' : article(jsonType(value));
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function article(type: string): string {
  if (type === 'null') return 'null';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? 'something else') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
