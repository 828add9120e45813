// `gatehouse verify`: may this package run here? With --rebuild: is it what its source says?
import type { Command } from 'commander';
import { differenceLines } from '../difference-lines.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { packageReport, printReport, type ReportFlags } from '../package-report.ts';
import { reportLines, verdictLines } from '../report-lines.ts';

export function register(program: Command, io: Io): void {
  program
    .command('verify <package>')
    .description('check signature, content and identity of a package, folder or .tgz')
    .option('--trust <dir>', "a folder of trust records (default: the home's)")
    .option('--rebuild <source>', 'build this source folder again, without running any of it, and compare every byte')
    .option('--sarif', 'print SARIF 2.1.0')
    .addHelpText('after', example('gatehouse verify hello-1.0.0.tgz --trust manifests/trust', 'gatehouse verify plugins/acme.hello-1.0.0 --json', 'gatehouse verify hello-1.0.0.tgz --rebuild ./hello-source'))
    .action(async (path: string, flags: ReportFlags) => {
      const made = await packageReport(io, path, flags);
      const { report, rebuilt } = made;
      const isFine = report.ok && (!rebuilt || rebuilt.verdict === 'reproduced');
      printReport(io, made, flags, isFine ? 0 : 3, () => [reportLines(io, report, { brief: true }), ...(rebuilt ? differenceLines(io, rebuilt) : []), '', verdictLines(io, report)].join('\n'));
    });
}
