// `gatehouse new`: a plugin to start from.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { newPlugin } from '../../authoring/new.ts';
import { TEMPLATES } from '../../authoring/templates.ts';
import { GatehouseError } from '../../errors.ts';
import { nearestOf } from '../../nearest.ts';
import type { PluginKind } from '../../../schemas/plugin-manifest.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('new <kind> <dir>')
    .description('start a plugin of your own: channel, skill, moderation or tool')
    .option('--id <id>', 'the plugin id, for example acme.weather (default: example.<folder>)')
    .addHelpText('after', example('gatehouse new skill hello --id acme.hello'))
    .action(async (kind: string, dir: string, { id }: { id?: string }) => {
      const made = await newPlugin(kindOf(kind), resolve(io.cwd, dir), id);
      io.print(made, () => [`${made.id}, a ${made.kind}, in ${made.path}`, ...made.files.map((file) => `  ${file}`)].join('\n'));
      io.say(`Next: gatehouse build ${dir}`);
    });
}

function kindOf(word: string): PluginKind {
  const kinds = Object.keys(TEMPLATES);
  if (isKind(word)) return word;
  const nearest = nearestOf(word, kinds);
  throw new GatehouseError('USAGE', { problem: `'${word}' is no kind of plugin (${nearest === undefined ? `there are ${kinds.join(', ')}` : `did you mean ${nearest}?`})`, command: 'new' });
}

function isKind(word: string): word is PluginKind {
  return Object.hasOwn(TEMPLATES, word);
}
