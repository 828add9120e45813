// Metrics and log lines: what the core publishes is counted and told, within bounds, and never harms the core.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { publish, subscribe, type Events } from '../../host/events.ts';
import type { Observed } from '../../host/telemetry/gauges.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { logEvents } from '../../host/telemetry/log-events.ts';
import { createMetrics } from '../../host/telemetry/metrics.ts';
import { seriesOf } from '../../host/telemetry/series.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { RETENTION_DEFAULTS } from '../../schemas/retention.ts';
import { aHome } from '../support/home.ts';
import { aChannel, aPlugin, startTestControl, VITALS } from '../support/control-plane.ts';

const status = { audit: { size: 7, keyid: 'ed25519:0' }, version: '0', hostApi: '1.0.0', startedAt: '', pid: 1, home: '', profile: 'local' as const, strict: false, ready: true, confinement: '', plugins: {}, degraded: [], lanes: { waiting: 3, running: 2 }, deliveries: { waiting: 1, running: 0 }, deadLetters: 0, pressure: { level: 'normal' as const, ratio: 0, queues: [], shed: 0 }, retention: { settings: RETENTION_DEFAULTS }, workers: [], reload: { watching: true, last: null } };
const host: Observed = {
  plugins: { list: () => [aPlugin(), aPlugin({ instance: 'b' }), aPlugin({ instance: 'c', state: 'backoff' })] },
  readiness: () => ({ ready: true, degraded: [{ instance: 'c', state: 'backoff', code: 'SANDBOX_DIED', message: '' }] }),
  status: async () => status,
  vitals: () => ({ ...VITALS, sandboxes: [{ instance: 'echo', pending: 3, memoryBytes: 50_000_000 }], lanes: { messages: { oldestMs: 1500, deepest: 12 }, deliveries: { oldestMs: 0, deepest: 0 } } }),
};

describe('a histogram', () => {
  it('counts what is at a bound below it, and adds up what the format adds up', async () => {
    const registry = new Registry();
    const seconds = seriesOf(registry).histogram('x_seconds', 'Help.', [0.1, 1], 'stage');
    for (const value of [0.05, 0.1, 1, 5]) seconds('a').observe(value);
    expect(() => seconds('a').observe(Number.NaN)).toThrow(RangeError);
    expect((await registry.metrics()).trim().split('\n').slice(1)).toEqual([
      '# TYPE x_seconds histogram', 'x_seconds_bucket{le="0.1",stage="a"} 2', 'x_seconds_bucket{le="1",stage="a"} 3', 'x_seconds_bucket{le="+Inf",stage="a"} 4', 'x_seconds_sum{stage="a"} 6.15', 'x_seconds_count{stage="a"} 4',
    ]);
  });
});

describe('metrics', () => {
  it('show the host as it is at the scrape', async () => {
    using metrics = createMetrics(host);
    const text = await metrics.text();
    expect(text).toMatch(/^gatehouse_plugins\{state="active"\} 2$/m);
    expect(text).toMatch(/^gatehouse_plugins\{state="backoff"\} 1$/m);
    expect(text).toMatch(/^gatehouse_plugins_degraded 1$/m);
    expect(text).toMatch(/^gatehouse_ready 1$/m);
    expect(text).toMatch(/^gatehouse_audit_size 7$/m);
    expect(text).toMatch(/^gatehouse_lanes\{state="waiting"\} 3$/m);
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).toContain('gatehouse_lane_oldest_seconds{lanes="messages"} 1.5');
    expect(text).toContain('gatehouse_lane_deepest{lanes="messages"} 12');
    expect(text).toContain('gatehouse_sandbox_memory_bytes{instance="echo"} 50000000');
    expect(text).toContain('gatehouse_plugin_calls_pending{instance="echo"} 3');
    expect(text).toContain('gatehouse_store_map_bytes 1073741824');
    expect(text).toContain('gatehouse_disk_free_bytes 10');
  });

  it('count what the core publishes', async () => {
    using metrics = createMetrics(host);
    publish('message.outcome', { messageId: 'm', instance: 'hook', direction: 'inbound', outcome: 'denied', code: 'MODERATION_DENIED' });
    publish('message.stage', { messageId: 'm', stage: 'admit', decision: 'pass', durationMs: 2 });
    publish('plugin.call', { instance: 'echo', handler: 'respond', ok: false, code: 'CALL_TIMEOUT', cpuUs: 2_000_000, wallMs: 30 });
    publish('plugin.strike', { instance: 'echo', plugin: 'gatehouse.echo', cause: 'cpu', strikes: 1 });
    publish('plugin.restarted', { instance: 'hook', restarts: 1, delayMs: 400, reason: 'CHANNEL_UNHEALTHY' });
    publish('plugin.restarted', { instance: 'hook', restarts: 2, delayMs: 0, reason: 'made"up' });
    publish('channel.probed', { instance: 'hook', result: 'late', failures: 2, durationMs: 50 });
    publish('store.commit', { rows: 4, durationMs: 1, outcome: 'committed' });
    publish('dead-letter.created', { id: 'd', messageId: 'm', instance: 'hook', stage: 'deliver', code: 'DELIVERY_FAILED' });
    const text = await metrics.text();
    expect(text).toContain('gatehouse_messages_total{instance="hook",direction="inbound",outcome="denied",code="MODERATION_DENIED"} 1');
    expect(text).toContain('gatehouse_stage_seconds_bucket{le="0.0025",stage="admit"} 1');
    expect(text).toContain('gatehouse_plugin_calls_total{instance="echo",handler="respond",result="CALL_TIMEOUT"} 1');
    expect(text).toContain('gatehouse_plugin_cpu_seconds_total{instance="echo"} 2');
    expect(text).toContain('gatehouse_plugin_strikes_total{instance="echo",cause="cpu"} 1');
    expect(text).toContain('gatehouse_plugin_restarts_total{instance="hook",reason="CHANNEL_UNHEALTHY"} 1');
    expect(text).toContain('gatehouse_plugin_restarts_total{instance="hook",reason="other"} 1');
    expect(text).toContain('gatehouse_plugin_restart_delay_seconds_bucket{le="0.25",instance="hook"} 1');
    expect(text).toContain('gatehouse_plugin_restart_delay_seconds_bucket{le="0.5",instance="hook"} 2');
    expect(text).toContain('gatehouse_channel_probes_total{instance="hook",result="late"} 1');
    expect(text).toContain('gatehouse_store_rows_total 4');
    expect(text).toContain('gatehouse_dead_letters_total{instance="hook",code="DELIVERY_FAILED"} 1');
  });

  it('take no label from foreign text, and grow to no more than a bound', async () => {
    using metrics = createMetrics(host);
    publish('plugin.call', { instance: 'echo', handler: 'respond', ok: false, code: 'made"up\n', cpuUs: 0, wallMs: 0 });
    publish('plugin.strike', { instance: 'echo', plugin: 'x', cause: 'Anything At All', strikes: 1 });
    for (let n = 0; n < 10_000; n += 1) publish('message.stage', { messageId: 'm', stage: `stage-${n}`, decision: 'pass', durationMs: 1 });
    const text = await metrics.text();
    expect(text).not.toContain('made');
    expect(text).toContain('gatehouse_plugin_strikes_total{instance="echo",cause="other"} 1');
    expect(text.match(/^gatehouse_stage_seconds_count/gm)?.length).toBeLessThan(5000);
    expect(text).toMatch(/^gatehouse_stage_seconds_count\{stage="other"\} \d{4}$/m);
  });

  it('keep every metric within a bound, whatever names come', async () => {
    using metrics = createMetrics(host);
    for (let n = 0; n < 6000; n += 1) {
      const instance = `made-up-${n}`;
      publish('plugin.call', { instance, handler: `h${n}`, ok: true, cpuUs: 1, wallMs: 1 });
      publish('plugin.restarted', { instance, restarts: 1, delayMs: 0, reason: 'SANDBOX_DIED' });
      publish('capability.denied', { instance, capability: 'kv', code: 'QUOTA_EXCEEDED' });
      publish('egress.request', { instance, method: 'GET', origin: 'https://x', status: n, bytes: 1, durationMs: 1 });
      publish('http.request', { route: `/${n}`, method: 'GET', status: 200, durationMs: 1 });
      publish('worker.pass', { worker: instance, ok: true, durationMs: 1 });
    }
    const text = await metrics.text();
    const names = [...text.matchAll(/^# TYPE (gatehouse_\w+) (\w+)/gm)].map(([, name, type]) => ({ name, most: type === 'histogram' ? 513 : 4097 }));
    const unbounded = names.filter(({ name, most }) => (text.match(new RegExp(`^${name}(?:_count)?(?:\\{| )`, 'gm'))?.length ?? 0) > most);
    expect(unbounded).toEqual([]);
    expect(text).toContain('gatehouse_http_requests_total{route="other",method="other",status="other"} 1904');
  });

  it('survive a number that is none', async () => {
    using metrics = createMetrics(host);
    publish('store.commit', { rows: Number.NaN, durationMs: Number.NaN, outcome: 'committed' });
    expect(await metrics.text()).toMatch(/^gatehouse_metrics_errors_total\{event="store.commit"\} 1$/m);
  });

  it('stop listening when they are disposed of', async () => {
    const first = createMetrics(host);
    first[Symbol.dispose]();
    using second = createMetrics(host);
    publish('sandbox.started', { instance: 'echo', pid: 1, level: 'none', startMs: 5 });
    expect(await first.text()).not.toContain('gatehouse_sandbox_start_seconds_count 1');
    expect(await second.text()).toContain('gatehouse_sandbox_start_seconds_count 1');
  });

  it('come from a running host', async () => {
    await using home = await aHome([{ name: 'quiet', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`, manifest: { skill: {} } }]);
    await using running = await startGatehouse(home);
    for (let n = 0; n < 50; n += 1) await running.fetch(`/made-up/${n}`, { headers: { authorization: 'Bearer nonsense' } });
    await running.api('/plugins/quiet');
    const { text } = await running.fetch('/metrics');
    expect(text).toMatch(/^gatehouse_plugins\{state="active"\} 1$/m);
    expect(text).toMatch(/^gatehouse_store_commit_seconds_count\{outcome="committed"\} [1-9]/m);
    // Whoever tries addresses makes one series, not fifty.
    expect(text.match(/^gatehouse_http_requests_total\{route="unknown".*/gm)).toEqual(['gatehouse_http_requests_total{route="unknown",method="GET",status="4xx"} 50']);
    expect(text).not.toContain('made-up');
    expect(text).toContain('gatehouse_auth_refused_total{why="wrong"} 10');
    expect(text).toContain('gatehouse_auth_refused_total{why="locked-out"} 41');
    expect(text).toContain('gatehouse_auth_lockouts_total 1');
    expect(text).toMatch(/^gatehouse_sandbox_memory_bytes\{instance="quiet"\} [1-9]\d{7}/m);
    expect(text).toMatch(/^gatehouse_store_used_bytes [1-9]/m);
    expect(text).toMatch(/^gatehouse_store_readers [1-9]/m);
    expect(text).toMatch(/^gatehouse_disk_free_bytes [1-9]/m);
    // This one.
    expect(text).toMatch(/^gatehouse_http_requests_in_flight 1$/m);
  });

  it('count whoever leaves before there is an answer as 4xx, not as answered', async () => {
    const slow = Promise.withResolvers<void>();
    let asked = 0;
    const channel = aChannel({ http: async () => ((asked += 1), await slow.promise, { status: 200, headers: {}, body: '' }) });
    const seen: Events['http.request'][] = [];
    using _listening = { [Symbol.dispose]: subscribe('http.request', (each) => void seen.push(each)) };
    await using control = await startTestControl({ channels: [channel] });
    const caller = new AbortController();
    const left = fetch(`${control.control.address}/channels/hook/messages`, { method: 'POST', body: '{}', signal: caller.signal });
    await eventually(() => expect(asked).toBe(1));
    caller.abort();
    await expect(left).rejects.toThrow(/aborted/);
    await eventually(() => expect(seen).toMatchObject([{ route: '/channels/:instance/*', status: 499 }]));
    slow.resolve();
  });

  it('count streams by themselves', async () => {
    await using home = await aHome([]);
    await using running = await startGatehouse(home);
    const gone = new AbortController();
    const token = readFileSync(join(running.host.config.dataDir, 'admin-token'), 'utf8').trim();
    await fetch(`${running.address}/api/v1/events`, { headers: { authorization: `Bearer ${token}` }, signal: gone.signal });
    await eventually(async () => expect((await running.fetch('/metrics')).text).toMatch(/^gatehouse_event_streams 1$/m));
    expect((await running.fetch('/metrics')).text).toMatch(/^gatehouse_http_requests_in_flight 1$/m);
    gone.abort();
    await eventually(async () => expect((await running.fetch('/metrics')).text).toMatch(/^gatehouse_event_streams 0$/m));
  });
});

describe('log lines', () => {
  function aLog() {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'debug' }, new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(JSON.parse(chunk.toString())), done()) }));
    return { log, lines };
  }

  it('tell what an operator should know, at the level it deserves', () => {
    const { log, lines } = aLog();
    using _listening = logEvents(log);
    const change: Events['plugin.state'] = { instance: 'echo', plugin: 'gatehouse.echo', from: 'active', to: 'quarantined', actor: 'supervisor', reason: 'three strikes', code: 'SANDBOX_DIED' };
    publish('plugin.state', change);
    publish('plugin.state', { ...change, from: 'starting', to: 'active' });
    publish('plugin.restarted', { instance: 'echo', restarts: 2, delayMs: 100, reason: 'SANDBOX_DIED' });
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([[50, 'plugin stopped'], [20, 'plugin state'], [40, 'plugin restarts']]);
    expect(lines[0]).toMatchObject({ instance: 'echo', code: 'SANDBOX_DIED', reason: 'three strikes' });
  });

  it('say why a gate gave no verdict, and nothing of those it gave', () => {
    const { log, lines } = aLog();
    using _listening = logEvents(log);
    publish('gate.verdict', { instance: 'wordlist', direction: 'inbound', effect: 'deny' });
    publish('gate.verdict', { instance: 'wordlist', direction: 'inbound', effect: 'unavailable', code: 'GATE_UNAVAILABLE' });
    publish('gate.verdict', { instance: 'wordlist', direction: 'outbound', effect: 'timeout', failure: 'CALL_CPU' });
    expect(lines).toMatchObject([{ level: 40, msg: 'a gate gave no verdict', instance: 'wordlist', direction: 'outbound', effect: 'timeout', failure: 'CALL_CPU' }]);
  });

  it('carry what plugins say as data, under a tag of their own', () => {
    const { log, lines } = aLog();
    using _listening = logEvents(log);
    publish('plugin.log', { instance: 'echo', plugin: 'gatehouse.echo', level: 'error', text: '{"msg":"host stopping"}\n{"level":60}', fields: { level: 10, msg: 'forged' } });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 50, msg: 'plugin log', instance: 'echo', fields: { level: 10, msg: 'forged' } });
  });

  it('about refusals are no more than a plugin may write itself, however often it asks', () => {
    const { log, lines } = aLog();
    const clock = aHandClock();
    using _listening = logEvents(log, clock);
    const refuse = (instance: string, times: number) => {
      for (let n = 0; n < times; n += 1) publish('capability.denied', { instance, capability: 'kv', code: 'QUOTA_EXCEEDED' });
    };
    refuse('noisy', 10_000);
    refuse('quiet', 1);
    expect(Object.fromEntries(['noisy', 'quiet'].map((name) => [name, lines.filter(({ instance }) => instance === name).length]))).toEqual({ noisy: BOUNDS.logLinesPerSecond, quiet: 1 });
    clock.turn(1000);
    refuse('noisy', 1);
    expect(lines.at(-1)).toMatchObject({ msg: 'capability denied', dropped: 10_000 - BOUNDS.logLinesPerSecond });
  });
});
