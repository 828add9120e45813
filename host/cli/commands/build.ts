// `gatehouse build`: sources to dist/.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { buildPlugin } from '../../authoring/build.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { facts } from '../table.ts';

export function register(program: Command, io: Io): void {
  program
    .command('build <dir>')
    .description('bundle a plugin into dist/: one script, the manifest, README, assets and a bill of materials')
    .addHelpText('after', example('gatehouse build hello'))
    .action(async (dir: string) => {
      const built = await buildPlugin(resolve(io.cwd, dir));
      for (const warning of built.warnings) io.say(plain(`Warning: ${warning}`));
      io.print(built, () => facts(io, { plugin: `${built.id} ${built.version}`, digest: built.packageDigest, folder: built.path, size: `${built.files} files, ${built.bytes} bytes`, changed: built.changed ? 'yes, and not signed yet' : 'no' }));
    });
}
