// `gatehouse restore`: a home and its data directory again, from a backup, once every byte of it is proven.
import { isAbsolute, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { restoreBackup, type RestoreTarget } from '../../backup/restore-backup.ts';
import { systemClock } from '../../clock.ts';
import { loadConfig } from '../../config.ts';
import { GatehouseError } from '../../errors.ts';
import { configOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { watching } from '../progress.ts';

export function register(program: Command, io: Io): void {
  program
    .command('restore <backup> [home]')
    .description('bring a backup back as a new home; with --data-only as the data directory of the home that is there')
    .option('--data-only', 'only the data directory of --home, which must be free')
    .addHelpText('after', example('gatehouse restore /mnt/backups/monday /srv/gatehouse', 'gatehouse restore /mnt/backups/monday --data-only --home /srv/gatehouse'))
    .action(async (from: string, home: string | undefined, { dataOnly = false }: { dataOnly?: boolean }) => {
      const backup = resolve(io.cwd, from);
      if (dataOnly !== (home === undefined)) throw new GatehouseError('USAGE', { problem: 'Name a new home, or say --data-only' });
      const { index, audit, ...target } = await watching(io, 'Checking and restoring', ({ at }) => restoreBackup(backup, () => targetOf(io, backup, home), systemClock, at));
      io.print({ ...target, at: index.at, files: index.files.length, audit }, () => [
        `Restored as of ${index.at}: ${plain(target.home ?? target.dataDir)}`,
        `${index.files.length} files, each as it was written; the audit log holds ${audit.size} decisions, root ${audit.root}.`,
      ].join('\n'));
      if (!io.options.json) io.say('Start it with `gatehouse start`. What sources deliver again from after the backup is answered as new.');
    });
}

/** The data directory lies where the restored host.json says, beside the new home if it was inside the old one. */
function targetOf(io: Io, backup: string, home: string | undefined): RestoreTarget {
  if (home === undefined) return { dataDir: configOf(io).dataDir };
  const target = resolve(io.cwd, home);
  if (io.options.data !== undefined) return { home: target, dataDir: resolve(io.cwd, io.options.data) };
  const copy = resolve(backup, 'home');
  const { dataDir } = loadConfig({ home: copy, env: {}, cwd: copy });
  const below = relative(copy, dataDir);
  // Nobody named that place: the backup did, and whoever wrote it.
  if (below.startsWith('..') || isAbsolute(below)) throw new GatehouseError('RESTORE_OUTSIDE', { dataDir });
  return { home: target, dataDir: resolve(target, below) };
}
