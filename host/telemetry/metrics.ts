// Prometheus metrics from the core's events: it publishes, this listens. Labels come from fixed sets or the operator's own instance names. Made by main.ts, read by /metrics.
import { Registry, collectDefaultMetrics } from 'prom-client';
import { subscribe, type EventName, type Events } from '../events.ts';
import { hostGauges, type Observed } from './gauges.ts';
import { knownCode, oneWord, seriesOf, type Series } from './series.ts';

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

const START_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const SCAN_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** Gauges are read from the host at each scrape; everything else is counted as it happens. */
export function createMetrics(host: Observed): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: '' });
  const series = seriesOf(registry);
  hostGauges(host, series);

  // A listener that throws would end the process (diagnostics_channel reports it as uncaught): a number that is none must not stop the mail.
  const broken = series.counter('gatehouse_metrics_errors_total', 'Events that could not be counted.', 'event');
  const stop: (() => void)[] = [];
  const on: On = (name, listener) => {
    const counted = (fields: Events[typeof name]) => {
      try {
        listener(fields);
      } catch {
        broken(name).inc();
      }
    };
    stop.push(subscribe(name, counted));
  };
  countMessages(series, on);
  countPlugins(series, on);
  countEgress(series, on);
  countHost(series, on);
  countRequests(series, on);

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    [Symbol.dispose]() {
      for (const each of stop) each();
      registry.clear();
    },
  };
}

type On = <N extends EventName>(name: N, listener: (fields: Events[N]) => void) => void;

function countMessages({ counter, histogram }: Series, on: On): void {
  const outcomes = counter('gatehouse_messages_total', 'Messages by what became of them.', 'instance', 'direction', 'outcome', 'code');
  const ingest = histogram('gatehouse_ingest_seconds', 'From the arrival of a message to its durable acceptance.', STAGE_SECONDS, 'instance');
  const delivery = histogram('gatehouse_delivery_seconds', 'From the commit that stored a reply to the end of its delivery.', DELIVERY_SECONDS, 'instance');
  on('message.outcome', ({ instance, direction, outcome, code, durationMs }) => {
    outcomes(instance, direction, outcome, knownCode(code)).inc();
    if (durationMs === undefined) return;
    if (outcome === 'accepted') ingest(instance).observe(durationMs / 1000);
    else if (outcome === 'delivered') delivery(instance).observe(durationMs / 1000);
  });
  const stages = histogram('gatehouse_stage_seconds', 'Time a message spent in a stage.', STAGE_SECONDS, 'stage');
  const decisions = counter('gatehouse_stage_decisions_total', 'Decisions of stages.', 'stage', 'decision');
  on('message.stage', ({ stage, decision, durationMs }) => {
    stages(stage).observe(durationMs / 1000);
    decisions(stage, decision).inc();
  });
  const verdicts = counter('gatehouse_gate_verdicts_total', 'What gates came to, message by message.', 'instance', 'direction', 'effect', 'code');
  on('gate.verdict', ({ instance, direction, effect, code }) => verdicts(instance, direction, effect, knownCode(code)).inc());
  const files = counter('gatehouse_media_files_total', 'Files of messages that policy has stored: kept, or why not.', 'instance', 'result');
  on('media.taken', ({ instance, files: taken, result }) => files(instance, result === 'stored' ? result : knownCode(result)).inc(taken));
  const tidied = counter('gatehouse_texts_sanitized_total', 'Texts that left otherwise than they were written, by what was changed.', 'instance', 'change');
  on('text.sanitized', ({ instance, changes }) => {
    for (const change of changes) tidied(instance, change).inc();
  });
  const tries = counter('gatehouse_delivery_tries_total', 'Tries at deliveries by what became of them.', 'instance', 'result');
  on('delivery.tried', ({ instance, result }) => tries(instance, result).inc());
  const deadLetters = counter('gatehouse_dead_letters_total', 'Work that ended without success.', 'instance', 'code');
  on('dead-letter.created', ({ instance, code }) => deadLetters(instance, knownCode(code)).inc());
  const routes = counter('gatehouse_routes_total', 'Searches for the place where a session or a person can be written to, by result.', 'result');
  on('route.resolved', ({ result }) => routes(result).inc());
  const stuck = counter('gatehouse_lanes_stuck_total', 'Runs of lanes without a step for too long.', 'instance', 'action');
  on('lane.stuck', ({ instance, action }) => stuck(instance, action).inc());
  const freed = counter('gatehouse_lanes_freed_total', 'Stuck lanes that went on, by what helped.', 'instance', 'how');
  on('lane.freed', ({ instance, how }) => freed(instance, how).inc());
  const interrupted = counter('gatehouse_runs_interrupted_total', 'Runs that were told to end without an answer.', 'instance', 'why');
  on('lane.interrupted', ({ instance, why }) => interrupted(instance, why).inc());
}

function countPlugins({ counter, histogram }: Series, on: On): void {
  const calls = counter('gatehouse_plugin_calls_total', 'Calls into plugins.', 'instance', 'handler', 'result');
  const cpu = counter('gatehouse_plugin_cpu_seconds_total', 'Process CPU billed to plugin calls.', 'instance');
  const wall = histogram('gatehouse_plugin_call_seconds', 'Wall time of plugin calls.', STAGE_SECONDS, 'instance');
  on('plugin.call', ({ instance, handler, ok, code, cpuUs, wallMs }) => {
    calls(instance, handler, ok ? 'ok' : knownCode(code)).inc();
    cpu(instance).inc(cpuUs / 1e6);
    wall(instance).observe(wallMs / 1000);
  });
  const restarts = counter('gatehouse_plugin_restarts_total', 'Restarts of sandboxes, by why.', 'instance', 'reason');
  const restartDelays = histogram('gatehouse_plugin_restart_delay_seconds', 'Pauses before restarts of sandboxes.', RESTART_SECONDS, 'instance');
  on('plugin.restarted', ({ instance, reason, delayMs }) => {
    restarts(instance, knownCode(reason)).inc();
    restartDelays(instance).observe(delayMs / 1000);
  });
  const states = counter('gatehouse_plugin_stopped_total', 'Instances that policy or their faults ended.', 'instance', 'state');
  on('plugin.state', ({ instance, to }) => {
    if (to === 'quarantined' || to === 'revoked' || to === 'rejected') states(instance, to).inc();
  });
  const unread = counter('gatehouse_channel_unread_total', 'Requests and frames that a channel could not read.', 'instance', 'code', 'class');
  on('channel.unread', ({ instance, code, failure }) => unread(instance, knownCode(code), failure).inc());
  const probes = counter('gatehouse_channel_probes_total', 'Times a channel was asked how it does, by what came of it.', 'instance', 'result');
  on('channel.probed', ({ instance, result }) => probes(instance, result).inc());
  const strikes = counter('gatehouse_plugin_strikes_total', 'Strikes against plugins.', 'instance', 'cause');
  on('plugin.strike', ({ instance, cause }) => strikes(instance, oneWord(cause)).inc());
  const denials = counter('gatehouse_capability_denied_total', 'Refused uses of capabilities.', 'instance', 'code');
  on('capability.denied', ({ instance, code }) => denials(instance, knownCode(code)).inc());

  const budgets = counter('gatehouse_budget_reached_total', 'Daily budgets that were nearly (warned) or wholly (exceeded) spent.', 'instance', 'resource', 'level');
  on('budget.reached', ({ instance, resource, level }) => budgets(instance, resource, level).inc());
  const overBudget = counter('gatehouse_budget_refused_total', 'Calls and requests that a budget refused.', 'instance', 'period', 'resource');
  on('budget.refused', ({ instance, period, resource }) => overBudget(instance, period, resource).inc());
  const doubts = counter('gatehouse_ingress_refused_total', 'Requests to channels that were not believed, by what was wrong.', 'instance', 'cause');
  on('ingress.refused', ({ instance, cause }) => doubts(instance, oneWord(cause)).inc());
  const starts = histogram('gatehouse_sandbox_start_seconds', 'Time to start a sandbox.', START_SECONDS);
  on('sandbox.started', ({ startMs }) => starts().observe(startMs / 1000));
  const ends = counter('gatehouse_sandbox_ended_total', 'Sandboxes that ended, by cause.', 'instance', 'cause');
  on('sandbox.ended', ({ instance, cause }) => ends(instance, oneWord(cause)).inc());
}

function countEgress({ counter, histogram }: Series, on: On): void {
  const fetches = counter('gatehouse_egress_requests_total', 'Requests performed for plugins, redirects included.', 'instance', 'result');
  const bytes = counter('gatehouse_egress_bytes_total', 'Bytes of these requests and their answers.', 'instance');
  const seconds = histogram('gatehouse_egress_seconds', 'Time of these requests.', STAGE_SECONDS, 'instance');
  on('egress.request', ({ instance, status, code, bytes: moved, durationMs }) => {
    fetches(instance, status === undefined ? knownCode(code) : statusClass(status)).inc();
    bytes(instance).inc(moved);
    seconds(instance).observe(durationMs / 1000);
  });
  const leaks = counter('gatehouse_secret_leaks_total', 'Answers to plugins that held one of their secrets.', 'instance');
  on('secret.leaked', ({ instance }) => leaks(instance).inc());
}

function countHost({ counter, histogram }: Series, on: On): void {
  const commits = histogram('gatehouse_store_commit_seconds', 'Time of durable commits.', STAGE_SECONDS, 'outcome');
  const rows = counter('gatehouse_store_rows_total', 'Rows written and removed.');
  on('store.commit', ({ rows: written, durationMs, outcome }) => {
    commits(outcome).observe(durationMs / 1000);
    rows().inc(written);
  });
  const audited = counter('gatehouse_audit_entries_total', 'Entries written to the transparency log.');
  const auditWrites = counter('gatehouse_audit_writes_total', 'Commits to the transparency log.', 'outcome');
  on('audit.written', ({ entries, outcome }) => {
    audited().inc(entries);
    auditWrites(outcome).inc();
  });
  const scans = histogram('gatehouse_scan_seconds', 'Time to look through the bytes of a package.', SCAN_SECONDS);
  on('scan.ended', ({ durationMs }) => scans().observe(durationMs / 1000));
  const blocked = counter('gatehouse_scan_blocked_total', 'Instances that may run no more by the scan of their package.', 'instance');
  on('scan.blocked', ({ instance }) => blocked(instance).inc());
  const changes = counter('gatehouse_config_changes_total', 'Changes found in the home while the host runs: taken up, or refused.', 'result');
  on('reload.judged', ({ changes: taken, refused }) => {
    changes('taken-up').inc(taken.length);
    changes('refused').inc(refused.length);
  });
  const forgotten = counter('gatehouse_retention_forgotten_total', 'Messages and sessions that retention has let go.', 'kind');
  on('retention.swept', ({ messages, sessions }) => {
    forgotten('message').inc(messages);
    forgotten('session').inc(sessions);
  });
  const passes = counter('gatehouse_worker_passes_total', "Passes of the host's own workers.", 'worker', 'result');
  on('worker.pass', ({ worker, ok }) => passes(worker, ok ? 'ok' : 'failed').inc());
}

function countRequests({ counter, histogram, level }: Series, on: On): void {
  const requests = counter('gatehouse_http_requests_total', 'Requests answered, by route.', 'route', 'method', 'status');
  const seconds = histogram('gatehouse_http_request_seconds', 'From the head of a request to the end of its answer.', STAGE_SECONDS, 'route');
  const inFlight = level('gatehouse_http_requests_in_flight', 'Requests that are not answered yet; sockets and streams of events are not among them.');
  on('http.began', () => inFlight.inc());
  on('http.request', ({ route, method, status, durationMs }) => {
    requests(route, method, statusClass(status)).inc();
    seconds(route).observe(durationMs / 1000);
    inFlight.dec();
  });
  const streams = level('gatehouse_event_streams', 'Streams of events that are open.');
  on('http.stream', ({ open }) => streams.set(open));
  const refused = counter('gatehouse_auth_refused_total', 'Requests that were not let in, by why: no token, a wrong one, locked out.', 'why');
  const locked = counter('gatehouse_auth_lockouts_total', 'Addresses that guessed too often and were shut out.');
  on('auth.refused', ({ why, locksOut }) => {
    refused(why).inc();
    if (locksOut) locked().inc();
  });
}

const statusClass = (status: number) => (status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : 'other');
