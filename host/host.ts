// The composition root: builds the parts in order, holds them on one stack, and shows control plane and tests one face.
import { BOUNDS } from '../schemas/bounds.ts';
import type { HandlerInput } from '../schemas/channel.ts';
import type { DegradedPlugin, DeliveryView, Diagnostic, DirectoryItem, LaneView, MessageDetail, MessageView, PluginView, ReloadView, SendMessageBody, Sent, SessionView } from '../schemas/control.ts';
import type { Budgets } from '../schemas/costs.ts';
import type { Outcome } from '../schemas/message.ts';
import type { QueueMode } from '../schemas/policy.ts';
import type { StatusView } from '../schemas/status.ts';
import { HOST_API_VERSION } from '../schemas/plugin-manifest.ts';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { Broker } from './broker/broker.ts';
import { MinuteQuotas, SenderRates } from './broker/quota.ts';
import type { Caller } from './capabilities/capability.ts';
import { fetchAs, httpFetch } from './capabilities/http-fetch.ts';
import { KvLedger } from './capabilities/kv-ledger.ts';
import { kvOperations } from './capabilities/kv.ts';
import { messageList } from './capabilities/message-read.ts';
import { messageSend } from './capabilities/message-send.ts';
import { replyDelta } from './capabilities/reply-delta.ts';
import { sleep } from './capabilities/sleep.ts';
import { toolCall } from './capabilities/tool-call.ts';
import { ChannelLife } from './channels/channel-life.ts';
import { toTimestamp, type Clock } from './clock.ts';
import type { ResolvedConfig } from './config.ts';
import { directoryOf } from './directory.ts';
import { DailyBytes } from './egress/daily-bytes.ts';
import { Egress } from './egress/egress.ts';
import { systemResolver, type Resolve } from './egress/resolver.ts';
import { GatehouseError, problemOf } from './errors.ts';
import { publish, subscribe } from './events.ts';
import { createIds } from './ids.ts';
import type { Log } from './log.ts';
import { channelFace, type ChannelFace } from './pipeline/ingress/channel-face.ts';
import type { DeadLetterDesk } from './pipeline/letters/dead-letter-desk.ts';
import { HeldSeal } from './pipeline/gating/held-seal.ts';
import { Identities } from './pipeline/sessions/identities.ts';
import type { IngressAnswer, IngressRequest, SocketPeer, SocketSession } from './pipeline/ingress/ingress.ts';
import type { LaneFilter } from './pipeline/lanes/lane-desk.ts';
import type { SessionFilter } from './pipeline/sessions/session-queries.ts';
import { listDeliveries, showDelivery, type DeliveryFilter } from './pipeline/delivery/delivery-queries.ts';
import { listMessages, showMessage, type MessageFilter } from './pipeline/message-queries.ts';
import { MediaLinks } from './media/links.ts';
import { MediaStore } from './media/media-store.ts';
import { nameFor, TYPES } from './media/types.ts';
import { createPipeline, type Pipeline } from './pipeline/wiring.ts';
import { pairingDesk, type PairingDesk } from './pipeline/pairing/pairing-desk.ts';
import { conversationId, Pairings } from './pipeline/pairing/pairings.ts';
import { PluginCalls } from './pipeline/plugin-calls.ts';
import { PRESSURE_DEFAULTS } from './pipeline/pressure.ts';
import { LETTER_RETENTION_DEFAULTS } from './pipeline/sweeper.ts';
import { PluginLife } from './plugin-life.ts';
import { scanDesk, type ScanDesk } from './registry/scan-desk.ts';
import { quarantineDesk, type QuarantineDesk } from './quarantine/desk.ts';
import { Recent } from './quarantine/recent.ts';
import { openApprovalDesk, type ApprovalDesk } from './registry/approval-desk.ts';
import { isAvailable, isComing } from './registry/lifecycle.ts';
import { Registry, type Instance } from './registry/registry.ts';
import { revocationDesk, type RevocationDesk } from './reload/revocation-desk.ts';
import { HomeRecord } from './reload/home-record.ts';
import { IdentityFile } from './reload/identity-file.ts';
import { OwnWrites } from './reload/own-writes.ts';
import { Reload } from './reload/reload.ts';
import { Secrets } from './registry/secrets.ts';
import { judgeConfinement } from './sandbox/demand.ts';
import { SandboxPool } from './sandbox/pool.ts';
import type { SandboxHooks } from './sandbox/sandbox.ts';
import { ConfigDesk } from './config-desk.ts';
import { costDesk, type CostDesk } from './costs/desk.ts';
import { CostLedger } from './costs/ledger.ts';
import { BudgetMeter } from './costs/meter.ts';
import { BackupDesk } from './backup/backup-desk.ts';
import { openStore } from './store/lmdb.ts';
import { newestId } from './store/newest-id.ts';
import type { Page, PageQuery } from './store/page.ts';
import type { Put, Store } from './store/store.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import type { AuditLog } from './trust/log/audit-log.ts';
import { openAuditLog } from './trust/log/open-log.ts';
import { readRebuilds } from './trust/rebuilds.ts';
import { VERSION } from './version.ts';
import { NO_TRACING, type Tracing } from './tracing.ts';
import { readVitals, type Vitals } from './vitals.ts';

export type { Page, PageQuery };

export type { ChannelFace, IngressAnswer, IngressRequest, SocketPeer, SocketSession };

export type HostStatus = StatusView;

/** A stored file as it is given to others. */
export interface ServedFile {
  readonly path: string;
  readonly mimeType: string;
  readonly sizeBytes: number;
  /** Whether a browser may show it in place. */
  readonly inline: boolean;
  readonly name: string;
  readonly expiresAtMs: number;
}

/** A running host. Every method that names something unknown throws the typed `…_NOT_FOUND` error. */
export interface Host extends AsyncDisposable {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly store: Store;
  /** Whoever decides something about trust, or lets an operator change something, appends to it. */
  readonly audit: AuditLog;
  readonly startedAt: number;
  /** Resolves once every enablement has settled or the boot deadline passed; throws the refusal as HostRefused when a required one is not active. */
  readonly booted: Promise<{ readonly active: readonly string[]; readonly degraded: readonly DegradedPlugin[] }>;
  /** Resolves with the reason when policy ends the host while it runs; whoever runs it then stops it and exits with 3. */
  readonly lost: Promise<string>;
  readiness(): { readonly ready: boolean; readonly degraded: readonly DegradedPlugin[] };
  status(): Promise<HostStatus>;
  /** How it is at this moment, in numbers. */
  vitals(): Vitals;
  diagnostics(): readonly Diagnostic[];
  channel(instance: string): ChannelFace | undefined;
  readonly plugins: {
    list(): readonly PluginView[];
    show(instance: string): PluginView;
    /** The newest verdict of `verify --rebuild` about the package of an instance, read from the home. */
    rebuildOf(instance: string): Promise<PluginView['rebuild']>;
    /** Names that a channel's service knows, at most `limit`. */
    find(instance: string, query: HandlerInput<'directory'>): Promise<readonly DirectoryItem[]>;
    /** Switches it on, and agrees to what its files ask for beyond what it has. Looks at the home first, so that a file that just came counts. */
    enable(instance: string, actor: string): Promise<PluginView>;
    /** Here and below: `check` is called in the registry's turn, right before anything is changed; what it throws is thrown, and nothing is. */
    disable(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView>;
    quarantine(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView>;
    release(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView>;
  };
  readonly quarantine: QuarantineDesk;
  readonly approvals: ApprovalDesk;
  /** Looks at the home now and takes up what changed; resolves once what that began has ended. */
  reload(): Promise<ReloadView>;
  readonly scans: ScanDesk;
  readonly revocations: RevocationDesk;
  readonly messages: {
    list(query: MessageFilter): Promise<Page<MessageView>>;
    /** With its walk: costs of plugins, and of an inbound message its replies. */
    show(id: string): Promise<MessageDetail>;
    /** Writes an outbound message and waits (at most 10 s) for its outcome. `bind` gives a row for the same commit. */
    send(body: SendMessageBody, actor: string, bind?: (messageId: string) => Put): Promise<Sent>;
    /** How a message that `send` stored stands now. Throws MESSAGE_NOT_FOUND. */
    outcomeOf(messageId: string): Promise<Sent>;
  };
  /** What is on its way out. */
  readonly deliveries: {
    list(query: DeliveryFilter): Promise<Page<DeliveryView>>;
    show(messageId: string): Promise<DeliveryView>;
  };
  readonly sessions: {
    list(query: SessionFilter): Promise<Page<SessionView>>;
    show(key: string): Promise<SessionView>;
    /** The next message begins a new one under the same key. */
    reset(key: string, actor: string): Promise<SessionView>;
  };
  readonly lanes: {
    /** Those that hold something, by session key. */
    list(query: LaneFilter): Promise<Page<LaneView>>;
    /** Of one session. Throws LANE_NOT_FOUND. */
    show(session: string): Promise<LaneView>;
    /** From the next run on, and after every restart; null goes back to what the policy says. */
    setMode(session: string, mode: QueueMode | null, actor: string): Promise<{ readonly session: string; readonly mode: QueueMode | null }>;
    /** Ends the run under way; its message is dropped, what waits goes on. */
    interrupt(session: string, actor: string): { readonly session: string; readonly interrupted: boolean };
  };
  readonly deadLetters: DeadLetterDesk;
  readonly settings: Pick<ConfigDesk, 'view' | 'validate' | 'patch' | 'apply' | 'rollback' | 'history'>;
  readonly pairing: PairingDesk;
  readonly backups: Pick<BackupDesk, 'begin' | 'list' | 'show' | 'remove'>;
  readonly costs: CostDesk;
  readonly media: {
    /** The stored file that the last part of a signed address leads to, once its bytes are found right. Undefined for what is forged, over or gone. Throws MEDIA_MISSING. */
    open(token: string): Promise<ServedFile | undefined>;
  };
  /** Stops intake, lets work in flight finish or park in the store, stops plugins, closes the store. At most `graceMs` (default 10 s). */
  stop(reason: string, graceMs?: number): Promise<void>;
}

/** A start that policy refuses: exit code 3 and every diagnostic. */
export class HostRefused extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(`The start is refused: ${diagnostics.filter((each) => each.severity === 'fatal').length} fatal finding(s).`);
    this.name = 'HostRefused';
    this.diagnostics = diagnostics;
  }
}

export interface StartOptions {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly clock: Clock;
  /** Who keeps spans. Default: nobody. */
  readonly tracing?: Tracing;
  /** Where secrets named by `{"env": …}` are read. Default: the process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How plugins' requests find the address of a name. Default: DNS. */
  readonly resolve?: Resolve;
}

const STOP_GRACE_MS = 10_000;

/**
 * Opens the store, looks through the home, wires broker, sandboxes and pipeline, and begins to start plugins. Resolves as soon as the control plane may listen;
 * `booted` tells when every plugin has settled. Throws HostRefused when the files alone forbid a start, STORE_LOCKED and other store errors.
 */
export async function startHost({ config, log, clock, tracing = NO_TRACING, env = process.env, resolve = systemResolver() }: StartOptions): Promise<Host> {
  await using parts = new AsyncDisposableStack();
  const startedAt = clock.now();
  const lost = Promise.withResolvers<string>();
  const store = parts.use(await openStore({ dir: join(config.dataDir, 'store'), clock }));
  const backups = parts.use(new BackupDesk({ store, config, clock, log }));
  const ids = createIds(clock, await newestId(store));
  const ownWrites = new OwnWrites();
  const onWriting = (path: string, text: string) => ownWrites.remember(path, text);
  const audit = parts.use(await openAuditLog({ config, store, clock, log, onWriting }));
  const homeRecord = new HomeRecord({ config, store, audit, ownWrites });
  await homeRecord.look();
  // What the host wrote is told as its own while it still knows that.
  parts.defer(() => homeRecord.look().catch((error: unknown) => log.error({ err: problemOf(error) }, 'what changed in the home could not be written to the audit log')));
  const registry = await Registry.open({ config, store, clock, ids, env, audit, onWriting });
  if (registry.diagnostics.some(({ severity }) => severity === 'fatal')) throw new HostRefused(registry.diagnostics);

  const secrets = new Secrets({ home: config.home, env }, clock);
  /** No secret of an instance that may not run is used, or kept. */
  const secretOf = (instance: string, handle: string) => {
    const entry = registry.find(instance);
    return entry && holdsSecrets(entry) ? secrets.valueOf(entry.resolved?.secrets[handle]) : undefined;
  };
  const directory = directoryOf(registry, { secretOf, defaults: config.pipeline, handlersOf: (instance) => supervisor.handlers(instance) });
  const ledger = new KvLedger(store);
  const costs = parts.use(await CostLedger.open({ store, clock, log, ...config.costs }));
  const budgetsOf = budgetsBy(registry, config.costs);
  const meter = new BudgetMeter({ ledger: costs, budgetsOf });
  parts.defer(subscribe('message.outcome', ({ instance, direction, outcome, code, durationMs }) => {
    // What is dropped as it comes was answered before, or was said to somebody else.
    const isNews = outcome !== 'dropped' || direction === 'outbound' || durationMs === undefined;
    const way = isNews ? COUNTED[outcome] : undefined;
    if (way) costs.charge('channel', instance, { [way]: 1, ...(way === 'ok' ? {} : { code }) });
  }));
  const quotas = new MinuteQuotas(clock);
  const bytes = parts.use(await DailyBytes.open({ store, clock, log }));
  const egress = parts.use(new Egress({ clock, resolve, bytes, minutes: quotas, connects: new SenderRates(clock), allow: config.egress.allow, listen: config.listen, propagateTo: new Set(config.telemetry.traces.propagateTo) }));
  const fetching = { egress, secretOf };
  const media = await MediaStore.open({ dir: join(config.dataDir, 'media'), store, clock, log, totalBytes: config.pipeline.files?.totalBytes ?? BOUNDS.mediaTotalBytes });
  const links = await MediaLinks.open(join(config.dataDir, 'media.key'), clock);
  const broker: Broker = new Broker({
    log,
    quotas,
    meter,
    operations: [
      sleep,
      replyDelta,
      httpFetch(fetching),
      ...kvOperations(store, ledger),
      messageList(store, links),
      toolCall({ find: (address) => directory.tool(address), call: (...call) => calls.callTool(...call) }),
      messageSend({ take: (letter, scope) => pipeline.outbox.take(letter, scope) }),
    ],
  });

  /** What the host fetches for a channel is on its bill; the request ends with BUDGET_EXCEEDED when that is spent. */
  const paidBy = (instance: string) => (egressBytes: number) => {
    if (egressBytes > 0) meter.spend(instance, '', { egressBytes });
    meter.hold(instance, '', ['egressBytes']);
  };
  /** For what a channel asked for and nobody waits with: throws INSTANCE_UNAVAILABLE where it was stopped meanwhile. */
  const standing = (instance: string): Caller => {
    if (directory.isFrozen(instance)) throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state: 'stopped', written: false });
    return callerOf(instance, registry);
  };
  const pool = parts.use(new SandboxPool({ dataDir: config.dataDir, warm: config.sandbox.warm, jitless: config.sandbox.jitless, clock, log }));
  pool.prepare();
  if (config.strict) await refuseWeak(pool, config, registry.diagnostics);
  const supervisor: Supervisor = parts.use(
    new Supervisor({
      pool,
      clock,
      hooksFor: (instance) => hooksFor(instance, registry, broker),
      prepare: (spec, sandbox) => channels.prepare(spec, sandbox),
      farewell: (spec, sandbox) => channels.farewell(spec, sandbox),
      standingOf: (instance) => life.standingOf(instance),
      mostRunning: config.sandbox.mostRunning,
      onStateChange: (change) => life.follow(change),
      onStrike: (instance, strike) => life.strike(instance, strike),
      onQuarantine: (instance, evidence) => life.exhausted(instance, evidence),
    }),
  );
  const identities = new Identities(config.identities);
  const calls: PluginCalls = new PluginCalls(broker, (instance, call, options) => supervisor.call(instance, call, options), ({ instance, callId }, problem) => supervisor.cancel(instance, callId, problem), meter);
  const pairings = new Pairings({
    store,
    clock,
    // A socket is opened for who was let in, and must not outlive that.
    onRevoked: (instance, id) => {
      const plugin = directory.channel(instance)?.policy.plugin ?? '';
      pipeline.sockets.end(instance, (conversation) => conversationId({ instance, plugin }, conversation) === id, 'no longer let in');
    },
  });
  const pairing = pairingDesk({ store, clock, audit, pairings, directory, filesUrl: config.pipeline.files?.url ?? '' });
  const pipeline: Pipeline = parts.use(
    createPipeline({
      settings: config.pipeline,
      clock,
      tracing,
      ids,
      log,
      store,
      letterRetention: { ...LETTER_RETENTION_DEFAULTS, ...config.pipeline.deadLetters },
      retention: config.retention,
      pressure: { ...PRESSURE_DEFAULTS, ...config.pipeline.pressure },
      ledger,
      heldSeal: new HeldSeal(join(config.dataDir, 'held.key')),
      rates: new SenderRates(clock),
      identities,
      calls,
      directory,
      pairings,
      sweepPairing: (signal) => pairing.sweep(signal),
      media,
      links,
      filesUrl: config.pipeline.files?.url ?? '',
      request: async (instance, request, isRead) => fetchAs(fetching, standing(instance), { ...request, unread: !isRead, onBytes: paidBy(instance) }),
      download: async (instance, request, into, signal) => fetchAs(fetching, standing(instance), { ...request, method: 'GET', into, unread: true, onBytes: paidBy(instance) }, signal),
      onGateExit: (instance) => lost.resolve(`the gate '${instance}' is quarantined, and its enablement says "exit"`),
    }),
  );
  const onMembershipChange = () => {
    // Whatever the host holds for instances that are gone, it lets go: values of secrets, connections, requests under way.
    secrets.keepOnly(registry.list().filter(holdsSecrets).flatMap(({ resolved }) => Object.values(resolved?.secrets ?? {})));
    void egress.leave((instance) => directory.isFrozen(instance));
    if (pipeline.held.waiting > 0) void pipeline.held.release();
  };
  const channels: ChannelLife = parts.use(new ChannelLife({ clock, log, registry, supervisor, calls, directory, keep: (scope) => pipeline.keep(scope), perform: (instance, actions) => pipeline.performAside(instance, actions) }));
  const life: PluginLife = new PluginLife({
    config,
    clock,
    log,
    registry,
    supervisor,
    channels,
    onMembershipChange,
    recent: parts.use(new Recent(clock)),
    about: (entry) => ({
      host: { version: VERSION, hostApi: HOST_API_VERSION, node: process.version, platform: `${process.platform} ${process.arch}`, profile: config.profile, strict: config.strict, confinement: pool.level?.name ?? null, startedAt: toTimestamp(startedAt) },
      egressBytesToday: bytes.used(entry.instance),
      ...(entry.resolved ? { review: { approvedBy: entry.resolved.approvedBy, scan: registry.scanOf(entry.resolved.release) } } : {}),
      secretValues: Object.values(entry.resolved?.secrets ?? {}).flatMap((reference) => secrets.valueOf(reference) ?? []),
    }),
    onFatalLoss: (instance, reason) => lost.resolve(`'${instance}' is lost: ${reason}`),
  });
  parts.defer(() => life.close());
  const reload = parts.use(new Reload({ config, clock, log, registry, supervisor, life, ownWrites, homeRecord, identityFile: new IdentityFile({ home: config.home, env, log, links: config.identities, identities }), booted: () => booted, onMembershipChange }));
  const settings = new ConfigDesk({ config, env, store, clock, ids, audit, onWriting, takeUp: () => reload.judge() });
  settings.notice().catch((error: unknown) => log.warn({ err: problemOf(error) }, 'the state of host.json could not be remembered'));

  const stack = parts.move();
  let stopping: Promise<void> | undefined;
  const stop = (reason: string, graceMs = STOP_GRACE_MS) => {
    stopping ??= (async () => {
      publish('host.stopping', { reason });
      await reload[Symbol.asyncDispose]();
      await pipeline.drain(graceMs);
      await stack.disposeAsync();
    })();
    return stopping;
  };

  const booted: Host['booted'] = life.startAll().then(async (settled) => {
    const diagnostics = life.diagnostics();
    if (diagnostics.some(({ severity }) => severity === 'fatal')) throw new HostRefused(diagnostics);
    for (const { code, message } of confinementOf(pool, config)) log.warn({ code }, message);
    if (registry.list().some(({ resolved }) => resolved?.grants.some(({ name }) => name === 'http.fetch'))) void egress.prepare();
    await registry.written();
    return settled;
  });
  booted.then(() => {
    reload.expect();
    return config.reload.watch ? reload.watch() : undefined;
  }).catch(() => undefined); // a refused start is told by `booted`
  // Recovered work waits in its lanes for plugins that are still starting; each call waits for its instance.
  await pipeline.recover();

  return {
    config,
    log,
    clock,
    tracing,
    store,
    audit,
    startedAt,
    booted,
    lost: lost.promise,
    readiness: () => ({ ready: life.ready(), degraded: registry.degraded() }),
    vitals: () => readVitals({ dataDir: config.dataDir, store, pipeline, supervisor, pool, egress, registry }),
    diagnostics: () => [...life.diagnostics(), ...channels.diagnostics(), ...confinementOf(pool, config)],
    channel(instance) {
      const entry = directory.channel(instance);
      const resolved = registry.find(instance)?.resolved;
      return entry && resolved && channelFace(entry, resolved.release.files, resolved.grants.some(({ name }) => name === 'ui'), pipeline.ingress);
    },
    async status() {
      const plugins: Record<string, number> = {};
      for (const { state } of registry.list()) plugins[state] = (plugins[state] ?? 0) + 1;
      return {
        version: VERSION,
        hostApi: HOST_API_VERSION,
        startedAt: toTimestamp(startedAt),
        pid: process.pid,
        home: config.home,
        profile: config.profile,
        strict: config.strict,
        ready: life.ready(),
        confinement: (await pool.confinement()).name,
        plugins,
        degraded: [...registry.degraded()],
        lanes: { waiting: pipeline.lanes.waiting, running: pipeline.lanes.running },
        deliveries: { waiting: pipeline.deliveries.waiting, running: pipeline.deliveries.running },
        deadLetters: await pipeline.deadLetters.count(),
        pressure: pipeline.pressure.view,
        retention: pipeline.retention.view,
        workers: [...pipeline.workers.views()],
        reload: reload.status,
        audit: { size: audit.head.size, keyid: audit.key.keyid },
      };
    },
    plugins: {
      list: () => life.views(),
      show: (instance) => withDiagnostics(life.details(instance), reload.diagnosticsOf(instance)),
      rebuildOf: async (instance) => {
        const { digest } = life.view(instance);
        const [latest] = digest === null ? [] : (await readRebuilds(join(config.manifestsDir, 'trust'), digest)).attempts;
        return latest && { verdict: latest.verdict, at: latest.at };
      },
      find: (instance, query) => channels.find(instance, query),
      enable: async (instance, actor) => withDiagnostics(await reload.enable(instance, actor), reload.diagnosticsOf(instance)),
      disable: (...asked) => life.disable(...asked),
      quarantine: (...asked) => life.quarantine(...asked),
      release: (...asked) => life.release(...asked),
    },
    quarantine: quarantineDesk({ store, dataDir: config.dataDir, written: () => registry.written(), enablementOf: (instance) => registry.find(instance)?.enablement }),
    approvals: openApprovalDesk({ config, clock, registry, onWriting, look: () => reload.judge() }),
    reload: () => reload.judge(),
    scans: scanDesk({ store, registry, look: () => reload.judge() }),
    revocations: revocationDesk({ registry, reload, clock }),
    messages: {
      list: (query) => listMessages(store, query),
      show: (id) => showMessage(store, id),
      send: async (body, actor, bind) => {
        if ('channel' in body) requireChannel(life.view(body.channel));
        return await pipeline.operator.send(body, actor, bind);
      },
      outcomeOf: (messageId) => pipeline.operator.outcomeOf(messageId),
    },
    deliveries: {
      list: (query) => listDeliveries(store, query),
      show: (id) => showDelivery(store, id),
    },
    sessions: {
      list: (query) => pipeline.sessions.list(query),
      show: (key) => pipeline.sessions.show(key),
      reset: async (key, actor) => {
        const session = await pipeline.sessions.reset(key);
        log.info({ session: hash('sha256', key).slice(0, 16), actor }, 'a session begins anew');
        return session;
      },
    },
    lanes: {
      list: (query) => pipeline.laneDesk.list(query),
      show: (session) => pipeline.laneDesk.show(session),
      setMode: async (session, mode, actor) => {
        await pipeline.laneDesk.setMode(session, mode);
        log.info({ session: hash('sha256', session).slice(0, 16), mode, actor }, 'the messages of a session wait in another way');
        return { session, mode };
      },
      interrupt: (session, actor) => {
        const interrupted = pipeline.laneDesk.interrupt(session);
        if (interrupted) log.info({ session: hash('sha256', session).slice(0, 16), actor }, 'a run is ended');
        return { session, interrupted };
      },
    },
    deadLetters: pipeline.letterDesk,
    pairing,
    backups,
    settings,
    costs: costDesk({ store, ledger: costs, budgetsOf, instances: () => registry.list().map(({ instance, resolved }) => ({ instance, isEnabled: resolved !== undefined })), kvHeldBytes: (instance) => ledger.used(instance) }),
    media: {
      async open(token) {
        const linked = links.read(token);
        const row = linked && (await media.find(linked.id));
        if (!row) return undefined;
        const { mimeType, sizeBytes } = row;
        return { path: await media.pathOf(linked.id, row), mimeType, sizeBytes, inline: TYPES[mimeType]?.inline ?? false, name: nameFor(mimeType, linked.name), expiresAtMs: linked.expiresAtMs };
      },
    },
    stop,
    [Symbol.asyncDispose]: () => stop('disposed'),
  };
}

/** Who is on the way up, or is tried again, is written to: what is sent waits for it. */
function requireChannel({ instance, kind, state }: PluginView): void {
  if (kind !== null && kind !== 'channel') throw new GatehouseError('CHANNEL_EXPECTED', { instance, kind });
  if (!isAvailable(state) && !isComing(state)) throw new GatehouseError('CHANNEL_DOWN', { instance, state });
}

/** How the end of a message counts for the channel it came by, or was to leave by; what is still to end counts then. */
const COUNTED: Readonly<Partial<Record<Outcome, 'ok' | 'failed' | 'denied'>>> = { answered: 'ok', unanswered: 'ok', delivered: 'ok', 'dead-lettered': 'failed', dropped: 'failed', denied: 'denied' };

/** What an instance may spend: by its enablement, and where that says nothing, by host.json. */
function budgetsBy(registry: Registry, { perDay, perMessage }: ResolvedConfig['costs']): (instance: string) => Budgets {
  const everybody: Budgets = { ...(Object.keys(perDay).length > 0 && { perDay }), ...(Object.keys(perMessage).length > 0 && { perMessage }) };
  return (instance) => {
    const own = registry.find(instance)?.enablement.budgets;
    return own ? { ...everybody, ...own } : everybody;
  };
}

/** Strict runs nobody's code behind fewer walls than it demands; one sandbox is started to find out. */
async function refuseWeak(pool: SandboxPool, config: ResolvedConfig, found: readonly Diagnostic[]): Promise<void> {
  const weak = judgeConfinement(await pool.confinement(), config);
  if (weak.length > 0) throw new HostRefused([...found, ...weak]);
}

const confinementOf = (pool: SandboxPool, config: ResolvedConfig) => (pool.level ? judgeConfinement(pool.level, config) : []);

/** The doors of one instance's sandbox: its requests go to the broker under its own name, its log lines become events. */
function hooksFor(instance: string, registry: Registry, broker: Broker): SandboxHooks {
  const { plugin } = registry.get(instance);
  return {
    onHostCall: (call) => broker.serve(callerOf(instance, registry), call),
    onLog: ({ callId, ...line }) => broker.inCall(callId, () => publish('plugin.log', { instance, plugin, ...line })),
  };
}

/** It runs, or is on its way up or down: everybody else has no use for them. */
const holdsSecrets = ({ state }: Instance) => isAvailable(state) || isComing(state) || state === 'draining';

/** Whoever acts as the instance now: grants may change while it runs. */
function callerOf(instance: string, registry: Registry): Caller {
  const { plugin, resolved } = registry.get(instance);
  return { instance, plugin, grants: resolved?.grants ?? [] };
}

const withDiagnostics = (view: PluginView, diagnostics: Diagnostic[]): PluginView => (diagnostics.length === 0 ? view : { ...view, diagnostics });
