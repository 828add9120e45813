// What it costs to be watched: the same host with and without metrics scraped every second, one message in a hundred traced by a real SDK, and a dashboard open; in turns, in one run.
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { startControl } from '../../host/control/server.ts';
import { createMetrics, type Metrics } from '../../host/telemetry/metrics.ts';
import { createTracing } from '../../host/telemetry/traces.ts';
import { NO_TRACING, type Tracing } from '../../host/tracing.ts';
import { EVENT_TYPES } from '../../schemas/event.ts';
import { quantile, startLoad } from './load.ts';

const LANES = 64;
const SAMPLE_RATIO = 0.01;

interface Watching {
  readonly metrics: boolean;
  readonly traces: boolean;
  /** Whose stream of events tells these types. */
  readonly dashboard?: readonly string[];
}

/** As the page opens; messages have a view of their own. */
const BY_DEFAULT = EVENT_TYPES.filter((type) => !type.startsWith('message.'));

/** `plain` comes before each of the others. */
const MODES: Readonly<Record<string, Watching>> = {
  observed: { metrics: true, traces: true, dashboard: BY_DEFAULT },
  'every event': { metrics: true, traces: true, dashboard: EVENT_TYPES },
  'metrics only': { metrics: true, traces: false },
  'traces only': { metrics: false, traces: true },
};

export async function observed({ smoke }: { readonly smoke: boolean }): Promise<void> {
  let spans = 0;
  const exporter = { export: (batch: readonly ReadableSpan[], done: (result: { code: number }) => void) => ((spans += batch.length), done({ code: 0 })), shutdown: async () => undefined };
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }));
  const sampling = createTracing({ clock: systemClock, sampleRatio: SAMPLE_RATIO });
  let tracing: Tracing = NO_TRACING;
  const switched: Tracing = { get on() { return tracing.on; }, begin: (...of) => tracing.begin(...of), resume: (...of) => tracing.resume(...of) };
  let metrics: Metrics | undefined;

  await using load = await startLoad('bare', { tracing: switched });
  await using control = await startControl({ host: load.host, metrics: { contentType: 'text/plain', text: async () => (await metrics?.text()) ?? '' } });
  const token = readFileSync(join(load.host.config.dataDir, 'admin-token'), 'utf8').trim();

  const watched = async (how: Watching | undefined, forMs: number) => {
    if (how?.metrics) metrics = createMetrics(load.host);
    if (how?.traces) tracing = sampling;
    const observer = how?.dashboard ? await watch(control.address, token, how.dashboard) : undefined;
    const { perS, cpuUs } = await run(load.roundTrip, forMs);
    const seen = await observer?.();
    tracing = NO_TRACING;
    metrics?.[Symbol.dispose]();
    metrics = undefined;
    return { perS, cpuUs, seen };
  };

  const [rounds, roundMs] = smoke ? [1, 500] : [9, 3000];
  await run(load.roundTrip, smoke ? 300 : 4000);
  for (const [name, how] of Object.entries(MODES)) {
    const ratios: number[] = [];
    const work: number[] = [];
    const [plain, other]: [number[], number[]] = [[], []];
    const told = { scrapes: 0, polls: 0, events: 0, failed: 0 };
    const spansBefore = spans;
    for (let round = 0; round < rounds; round += 1) {
      // Which comes first changes, so that a machine that slows down favours neither.
      const first = round % 2 === 0 ? await watched(undefined, roundMs) : await watched(how, roundMs);
      const second = round % 2 === 0 ? await watched(how, roundMs) : await watched(undefined, roundMs);
      const [without, with_] = round % 2 === 0 ? [first, second] : [second, first];
      plain.push(without.perS);
      other.push(with_.perS);
      ratios.push(with_.perS / without.perS);
      work.push(with_.cpuUs / without.cpuUs);
      for (const key of ['scrapes', 'polls', 'events', 'failed'] as const) told[key] += with_.seen?.[key] ?? 0;
    }
    const watching = how.dashboard ? ` scrapes=${told.scrapes} polls=${told.polls} events=${told.events} failed=${told.failed}` : '';
    console.log(`${name.replaceAll(' ', '-')} lanes=${LANES} msgPerS=${Math.round(quantile(other, 0.5))} plainMsgPerS=${Math.round(quantile(plain, 0.5))} share=${quantile(ratios, 0.5).toFixed(3)} cpuPerMsg=${quantile(work, 0.5).toFixed(3)} spans=${spans - spansBefore}${watching}`);
  }
  trace.disable();
}

/** `cpuUs`: of the host's own process for each message, which says more than the rate where others want the machine too. */
async function run(roundTrip: (lane: number) => Promise<number>, forMs: number): Promise<{ readonly perS: number; readonly cpuUs: number }> {
  let count = 0;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    while (performance.now() - startedAt < forMs) {
      await roundTrip(lane);
      count += 1;
    }
  }));
  const { user, system } = process.cpuUsage(cpuBefore);
  return { perS: (count / (performance.now() - startedAt)) * 1000, cpuUs: (user + system) / count };
}

type Seen = Record<'scrapes' | 'polls' | 'events' | 'failed', number>;

/** Resolves once it watches; the returned function ends it, and says what it saw. */
async function watch(address: string, token: string, types: readonly string[]): Promise<() => Promise<Seen>> {
  const child = spawn(process.execPath, [resolve(import.meta.dirname, 'observer.ts'), address, token, types.join(',')], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child.stdout, 'data');
  return async () => {
    child.stdin.end();
    await once(child, 'exit');
    return JSON.parse(said.trim().split('\n').at(-1) ?? '') as Seen;
  };
}
