// Every request from its first line to the end of its answer: its id, its span, and what metrics are told of it. Registered by network/app.ts before anything may refuse.
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { publish } from '../events.ts';
import { masked } from '../log-redaction.ts';
import { instead, type Doing, type Span, type Tracing } from '../tracing.ts';
import { eventRoute } from './routes/events.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What may stand in a log line and in an answer as it came. */
const REQUEST_ID = /^[\w.~-]{1,64}$/;

/** What nginx counts a request as whose caller left before the answer; nobody is ever answered with it. */
const NOBODY_LEFT = 499;

/** Sockets and streams of events last for hours and are counted elsewhere. */
const isLong = (request: FastifyRequest) => request.ws || request.routeOptions.url === `/api/v1${eventRoute.path}`;

/** Whose way is worth a trace: what reaches a channel, and what changes something. */
const isTraced = (route: string, method: string) => route !== 'unknown' && (route.startsWith('/channels/') || (method !== 'GET' && method !== 'HEAD'));

/** Labels are patterns of routes, never addresses, so that whoever counts them counts to a bound. */
export function observeRequests(app: FastifyInstance, clock: Clock, tracing: Tracing): void {
  app.decorateRequest('doing', null);
  app.addHook('onRequest', (request, reply, done) => {
    const startedMs = clock.monotonicMs();
    const route = request.routeOptions.url ?? 'unknown';
    const method = METHODS.has(request.method) ? request.method : 'other';
    const requestId = requestIdOf(request);
    reply.header('x-request-id', requestId);
    const isCounted = !isLong(request);
    const mayTrace = tracing.on && isCounted && isTraced(route, method);
    const span = mayTrace ? begin(tracing, request, route, method) : undefined;
    if (isCounted) {
      publish('http.began', { route, method });
      // Also when whoever asked has gone before there was an answer; `onResponse` would not be called then.
      reply.raw.once('close', () => {
        const status = reply.raw.headersSent ? reply.raw.statusCode : NOBODY_LEFT;
        publish('http.request', { route, method, status, durationMs: clock.monotonicMs() - startedMs });
        span?.set({ 'http.response.status_code': status });
        span?.end(status >= NOBODY_LEFT ? String(status) : undefined);
      });
    }
    // A socket lives on as nobody's request: each of its frames is something new.
    request.doing = request.ws ? {} : { requestId, isDecided: mayTrace, ...(span && { span, work: span }) };
    instead(request.doing, done);
  });
  // The body came in events of the connection, which belong to no request.
  app.addHook('preHandler', (request, _reply, done) => instead(request.doing ?? undefined, done));
}

function begin(tracing: Tracing, { headers, protocol }: FastifyRequest, route: string, method: string): Span | undefined {
  const { traceparent } = headers;
  return tracing.begin(`${method} ${route}`, 'server', { 'http.request.method': method, 'http.route': route, 'url.scheme': protocol }, typeof traceparent === 'string' ? traceparent : undefined);
}

/** The one that came, so that it can be looked for on both sides; a new one where it is none, or a credential. */
function requestIdOf({ headers }: FastifyRequest): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) && masked(given) === given ? given : randomUUID();
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What its log lines carry. */
    doing: Doing | null;
  }
}
