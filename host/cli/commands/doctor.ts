// `gatehouse doctor`: examines machine, home and data directory, and says what to do about what it finds.
import type { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { configOf } from '../context.ts';
import { examine, type Finding } from '../doctor.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('doctor')
    .description('examine machine, home and data directory')
    .option('--deep', 'compare every row of the store, however long that takes')
    .addHelpText('after', example('gatehouse doctor --home my-home'))
    .action(async ({ deep = false }: { deep?: boolean }) => {
      const config = configOf(io);
      const findings = await examine({ config, env: io.env, clock: systemClock, deep });
      const failures = findings.filter(({ state }) => state === 'failure').length;
      io.print({ ok: failures === 0, findings, config }, () => findings.map((finding) => lineOf(finding, io)).join('\n'));
      if (failures > 0) io.exitWith(1);
    });
}

const TONES = { ok: 'green', warning: 'yellow', failure: 'red' } as const;

function lineOf({ check, state, detail, fix }: Finding, io: Io): string {
  const line = `${io.tone(TONES[state], state.padEnd(8))} ${check.padEnd(12)} ${plain(detail)}`;
  return fix === undefined ? line : `${line}\n${' '.repeat(22)}${io.tone('dim', plain(fix))}`;
}
