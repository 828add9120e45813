// The control plane: one Fastify server for health, metrics, the API and channel ingress. Composed by main.ts around a running host.
import { GatehouseError } from '../errors.ts';
import type { Host } from '../host.ts';
import { ensureAdminToken } from './admin-token.ts';
import { CONNECTION_LIMITS, type ConnectionLimits } from './connections.ts';
import { startDiscovery, type Discovery } from './discovery/discovery.ts';
import { EventFeed } from './events/event-feed.ts';
import { invited, registerAccess } from './invited.ts';
import { createIdempotency } from './idempotency.ts';
import { openLocalSocket } from './local-socket.ts';
import { mutationRecord } from './mutations.ts';
import { createAdmission } from './network/admission.ts';
import { createApp, listen } from './network/app.ts';
import { watchCertificates } from './network/certificate-watch.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { registerApi, type ApiRoute, type DescribedRoute } from './routes/api.ts';
import { EVENT_STREAM_LIMITS, eventRoute, registerEvents, type EventStreamLimits } from './routes/events.ts';
import { backupRoutes } from './routes/backups.ts';
import { exportRoutes } from './routes/export.ts';
import { configRoutes } from './routes/config.ts';
import { costRoutes } from './routes/costs.ts';
import { registerChannels } from './routes/channels.ts';
import { auditRoutes } from './routes/audit.ts';
import { discoveryRoutes } from './routes/discovery.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { registerDashboard } from './dashboard/dashboard.ts';
import { registerMedia } from './routes/media.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { laneRoutes } from './routes/lanes.ts';
import { registerHealth } from './routes/health.ts';
import { messageRoutes } from './routes/messages.ts';
import { networkRoutes, type Listening } from './routes/network.ts';
import { registerMetrics, type MetricsSource } from './routes/metrics.ts';
import { registerDocs } from './routes/docs.ts';
import { registerOpenApi } from './routes/openapi.ts';
import { packageRoutes } from './routes/packages.ts';
import { pairingRoutes } from './routes/pairing.ts';
import { pluginRoutes } from './routes/plugins.ts';
import { quarantineRoutes } from './routes/quarantine.ts';
import { scanRoutes } from './routes/scans.ts';
import { revocationRoutes } from './routes/revocations.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { statusRoutes } from './routes/status.ts';
import { lastHourRoutes } from './routes/last-hour.ts';
import { recordLastHour, LastHour } from './last-hour.ts';
import { isCurrent } from './tokens.ts';
import { SOCKET_LIMITS, createSockets, type SocketLimits } from './sockets.ts';

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

/** For the documents, which are made before anybody listens. */
const NOT_YET = (): never => {
  throw new GatehouseError('INTERNAL', { problem: 'nothing listens yet' });
};
const NOWHERE: Listening = { address: () => '', leaf: () => undefined };

/** Every route under /api/v1, in the order the documentation shows them. */
export const apiRoutes = (host: Host, listening: Listening = NOWHERE, hour = new LastHour(host.clock), discovery: () => Pick<Discovery, 'view'> = NOT_YET): readonly ApiRoute[] => [
  ...statusRoutes(host), ...lastHourRoutes(hour),
  ...pluginRoutes(host),
  ...packageRoutes(host),
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
  ...networkRoutes(host, listening),
  ...discoveryRoutes(discovery),
  ...backupRoutes(host),
  ...exportRoutes(host),
  ...tokenRoutes(host),
  ...costRoutes(host),
  ...pairingRoutes(host),
];

/** All of them as documentation shows them, and the stream of events. */
export const describedRoutes = (host: Host): readonly DescribedRoute[] => [...apiRoutes(host), eventRoute];

/** Listens and answers. Throws LISTEN_FAILED when the address cannot be had. */
export async function startControl({ host, metrics, sockets: someSocketLimits, connections, events }: ControlParts): Promise<Control> {
  const { config, store, audit, clock, tracing, log } = host;
  await ensureAdminToken({ store, audit, clock, dataDir: config.dataDir });
  const mutations = mutationRecord(audit, clock, log);
  const idempotency = createIdempotency(store, clock, log);
  const socketLimits = { ...SOCKET_LIMITS, ...someSocketLimits };
  const sockets = createSockets(log, socketLimits);
  const feed = new EventFeed(clock, host.startedAt);
  let stopping = false;
  const isStopping = () => stopping;

  const { policy } = config;
  const certificates = watchCertificates(policy, clock, log);
  const { headersMs, requestMs } = policy.limits;
  const connectionLimits = { ...CONNECTION_LIMITS, headersMs, requestMs, ...connections };
  const app = await createApp({ clock, tracing, log, policy, certificates, sockets, socketLimits, connections: connectionLimits, isStopping, admission: createAdmission({ host, mutations, isStopping }) });
  app.addHook('onClose', async () => certificates?.[Symbol.dispose]());
  registerHealth(app, host);
  registerMetrics(app, metrics, config.profile);
  await app.register(registerDashboard);
  const hour = new LastHour(clock);
  registerOpenApi(app, describedRoutes(host));
  registerDocs(app);
  const streams = registerEvents(app, { feed, limits: { ...EVENT_STREAM_LIMITS, ...events }, stillMay: async ({ principal }) => principal !== null && (await isCurrent(principal, store, clock)) });
  await app.register(async (api) => registerApi(api, apiRoutes(host, { address: () => address, leaf: () => certificates?.current.leaf }, hour, () => discovery), { mutations, idempotency }), { prefix: '/api/v1' });
  registerMedia(app, host);
  await app.register(async (channels) => registerChannels(channels, host, sockets, invited(host)));
  await app.register(async (access) => registerAccess(access, host));

  const address = await listen(app, config);
  const recording = recordLastHour(hour, host);
  const discovery = startDiscovery({ settings: config.discovery, host: config.listen.host, port: portOf(address), tls: policy.tls !== undefined, clock, log });
  const local = await openLocalSocket(app, { dataDir: config.dataDir, limits: connectionLimits, log });

  async function close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    stopping = true;
    streams.close();
    await discovery[Symbol.asyncDispose]();
    // A connection that becomes idle from now on is closed instead of kept.
    app.server.keepAliveTimeout = 1;
    const late = setTimeout(() => app.server.closeAllConnections(), graceMs);
    await Promise.all([app.close(), local?.close(graceMs)]);
    clearTimeout(late);
    feed.close();
    recording[Symbol.dispose]();
    await idempotency[Symbol.asyncDispose]();
  }

  return { address, close, [Symbol.asyncDispose]: () => close() };
}

/** Addresses leave out the port that everybody expects. */
function portOf(address: string): number {
  const { port, protocol } = new URL(address);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
