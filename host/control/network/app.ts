// The HTTP server before it has any routes: bounds of connections, admission of every request, problems for every failure, WebSockets. Made by server.ts, which adds the routes.
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../../clock.ts';
import { httpAddress, type ResolvedConfig } from '../../config.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { within } from '../../network/addresses.ts';
import type { NetworkPolicy } from '../../network/policy.ts';
import type { Tracing } from '../../tracing.ts';
import { connectionOptions, guardConnections, type ConnectionLimits } from '../connections.ts';
import '../fastify-types.ts';
import { answerClientError, pathOf, refuseHandshake, sendProblem } from '../http-errors.ts';
import { observeRequests } from '../request-observer.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';
import { handshakeOptions, type SocketLimits, type Sockets } from '../sockets.ts';
import type { Admission } from './admission.ts';
import { registerCors } from './cors.ts';
import { serverOptions } from './tls.ts';
import type { CertificateWatch } from './certificate-watch.ts';

export interface AppParts {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly log: Log;
  readonly policy: NetworkPolicy;
  readonly admission: Admission;
  /** Absent where the host speaks no TLS. */
  readonly certificates: CertificateWatch | undefined;
  readonly sockets: Sockets;
  readonly socketLimits: SocketLimits;
  readonly connections: ConnectionLimits;
  /** Whether the host is going away: answers then end their connections. */
  readonly isStopping: () => boolean;
}

/** A session's key is the longest name in an address: 400 characters, of up to nine when percent-encoded. */
const MOST_PARAMETER_CHARACTERS = 3600;

export async function createApp({ clock, tracing, log, policy, admission, certificates, sockets, socketLimits, connections, isStopping }: AppParts): Promise<FastifyInstance> {
  const app = Fastify(
    serverOptions(
      {
        logger: false, // Fastify's request log costs 42 % of requests per second; what matters is an event of the core
        bodyLimit: policy.limits.bodyBytes,
        ...connectionOptions(connections),
        return503OnClosing: false,
        routerOptions: { maxParamLength: MOST_PARAMETER_CHARACTERS },
        forceCloseConnections: 'idle',
        frameworkErrors: (cause, request, reply) => {
          void answerUnroutable(cause, request, reply);
        },
        clientErrorHandler: answerClientError,
      },
      policy,
      certificates?.current.context,
    ),
  );
  certificates?.follow(app.server, () => sockets.restart());

  /** An address that cannot be routed runs no hooks, and is no way around them. */
  async function answerUnroutable(cause: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const refusal = await pass(request, reply).then(() => cause, (thrown: unknown) => thrown);
    await sendProblem(refusal, reply, log);
  }

  async function pass(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.headers(everyAnswer);
    admission.meter(request, reply);
    await admission.admit(request);
  }

  const everyAnswer = headersOfEveryAnswer(policy);
  app.decorateRequest('principal', null);
  app.decorateRequest('client');
  app.setErrorHandler((error, _request, reply) => sendProblem(error, reply, log));
  app.setNotFoundHandler((request) => {
    throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  });
  guardConnections(app.server, connections, within(policy.trustedProxies));
  await app.register(websocket, {
    options: handshakeOptions(socketLimits),
    errorHandler: (error, socket) => {
      log.debug({ err: error }, 'socket ended by an error');
      socket.terminate();
    },
    preClose: () => sockets.close(),
  });
  app.websocketServer.on('wsClientError', refuseHandshake);
  observeRequests(app, clock, tracing);
  app.addHook('onRoute', (route) => {
    if (route.path.startsWith('/api/') && !route.config?.streams) route.handlerTimeout = policy.limits.answerMs;
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(everyAnswer);
    if (isStopping()) reply.header('connection', 'close');
    admission.meter(request, reply);
  });
  await registerCors(app, policy.cors);
  app.addHook('onRequest', async (request) => {
    await admission.admit(request);
    // The library would shake hands first and hang up then.
    if (request.ws && !request.routeOptions.config.socket) throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  });
  app.addHook('preValidation', async (request) => admission.arrived(request));
  return app;
}

/** What a route says of its own answer wins. */
function headersOfEveryAnswer({ tls }: NetworkPolicy): Readonly<Record<string, string>> {
  return { ...SECURITY_HEADERS, ...(tls && tls.hstsSeconds > 0 ? { 'strict-transport-security': `max-age=${tls.hstsSeconds}` } : {}) };
}

/** The address with the port that was really taken. Throws LISTEN_FAILED, with the server closed. */
export async function listen(app: FastifyInstance, { listen: { host, port }, policy }: Pick<ResolvedConfig, 'listen' | 'policy'>): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    await app.close();
    throw new GatehouseError('LISTEN_FAILED', { address: `${host}:${port}`, problem: problemOf(thrown) }, { cause: thrown });
  }
  const bound = app.server.address();
  return httpAddress({ host, port: bound !== null && typeof bound === 'object' ? bound.port : port }, policy.tls ? 'https' : 'http');
}
