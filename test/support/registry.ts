// What registry tests begin with: settings of a temporary home, and a survey of it as `start` makes one.
import { systemClock } from '../../host/clock.ts';
import { loadConfig, type ResolvedConfig } from '../../host/config.ts';
import { NO_HISTORY } from '../../host/registry/history.ts';
import type { Resolution } from '../../host/registry/resolve.ts';
import { KeptScans } from '../../host/registry/scans.ts';
import { survey, type Survey, type SurveyContext } from '../../host/registry/survey.ts';
import { NO_MEMORY } from '../../host/trust/trust-memory.ts';

/** Skills that answer nothing: registry tests never run them. */
export const SKILL = "gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });";

export function configOf(home: string, changes: Partial<ResolvedConfig> = {}): ResolvedConfig {
  return { ...loadConfig({ home, env: {}, cwd: home }), ...changes };
}

export function surveyHome(home: string, { config = {}, ...context }: Partial<Omit<SurveyContext, 'config'>> & { readonly config?: Partial<ResolvedConfig> } = {}): Promise<Survey> {
  return survey({ config: configOf(home, config), history: NO_HISTORY, env: {}, now: systemClock.now(), secondOpinion: 'always', memory: NO_MEMORY, sightings: null, scans: KeptScans.fresh(systemClock), ...context });
}

/** `CODE severity instance`, sorted: what most tests of findings compare. */
export function findings({ diagnostics }: Pick<Resolution, 'diagnostics'>): string[] {
  return diagnostics.map(({ code, severity, instance = '-' }) => `${code} ${severity} ${instance}`).sort();
}
