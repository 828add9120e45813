// `gatehouse reject`: a reviewer's signed no.
import type { Command } from 'commander';
import { decide, withDecisionOptions } from '../approving.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  withDecisionOptions(program.command('reject <package|instance>').description('object to a package, as a reviewer: it does not run until you approve it or the rejection is revoked'))
    .addHelpText('after', example('gatehouse reject ./acme.weather-1.3.0.tgz --key ~/keys/alice.key.json --note "asks for an origin it does not need"'))
    .action((target: string, options: Parameters<typeof decide>[2]) => decide('reject', target, options, io));
}
