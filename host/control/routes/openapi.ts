// /openapi.json: the API as OpenAPI 3.1, made from the same list that registers the routes, so that it cannot say anything else.
import type { FastifyInstance } from 'fastify';
import type { TSchema } from 'typebox';
import { Problem } from '../../../schemas/control.ts';
import { VERSION } from '../../version.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';
import type { ApiRoute } from './api.ts';

/** A route as the document shows it; an answer is JSON unless `media` says otherwise. */
export type DescribedRoute = Omit<ApiRoute, 'run'>;

export function registerOpenApi(app: FastifyInstance, routes: readonly DescribedRoute[]): void {
  const document = JSON.stringify(openApi(routes));
  app.get('/openapi.json', { config: { open: true } }, async (_request, reply) => reply.headers(SECURITY_HEADERS).type('application/json').send(document));
}

/** https://spec.openapis.org/oas/v3.1.1 */
export function openApi(routes: readonly DescribedRoute[]) {
  const paths = Map.groupBy(routes, ({ path }) => `/api/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  return {
    openapi: '3.1.1',
    info: { title: 'Gatehouse', version: VERSION, description: 'The control plane of a Gatehouse host. Every failure is application/problem+json (RFC 9457) with a stable `code`.' },
    paths: Object.fromEntries([...paths].map(([path, methods]) => [path, Object.fromEntries(methods.map((route) => [route.method.toLowerCase(), operation(route)]))])),
    components: {
      schemas: { Problem },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'ght_<id>_<secret>; the first one is in the data directory, file admin-token.' } },
    },
    security: [{ token: [] }],
  };
}

function operation({ path, scope, summary, status = 200, query = {}, body, answer, media = 'application/json' }: DescribedRoute) {
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: 'query', ...parameter(schema) })),
  ];
  return {
    summary,
    description: `Needs the scope ${scope}.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      [status]: { description: 'Done.', content: { [media]: { schema: answer ?? {} } } },
      default: { description: 'Refused or failed.', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  };
}

/** A description belongs to the parameter; the rest is its schema. */
function parameter(schema: TSchema) {
  const { description, ...rest }: { readonly description?: unknown } = schema;
  return { description, schema: rest };
}
