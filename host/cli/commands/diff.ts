// `gatehouse diff`: what changes from one package to another, what got wider first.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { releaseDiff } from '../../trust/diff/diff.ts';
import { sideOfPackage } from '../../trust/diff/side.ts';
import { diffLines } from '../diff-lines.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { verifyFor } from '../trust-context.ts';

interface DiffOptions {
  readonly trust?: string;
  readonly exitCode?: boolean;
}

export function register(program: Command, io: Io): void {
  program
    .command('diff <old> <new>')
    .description('show what changes from one package to another, and whether it needs a new approval')
    .option('--trust <dir>', "a folder of trust records (default: the home's)")
    .option('--exit-code', 'exit 3 when it needs a new approval')
    .addHelpText('after', example('gatehouse diff plugins/acme.weather-1.2.3 acme.weather-1.3.0.tgz'))
    .action(async (old: string, fresh: string, { trust, exitCode }: DiffOptions) => {
      const [before, after] = [await side(old, trust, io), await side(fresh, trust, io)];
      const diff = releaseDiff(before, after);
      io.print(diff, () => diffLines(io, diff));
      if (exitCode && diff.needsApproval) io.exitWith(3);
    });
}

async function side(path: string, trust: string | undefined, io: Io) {
  return sideOfPackage(resolve(io.cwd, path), await verifyFor(io, path, trust));
}
