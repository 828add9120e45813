// docs/topology.md and host/topology.ts against the code: every part that lives on its own has a row, every row is written down, every objective has a metric that exists.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../host/telemetry/metrics.ts';
import { TOPOLOGY, type Subsystem } from '../host/topology.ts';
import { BOUNDS } from '../schemas/bounds.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'docs/topology.md'), 'utf8');
const subsystems: readonly (readonly [string, Subsystem])[] = Object.entries(TOPOLOGY);

describe('topology', () => {
  it('has a row for every part of the host that keeps a timer or has to be waited for when it ends', () => {
    const living = globSync('host/**/*.ts', { cwd: ROOT, exclude: (path) => path.includes('node_modules') }).filter((file) => /setInterval\(|\[Symbol\.asyncDispose\]\(\)[:{ ]/.test(readFileSync(join(ROOT, file), 'utf8')));
    const owned = new Set(subsystems.flatMap(([, { owners }]) => owners));
    expect(living.length).toBeGreaterThan(10);
    expect(living.filter((file) => !owned.has(file))).toEqual([]);
  });

  it('names owners that exist', () => {
    expect(subsystems.flatMap(([, { owners }]) => owners).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('stands in the documentation row for row', () => {
    const rows = subsystems.map(([name, each]) => [name, each.owners.map((owner) => `\`${owner}\``).join(', '), each.class, each.restarts, each.beyond, each.seen]);
    expect(rowsUnder('Subsystems')).toEqual(rows);
  });

  it('maps every objective to metrics that exist, and shows operators metrics that exist', async () => {
    using metrics = createMetrics({ plugins: { list: () => [] }, readiness: () => ({ ready: true, degraded: [] }), status: () => Promise.reject(new Error('nobody runs')), vitals: () => { throw new Error('nobody runs'); } });
    const text = await metrics.text().catch(() => '');
    const declared = (name: string) => text.includes(`# TYPE ${name} `) || ['metrics', 'gauges'].some((file) => readFileSync(join(ROOT, `host/telemetry/${file}.ts`), 'utf8').includes(`'${name}'`));
    const objectives = rowsUnder('Objectives').map((row) => String(row.at(-1)));
    expect(objectives.length).toBeGreaterThan(4);
    expect(objectives.filter((cell) => !/`gatehouse_\w+`/.test(cell))).toEqual([]);
    const named = [...objectives, ...subsystems.map(([, { seen }]) => seen)].flatMap((cell) => [...cell.matchAll(/gatehouse_\w+/g)].map(([name]) => name));
    expect(named.filter((name) => !declared(name))).toEqual([]);
  });

  it('says the bounds of partitions as they are', () => {
    const said = rowsUnder('Partitions').flat().join(' ');
    const bounds = [BOUNDS.lanesInFlight, BOUNDS.laneDepth, BOUNDS.deliveriesInFlight, BOUNDS.deliveriesInFlightPerInstance, BOUNDS.callsWaitingPerInstance, BOUNDS.fetchesAtOnce, BOUNDS.fetchesWaiting, BOUNDS.socketsPerInstance];
    expect(bounds.filter((bound) => !new RegExp(`(?<![\\d,])${bound.toLocaleString('en')}(?!,?\\d)`).test(said))).toEqual([]);
  });
});

function rowsUnder(heading: string): string[][] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section.split('\n').filter((line) => line.startsWith('| ')).slice(2).map((line) => line.slice(2, -2).split(' | '));
}
