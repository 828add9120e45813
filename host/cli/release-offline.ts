// Releases an instance on the data directory itself, where no host runs: a required one in quarantine keeps the host from starting, so there is none to ask. Called by `plugins release`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginView } from '../../schemas/control.ts';
import { systemClock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { createIds } from '../ids.ts';
import { configOf } from './context.ts';
import type { Io } from './io.ts';

/** Throws HOST_UNREACHABLE when there is nothing to release in, STORE_LOCKED when a host has just taken it, and what a release by the host throws. */
export async function releaseOffline(instance: string, reason: string, io: Io): Promise<PluginView> {
  const config = configOf(io);
  const dir = join(config.dataDir, 'store');
  if (!existsSync(dir)) throw new GatehouseError('HOST_UNREACHABLE', { home: config.home, problem: 'no host runs on its data directory, and none ever did' });
  // Loaded here: no other command opens a store.
  const [{ openStore }, { openAuditLog }, { Registry }] = await Promise.all([import('../store/lmdb.ts'), import('../trust/log/open-log.ts'), import('../registry/registry.ts')]);
  await using store = await openStore({ dir, clock: systemClock });
  await using audit = await openAuditLog({ config, store, clock: systemClock });
  const registry = await Registry.open({ config, store, audit, clock: systemClock, ids: createIds(systemClock), env: io.env });
  await registry.release(instance, { actor: 'command line', reason });
  return registry.view(instance);
}
