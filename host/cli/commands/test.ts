// `gatehouse test`: whether a plugin is fit to be packed.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { choicesOf } from '../enable-options.ts';
import { example } from '../help.ts';
import { plain, plainLine, type Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('test <dir>')
    .description('build a plugin in memory, run its own tests, load it behind the walls of this machine, and look through it')
    .option('--config <json>', 'the settings it is loaded with, as a JSON object')
    .addHelpText('after', example('gatehouse test hello', 'gatehouse test weather --config \'{"units":"metric"}\' --json'))
    .action(async (dir: string, { config }: { config?: string }) => {
      const { selfTest } = await import('../self-test.ts'); // brings the bundler along
      const { config: given = {} } = choicesOf(config === undefined ? {} : { config }, { cwd: io.cwd, home: io.cwd });
      const tested = await selfTest(resolve(io.cwd, dir), given, io.env);
      io.print(tested, () => [
        ...tested.checks.map(({ name, ok, detail }) => `${ok === true ? io.tone('green', 'ok    ') : ok === null ? io.tone('dim', 'none  ') : io.tone('red', 'failed')}  ${name.padEnd(8)} ${plainLine(detail, 700)}`),
        ...tested.checks.flatMap(({ output }) => (output === undefined ? [] : ['', plain(output)])),
      ].join('\n'));
      if (!tested.ok) io.exitWith(tested.checks.some(({ name, ok }) => name === 'scan' && ok === false) ? 3 : 1);
    });
}
