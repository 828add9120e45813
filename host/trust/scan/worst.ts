// The worst of what a rule saw: all of it is weighed, so that nothing stands behind a dozen trifles, and a dozen are told. Used by look.ts and scan.ts.
import type { ScanFinding, ScanRisk } from '../../../schemas/scan.ts';
import type { Sighting } from './finding.ts';

/** More of the same tells a reader nothing. */
export const MOST_PER_RULE = 12;

const LONGEST_MESSAGE = 1000;

const OUTCOMES: readonly ScanFinding['outcome'][] = ['note', 'warn', 'block'];
export const RISKS: readonly ScanRisk[] = ['none', 'low', 'medium', 'high', 'critical'];
export const weightOf = ({ outcome, risk }: Pick<ScanFinding, 'outcome' | 'risk'>) => OUTCOMES.indexOf(outcome) * RISKS.length + RISKS.indexOf(risk);

export interface Worst {
  add(sighting: Sighting): void;
  /** The worst first, and of those that are as bad the first; the last of them says how many more there were. */
  findings(): ScanFinding[];
}

/** A million sightings take no more memory than a dozen; time is the caller's to bound. */
export function worstOf(rule: string): Worst {
  const kept: Sighting[] = [];
  let more = 0;
  return {
    add(sighting) {
      const weight = weightOf(sighting);
      let at = kept.length;
      while (at > 0 && weightOf(kept[at - 1] ?? sighting) < weight) at -= 1;
      if (at < MOST_PER_RULE) kept.splice(at, 0, sighting);
      else more += 1;
      if (kept.length <= MOST_PER_RULE) return;
      kept.pop();
      more += 1;
    },
    findings: () => kept.map((sighting, index) => {
      const rest = more > 0 && index === kept.length - 1 ? ` And ${more} more of this rule, none of them worse.` : '';
      return { rule, ...sighting, message: sighting.message.slice(0, LONGEST_MESSAGE - rest.length) + rest };
    }),
  };
}
