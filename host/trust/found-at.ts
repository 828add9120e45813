// What stood where a document broke its schema, for reports that show both values. Used for manifests, envelopes and statements, which hold no secrets.
import { GatehouseError, type Fields } from '../errors.ts';

const SHOWN = 120;

/** `{expected, found}` of what a reader of the document threw: the rule that was broken, and the value at that place, cut short. Empty where nobody can tell. */
export function valuesIn(bytes: Uint8Array, thrown: unknown): Fields {
  if (!(thrown instanceof GatehouseError)) return {};
  const { path, key, problem, limit, size, nearest, line, column } = thrown.fields;
  if (limit !== undefined && size !== undefined) return { expected: `at most ${limit} bytes`, found: `${size} bytes` };
  if (thrown.code === 'SCHEMA_UNKNOWN_KEY') return { expected: nearest === '' ? 'no such key' : String(nearest).trim(), found: `the key '${key}' at ${path}` };
  if (thrown.code !== 'SCHEMA_INVALID') return line === undefined ? {} : { expected: 'strict JSON', found: `${problem ?? `the key '${key}'`} at line ${line}, column ${column}` };
  const value = valueAt(bytes, String(path));
  return { expected: `${path} ${problem}`, found: value === undefined ? 'nothing' : JSON.stringify(value).slice(0, SHOWN) };
}

/** It was parsed strictly before it was held against its schema, so it can be parsed again. */
function valueAt(bytes: Uint8Array, pointer: string): unknown {
  let value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  for (const part of pointer === '/' ? [] : pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    value = Object.hasOwn(Object(value), name) ? Object(value)[name] : undefined;
  }
  return value;
}
