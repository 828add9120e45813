// `gatehouse approve`: a reviewer's signed yes.
import type { Command } from 'commander';
import { decide, withDecisionOptions } from '../approving.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  withDecisionOptions(program.command('approve <package|instance>').description('agree to a package and what it is given, as a reviewer'))
    .addHelpText('after', example('gatehouse approve weather --key ~/keys/alice.key.json --note "read all of it"'))
    .action((target: string, options: Parameters<typeof decide>[2]) => decide('approve', target, options, io));
}
