// `gatehouse dev`: run a plugin while it is written.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { choicesOf, type EnableOptions } from '../enable-options.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('dev <dir>')
    .description('run a plugin while it is written: on a real host in a home of its own; what you type goes to it, what you save replaces it')
    .option('--instance <name>', 'name of the instance (default: last part of the id)')
    .option('--grants <which>', 'requested or none (default: requested)')
    .option('--config <json>', 'its settings, as a JSON object')
    .option('--secret <handle=env:NAME|file:PATH>', 'where a secret is read; may be given several times', (text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text])
    .addHelpText('after', example('gatehouse dev hello', 'gatehouse dev weather --config \'{"units":"metric"}\' --secret api-key=env:WEATHER_KEY', "printf 'Hi there\\n' | gatehouse dev hello --json"))
    .action(async (dir: string, options: EnableOptions) => {
      const { runDev } = await import('../dev/dev.ts'); // brings the bundler along
      await runDev(resolve(io.cwd, dir), choicesOf(options, { cwd: io.cwd, home: io.cwd }), io);
    });
}
