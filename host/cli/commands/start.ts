// `gatehouse start`: runs the host. What it is made of is main.ts's business.
import type { Command } from 'commander';
import type { CommandModule, Serve } from '../cli.ts';
import { homeOf } from '../context.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function startCommand(serve: Serve): CommandModule {
  return {
    register(program: Command, io: Io) {
      program
        .command('start')
        .description('run the host until it is told to stop')
        .option('--listen <host:port>', 'where to listen; port 0 takes any free one')
        .addHelpText('after', example('gatehouse start --home my-home --listen 127.0.0.1:4280'))
        .action(async ({ listen }: { listen?: string }) => {
          io.exitWith(await serve({ home: homeOf(io), data: io.options.data, listen }, io));
        });
    },
  };
}
