// Every part of the host that lives on its own: who owns it, what ends it, how it comes back, what follows when it does not. docs/topology.md shows this table; a test holds both against the code.
import type { CrashClass } from './registry/crash-classes.ts';
import { DEFAULT_POLICY } from './supervisor/restart-policy.ts';
import { WORKER_BUDGET } from './supervisor/worker.ts';

export interface Subsystem {
  /** The files that hold its timers and its ending; every file of the host that has some is named by one row. */
  readonly owners: readonly string[];
  /** `fatal`: the host ends. `degraded`: it goes on without and says so. `recoverable`: mended without anybody. */
  readonly class: CrashClass;
  /** What brings it back, how often in what time. */
  readonly restarts: string;
  /** What follows when that is used up. */
  readonly beyond: string;
  /** Where an operator sees it. */
  readonly seen: string;
}

const { strikes, outside, first, again } = DEFAULT_POLICY;
const minutes = (ms: number) => `${ms / 60_000} min`;

export const TOPOLOGY = {
  launcher: { owners: ['host/bin/gatehouse.js'], class: 'fatal', restarts: 'none: the service manager starts it again', beyond: 'the host ends with it', seen: 'exit code' },
  host: { owners: ['host/host.ts'], class: 'fatal', restarts: 'none: the service manager starts it again; what was accepted is taken up', beyond: 'exit 1 for a crash, 3 by policy', seen: 'exit code, last log line' },
  store: { owners: ['host/store/lmdb.ts'], class: 'recoverable', restarts: 'a commit that fails is refused to its source, or tried again by whoever works', beyond: 'nothing is accepted while commits fail; one that cannot be opened ends the start with exit 1, a damaged one with 3', seen: '`gatehouse_store_commit_seconds{outcome="failed"}`, `STORE_FAILED`' },
  'transparency log': { owners: ['host/trust/log/audit-log.ts'], class: 'recoverable', restarts: 'each commit stands alone; what operators ask for meanwhile is refused, what the registry decided is written with its next record', beyond: 'no operator can change anything while entries cannot be written; a log that somebody else changed ends the start with exit 3', seen: '`gatehouse_audit_writes_total{outcome="failed"}`, `AUDIT_BROKEN`' },
  'message lanes': { owners: ['host/store/lanes.ts', 'host/pipeline/wiring.ts'], class: 'recoverable', restarts: 'a lane whose work throws tries it again after 1 s; other lanes go on', beyond: 'the message becomes a dead letter, and the lane goes on behind it', seen: '`gatehouse_lanes`, `gatehouse_dead_letters_total`' },
  'delivery lanes': { owners: ['host/store/lanes.ts', 'host/pipeline/wiring.ts'], class: 'recoverable', restarts: 'a delivery that fails is tried again with pauses; other conversations go on', beyond: 'dead letter, and the lane goes on behind it', seen: '`gatehouse_lanes`, `gatehouse_dead_letters_total`' },
  'held messages': { owners: ['host/pipeline/gating/held.ts'], class: 'recoverable', restarts: 'a release that stops is taken up again after 5 s', beyond: 'messages stay held, at most 24 h', seen: 'log `held messages stay held for now`' },
  'instances in front': { owners: ['host/supervisor/supervisor.ts'], class: 'fatal', restarts: `required ones, gates and channels: at once, then ${strikes} proven strikes in ${minutes(DEFAULT_POLICY.windowMs)}; from outside ${outside.perMinute} a minute each, all together ${first.perMinute} a minute`, beyond: 'quarantine; a required one drains the host and ends it with exit 3', seen: '`gatehouse_plugin_restarts_total`, `gatehouse_plugin_strikes_total`, `/readyz`' },
  'optional instances': { owners: ['host/supervisor/supervisor.ts'], class: 'degraded', restarts: `as those in front; from the second restart of a row on, all together ${again.perMinute} a minute`, beyond: 'quarantine with evidence; the host goes on without it', seen: '`gatehouse_plugins_degraded`, `gatehouse plugins show`' },
  'channel probes': { owners: ['host/channels/channel-life.ts', 'host/channels/health.ts', 'host/channels/menus.ts', 'host/channels/troubles.ts'], class: 'recoverable', restarts: 'one row of probes for each channel that has them, begun anew with each sandbox', beyond: 'the channel is impaired and serves on; another sandbox is tried after pauses that double to 10 min', seen: '`gatehouse_channel_probes_total`, `gatehouse_plugin_restarts_total`, `gatehouse plugins show`' },
  watchdog: { owners: ['host/sandbox/watchdog.ts'], class: 'recoverable', restarts: 'one for each sandbox, made and ended with it', beyond: 'SIGKILL to its sandbox', seen: '`gatehouse_sandbox_ended_total`' },
  'sandbox pool': { owners: ['host/sandbox/pool.ts'], class: 'recoverable', restarts: 'a blank sandbox that ends is replaced', beyond: 'instances start their own, some 60 ms later', seen: '`gatehouse_sandbox_start_seconds`' },
  egress: { owners: ['host/egress/egress.ts', 'host/egress/connections.ts'], class: 'recoverable', restarts: 'each request stands alone', beyond: 'typed refusals to the plugin', seen: '`gatehouse_egress_requests_total`' },
  'cost ledger': { owners: ['host/costs/ledger.ts'], class: 'recoverable', restarts: 'what could not be written is written with the next second', beyond: 'counted in memory; a crash forgets what was not written', seen: 'log `costs could not be written`' },
  'egress bytes': { owners: ['host/egress/daily-bytes.ts'], class: 'recoverable', restarts: 'what could not be written is written with the next second', beyond: 'counted in memory; a crash forgets what was not written', seen: 'log `egress bytes could not be written`' },
  backups: { owners: ['host/backup/backup-desk.ts', 'host/backup/restore-backup.ts'], class: 'recoverable', restarts: 'each backup stands alone; of one that fails nothing is left', beyond: 'the operator is told and begins another', seen: '`gatehouse backup list`, log `a backup failed`' },
  media: { owners: ['host/media/media-files.ts', 'host/media/media-store.ts'], class: 'recoverable', restarts: 'each file stands alone; what a crash leaves without a row goes with the next start', beyond: 'files stay links, or their messages are refused for now', seen: '`gatehouse_media_files_total`, `MEDIA_MISSING`' },
  workers: { owners: ['host/supervisor/worker.ts', 'host/supervisor/workers.ts'], class: 'degraded', restarts: `each pass after a failure with growing pauses, ${WORKER_BUDGET.failures} failures in ${minutes(WORKER_BUDGET.windowMs)}`, beyond: `shown as degraded, and tried once in ${minutes(WORKER_BUDGET.pauseMs)}`, seen: '`gatehouse_workers_degraded`, `gatehouse status`' },
  'routes and rooms': { owners: ['host/store/bounded-table.ts', 'host/pipeline/sessions/reach.ts', 'host/pipeline/sessions/rooms.ts'], class: 'recoverable', restarts: 'a trim that fails is tried again with the next new row', beyond: 'the tables grow past their bound until it works', seen: 'log `old routes could not be forgotten`' },
  reload: { owners: ['host/reload/reload.ts', 'host/reload/watcher.ts', 'host/reload/settling.ts', 'host/reload/replacing.ts', 'host/reload/due.ts'], class: 'degraded', restarts: 'each look stands alone; a watcher that fails is told once', beyond: 'what runs goes on; `gatehouse plugins reload` looks', seen: '`gatehouse status`, log `reload.judged`' },
  'control plane': { owners: ['host/control/server.ts', 'host/control/network/certificate-watch.ts', 'host/control/sockets.ts', 'host/control/routes/events.ts', 'host/control/last-hour.ts', 'host/control/idempotency.ts'], class: 'fatal', restarts: 'each request and socket stands alone', beyond: 'an address that cannot be listened on ends the start with exit 1', seen: '`/healthz`' },
  discovery: { owners: ['host/control/discovery/discovery.ts', 'host/control/discovery/announcement.ts'], class: 'recoverable', restarts: 'none: announced once, when the host listens', beyond: 'nobody finds the host by its network; it works all the same', seen: '`/api/v1/config/discovery`, log `the host could not be announced to its network`' },
  telemetry: { owners: ['host/telemetry/metrics.ts', 'host/telemetry/log-events.ts'], class: 'recoverable', restarts: 'an event that cannot be counted is skipped', beyond: 'numbers are missing, messages are not', seen: '`gatehouse_metrics_errors_total`' },
  'stop request': { owners: ['host/cli/stop-request.ts'], class: 'recoverable', restarts: 'none', beyond: 'a second signal ends the host at once; the store holds what was accepted', seen: 'exit code 130 or 143' },
} as const satisfies Record<string, Subsystem>;
