// Prometheus metrics from the core's events: it publishes, this listens. Labels come from fixed sets or the operator's own instance names. Made by main.ts, read by /metrics.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { ERRORS } from '../errors.ts';
import { subscribe, type EventName, type Events } from '../events.ts';
import type { Host, HostStatus } from '../host.ts';

export interface Metrics extends Disposable {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Seconds; a stage takes microseconds in the host and milliseconds in a sandbox. */
const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** A reply may wait for a remote for hours. */
const DELIVERY_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 10, 60, 600, 3600];

/** Seconds; the first restart of a row comes at once, later ones wait up to a minute. */
const RESTART_SECONDS = [0, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600];

/** Gauges are read from the host at each scrape; everything else is counted as it happens. */
export function createMetrics(host: Pick<Host, 'plugins' | 'readiness' | 'status'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: '' });

  const outcomes = new Counter({ name: 'gatehouse_messages_total', help: 'Messages by what became of them.', labelNames: ['instance', 'direction', 'outcome', 'code'], registers });
  const ingest = new Histogram({ name: 'gatehouse_ingest_seconds', help: 'From the arrival of a message to its durable acceptance.', labelNames: ['instance'], buckets: STAGE_SECONDS, registers });
  const delivery = new Histogram({ name: 'gatehouse_delivery_seconds', help: 'From the commit that stored a reply to the end of its delivery.', labelNames: ['instance'], buckets: DELIVERY_SECONDS, registers });
  const stages = new Histogram({ name: 'gatehouse_stage_seconds', help: 'Time a message spent in a stage.', labelNames: ['stage'], buckets: STAGE_SECONDS, registers });
  const decisions = new Counter({ name: 'gatehouse_stage_decisions_total', help: 'Decisions of stages.', labelNames: ['stage', 'decision'], registers });
  const files = new Counter({ name: 'gatehouse_media_files_total', help: 'Files of messages that policy has stored: kept, or why not.', labelNames: ['instance', 'result'], registers });
  const verdicts = new Counter({ name: 'gatehouse_gate_verdicts_total', help: 'What gates came to, message by message.', labelNames: ['instance', 'direction', 'effect', 'code'], registers });
  const calls = new Counter({ name: 'gatehouse_plugin_calls_total', help: 'Calls into plugins.', labelNames: ['instance', 'handler', 'result'], registers });
  const cpu = new Counter({ name: 'gatehouse_plugin_cpu_seconds_total', help: 'Process CPU billed to plugin calls.', labelNames: ['instance'], registers });
  const wall = new Histogram({ name: 'gatehouse_plugin_call_seconds', help: 'Wall time of plugin calls.', labelNames: ['instance'], buckets: STAGE_SECONDS, registers });
  const restarts = new Counter({ name: 'gatehouse_plugin_restarts_total', help: 'Restarts of sandboxes, by why.', labelNames: ['instance', 'reason'], registers });
  const restartDelays = new Histogram({ name: 'gatehouse_plugin_restart_delay_seconds', help: 'Pauses before restarts of sandboxes.', labelNames: ['instance'], buckets: RESTART_SECONDS, registers });
  const unread = new Counter({ name: 'gatehouse_channel_unread_total', help: 'Requests and frames that a channel could not read.', labelNames: ['instance', 'code', 'class'], registers });
  const probes = new Counter({ name: 'gatehouse_channel_probes_total', help: 'Times a channel was asked how it does, by what came of it.', labelNames: ['instance', 'result'], registers });
  const strikes = new Counter({ name: 'gatehouse_plugin_strikes_total', help: 'Strikes against plugins.', labelNames: ['instance', 'cause'], registers });
  const denials = new Counter({ name: 'gatehouse_capability_denied_total', help: 'Refused uses of capabilities.', labelNames: ['instance', 'code'], registers });
  const doubts = new Counter({ name: 'gatehouse_ingress_refused_total', help: 'Requests to channels that were not believed, by what was wrong.', labelNames: ['instance', 'cause'], registers });
  const tidied = new Counter({ name: 'gatehouse_texts_sanitized_total', help: 'Texts that left otherwise than they were written, by what was changed.', labelNames: ['instance', 'change'], registers });
  const fetches = new Counter({ name: 'gatehouse_egress_requests_total', help: 'Requests performed for plugins, redirects included.', labelNames: ['instance', 'result'], registers });
  const leaks = new Counter({ name: 'gatehouse_secret_leaks_total', help: 'Answers to plugins that held one of their secrets.', labelNames: ['instance'], registers });
  const fetchedBytes = new Counter({ name: 'gatehouse_egress_bytes_total', help: 'Bytes of these requests and their answers.', labelNames: ['instance'], registers });
  const fetchSeconds = new Histogram({ name: 'gatehouse_egress_seconds', help: 'Time of these requests.', labelNames: ['instance'], buckets: STAGE_SECONDS, registers });
  const tries = new Counter({ name: 'gatehouse_delivery_tries_total', help: 'Tries at deliveries by what became of them.', labelNames: ['instance', 'result'], registers });
  const deadLetters = new Counter({ name: 'gatehouse_dead_letters_total', help: 'Work that ended without success.', labelNames: ['instance', 'code'], registers });
  const stuck = new Counter({ name: 'gatehouse_lanes_stuck_total', help: 'Runs of lanes without a step for too long.', labelNames: ['instance', 'action'], registers });
  const freed = new Counter({ name: 'gatehouse_lanes_freed_total', help: 'Stuck lanes that went on, by what helped.', labelNames: ['instance', 'how'], registers });
  const interrupted = new Counter({ name: 'gatehouse_runs_interrupted_total', help: 'Runs that were told to end without an answer.', labelNames: ['instance', 'why'], registers });
  const starts = new Histogram({ name: 'gatehouse_sandbox_start_seconds', help: 'Time to start a sandbox.', buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5], registers });
  const ends = new Counter({ name: 'gatehouse_sandbox_ended_total', help: 'Sandboxes that ended, by cause.', labelNames: ['instance', 'cause'], registers });
  const commits = new Histogram({ name: 'gatehouse_store_commit_seconds', help: 'Time of durable commits.', labelNames: ['outcome'], buckets: STAGE_SECONDS, registers });
  const rows = new Counter({ name: 'gatehouse_store_rows_total', help: 'Rows written and removed.', registers });
  const audited = new Counter({ name: 'gatehouse_audit_entries_total', help: 'Entries written to the transparency log.', registers });
  const auditWrites = new Counter({ name: 'gatehouse_audit_writes_total', help: 'Commits to the transparency log.', labelNames: ['outcome'], registers });
  const passes = new Counter({ name: 'gatehouse_worker_passes_total', help: 'Passes of the host\'s own workers.', labelNames: ['worker', 'result'], registers });
  const routesFound = new Counter({ name: 'gatehouse_routes_total', help: 'Searches for the place where a session or a person can be written to, by result.', labelNames: ['result'], registers });
  pluginGauges(host, registers);

  // Events of the hot path keep their labelled children at hand: prom-client's own look-up costs more than the counting.
  const outcomeOf = remember((...labels) => outcomes.labels(...labels));
  const ingestOf = remember((...labels) => ingest.labels(...labels));
  const deliveryOf = remember((...labels) => delivery.labels(...labels));
  const stageOf = remember((...labels) => stages.labels(...labels));
  const decisionOf = remember((...labels) => decisions.labels(...labels));
  const verdictOf = remember((...labels) => verdicts.labels(...labels));
  const callOf = remember((...labels) => calls.labels(...labels));
  const cpuOf = remember((...labels) => cpu.labels(...labels));
  const wallOf = remember((...labels) => wall.labels(...labels));
  const commitOf = remember((...labels) => commits.labels(...labels));

  // A listener that throws would end the process (diagnostics_channel reports it as uncaught): a number that is none must not stop the mail.
  const broken = new Counter({ name: 'gatehouse_metrics_errors_total', help: 'Events that could not be counted.', labelNames: ['event'], registers });
  const count = <N extends EventName>(name: N, listener: (fields: Events[N]) => void) =>
    subscribe(name, (fields) => {
      try {
        listener(fields);
      } catch {
        broken.inc({ event: name });
      }
    });

  const stop = [
    count('message.stage', ({ stage, decision, durationMs }) => {
      stageOf(stage).observe(durationMs / 1000);
      decisionOf(stage, decision).inc();
    }),
    count('message.outcome', ({ instance, direction, outcome, code, durationMs }) => {
      outcomeOf(instance, direction, outcome, knownCode(code)).inc();
      if (durationMs === undefined) return;
      if (outcome === 'accepted') ingestOf(instance).observe(durationMs / 1000);
      else if (outcome === 'delivered') deliveryOf(instance).observe(durationMs / 1000);
    }),
    count('gate.verdict', ({ instance, direction, effect, code }) => verdictOf(instance, direction, effect, knownCode(code)).inc()),
    count('plugin.call', ({ instance, handler, ok, code, cpuUs, wallMs }) => {
      callOf(instance, handler, ok ? 'ok' : knownCode(code)).inc();
      cpuOf(instance).inc(cpuUs / 1e6);
      wallOf(instance).observe(wallMs / 1000);
    }),
    count('media.taken', ({ instance, files: count, result }) => files.inc({ instance, result: result === 'stored' ? result : knownCode(result) }, count)),
    count('store.commit', ({ rows: count, durationMs, outcome }) => {
      commitOf(outcome).observe(durationMs / 1000);
      rows.inc(count);
    }),
    count('audit.written', ({ entries, outcome }) => {
      audited.inc(entries);
      auditWrites.inc({ outcome });
    }),
    count('plugin.restarted', ({ instance, reason, delayMs }) => {
      restarts.inc({ instance, reason: knownCode(reason) });
      restartDelays.observe({ instance }, delayMs / 1000);
    }),
    count('channel.unread', ({ instance, code, failure }) => unread.inc({ instance, code: knownCode(code), class: failure })),
    count('channel.probed', ({ instance, result }) => probes.inc({ instance, result })),
    count('plugin.strike', ({ instance, cause }) => strikes.inc({ instance, cause: oneWord(cause) })),
    count('capability.denied', ({ instance, code }) => denials.inc({ instance, code: knownCode(code) })),
    count('ingress.refused', ({ instance, cause }) => doubts.inc({ instance, cause: oneWord(cause) })),
    count('text.sanitized', ({ instance, changes }) => {
      for (const change of changes) tidied.inc({ instance, change });
    }),
    count('secret.leaked', ({ instance }) => leaks.inc({ instance })),
    count('egress.request', ({ instance, status, code, bytes, durationMs }) => {
      fetches.inc({ instance, result: status === undefined ? knownCode(code) : `${Math.floor(status / 100)}xx` });
      fetchedBytes.inc({ instance }, bytes);
      fetchSeconds.observe({ instance }, durationMs / 1000);
    }),
    count('delivery.tried', ({ instance, result }) => tries.inc({ instance, result })),
    count('lane.stuck', ({ instance, action }) => stuck.inc({ instance, action })),
    count('lane.freed', ({ instance, how }) => freed.inc({ instance, how })),
    count('lane.interrupted', ({ instance, why }) => interrupted.inc({ instance, why })),
    count('dead-letter.created', ({ instance, code }) => deadLetters.inc({ instance, code: knownCode(code) })),
    count('worker.pass', ({ worker, ok }) => passes.inc({ worker, result: ok ? 'ok' : 'failed' })),
    count('route.resolved', ({ result }) => routesFound.inc({ result })),
    count('sandbox.started', ({ startMs }) => starts.observe(startMs / 1000)),
    count('sandbox.ended', ({ instance, cause }) => ends.inc({ instance, cause: oneWord(cause) })),
  ];

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    [Symbol.dispose]() {
      for (const each of stop) each();
      registry.clear();
    },
  };
}

function pluginGauges(host: Pick<Host, 'plugins' | 'readiness' | 'status'>, registers: Registry[]): void {
  /** All gauges of one scrape begin in the same turn, and share one look. */
  let looking: Promise<HostStatus> | undefined;
  const status = () => {
    if (!looking) setImmediate(() => (looking = undefined));
    return (looking ??= host.status());
  };
  const gauge = (name: string, help: string, labelNames: string[], collect: (self: Gauge) => void | Promise<void>) =>
    new Gauge({ name, help, labelNames, registers, collect() {
      this.reset();
      return collect(this);
    } });
  gauge('gatehouse_plugins', 'Instances by state.', ['state'], (self) => {
    for (const { state } of host.plugins.list()) self.inc({ state });
  });
  gauge('gatehouse_plugins_degraded', 'Optional instances that are not available.', [], (self) => self.set(host.readiness().degraded.length));
  gauge('gatehouse_ready', 'Whether every required instance is active.', [], (self) => self.set(host.readiness().ready ? 1 : 0));
  gauge('gatehouse_workers_degraded', 'Workers of the host that cannot go on.', [], async (self) => {
    const { workers } = await status();
    self.set(workers.filter(({ state }) => state === 'degraded' || state === 'stuck').length);
  });
  gauge('gatehouse_pressure_ratio', 'Share of its bound that a queue has used.', ['queue'], async (self) => {
    const { pressure } = await status();
    for (const { queue, depth, limit } of pressure.queues) self.set({ queue }, depth / limit);
  });
  gauge('gatehouse_pressure_shed', 'Messages sent away because queues were full, since the start.', [], async (self) => self.set((await status()).pressure.shed));
  gauge('gatehouse_audit_size', 'Entries in the transparency log.', [], async (self) => self.set((await status()).audit.size));
  gauge('gatehouse_lanes', 'Accepted messages waiting and in work.', ['state'], async (self) => {
    const { lanes, deliveries } = await status();
    self.set({ state: 'waiting' }, lanes.waiting);
    self.set({ state: 'running' }, lanes.running);
    self.set({ state: 'delivery-waiting' }, deliveries.waiting);
    self.set({ state: 'delivery-running' }, deliveries.running);
  });
}

/** Codes of the error table, and one word for all others: a label is never foreign text. */
function knownCode(code: string | undefined): string {
  if (code === undefined) return '';
  return Object.hasOwn(ERRORS, code) ? code : 'other';
}

const oneWord = (cause: string) => (/^[a-z-]{1,40}$/.test(cause) ? cause : 'other');

/** More combinations of labels than any operator has; what comes after them is counted as `other`, so that no metric grows without bound. */
const REMEMBERED = 4096;

function remember<Child>(create: (...labels: string[]) => Child): (...labels: string[]) => Child {
  const children = new Map<string, Child>();
  return (...labels) => {
    const key = labels.join('\n');
    const known = children.get(key);
    if (known) return known;
    if (children.size >= REMEMBERED) return create(...labels.map(() => 'other'));
    const child = create(...labels);
    children.set(key, child);
    return child;
  };
}
