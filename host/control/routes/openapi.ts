// /openapi.json: the API as it describes itself, for everybody.
import type { FastifyInstance } from 'fastify';
import { openApi } from '../openapi/document.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';
import type { DescribedRoute } from './api.ts';

export function registerOpenApi(app: FastifyInstance, routes: readonly DescribedRoute[]): void {
  // Made when somebody asks: it takes a tenth of a second, which no start should.
  let document: string | undefined;
  app.get('/openapi.json', { config: { open: true } }, async (_request, reply) => reply.headers(SECURITY_HEADERS).type('application/json').send((document ??= JSON.stringify(openApi(routes)))));
}
