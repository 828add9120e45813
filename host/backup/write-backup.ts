// Writes a backup of a home and its data directory: a snapshot of the store while it is in use, then the files beside it. Called by the running host and by `gatehouse backup`.
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BackupIndex } from '../../schemas/backup.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { LmdbStore } from '../store/lmdb.ts';
import { storeSchema } from '../store/migrations.ts';
import { VERSION } from '../version.ts';
import { copyFile, digestOf, filesBelow, isFree, removeIfEmpty, syncFolder, type OnBytes } from './copy-tree.ts';

export interface BackupParts {
  readonly store: LmdbStore;
  readonly config: Pick<ResolvedConfig, 'home' | 'dataDir' | 'manifestsDir'>;
  readonly clock: Clock;
}

/** Told again and again how many bytes are done, and of how many where that is known. */
export type OnDone = (done: number, total?: number) => void;

/** Beside the backup's other files. */
export const INDEX_FILE = 'backup.json';

/** Of the data directory what is not of this run alone; the store is snapshot, and backups are not backed up. */
const DATA = ['keys', 'trust', 'media', 'evidence'] as const;
const DATA_FILES = ['admin-token', 'media.key', 'held.key'] as const;

/**
 * `out` must be free; what it holds in the end is whole, or nothing is there. The store is taken first: a file that a message brings later is not missed, and one that
 * is swept meanwhile reads as missing, as it would have. Holds keys and the admin token: mode 0700. Throws BACKUP_FAILED, RESTORE_NOT_EMPTY.
 */
export async function writeBackup({ store, config, clock }: BackupParts, out: string, onDone?: OnDone): Promise<BackupIndex> {
  let done = 0;
  const onBytes = (bytes: number) => onDone?.((done += bytes));
  if (!(await isFree(out))) throw new GatehouseError('RESTORE_NOT_EMPTY', { path: out });
  const draft = join(dirname(out), `.${basename(out)}.${randomUUID()}`);
  try {
    await mkdir(join(draft, 'data', 'store'), { recursive: true, mode: 0o700 });
    const at = toTimestamp(clock.now());
    await store.snapshot(join(draft, 'data', 'store'));
    const snapshot = 'data/store/data.mdb';
    const files: BackupIndex['files'] = [{ path: snapshot, mode: 0o600, ...(await flushed(join(draft, snapshot), onBytes)) }];
    const skipped: string[] = [];
    const sources = [...DATA.map((name) => [`data/${name}`, join(config.dataDir, name)] as const), ['home/manifests', config.manifestsDir] as const, ['home/plugins', join(config.home, 'plugins')] as const];
    for (const [under, folder] of sources) {
      const found = await filesBelow(folder);
      skipped.push(...found.others.map((path) => `${under}/${path}`));
      for (const path of found.files) await keep(`${under}/${path}`, join(folder, path));
    }
    for (const name of DATA_FILES) await keep(`data/${name}`, join(config.dataDir, name));
    const index: BackupIndex = { backupVersion: 1, at, gatehouse: VERSION, storeSchema: await storeSchema(store), files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)), skipped };
    await writeFile(join(draft, INDEX_FILE), `${JSON.stringify(index, null, 2)}\n`, { mode: 0o600, flush: true });
    await removeIfEmpty(out);
    await rename(draft, out);
    await syncFolder(dirname(out));
    return index;

    async function keep(path: string, source: string): Promise<void> {
      const copied = await copyFile(source, join(draft, path), onBytes);
      if (copied) files.push({ path, ...copied });
    }
  } catch (thrown) {
    throw thrown instanceof GatehouseError ? thrown : new GatehouseError('BACKUP_FAILED', { path: out, problem: problemOf(thrown) }, { cause: thrown });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function flushed(path: string, onBytes: OnBytes) {
  await using file = await open(path, 'r+');
  await file.chmod(0o600);
  await file.sync();
  return await digestOf(path, onBytes);
}
