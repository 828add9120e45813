// Which other origins' pages may read answers: those that the operator names, by default none. Registered by app.ts between metering and admission, so that a preflight needs no token.
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { NetworkPolicy } from '../../network/policy.ts';

/** Every origin that is not named is answered as if there were no CORS: no header tells it anything, and its preflight is a request like any other, which wants a token. */
export async function registerCors(app: FastifyInstance, { origins, credentials, maxAgeSeconds }: NetworkPolicy['cors']): Promise<void> {
  if (origins.length === 0) return;
  const named = new Set(origins.map((origin) => origin.toLowerCase()));
  const isNamed = (origin: string | undefined): origin is string => origin !== undefined && (named.has('*') || named.has(origin.toLowerCase()));
  await app.register(cors, {
    origin: (origin, answer) => answer(null, isNamed(origin) ? (named.has('*') ? '*' : origin) : false),
    credentials,
    maxAge: maxAgeSeconds,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'last-event-id'],
    exposedHeaders: ['etag', 'retry-after', 'link', 'location', 'deprecation', 'sunset', 'idempotency-replayed', 'x-request-id'],
    strictPreflight: false,
  });
}
