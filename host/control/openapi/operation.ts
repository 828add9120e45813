// One route as an operation of the document: parameters, body, answers, refusals, and the scope it needs. document.ts calls it for every route.
import { Type, type TSchema } from 'typebox';
import { BackupName } from '../../../schemas/backup.ts';
import { text, whole } from '../../../schemas/closed.ts';
import { Digest, InstanceName } from '../../../schemas/ids.ts';
import type { DescribedRoute } from '../routes/api.ts';
import type { QuerySchemas } from '../routes/query.ts';
import type { Components } from './components.ts';
import { ANSWER_HEADERS, codesOf, refusals } from './problems.ts';
import { tagOf } from './tags.ts';

/** https://spec.openapis.org/oas/v3.1.1#operation-object */
export function operation(route: DescribedRoute, components: Components) {
  const { id, path, scope, summary, status = 200, body, optionalBody = false, deprecated, query = {}, headers = {} } = route;
  const parameters = [...pathParameters(path), ...described('query', query), ...described('header', { ...(route.method === 'GET' ? {} : IDEMPOTENCY), ...conditional(route), ...headers })].map(({ schema, ...parameter }) => ({ ...parameter, schema: components.refer(schema) }));
  return {
    operationId: id,
    tags: [tagOf(path)],
    summary,
    description: [scope === 'any' ? 'For every token.' : `Needs the scope \`${scope}\`.`, ...(deprecated ? [`Deprecated since ${deprecated.since}, and gone after ${deprecated.sunset}: use \`${deprecated.instead}\`.`] : [])].join(' '),
    ...(deprecated ? { deprecated: true, 'x-sunset': deprecated.sunset } : {}),
    security: [{ token: scope === 'any' ? [] : [scope] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body ? { requestBody: { required: !optionalBody, content: { 'application/json': { schema: components.refer(body) } } } } : {}),
    responses: { [status]: { description: SUCCESS[status] ?? 'Done.', headers: headersOf(route), content: content(route, components) }, ...(route.tagged ? UNCHANGED : {}), ...refusals(codesOf(route)) },
  };
}

const SUCCESS: Readonly<Record<number, string>> = { 200: 'Done.', 201: 'Made.', 202: 'Begun; it goes on after this answer.' };

const DEPRECATION_HEADERS = {
  Deprecation: { description: 'RFC 9745: since when, as `@` and seconds of Unix time.', schema: { type: 'string' } },
  Sunset: { description: 'RFC 8594: from when on it may be gone.', schema: { type: 'string' } },
  Link: { description: 'What is written about it, and what takes its place.', schema: { type: 'string' } },
};

const ETAG = { ETag: { description: 'RFC 9110: names the state this answer shows.', schema: { type: 'string' } } };
const REPLAYED = { 'Idempotency-Replayed': { description: 'The request was carried out earlier, under the same key; this is its answer.', schema: { const: 'true' } } };
const UNCHANGED = { 304: { description: 'The answer is still the one with a tag of If-None-Match.', headers: { ...ANSWER_HEADERS, ...ETAG } } };

/** Of a success. */
function headersOf({ method, tagged, deprecated }: DescribedRoute) {
  return { ...ANSWER_HEADERS, ...(tagged ? ETAG : {}), ...(method === 'GET' ? {} : REPLAYED), ...(deprecated ? DEPRECATION_HEADERS : {}) };
}

/** Headers by which a request depends on a state. */
function conditional({ tagged, guards }: DescribedRoute): QuerySchemas {
  const tags = (description: string) => Type.String({ minLength: 1, description });
  return {
    ...(tagged ? { 'If-None-Match': tags('Tags of answers that the caller has: 304 when one of them is still the answer.') } : {}),
    ...(guards === undefined ? {} : { 'If-Match': tags(`The tag of \`${guards}\`: carried out only while that is the state, else \`PRECONDITION_FAILED\`.`) }),
  };
}

/** A stream is text; its schema says what each line of it holds. */
function content({ media, answer }: DescribedRoute, components: Components) {
  if (media === undefined) return { 'application/json': { schema: components.refer(answer) } };
  return { [media]: { schema: { type: 'string', contentMediaType: 'application/json', contentSchema: components.refer(answer) } } };
}

/** Of every mutation. */
const IDEMPOTENCY = { 'Idempotency-Key': Type.String({ pattern: '^[\\x21-\\x7e]{1,255}$', description: 'A name for this request, new for each: sent again with it, the request is not carried out again but answered as before.' }) };

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: true;
  readonly description?: string;
  readonly schema: TSchema;
}

/** What the names in paths stand for. */
const IN_PATHS: Readonly<Record<string, { readonly description: string; readonly schema: TSchema }>> = {
  instance: { description: 'The name of an instance.', schema: InstanceName },
  id: { description: 'An id, as lists show it.', schema: text(64, { minLength: 1 }) },
  key: { description: 'The key of a session, percent-encoded.', schema: text(400, { minLength: 1 }) },
  code: { description: 'The code that a sender was told, or the id of a pairing.', schema: text(64, { minLength: 1 }) },
  name: { description: 'The name of a backup.', schema: BackupName },
  digest: { description: 'The digest of a package.', schema: Digest },
  index: { description: 'The place of an entry in the log, from 0.', schema: whole(0, 1e15) },
};

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({ name, in: 'path', required: true, ...(IN_PATHS[name] ?? { schema: Type.String() }) }));
}

/** A description belongs to the parameter; the rest is its schema. */
function described(place: 'query' | 'header', schemas: QuerySchemas): Parameter[] {
  return Object.entries(schemas).map(([name, schema]) => {
    const { description, ...rest }: { readonly description?: string } & TSchema = schema;
    return { name, in: place, ...(description === undefined ? {} : { description }), schema: rest };
  });
}
