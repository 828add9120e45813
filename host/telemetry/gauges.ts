// What a host is at the moment of a scrape: queues, sandboxes, store, disk. Used by metrics.ts; nothing here is read between scrapes.
import type { Host, HostStatus } from '../host.ts';
import type { Vitals } from '../vitals.ts';
import type { Series } from './series.ts';

/** The part of a host that metrics look at. */
export interface Observed extends Pick<Host, 'readiness' | 'status' | 'vitals'> {
  readonly plugins: Pick<Host['plugins'], 'list'>;
}

export function hostGauges(host: Observed, series: Series): void {
  pluginGauges(host, series);
  const vitals = oncePerScrape(() => host.vitals());
  queueGauges(oncePerScrape(() => host.status()), vitals, series);
  sandboxGauges(vitals, series);
  storeGauges(vitals, series);
}

/** All gauges of one scrape begin in the same turn, and share one look. */
function oncePerScrape<T>(look: () => T): () => T {
  let looked: { readonly value: T } | undefined;
  return () => {
    if (!looked) setImmediate(() => (looked = undefined));
    return (looked ??= { value: look() }).value;
  };
}

function pluginGauges(host: Observed, { gauge }: Series): void {
  gauge('gatehouse_plugins', 'Instances by state.', ['state'], (self) => {
    for (const { state } of host.plugins.list()) self.inc({ state });
  });
  gauge('gatehouse_plugins_degraded', 'Optional instances that are not available.', [], (self) => self.set(host.readiness().degraded.length));
  gauge('gatehouse_ready', 'Whether every required instance is active.', [], (self) => self.set(host.readiness().ready ? 1 : 0));
}

function queueGauges(status: () => Promise<HostStatus>, vitals: () => Vitals, { gauge }: Series): void {
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
  gauge('gatehouse_dead_letters', 'Dead letters that are kept.', [], async (self) => self.set((await status()).deadLetters));
  gauge('gatehouse_lanes', 'Accepted messages waiting and in work.', ['state'], async (self) => {
    const { lanes, deliveries } = await status();
    self.set({ state: 'waiting' }, lanes.waiting);
    self.set({ state: 'running' }, lanes.running);
    self.set({ state: 'delivery-waiting' }, deliveries.waiting);
    self.set({ state: 'delivery-running' }, deliveries.running);
  });
  gauge('gatehouse_lane_oldest_seconds', 'How long the oldest of what is in the lanes has been there, since the start at most.', ['lanes'], (self) => {
    for (const [lanes, { oldestMs }] of Object.entries(vitals().lanes)) self.set({ lanes }, oldestMs / 1000);
  });
  gauge('gatehouse_lane_deepest', 'How much the fullest lane holds.', ['lanes'], (self) => {
    for (const [lanes, { deepest }] of Object.entries(vitals().lanes)) self.set({ lanes }, deepest);
  });
  gauge('gatehouse_held_messages', 'Messages that wait for a quarantined gate.', [], (self) => self.set(vitals().held));
  gauge('gatehouse_egress_waiting', 'Requests of plugins that wait for their turn.', [], (self) => self.set(vitals().egressWaiting));
}

function sandboxGauges(vitals: () => Vitals, { gauge }: Series): void {
  gauge('gatehouse_sandboxes', 'Sandbox processes: with a plugin in them, and blank ones kept ready.', ['state'], (self) => {
    const { sandboxes, warmSandboxes } = vitals();
    self.set({ state: 'running' }, sandboxes.length);
    self.set({ state: 'warm' }, warmSandboxes);
  });
  gauge('gatehouse_sandbox_memory_bytes', 'Memory that the sandbox of an instance occupies, where the kernel says.', ['instance'], (self) => {
    for (const { instance, memoryBytes } of vitals().sandboxes) if (memoryBytes !== undefined) self.set({ instance }, memoryBytes);
  });
  gauge('gatehouse_plugin_calls_pending', 'Calls under way in an instance, in its queue, or waiting for it.', ['instance'], (self) => {
    for (const { instance, pending } of vitals().sandboxes) self.set({ instance }, pending);
  });
}

function storeGauges(vitals: () => Vitals, { gauge }: Series): void {
  gauge('gatehouse_store_used_bytes', 'What the file of the store reaches to, free pages in it included.', [], (self) => self.set(vitals().store.usedBytes));
  gauge('gatehouse_store_map_bytes', 'The map of the store; it grows by itself.', [], (self) => self.set(vitals().store.mapBytes));
  gauge('gatehouse_store_readers', 'Places taken in the table of readers.', [], (self) => self.set(vitals().store.readers));
  gauge('gatehouse_store_reader_lag', 'Commits since the oldest snapshot that is still read; pages freed since cannot be used again.', [], (self) => self.set(vitals().store.readerLag));
  gauge('gatehouse_store_commits_in_flight', 'Commits that are not on disk yet.', [], (self) => self.set(vitals().store.inFlight));
  gauge('gatehouse_disk_free_bytes', 'What the file system of the data directory has left for this user.', [], (self) => {
    const { disk } = vitals();
    if (disk) self.set(disk.freeBytes);
  });
  gauge('gatehouse_disk_size_bytes', 'The size of that file system.', [], (self) => {
    const { disk } = vitals();
    if (disk) self.set(disk.sizeBytes);
  });
  gauge('gatehouse_revocations', 'Keys, packages and versions that are revoked.', [], (self) => self.set(vitals().revocations));
}
