// Whether this instance ran a newer version before: said when a package is enabled, instead of at the next start. Called by enable.ts.
import semver from 'semver';
import type { PluginView } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { VerifiedRelease } from '../trust/verify.ts';
import { findHost, type HostClient } from './client.ts';
import { historyOf } from './files-survey.ts';
import type { Io } from './io.ts';
import { allOf } from './listing.ts';

interface Candidate {
  readonly release: VerifiedRelease;
  readonly instance: string;
  /** The operator's `allowRollback`. */
  readonly allowed: boolean;
}

/** Throws ROLLBACK, by the store's memory or, while a host holds that, by what the host runs; what that does not tell, the host judges itself when it takes the package up. Says so when nobody can tell. */
export async function refuseRollback({ release: { manifest: { id, version } }, instance, allowed }: Candidate, config: ResolvedConfig, io: Io): Promise<void> {
  if (allowed) return;
  const history = await historyOf(config);
  const host = history ? undefined : findHost(io);
  const highest = history ? history.highestVersion(instance, id) : await runningVersion(instance, id, host);
  if (highest !== undefined && semver.lt(version, highest)) throw new GatehouseError('ROLLBACK', { plugin: id, version, highest, instance });
  if (!history && !host) io.say(`Whether '${instance}' ran a newer version before cannot be told while another process has the store open; the next start judges it.`);
}

/** States in which the version that is shown has run. */
const HAS_RUN: ReadonlySet<string> = new Set<PluginView['state']>(['active', 'impaired', 'backoff', 'hibernated', 'draining']);

async function runningVersion(instance: string, plugin: string, host: HostClient | undefined): Promise<string | undefined> {
  const views = host ? await allOf<PluginView>(host, '/plugins') : [];
  const view = views.find((each) => each.instance === instance && each.plugin === plugin);
  return view?.version && HAS_RUN.has(view.state) ? view.version : undefined;
}
