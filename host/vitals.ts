// How a host is at this moment, in numbers: queues, sandboxes, store, disk. Composed by host.ts; read by telemetry at each scrape.
import { statfsSync } from 'node:fs';
import type { Egress } from './egress/egress.ts';
import type { Pipeline } from './pipeline/wiring.ts';
import type { Registry } from './registry/registry.ts';
import type { SandboxPool } from './sandbox/pool.ts';
import type { LaneExtremes } from './store/lanes.ts';
import type { LmdbStore, StoreStats } from './store/lmdb.ts';
import type { Supervisor } from './supervisor/supervisor.ts';

export interface Vitals {
  readonly lanes: { readonly messages: LaneExtremes; readonly deliveries: LaneExtremes };
  /** Messages that wait for a quarantined gate. */
  readonly held: number;
  /** Requests of plugins that wait for their turn. */
  readonly egressWaiting: number;
  readonly sandboxes: ReturnType<Supervisor['sandboxes']>;
  readonly warmSandboxes: number;
  readonly store: StoreStats;
  /** Of the file system that holds the data directory; undefined where it cannot be asked. */
  readonly disk: { readonly freeBytes: number; readonly sizeBytes: number } | undefined;
  readonly revocations: number;
}

export interface VitalsParts {
  readonly dataDir: string;
  readonly store: LmdbStore;
  readonly pipeline: Pick<Pipeline, 'lanes' | 'deliveries' | 'held'>;
  readonly supervisor: Pick<Supervisor, 'sandboxes'>;
  readonly pool: Pick<SandboxPool, 'idle'>;
  readonly egress: Pick<Egress, 'waiting'>;
  readonly registry: Pick<Registry, 'revocations'>;
}

/** Everything at once; some tenths of a millisecond, most of it for looks into /proc. Throws STORE_CLOSED. */
export function readVitals({ dataDir, store, pipeline, supervisor, pool, egress, registry }: VitalsParts): Vitals {
  return {
    lanes: { messages: pipeline.lanes.extremes(), deliveries: pipeline.deliveries.extremes() },
    held: pipeline.held.waiting,
    egressWaiting: egress.waiting,
    sandboxes: supervisor.sandboxes(),
    warmSandboxes: pool.idle,
    store: store.stats(),
    disk: diskOf(dataDir),
    revocations: registry.revocations().length,
  };
}

function diskOf(dir: string): Vitals['disk'] {
  try {
    const { bavail, blocks, bsize } = statfsSync(dir);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return undefined; // the data directory is gone; the store will say so
  }
}
