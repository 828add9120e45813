// The HTTP server before it has any routes: bounds of connections, admission of every request, problems for every failure, WebSockets. Made by server.ts, which adds the routes.
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../../clock.ts';
import { httpAddress, type ResolvedConfig } from '../../config.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { connectionOptions, guardConnections, type ConnectionLimits } from '../connections.ts';
import '../fastify-types.ts';
import { API_BODY_BYTES, answerClientError, pathOf, refuseHandshake, sendProblem } from '../http-errors.ts';
import { observeRequests } from '../request-observer.ts';
import { handshakeOptions, type SocketLimits, type Sockets } from '../sockets.ts';
import type { Admit } from './admission.ts';

export interface AppParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly admit: Admit;
  readonly sockets: Sockets;
  readonly socketLimits: SocketLimits;
  readonly connections: ConnectionLimits;
  /** Whether the host is going away: answers then end their connections. */
  readonly isStopping: () => boolean;
}

/** A session's key is the longest name in an address: 400 characters, of up to nine when percent-encoded. */
const MOST_PARAMETER_CHARACTERS = 3600;

export async function createApp({ clock, log, admit, sockets, socketLimits, connections, isStopping }: AppParts): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    logger: false, // Fastify's request log costs 42 % of requests per second; what matters is an event of the core
    bodyLimit: API_BODY_BYTES,
    ...connectionOptions(connections),
    return503OnClosing: false,
    routerOptions: { maxParamLength: MOST_PARAMETER_CHARACTERS },
    forceCloseConnections: 'idle',
    frameworkErrors: (cause, request, reply) => {
      void answerUnroutable(cause, request, reply);
    },
    clientErrorHandler: answerClientError,
  });

  /** An address that cannot be routed runs no hooks, and is no way around them. */
  async function answerUnroutable(cause: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const refusal = await admit(request).then(() => cause, (thrown: unknown) => thrown);
    await sendProblem(refusal, reply, log);
  }

  app.decorateRequest('principal', null);
  app.setErrorHandler((error, _request, reply) => sendProblem(error, reply, log));
  app.setNotFoundHandler((request) => {
    throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  });
  guardConnections(app.server, connections);
  await app.register(websocket, {
    options: handshakeOptions(socketLimits),
    errorHandler: (error, socket) => {
      log.debug({ err: error }, 'socket ended by an error');
      socket.terminate();
    },
    preClose: () => sockets.close(),
  });
  app.websocketServer.on('wsClientError', refuseHandshake);
  observeRequests(app, clock);
  app.addHook('onRequest', async (request, reply) => {
    if (isStopping()) reply.header('connection', 'close');
    await admit(request);
    // The library would shake hands first and hang up then.
    if (request.ws && !request.routeOptions.config.socket) throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  });
  return app;
}

/** The address with the port that was really taken. Throws LISTEN_FAILED, with the server closed. */
export async function listen(app: FastifyInstance, { host, port }: ResolvedConfig['listen']): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    await app.close();
    throw new GatehouseError('LISTEN_FAILED', { address: `${host}:${port}`, problem: problemOf(thrown) }, { cause: thrown });
  }
  const bound = app.server.address();
  return httpAddress({ host, port: bound !== null && typeof bound === 'object' ? bound.port : port });
}
