// Releases an instance on the data directory itself, where no host runs. Called by `plugins release`.
import type { PluginView } from '../../schemas/control.ts';
import { systemClock } from '../clock.ts';
import { createIds } from '../ids.ts';
import type { Io } from './io.ts';
import { withStoreOffline } from './store-offline.ts';

/** Throws what `withStoreOffline` throws, and what a release by the host throws. */
export async function releaseOffline(instance: string, reason: string, io: Io): Promise<PluginView> {
  return await withStoreOffline(io, async (store, config) => {
    const [{ openAuditLog }, { Registry }] = await Promise.all([import('../trust/log/open-log.ts'), import('../registry/registry.ts')]);
    await using audit = await openAuditLog({ config, store, clock: systemClock });
    const registry = await Registry.open({ config, store, audit, clock: systemClock, ids: createIds(systemClock), env: io.env });
    await registry.release(instance, { actor: 'command line', reason });
    return registry.view(instance);
  });
}
