// The control plane: one Fastify server for health, metrics, the API and channel ingress. Composed by main.ts around a running host.
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { httpAddress } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Host } from '../host.ts';
import { ensureAdminToken } from './admin-token.ts';
import { createAuth, requireScope } from './auth.ts';
import { CONNECTION_LIMITS, authorityOf, connectionOptions, guardConnections, requireSoundRequest, type ConnectionLimits } from './connections.ts';
import './fastify-types.ts';
import { hostNames } from './host-names.ts';
import { API_BODY_BYTES, answerClientError, pathOf, refuseHandshake, sendProblem } from './http-errors.ts';
import { EventFeed } from './events/event-feed.ts';
import { mutationRecord } from './mutations.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { actorOf, flat, registerApi, type ApiRoute } from './routes/api.ts';
import { EVENT_STREAM_LIMITS, eventRoute, registerEvents, type EventStreamLimits } from './routes/events.ts';
import { backupRoutes } from './routes/backups.ts';
import { configRoutes } from './routes/config.ts';
import { registerChannels } from './routes/channels.ts';
import { auditRoutes } from './routes/audit.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { registerMedia } from './routes/media.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { laneRoutes } from './routes/lanes.ts';
import { registerHealth } from './routes/health.ts';
import { messageRoutes } from './routes/messages.ts';
import { registerMetrics, type MetricsSource } from './routes/metrics.ts';
import { registerOpenApi, type DescribedRoute } from './routes/openapi.ts';
import { pluginRoutes } from './routes/plugins.ts';
import { quarantineRoutes } from './routes/quarantine.ts';
import { scanRoutes } from './routes/scans.ts';
import { revocationRoutes } from './routes/revocations.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { statusRoutes } from './routes/status.ts';
import { isCurrent } from './tokens.ts';
import { SOCKET_LIMITS, createSockets, handshakeOptions, type SocketLimits } from './sockets.ts';

export interface ControlParts {
  readonly host: Host;
  readonly metrics: MetricsSource;
  readonly sockets?: Partial<SocketLimits>;
  readonly connections?: Partial<ConnectionLimits>;
  readonly events?: Partial<EventStreamLimits>;
}

export interface Control extends AsyncDisposable {
  /** `http://127.0.0.1:4280`, with the port that was really taken. */
  readonly address: string;
  /** Refuses what is new, lets what is under way finish for at most `graceMs` (default 5 s), then ends every connection. */
  close(graceMs?: number): Promise<void>;
}

const CLOSE_GRACE_MS = 5000;

/** A session's key is the longest name in an address: 400 characters, of up to nine when percent-encoded. */
const MOST_PARAMETER_CHARACTERS = 3600;

/** Every route under /api/v1, in the order the documentation shows them. */
export const apiRoutes = (host: Host): readonly ApiRoute[] => [
  ...statusRoutes(host),
  ...pluginRoutes(host),
  ...quarantineRoutes(host),
  ...scanRoutes(host),
  ...approvalRoutes(host),
  ...revocationRoutes(host),
  ...messageRoutes(host),
  ...sessionRoutes(host),
  ...laneRoutes(host),
  ...deliveryRoutes(host),
  ...deadLetterRoutes(host), ...auditRoutes(host),
  ...configRoutes(host),
  ...backupRoutes(host),
  ...tokenRoutes(host),
];

/** All of them as documentation shows them, and the stream of events. */
export const describedRoutes = (host: Host): readonly DescribedRoute[] => [...apiRoutes(host), eventRoute];

/** Listens and answers. Throws LISTEN_FAILED when the address cannot be had. */
export async function startControl({ host, metrics, sockets: socketLimits, connections, events }: ControlParts): Promise<Control> {
  const { config, store, audit, clock, log } = host;
  await ensureAdminToken({ store, audit, clock, dataDir: config.dataDir });
  const mutations = mutationRecord(audit, clock, log);
  const auth = createAuth(store, clock, log);
  const answersTo = hostNames(config);
  const socketBounds = { ...SOCKET_LIMITS, ...socketLimits };
  const sockets = createSockets(log, socketBounds);
  const limits = { ...CONNECTION_LIMITS, ...connections };
  const feed = new EventFeed(clock, host.startedAt);
  let stopping = false;

  const app: FastifyInstance = Fastify({
    logger: false, // Fastify's request log costs 42 % of requests per second; what matters is an event of the core
    bodyLimit: API_BODY_BYTES,
    ...connectionOptions(limits),
    return503OnClosing: false,
    routerOptions: { maxParamLength: MOST_PARAMETER_CHARACTERS },
    forceCloseConnections: 'idle',
    frameworkErrors: (cause, request, reply) => {
      void answerUnroutable(cause, request, reply);
    },
    clientErrorHandler: answerClientError,
  });

  /** Before routing and validation: a stranger learns nothing about what exists. */
  async function admit(request: FastifyRequest): Promise<void> {
    requireSoundRequest(request.raw);
    if (!answersTo(authorityOf(request.raw))) throw new GatehouseError('MISDIRECTED');
    if (stopping) throw new GatehouseError('STOPPING');
    const { open, scope, mutates } = request.routeOptions.config;
    if (open) return;
    const principal = await auth.authenticate({ authorization: request.headers.authorization, address: request.ip });
    request.principal = principal;
    try {
      if (scope) requireScope(principal, scope);
    } catch (refusal) {
      if (mutates !== undefined) await mutations.refused({ actor: actorOf(request), method: request.method, path: mutates, params: flat(request.params) }, refusal);
      throw refusal;
    }
  }

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
  guardConnections(app.server, limits);
  await app.register(websocket, {
    options: handshakeOptions(socketBounds),
    errorHandler: (error, socket) => {
      log.debug({ err: error }, 'socket ended by an error');
      socket.terminate();
    },
    preClose: () => sockets.close(),
  });
  app.websocketServer.on('wsClientError', refuseHandshake);
  app.addHook('onRequest', async (request, reply) => {
    if (stopping) reply.header('connection', 'close');
    await admit(request);
    // The library would shake hands first and hang up then.
    if (request.ws && !request.routeOptions.config.socket) throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  });

  registerHealth(app, host);
  registerMetrics(app, metrics, config.profile);
  app.get('/', { config: { open: true } }, async (_request, reply) => reply.redirect('/channels/webchat/'));
  const routes = apiRoutes(host);
  registerOpenApi(app, describedRoutes(host));
  const streams = registerEvents(app, { feed, limits: { ...EVENT_STREAM_LIMITS, ...events }, stillMay: async ({ principal }) => principal !== null && (await isCurrent(principal, store, clock)) });
  await app.register(async (api) => registerApi(api, routes, mutations), { prefix: '/api/v1' });
  registerMedia(app, host);
  await app.register(async (channels) => registerChannels(channels, host, sockets));

  const address = await listen(app, config.listen);

  async function close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    stopping = true;
    streams.close();
    // A connection that becomes idle from now on is closed instead of kept.
    app.server.keepAliveTimeout = 1;
    const late = setTimeout(() => app.server.closeAllConnections(), graceMs);
    await app.close();
    clearTimeout(late);
    feed.close();
  }

  return { address, close, [Symbol.asyncDispose]: () => close() };
}

async function listen(app: FastifyInstance, { host, port }: Host['config']['listen']): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    await app.close();
    throw new GatehouseError('LISTEN_FAILED', { address: `${host}:${port}`, problem: problemOf(thrown) }, { cause: thrown });
  }
  const bound = app.server.address();
  return httpAddress({ host, port: bound !== null && typeof bound === 'object' ? bound.port : port });
}
