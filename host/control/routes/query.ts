// The query of a request, read by the schemas of its route: text becomes the number or moment it stands for, and what does not fit is refused by name. api.ts and the routes use it.
import { Type, type Static, type TSchema } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import { PLUGIN_FORMATS } from '../../plugin-schema.ts';
import { compileSchema } from '../../schema.ts';
import { closed } from '../../../schemas/closed.ts';
import type { ApiCall, ApiRoute } from './api.ts';

/** A parameter is a schema of one value: text, a whole number, or `true` and `false`; with a description, and `default` where there is one. */
export type QuerySchemas = Readonly<Record<string, TSchema>>;

/** What was given; a default is filled in by whoever uses the value, and only said by the schema. */
export type QueryOf<Q extends QuerySchemas> = { readonly [Name in keyof Q]?: Static<Q[Name]> };

/** A route whose query is typed by its schemas: the check below earns the type. */
export function withQuery<const Q extends QuerySchemas>(route: Omit<ApiRoute, 'query' | 'run'> & { readonly query: Q; run(call: ApiCall<unknown, QueryOf<Q>>): unknown }): ApiRoute {
  const read = queryReader(route.query);
  return { ...route, run: (call) => route.run({ ...call, query: read(call.query) }) };
}

/** Of one value, whatever its schema says. */
const MOST_CHARACTERS = 4096;

/** The names and texts of a query. Throws REQUEST_INVALID for a name that is unknown or given twice. */
export function queryTexts(query: unknown, known: readonly string[]): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries({ ...Object(query) })) {
    if (!known.includes(name)) throw refusal(name, known.length === 0 ? 'this takes no query' : `unknown; this takes ${known.join(', ')}`);
    if (typeof value !== 'string') throw refusal(name, 'given more than once');
    if (value.length > MOST_CHARACTERS) throw refusal(name, `longer than ${MOST_CHARACTERS} characters`);
    result[name] = value;
  }
  return result;
}

/** Reads texts by schemas. What it returns throws REQUEST_INVALID with the first value that does not fit. */
export function queryReader<const Q extends QuerySchemas>(schemas: Q): (texts: Readonly<Record<string, string>>) => QueryOf<Q> {
  const checker = compileSchema<QueryOf<Q>>(closed(Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, Type.Optional(schema)]))));
  return (texts) => {
    const values: unknown = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, valueOf(schemas[name], text)]));
    if (checker.is(values)) return values;
    const { path = '/', problem = 'does not fit' } = checker.explain(values) ?? {};
    const name = path.slice(1);
    throw refusal(name, plainProblem(schemas[name]) ?? problem);
  };
}

const refusal = (name: string, problem: string) => new GatehouseError('REQUEST_INVALID', { path: `?${name}`, problem });

/** What the text stands for; text that stands for nothing of that kind stays text, and does not fit. */
function valueOf(schema: TSchema | undefined, text: string): unknown {
  const { type, format } = keywordsOf(schema);
  if (type === 'integer') return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  // A day is its first moment; Date.parse alone takes February 30th for March 2nd.
  if (format !== 'date-time' || !PLUGIN_FORMATS['date']?.(text.slice(0, 10))) return text;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
}

/** Better words than a checker's own, for what people get wrong. */
function plainProblem(schema: TSchema | undefined): string | undefined {
  const { type, format, minimum, maximum } = keywordsOf(schema);
  if (type === 'integer' && typeof minimum === 'number' && typeof maximum === 'number') return `must be a whole number from ${minimum} to ${maximum}`;
  if (type === 'boolean') return 'must be true or false';
  return format === 'date-time' ? 'must be a moment as RFC 3339 writes it, such as 2026-11-21T08:00:00Z' : undefined;
}

const keywordsOf = (schema: TSchema | undefined): Readonly<Record<string, unknown>> => ({ ...schema });
