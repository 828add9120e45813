// `gatehouse inspect`: what a package is, what it asks for, and whether it can be believed. Shows a package that does not verify too, and says so.
import type { Command } from 'commander';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { packageReport, printReport, type ReportFlags } from '../package-report.ts';
import { reportLines } from '../report-lines.ts';

export function register(program: Command, io: Io): void {
  program
    .command('inspect <package>')
    .description('show identity, signer, files, capabilities, limits, contents and configuration of a package')
    .option('--trust <dir>', "a folder of trust records (default: the home's)")
    .option('--sarif', 'print SARIF 2.1.0')
    .addHelpText('after', example('gatehouse inspect hello-1.0.0.tgz', 'gatehouse inspect hello-1.0.0.tgz --sarif > hello.sarif'))
    .action(async (path: string, flags: ReportFlags) => {
      const made = await packageReport(io, path, flags);
      const { report, verification } = made;
      // Without a manifest there is nothing to show people but why.
      const isNothing = !verification.ok && report.kind === undefined;
      if (isNothing && flags.sarif !== true) throw verification.error;
      printReport(io, made, flags, isNothing ? 3 : 0, () => (report.ok ? reportLines(io, report, { brief: false }) : [io.tone('red', 'This package does not verify: nothing below can be believed.'), reportLines(io, report, { brief: false })].join('\n\n')));
    });
}
