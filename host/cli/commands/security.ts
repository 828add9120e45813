// `gatehouse security audit`: what of this home is weaker than it could be, why that matters, and what to do; with --fix it does what is safe.
import type { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { auditConfigOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, plainLine, type Io, type Tone } from '../io.ts';
import type { Repair, Severity } from '../security/check.ts';
import { auditSecurity, type SecurityAudit, type SecurityFinding } from '../security/checks.ts';
import { describeRepair, repair } from '../security/repairs.ts';

export function register(program: Command, io: Io): void {
  const security = program.command('security').description('examine how safely a home is set up').addHelpText('after', example('gatehouse security audit'));
  security
    .command('audit')
    .description('look for weak modes, wide grants, missing pins, ending keys and the like; ends with 3 when something is high or worse')
    .option('--fix', 'do what is safe: tighten file modes, pin digests; asks first')
    .addHelpText('after', example('gatehouse security audit --fix'))
    .action(async ({ fix = false }: { fix?: boolean }) => {
      const sources = { ...auditConfigOf(io), env: io.env, clock: systemClock };
      const before = await auditSecurity(sources);
      const fixed = fix ? await mend(before, io) : [];
      const audit = fixed.length === 0 ? before : await auditSecurity(sources);
      io.print({ ...audit, ...(fix ? { fixed } : {}) }, () => report(audit, io));
      if (!audit.ok) io.exitWith(3);
    });
}

/** Shows what would be done, asks, does it. Throws what `confirm` does. */
async function mend({ findings }: SecurityAudit, io: Io): Promise<Repair[]> {
  const repairs = findings.flatMap((finding) => finding.repair ?? []);
  if (repairs.length === 0) {
    io.say('Nothing of this can be mended without a person.');
    return [];
  }
  for (const each of repairs) io.say(plain(describeRepair(each)));
  await io.confirm(`Do ${repairs.length === 1 ? 'this' : `these ${repairs.length} things`}?`);
  for (const each of repairs) await repair(each);
  return repairs;
}

const TONES = { critical: 'red', high: 'red', medium: 'yellow', low: 'cyan', info: 'dim' } as const satisfies Readonly<Record<Severity, Tone>>;

function report({ findings, counts }: SecurityAudit, io: Io): string {
  if (findings.length === 0) return io.tone('green', 'Nothing found.');
  const summary = Object.entries(counts).filter(([, count]) => count > 0).map(([severity, count]) => `${count} ${severity}`).join(', ');
  const mendable = findings.some((finding) => finding.repair) ? '\n`gatehouse security audit --fix` mends what is marked with *.' : '';
  return `${findings.map((finding) => linesOf(finding, io)).join('\n')}\n${summary}${mendable}`;
}

function linesOf({ check, severity, where, found, why, fix, repair: mend }: SecurityFinding, io: Io): string {
  const indent = ' '.repeat(10);
  return [
    `${io.tone(TONES[severity], severity.padEnd(9))} ${check}${mend ? ' *' : ''}  ${plainLine(where, 300)}`,
    `${indent}${plain(found)}`,
    `${indent}${io.tone('dim', plain(why))}`,
    `${indent}${plain(fix)}`,
  ].join('\n');
}
