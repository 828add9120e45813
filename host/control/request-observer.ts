// Tells of every request: its route as a pattern, never the address itself, so that whoever counts them counts to a bound. Registered by server.ts before anything may refuse.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { publish } from '../events.ts';
import { eventRoute } from './routes/events.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Sockets and streams of events last for hours and are counted elsewhere. */
const isLong = (request: FastifyRequest) => request.ws || request.routeOptions.url === `/api/v1${eventRoute.path}`;

export function observeRequests(app: FastifyInstance, clock: Clock): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!isLong(request)) {
      const startedMs = clock.monotonicMs();
      const route = request.routeOptions.url ?? 'unknown';
      const method = METHODS.has(request.method) ? request.method : 'other';
      publish('http.began', { route, method });
      // Also when whoever asked has gone before there was an answer; `onResponse` would not be called then.
      reply.raw.once('close', () => publish('http.request', { route, method, status: reply.raw.statusCode, durationMs: clock.monotonicMs() - startedMs }));
    }
    done();
  });
}
