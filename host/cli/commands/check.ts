// `gatehouse check`: whether a start would succeed and everything that is wrong, without starting anything but one blank sandbox to see what holds it.
import type { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { readCertificates } from '../../network/certificates.ts';
import { diagnosticLines } from '../diagnostic-lines.ts';
import { configOf } from '../context.ts';
import { examineConfinement } from '../../sandbox/demand.ts';
import { surveyFiles } from '../files-survey.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('check')
    .description('say whether a start would succeed, and why not')
    .addHelpText('after', example('gatehouse check --json'))
    .action(async () => {
      const config = configOf(io);
      readCertificates(config.policy, systemClock.now());
      const [{ diagnostics: ofFiles, plugins }, { diagnostics: ofMachine }] = await Promise.all([surveyFiles(config, io.env), examineConfinement(config)]);
      const diagnostics = [...ofFiles, ...ofMachine];
      const ok = !diagnostics.some(({ severity }) => severity === 'fatal');
      io.print({ ok, diagnostics }, () => {
        const verdict = ok ? io.tone('green', `The host would start with ${plugins.length === 1 ? 'one plugin' : `${plugins.length} plugins`}.`) : io.tone('red', 'The host would not start.');
        return diagnostics.length === 0 ? verdict : `${verdict}\n${diagnosticLines(io, diagnostics)}`;
      });
      if (!ok) io.exitWith(3);
    });
}
