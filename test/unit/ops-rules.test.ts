// What docs/ops gives to those who watch: metrics that Prometheus accepts, rules and panels that ask for metrics that exist, alerts that fire when they should and are silent when they should.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publish } from '../../host/events.ts';
import { createMetrics, type Metrics } from '../../host/telemetry/metrics.ts';
import { startTestControl, type TestControl } from '../support/control-plane.ts';

const OPS = resolve(import.meta.dirname, '../../docs/ops');
const read = (name: string) => readFileSync(join(OPS, name), 'utf8');
const run = promisify(execFile);

/** Debian's `prometheus` brings it; `.ci/run` installs that. */
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
if (!hasPromtool) console.log('not run: prometheus');

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as { readonly panels: readonly Panel[] };
/** As Grafana would ask. */
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$host', '.*') })));
const rules = `${read('recording.yml')}\n${read('alerts.yml')}`;
const alerts = [...read('alerts.yml').matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => String(name));

/** Series by step, of a minute or ten: `a+bxn` is a row of n+1 values that grows by b. */
type Given = Readonly<Record<string, string>>;

interface Case {
  readonly fires: Given;
  readonly silent: Given;
  /** When it is looked at; default after 30 minutes. */
  readonly at?: string;
  /** Where days have to pass: ten minutes a step. */
  readonly long?: true;
}

const H = 'host="a"';
const perPlugin = `${H},instance="p"`;
const missing = (share: number, steps: number): Given => ({ [`gatehouse_messages_total{direction="outbound",outcome="delivered",${H}}`]: `0+${1000 - share * 1000}x${steps}`, [`gatehouse_messages_total{direction="outbound",outcome="dead-lettered",${H}}`]: `0+${share * 1000}x${steps}` });
const slow = (share: number, steps: number): Given => ({ [`gatehouse_ingest_seconds_count{${perPlugin}}`]: `0+1000x${steps}`, [`gatehouse_ingest_seconds_bucket{le="0.1",${perPlugin}}`]: `0+${1000 - share * 1000}x${steps}` });
const rising = (labels: string, name: string): Pick<Case, 'fires' | 'silent'> => ({ fires: { [`${name}{${labels}}`]: '0x20 1x20' }, silent: { [`${name}{${labels}}`]: '5x40' } });
const level = (series: string, bad: number, good: number): Pick<Case, 'fires' | 'silent'> => ({ fires: { [series]: `${bad}x120` }, silent: { [series]: `${good}x120` } });

const CASES: Readonly<Record<string, Case>> = {
  // A budget of 0.5 %: 14.4 times it is 7.2 %, 6 times 3 %, 3 times 1.5 %.
  GatehouseBurnsBudgetFast: { fires: { ...missing(0.08, 90) }, silent: missing(0.06, 90), at: '80m' },
  GatehouseBurnsBudget: { fires: missing(0.035, 48), silent: missing(0.02, 48), at: '7h', long: true },
  GatehouseBurnsBudgetSlowly: { fires: missing(0.02, 200), silent: missing(0.01, 200), at: '30h', long: true },
  // Of 5 %: one in ten is too slow, or one in fifty.
  GatehouseSpendsBudget: { fires: slow(0.1, 500), silent: slow(0.02, 500), at: '80h', long: true },
  GatehouseDown: level(`up{job="gatehouse",${H}}`, 0, 1),
  GatehouseNotReady: level(`gatehouse_ready{${H}}`, 0, 1),
  GatehousePluginStopped: rising(`${perPlugin},state="quarantined"`, 'gatehouse_plugin_stopped_total'),
  GatehousePluginsDegraded: level(`gatehouse_plugins_degraded{${H}}`, 1, 0),
  GatehousePluginStrikes: rising(`${perPlugin},cause="cpu"`, 'gatehouse_plugin_strikes_total'),
  GatehouseGateSilent: { fires: { [`gatehouse_gate_verdicts_total{${perPlugin},effect="unavailable",code="GATE_UNAVAILABLE"}`]: '0+1x40' }, silent: { [`gatehouse_gate_verdicts_total{${perPlugin},effect="deny",code=""}`]: '0+100x40' } },
  GatehouseQueuePressure: level(`gatehouse_pressure_ratio{${H},queue="messages"}`, 0.8, 0.6),
  GatehouseLaneOld: level(`gatehouse_lane_oldest_seconds{${H},lanes="messages"}`, 400, 100),
  GatehouseLanesStuck: rising(`${perPlugin},action="cancelled"`, 'gatehouse_lanes_stuck_total'),
  GatehouseDeadLetters: rising(`${perPlugin},code="DELIVERY_FAILED"`, 'gatehouse_dead_letters_total'),
  GatehouseWorkersDegraded: level(`gatehouse_workers_degraded{${H}}`, 1, 0),
  GatehouseLoopLate: level(`nodejs_eventloop_lag_p99_seconds{job="gatehouse",${H}}`, 0.1, 0.02),
  GatehouseDiskFull: level(`gatehouse_disk_free_bytes{${H}}`, 2 ** 26, 2 ** 30),
  GatehouseDiskLow: { fires: { [`gatehouse_disk_free_bytes{${H}}`]: '5x60', [`gatehouse_disk_size_bytes{${H}}`]: '100x60' }, silent: { [`gatehouse_disk_free_bytes{${H}}`]: '50x60', [`gatehouse_disk_size_bytes{${H}}`]: '100x60' } },
  GatehouseDiskFills: { fires: { [`gatehouse_disk_free_bytes{${H}}`]: '10000000000-100000000x60' }, silent: { [`gatehouse_disk_free_bytes{${H}}`]: '10000000000-10000000x60' }, at: '8h', long: true },
  GatehouseStoreFails: { fires: { [`gatehouse_store_commit_seconds_count{${H},outcome="failed"}`]: '0+1x60' }, silent: { [`gatehouse_store_commit_seconds_count{${H},outcome="failed"}`]: '7x60', [`gatehouse_store_commit_seconds_count{${H},outcome="committed"}`]: '0+100x60' } },
  GatehouseStoreReaderLags: level(`gatehouse_store_reader_lag{${H}}`, 200_000, 10),
  GatehouseAuditFails: { ...rising(`${H},outcome="failed"`, 'gatehouse_audit_writes_total'), at: '25m' },
  GatehouseSecretLeaked: rising(perPlugin, 'gatehouse_secret_leaks_total'),
  GatehouseLockouts: rising(H, 'gatehouse_auth_lockouts_total'),
  GatehouseForgedRequests: { fires: { [`gatehouse_ingress_refused_total{${perPlugin},cause="signature"}`]: '0+60x60' }, silent: { [`gatehouse_ingress_refused_total{${perPlugin},cause="signature"}`]: '0+6x60', [`gatehouse_ingress_refused_total{${perPlugin},cause="key-missing"}`]: '0+600x60' } },
  GatehouseKeyMissing: { fires: { [`gatehouse_ingress_refused_total{${perPlugin},cause="key-missing"}`]: '0x20 1x20' }, silent: { [`gatehouse_ingress_refused_total{${perPlugin},cause="signature"}`]: '0+60x60' }, at: '25m' },
  GatehouseCapabilityDenied: { fires: { [`gatehouse_capability_denied_total{${perPlugin},code="QUOTA_EXCEEDED"}`]: '0+120x60' }, silent: { [`gatehouse_capability_denied_total{${perPlugin},code="QUOTA_EXCEEDED"}`]: '0+6x60' } },
  GatehouseMetricsBroken: rising(`${H},event="store.commit"`, 'gatehouse_metrics_errors_total'),
};

/** Every case has a host to itself, so that all of them are one test of promtool's: each takes it half a second. */
const seriesOf = (host: string, given: Given) => Object.entries(given).map(([series, values]) => ({ series: series.replace(H, `host="${host}"`), values }));
const firing = (alert: string, host: string, at: string, fires: boolean) => ({ expr: `count(ALERTS{alertname="${alert}",alertstate="firing",host="${host}"})`, eval_time: at, exp_samples: fires ? [{ labels: '{}', value: 1 }] : [] });

describe('what docs/ops asks for', () => {
  let control: TestControl;
  let metrics: Metrics;
  let exposed: string;
  beforeAll(async () => {
    control = await startTestControl();
    metrics = createMetrics(control.host);
    exposed = await metrics.text();
  });
  afterAll(async () => {
    metrics[Symbol.dispose]();
    await control[Symbol.asyncDispose]();
  });

  const exists = (name: string) => {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    return exposed.includes(`# TYPE ${name} `) || exposed.includes(`# TYPE ${base} histogram`);
  };

  it('is metrics that a host has', () => {
    const asked = new Set([rules, ...queries.map(({ expr }) => expr)].flatMap((text) => [...text.matchAll(/\b(?:gatehouse|nodejs|process)_\w+/g)].map(([name]) => name)));
    expect(asked.size).toBeGreaterThan(40);
    expect([...asked].filter((name) => !exists(name))).toEqual([]);
    const recorded = new Set([...rules.matchAll(/record: (\S+)/g)].map(([, name]) => name));
    const used = new Set([rules, ...queries.map(({ expr }) => expr)].flatMap((text) => [...text.matchAll(/\bgatehouse:\w+:\w+/g)].map(([name]) => name)));
    expect([...used].filter((name) => !recorded.has(name))).toEqual([]);
  });

  it('has a panel with a query for each title, and a test for each alert', () => {
    expect(dashboard.panels.filter(({ type, targets = [] }) => type !== 'row' && targets.length === 0)).toEqual([]);
    expect(alerts.length).toBeGreaterThan(20);
    expect(Object.keys(CASES).toSorted()).toEqual(alerts.toSorted());
  });

  it('sends whoever is woken to a runbook', () => {
    const runbooks = [...read('alerts.yml').matchAll(/runbook: docs\/ops\/runbooks\/([\w-]+)\.md$/gm)].map(([, name]) => String(name));
    expect(runbooks).toHaveLength(alerts.length);
    expect(runbooks.filter((name) => !existsSync(join(OPS, 'runbooks', `${name}.md`)))).toEqual([]);
  });
});

describe.skipIf(!hasPromtool)('promtool', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-ops-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('accepts a scrape', async () => {
    await using control = await startTestControl();
    using metrics = createMetrics(control.host);
    publish('message.outcome', { messageId: 'm', instance: 'hook', direction: 'inbound', outcome: 'accepted', durationMs: 3 });
    publish('plugin.call', { instance: 'hook', handler: 'receive', ok: false, code: 'CALL_TIMEOUT', cpuUs: 20, wallMs: 30 });
    publish('http.request', { route: '/channels/:instance/*', method: 'POST', status: 202, durationMs: 3 });
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: await metrics.text(), encoding: 'utf8' });
    // Its lint knows no names but its own: counters of Node's own that end in `_total` as gauges are not ours to rename.
    expect(checked.stderr.split('\n').filter((line) => line.includes('gatehouse_'))).toEqual([]);
    expect(checked.stderr).not.toContain('error while linting');
  });

  it('accepts the configuration, the rules, and every query of the dashboard', async () => {
    await run('promtool', ['check', 'rules', join(OPS, 'recording.yml'), join(OPS, 'alerts.yml')]);
    await run('promtool', ['check', 'config', '--syntax-only', join(OPS, 'prometheus.yml')]);
    const asked = join(dir, 'queries.yml');
    writeFileSync(asked, JSON.stringify({ groups: [{ name: 'dashboard', rules: queries.map(({ expr }, index) => ({ record: `query:${index}`, expr })) }] }));
    expect((await run('promtool', ['check', 'rules', asked])).stdout).toContain(`${queries.length} rules found`);
  });

  it.each([{ long: false, step: '1m' }, { long: true, step: '10m' }])('sees each alert fire on what it is for, and stay silent on what it is not, at $step a step', async ({ long, step }) => {
    const file = join(dir, `alerts-${step}.json`);
    const cases = Object.entries(CASES).filter(([, each]) => (each.long ?? false) === long);
    const test = {
      interval: step,
      input_series: cases.flatMap(([alert, { fires, silent }]) => [...seriesOf(`${alert}-fires`, fires), ...seriesOf(`${alert}-silent`, silent)]),
      promql_expr_test: cases.flatMap(([alert, { at = '30m' }]) => [firing(alert, `${alert}-fires`, at, true), firing(alert, `${alert}-silent`, at, false)]),
    };
    expect(cases.length).toBeGreaterThan(3);
    const order = [...rules.matchAll(/^ {2}- name: (\S+)$/gm)].map(([, name]) => name);
    writeFileSync(file, JSON.stringify({ rule_files: [join(OPS, 'recording.yml'), join(OPS, 'alerts.yml')], evaluation_interval: step, group_eval_order: order, tests: [test] }));
    const { stdout } = await run('promtool', ['test', 'rules', file], { timeout: 60_000 }).catch((failed: { stdout: string; stderr: string }) => ({ stdout: `${failed.stdout}${failed.stderr}` }));
    expect(stdout).toContain('SUCCESS');
  });
});
