// `gatehouse backup`: a copy of home and data directory from which everything can be brought back, while the host runs or not.
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupView } from '../../../schemas/backup.ts';
import { backupNameAt } from '../../backup/backup-desk.ts';
import { carryBackup, checkBackup } from '../../backup/restore-backup.ts';
import { writeBackup } from '../../backup/write-backup.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { openStore } from '../../store/lmdb.ts';
import { connect, findHost, type HostClient } from '../client.ts';
import { configOf } from '../context.ts';
import { storeFolder } from '../files-survey.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { watching } from '../progress.ts';
import { facts } from '../table.ts';

const LOOK_MS = 100;

export function register(program: Command, io: Io): void {
  const backup = program.command('backup').description('back up home and data directory').addHelpText('after', example('gatehouse backup create --out /mnt/backups/monday'));
  backup
    .command('create', { isDefault: true })
    .description('write a backup, while the host goes on, or with no host running')
    .option('--out <dir>', 'where it is to be (default: in the data directory, under backups/)')
    .addHelpText('after', example('gatehouse backup create --out /mnt/backups/monday'))
    .action(async ({ out }: { out?: string }) => {
      const target = out === undefined ? undefined : resolve(io.cwd, out);
      const host = findHost(io);
      const made = host ? await byHost(io, host, target) : await offline(io, target);
      io.print(made, () => facts(io, { path: made.path, files: made.files, bytes: made.bytes, ...((made.skipped ?? 0) > 0 ? { skipped: `${made.skipped} links and the like` } : {}) }));
      if (!io.options.json) io.say('It holds keys and the admin token: keep it where the data directory could be kept.');
    });
  withListOptions(backup.command('list'), '/backups')
    .description('backups in the data directory of the running host')
    .addHelpText('after', example('gatehouse backup list'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<BackupView>(connect(io), '/backups', options), { name: ({ name }) => name, state: ({ state }) => state, files: ({ files }) => files, bytes: ({ bytes }) => bytes, path: ({ path }) => path, problem: ({ problem }) => problem }, 'No backups.');
    });
  backup
    .command('check <dir>')
    .description('hold a backup against its index, byte for byte')
    .addHelpText('after', example('gatehouse backup check /mnt/backups/monday'))
    .action(async (dir: string) => {
      const index = await watching(io, 'Checking', ({ at }) => checkBackup(resolve(io.cwd, dir), at));
      io.print({ ok: true, at: index.at, gatehouse: index.gatehouse, files: index.files.length }, () => `Whole: ${index.files.length} files of ${index.at}, written by Gatehouse ${plain(index.gatehouse)}.`);
    });
  backup
    .command('remove <name>')
    .description('remove a backup from the data directory of the running host')
    .addHelpText('after', example('gatehouse backup remove 20261121T105012Z'))
    .action(async (name: string) => {
      const removed = await connect(io).delete<BackupView>(`/backups/${encodeURIComponent(name)}`);
      io.print(removed, () => `${plain(removed.name)} is removed.`);
    });
}

/** The host writes into its data directory; what is to be elsewhere is brought there, checked, and only then removed here. */
async function byHost(io: Io, host: HostClient, target: string | undefined): Promise<BackupView> {
  let view = await host.post<BackupView>('/backups');
  const { name } = view;
  io.say(`The host writes ${name}.`);
  view = await watching(io, 'Writing', async ({ at }) => {
    let now = view;
    while (now.state === 'running') {
      await pause(LOOK_MS);
      now = await host.get<BackupView>(`/backups/${name}`);
      at(now.bytes ?? 0);
    }
    return now;
  });
  if (view.state === 'failed' || view.path === undefined) throw new GatehouseError('BACKUP_FAILED', { path: name, problem: view.problem ?? 'the host says nothing' });
  if (target === undefined) return view;
  await mkdir(dirname(target), { recursive: true });
  const { path } = view;
  await watching(io, 'Copying and checking', ({ at }) => carryBackup(path, target, at));
  await host.delete(`/backups/${name}`);
  return { ...view, path: target };
}

async function offline(io: Io, target: string | undefined): Promise<BackupView> {
  const config = configOf(io);
  const name = backupNameAt(systemClock.now());
  const path = target ?? join(config.dataDir, 'backups', name);
  await using store = await openStore({ dir: storeFolder(config.dataDir), clock: systemClock });
  const { files, at, skipped } = await watching(io, 'Writing', ({ at }) => writeBackup({ store, config, clock: systemClock }, path, at));
  return { name, state: 'done', path, at, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), skipped: skipped.length };
}
