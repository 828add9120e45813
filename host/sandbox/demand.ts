// Whether sandboxes are confined well enough: the same finding for a start, for `check` and for `doctor`. In strict it refuses, elsewhere it warns.
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import { ConfinedProcess } from './confined-process.ts';
import { detectConfinement } from './confinement.ts';
import { thisMachine, type Machine } from './machine.ts';
import { weaknessesOf, type ConfinementLevel, type Weakness } from './walls.ts';

export interface Demand {
  readonly strict: boolean;
  readonly sandbox: { readonly jitless: boolean };
}

/** At most one finding: CONFINEMENT_TOO_WEAK, with everything that is missing in it. */
export function judgeConfinement(level: ConfinementLevel, demand: Demand, { isRoot }: Pick<Machine, 'isRoot'> = thisMachine()): readonly Diagnostic[] {
  return finding(level.name, weaknessesOf(level, { jitless: demand.sandbox.jitless, isRoot }), demand);
}

/** Starts a sandbox as the host would, ends it, and says what held it; no level when none starts at all, which is the weakest there is. */
export async function examineConfinement(demand: Demand, machine: Machine = thisMachine()): Promise<{ readonly level?: ConfinementLevel; readonly diagnostics: readonly Diagnostic[] }> {
  try {
    const { commands, started } = await detectConfinement((attempt) => ConfinedProcess.start(attempt.command({ jitless: demand.sandbox.jitless })), machine);
    started.kill();
    await started.ended;
    started.release();
    return { level: commands.level, diagnostics: judgeConfinement(commands.level, demand, machine) };
  } catch (thrown) {
    return { diagnostics: finding('nothing', [{ what: 'a sandbox that starts', why: problemOf(thrown), remedy: 'a machine where a sandbox starts' }], demand) };
  }
}

function finding(level: string, weaknesses: readonly Weakness[], { strict }: Demand): readonly Diagnostic[] {
  if (weaknesses.length === 0) return [];
  const missing = weaknesses.map(({ what, why }) => `no ${what} (${why})`).join(', ');
  const remedy = [...new Set(weaknesses.map((each) => each.remedy))].join('; ');
  const error = new GatehouseError('CONFINEMENT_TOO_WEAK', { level, missing, remedy });
  return [diagnosticOf(error, { severity: strict ? 'fatal' : 'warning', stage: 'start', rule: 'confinement' })];
}
