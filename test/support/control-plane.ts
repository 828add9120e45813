// A real control plane on a real store and a free port, around a host whose channels and answers the test scripts.
import { join } from 'node:path';
import { request, type IncomingHttpHeaders } from 'node:http';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { systemClock, type Clock } from '../../host/clock.ts';
import { configIn, type ResolvedConfig } from '../../host/config.ts';
import { startControl, type Control, type ControlParts } from '../../host/control/server.ts';
import { GatehouseError } from '../../host/errors.ts';
import { ConfigDesk } from '../../host/config-desk.ts';
import { createIds } from '../../host/ids.ts';
import { BackupDesk } from '../../host/backup/backup-desk.ts';
import type { ChannelFace, Host } from '../../host/host.ts';
import { resolveNetwork } from '../../host/network/policy.ts';
import { pairingDesk } from '../../host/pipeline/pairing/pairing-desk.ts';
import { Pairings } from '../../host/pipeline/pairing/pairings.ts';
import { quarantineDesk } from '../../host/quarantine/desk.ts';
import { createLog } from '../../host/log.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { NO_TRACING } from '../../host/tracing.ts';
import type { Vitals } from '../../host/vitals.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import type { ApprovalView, DeadLetterView, DegradedPlugin, DeliveryView, LaneView, MessageView, PluginView, ReloadView, Sent, SessionView } from '../../schemas/control.ts';
import { RETENTION_DEFAULTS } from '../../schemas/retention.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import type { RevocationView } from '../../schemas/revocation.ts';
import { approvalIdOf } from '../../host/trust/approval-statement.ts';
import { tempDir } from './temp.ts';

export interface Script {
  readonly config?: Partial<ResolvedConfig>;
  /** `network` of host.json; unsafe combinations are taken as they are. */
  readonly network?: NonNullable<HostConfig['network']>;
  readonly clock?: Clock;
  readonly channels?: readonly ChannelFace[];
  readonly plugins?: readonly PluginView[];
  readonly degraded?: readonly DegradedPlugin[];
  readonly ready?: boolean;
  /** What a look at the home comes to. */
  readonly reloaded?: ReloadView;
  readonly approvals?: readonly ApprovalView[];
  readonly messages?: readonly MessageView[];
  readonly lanes?: readonly LaneView[];
  readonly sessions?: readonly SessionView[];
  readonly revocations?: readonly RevocationView[];
  readonly deliveries?: readonly DeliveryView[];
  readonly deadLetters?: readonly DeadLetterView[];
  readonly sent?: Sent;
  readonly sockets?: ControlParts['sockets'];
  readonly connections?: ControlParts['connections'];
  readonly events?: ControlParts['events'];
}

export interface TestControl extends AsyncDisposable {
  readonly control: Control;
  readonly host: Host;
  /** A home with a host.json, so that commands find this control plane. */
  readonly home: string;
  readonly dataDir: string;
  readonly adminToken: string;
  /** What the control plane asked of the host, in order. */
  readonly asked: readonly string[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** True for the admin token, a string for another one. */
  readonly token?: true | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly json: Record<string, unknown> | undefined;
}

export function aPlugin(view: Partial<PluginView> = {}): PluginView {
  return { instance: 'echo', plugin: 'gatehouse.echo', kind: 'skill', version: '1.0.0', digest: null, state: 'active', required: false, grants: [], restarts: 0, strikes: 0, cpuMs: 0, calls: 0, ...view };
}

/** Of a host that has nothing to do. */
export const VITALS: Vitals = {
  lanes: { messages: { oldestMs: 0, deepest: 0 }, deliveries: { oldestMs: 0, deepest: 0 } }, held: 0, egressWaiting: 0, sandboxes: [], warmSandboxes: 0,
  store: { committed: 0, conflict: 0, failed: 0, inFlight: 0, usedBytes: 8192, mapBytes: 2 ** 30, readers: 1, readerLag: 0 }, disk: { freeBytes: 10, sizeBytes: 20 }, revocations: 0,
};

export function aChannel(face: Partial<ChannelFace> = {}): ChannelFace {
  return {
    instance: 'hook',
    section: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }] },
    ui: false,
    asset: () => undefined,
    http: async () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' }),
    socket: async () => ({ frame: () => undefined, closed: () => undefined }),
    ...face,
  };
}

export async function startTestControl(script: Script = {}): Promise<TestControl> {
  await using parts = new AsyncDisposableStack();
  const { path: home } = parts.use(await tempDir());
  const dataDir = join(home, 'data');
  const clock = script.clock ?? systemClock;
  const store = parts.use(await openStore({ dir: join(dataDir, 'store'), clock }));
  const { network } = configIn(Buffer.from(JSON.stringify({ network: script.network ?? {} })), { home, env: {}, cwd: home, interfaces: {} }, () => undefined);
  const written: Omit<ResolvedConfig, 'policy'> = {
    home, dataDir, network, manifestsDir: join(home, 'manifests'), homeDataDir: dataDir, listen: { host: '127.0.0.1', port: 0 }, hosts: [], profile: 'local', strict: false, collision: 'reject',
    boot: { deadlineMs: 1000 }, egress: { allow: [] }, log: { level: 'error' }, sandbox: { warm: 0, jitless: true, mostRunning: 32, hibernateAfterMs: 600_000 }, reload: { watch: false, quietMs: 500, mostMs: 1500 },
    pipeline: {}, discovery: { mdns: { enabled: false, name: '', interface: '' }, tailnet: { enabled: false } }, retention: RETENTION_DEFAULTS, costs: { hourlyDays: 35, dailyDays: 800, perDay: {}, perMessage: {} }, identities: {}, trust: {}, telemetry: { traces: { sampleRatio: 0, propagateTo: [] } },
    ...script.config,
  };
  const config: ResolvedConfig = { ...written, policy: resolveNetwork({ ...written, interfaces: {}, sourceOf: () => 'file' }) };
  const audit = parts.use(await openAuditLog({ config, store, clock }));
  const asked: string[] = [];
  const settings = new ConfigDesk({ config, env: {}, store, clock, ids: createIds(clock), audit, onWriting: () => undefined, takeUp: async () => void asked.push('take up settings') });
  const backups = parts.use(new BackupDesk({ store, config, clock, log: createLog('error') }));
  const plugins = new Map((script.plugins ?? []).map((view) => [view.instance, view]));
  const plugin = (instance: string) => {
    const view = plugins.get(instance);
    if (!view) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    return view;
  };
  const act = (verb: string, ...parts: readonly string[]) => asked.push([verb, ...parts].join(' '));
  const readiness = () => ({ ready: script.ready ?? true, degraded: [...(script.degraded ?? [])] });
  const found = <Item extends { readonly id: string }>(items: readonly Item[] | undefined, id: string, code: 'MESSAGE_NOT_FOUND' | 'DEAD_LETTER_NOT_FOUND' | 'APPROVAL_NOT_FOUND') => {
    const item = items?.find((each) => each.id === id);
    if (!item) throw new GatehouseError(code, { id });
    return item;
  };
  const session = (key: string) => {
    const view = script.sessions?.find((each) => each.key === key);
    if (!view) throw new GatehouseError('SESSION_NOT_FOUND', { key });
    return view;
  };
  const host: Host = {
    config, clock, tracing: NO_TRACING, store, audit, log: createLog('error'), startedAt: 0,
    booted: Promise.resolve({ active: [], degraded: [] }),
    lost: new Promise(() => undefined),
    readiness,
    vitals: () => VITALS,
    diagnostics: () => [],
    channel: (instance) => script.channels?.find((face) => face.instance === instance),
    status: async () => ({ version: '0', hostApi: '1.0.0', startedAt: '2026-11-21T00:00:00.000Z', pid: 1, home, profile: config.profile, strict: false, ...readiness(), confinement: 'none', plugins: {}, lanes: { waiting: 2, running: 1 }, deliveries: { waiting: 0, running: 0 }, deadLetters: 0, pressure: { level: 'normal', ratio: 0, queues: [], shed: 0 }, retention: { settings: RETENTION_DEFAULTS }, workers: [], reload: { watching: false, last: null }, audit: { size: audit.head.size, keyid: audit.key.keyid } }),
    plugins: {
      list: () => [...plugins.values()],
      show: plugin,
      rebuildOf: async () => undefined,
      find: async (instance, { kind, text, limit }) => (act('find', instance, kind, text, String(limit)), [{ id: plugin(instance).instance, name: text }]),
      enable: async (instance, actor) => (act('enable', instance, actor), plugin(instance)),
      disable: async (instance, actor, reason) => (act('disable', instance, actor, reason), plugin(instance)),
      quarantine: async (instance, actor, reason) => (act('quarantine', instance, actor, reason), plugin(instance)),
      release: async (instance, actor, reason) => (act('release', instance, actor, reason), plugin(instance)),
    },
    quarantine: quarantineDesk({ store, dataDir, written: async () => undefined, enablementOf: () => undefined }),
    approvals: {
      list: (query) => (act('list-approvals', JSON.stringify(query)), { items: script.approvals ?? [], cursor: null }),
      show: (id) => found(script.approvals, id, 'APPROVAL_NOT_FOUND'),
      add: async ({ payload }) => (act('add-approval', payload), found(script.approvals, approvalIdOf(Buffer.from(payload, 'base64')), 'APPROVAL_NOT_FOUND')),
      revoke: async (id, reason, actor) => (act('revoke-approval', id, reason, actor), found(script.approvals, id, 'APPROVAL_NOT_FOUND')),
    },
    reload: async () => (act('reload'), script.reloaded ?? { at: '2026-11-21T00:00:00.000Z', durationMs: 1, changes: [], refused: [] }),
    scans: {
      list: async (query) => (act('list-scans', JSON.stringify(query)), { items: [], cursor: null }),
      again: async (instance) => {
        act('scan', instance);
        const { plugin: id, version, digest } = plugin(instance);
        return { id: '1', plugin: id, version: version ?? '0.0.0', outcome: 'pass', risk: 'none', findings: [], rules: '1', at: '2026-11-21T00:00:00.000Z', packageDigest: digest ?? '' };
      },
    },
    revocations: {
      list: (query) => (act('list-revocations', JSON.stringify(query)), { items: script.revocations ?? [], cursor: null }),
      revoke: async (body, actor) => (act('revoke', JSON.stringify(body), actor), { revocation: REVOCATION, written: true, stopped: ['weather'], started: [] }),
      lift: async (body, actor) => (act('lift', JSON.stringify(body), actor), { revocation: REVOCATION, written: true, stopped: [], started: [] }),
    },
    messages: {
      list: async (query) => (act('list', JSON.stringify(query)), { items: script.messages ?? [], cursor: null }),
      show: async (id) => ({ ...found(script.messages, id, 'MESSAGE_NOT_FOUND'), costs: [] }),
      outcomeOf: async (messageId) => ({ messageId, outcome: found(script.messages, messageId, 'MESSAGE_NOT_FOUND').outcome }),
      send: async (body) => (act('send', ...('channel' in body ? [body.channel, body.to] : 'session' in body ? ['to session', body.session] : ['to identity', body.identity]), body.text), script.sent ?? { messageId: 'm1', outcome: 'delivered' }),
    },
    deliveries: {
      list: async (query) => (act('list-deliveries', JSON.stringify(query)), { items: script.deliveries ?? [], cursor: null }),
      show: async (id) => found(script.deliveries, id, 'MESSAGE_NOT_FOUND'),
    },
    lanes: {
      list: async (query) => (act('list-lanes', JSON.stringify(query)), { items: script.lanes ?? [], cursor: null }),
      show: async (key) => {
        const lane = script.lanes?.find(({ session }) => session === key);
        if (!lane) throw new GatehouseError('LANE_NOT_FOUND', { key });
        return lane;
      },
      setMode: async (session, mode, actor) => (act('lane-mode', session, String(mode), actor), { session, mode }),
      interrupt: (session, actor) => (act('lane-interrupt', session, actor), { session, interrupted: true }),
    },
    sessions: {
      list: async (query) => (act('list-sessions', JSON.stringify(query)), { items: script.sessions ?? [], cursor: null }),
      show: async (key) => session(key),
      reset: async (key, actor) => (act('reset-session', key, actor), session(key)),
    },
    deadLetters: {
      list: async () => ({ items: script.deadLetters ?? [], cursor: null }),
      show: async (id) => found(script.deadLetters, id, 'DEAD_LETTER_NOT_FOUND'),
      replay: async (id, actor) => (act('replay', id, actor), { id, messageId: found(script.deadLetters, id, 'DEAD_LETTER_NOT_FOUND').messageId, status: 'replayed' }),
      replayMany: async (filter, actor) => (act('replay many', JSON.stringify(filter), actor), { marked: script.deadLetters?.length ?? 0, guarded: {}, more: false }),
      drop: async (id, actor) => (act('drop', id, actor), { id }),
    },
    pairing: pairingDesk({ store, clock, audit, directory: { channel: () => undefined }, pairings: new Pairings({ store, clock, onRevoked: () => undefined }), filesUrl: '' }),
    backups,
    settings,
    costs: {
      list: async (query) => (act('list-costs', JSON.stringify(query)), { items: [], cursor: null }),
      show: async (instance) => {
        throw new GatehouseError('PLUGIN_NOT_FOUND', { instance: plugin(instance).instance });
      },
      history: async (query) => (act('history', JSON.stringify(query)), { items: [], cursor: null }),
    },
    media: { open: async () => undefined },
    stop: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const metrics = { contentType: 'text/plain; version=0.0.4', text: async () => 'gatehouse_ready 1\n' };
  const control = parts.use(await startControl({ host, metrics, ...(script.sockets ? { sockets: script.sockets } : {}), ...(script.connections ? { connections: script.connections } : {}), ...(script.events ? { events: script.events } : {}) }));
  // What a command line needs to find it as it finds a host.
  mkdirSync(config.manifestsDir, { recursive: true });
  writeFileSync(join(config.manifestsDir, 'host.json'), '{}');
  writeRunFile(dataDir, { pid: process.pid, address: control.address, startedAt: '2026-11-21T00:00:00.000Z' });
  const adminToken = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const stack = parts.move(); // what failed before this point leaves nothing behind
  return {
    control, host, home, dataDir, adminToken, asked,
    call: (method, path, options = {}) => callHttp(control.address, method, path, { ...options, ...(options.token === true ? { token: adminToken } : {}) }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const REVOCATION: RevocationView = { id: 'plugin acme.weather <2', kind: 'plugin', plugin: 'acme.weather', range: '<2', reason: 'it steals', at: '2026-11-21T00:00:00.000Z', by: 'token:t1', listed: 'file' };

/** One request as bytes go: the path is sent as it is, and nothing is followed or decoded. */
export function callHttp(address: string, method: string, path: string, { headers = {}, body, token }: CallOptions = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { hostname, port } = new URL(address);
  const outgoing = request({ hostname, port, method, path, agent: false, headers: { ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers } }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', reject);
    answer.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: asJson(text) });
    });
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

function asJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
