// The rules about bytes over one package, at once and in this thread. scan.ts asks it for what is small, apart-main.ts in a process of its own for the rest.
import type { ScanFinding } from '../../../schemas/scan.ts';
import { SCRIPT_FILE } from '../package-names.ts';
import type { Content } from './finding.ts';
import { CONTENT_RULES } from './rules.ts';
import { readScript } from './script.ts';
import { worstOf } from './worst.ts';

/** Never throws: a rule that fails says so, as a finding that needs a person. */
export function lookThrough(content: Content): readonly ScanFinding[] {
  const script = readScript(Buffer.from(content.files.get(SCRIPT_FILE) ?? []).toString('utf8'));
  const findings: ScanFinding[] = [];
  for (const rule of CONTENT_RULES) {
    const worst = worstOf(rule.name);
    try {
      for (const sighting of rule.look({ ...content, script })) worst.add(sighting);
    } catch (thrown) {
      findings.push(unscanned(rule.name, thrown instanceof RangeError ? 'it is nested too deeply' : 'the rule failed'));
    }
    findings.push(...worst.findings());
  }
  return findings;
}

/** What could not be looked through is no better than what was found wanting. */
export function unscanned(rule: string, problem: string): ScanFinding {
  return {
    rule, outcome: 'warn', risk: 'high', file: SCRIPT_FILE,
    message: `It could not be looked through: ${problem}. Nobody knows what this rule would have found.`,
    fix: 'Have it read by a person before anybody agrees to it; code that is not made to be hard to read is no trouble to read.',
  };
}
