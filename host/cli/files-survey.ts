// What a start would find, from the files of a home and, where no host holds it, the memory of its store. Called by `check` and by `plugins` without a host.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginView } from '../../schemas/control.ts';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { NO_HISTORY, loadHistory, type History } from '../registry/history.ts';
import { readTrustMemory } from '../registry/remembered-trust.ts';
import type { Resolution } from '../registry/resolve.ts';
import { KeptScans, type Scans } from '../registry/scans.ts';
import { noSightings, openSightings, type Sightings } from '../registry/sightings.ts';
import { survey, type Survey, type SurveyContext } from '../registry/survey.ts';
import { NO_MEMORY, type TrustMemory } from '../trust/trust-memory.ts';

/** `unlocked`: as if nobody asked for a lock. */
export async function surveyFiles(config: ResolvedConfig, env: NodeJS.ProcessEnv, how: { readonly unlocked?: true } = {}): Promise<Survey> {
  return survey({ ...(await surveyContextOf(config, env)), ...how });
}

/** What `survey` looks with; also for looking at a package that is not installed yet. */
export async function surveyContextOf(config: ResolvedConfig, env: NodeJS.ProcessEnv): Promise<SurveyContext> {
  const { history, trust, sightings, scans } = (await rememberedOf(config)) ?? { ...nothingRemembered(), sightings: null };
  return { config, env, now: systemClock.now(), history, memory: trust, sightings, scans, secondOpinion: 'always' };
}

/** The views a host would show before it starts anything. `stopped` would run; what a host persisted, such as a quarantine, only a host knows. */
export function viewsOf({ plugins, refused, disabled }: Resolution): PluginView[] {
  const counters = { restarts: 0, strikes: 0, cpuMs: 0, calls: 0 };
  const views: PluginView[] = [
    ...plugins.map(({ instance, kind, required, grants, grantsDigest, release: { manifest, packageDigest } }) => ({
      instance, plugin: manifest.id, kind, version: manifest.version, digest: packageDigest, state: 'stopped' as const, required, grants: [...grants], grantsDigest, ...counters,
    })),
    ...refused.map(({ instance, state, code, message, manifest, release, grantsDigest, loaded: { enablement } }) => ({
      instance, plugin: enablement.plugin, kind: manifest?.kind ?? null, version: manifest?.version ?? null, digest: release?.packageDigest ?? null,
      state, required: enablement.required, grants: [...enablement.grants], ...counters, code, message, ...(grantsDigest === undefined ? {} : { grantsDigest }),
    })),
    ...disabled.map(({ enablement: { instance, plugin, digest = null, required, grants } }) => ({
      instance, plugin, kind: null, version: null, digest, state: 'disabled' as const, required, grants: [...grants], ...counters,
    })),
  ];
  return views.sort((a, b) => (a.instance < b.instance ? -1 : 1));
}

/** As host.ts lays it out. */
export const storeFolder = (dataDir: string) => join(dataDir, 'store');

/** What ran before, which rollbacks are judged by; undefined while a host has the store open. Where there is no store, nothing ran. */
export async function historyOf(config: Pick<ResolvedConfig, 'dataDir'>): Promise<History | undefined> {
  return (await rememberedOf(config))?.history;
}

export interface Remembered {
  readonly history: History;
  readonly trust: TrustMemory;
  readonly sightings: Sightings;
  readonly scans: Scans;
}

/** What the store knows beyond the files; undefined while a host has it open. */
export async function rememberedOf({ dataDir }: Pick<ResolvedConfig, 'dataDir'>): Promise<Remembered | undefined> {
  const dir = storeFolder(dataDir);
  if (!existsSync(dir)) return nothingRemembered();
  const { openStore } = await import('../store/lmdb.ts'); // the engine is a binary worth loading only when needed
  try {
    await using store = await openStore({ dir, clock: systemClock });
    return { history: await loadHistory(store), trust: await readTrustMemory(store), sightings: await openSightings(store, () => systemClock.now()), scans: await KeptScans.open(store, systemClock) };
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'STORE_LOCKED') return undefined;
    throw thrown;
  }
}

/** Where there is no store, nothing ran and nothing was seen. */
const nothingRemembered = (): Remembered => ({ history: NO_HISTORY, trust: NO_MEMORY, sightings: noSightings(systemClock.now()), scans: KeptScans.fresh(systemClock) });
