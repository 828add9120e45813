// Brings a backup back: every byte held against its index, the store opened and its log of decisions held against its head, and only then put in its place. Called by `gatehouse restore`.
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { BackupIndex } from '../../schemas/backup.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { openStore } from '../store/lmdb.ts';
import { AuditLog } from '../trust/log/audit-log.ts';
import { openLogKey } from '../trust/log/log-key.ts';
import { copyFile, digestOf, filesBelow, isFree, removeIfEmpty, syncFolder, type OnBytes } from './copy-tree.ts';
import { INDEX_FILE, type OnDone } from './write-backup.ts';

const INDEX_BYTES = 512 * 1024 * 1024;

/** Reads a backup whole: everything it names is there as it was written, and nothing else is. Throws BACKUP_DAMAGED. */
export async function checkBackup(from: string, onDone?: OnDone): Promise<BackupIndex> {
  const index = await readIndex(from);
  await holdAgainst(index, from, counting(onDone, bytesOf(index)));
  return index;
}

async function holdAgainst(index: BackupIndex, from: string, onBytes: OnBytes): Promise<void> {
  const damaged = (file: string, problem: string, cause?: unknown) => new GatehouseError('BACKUP_DAMAGED', { file: join(from, file), problem }, { cause });
  const named = new Set<string>();
  for (const { path, bytes, sha256 } of index.files) {
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\\') || part.includes('\0'))) throw damaged(path, 'it leads elsewhere');
    if (named.has(path)) throw damaged(path, 'it is named twice');
    named.add(path);
    const found = await digestOf(join(from, path), onBytes).catch((cause: unknown) => {
      throw damaged(path, problemOf(cause), cause);
    });
    if (found.bytes !== bytes) throw damaged(path, `it has ${found.bytes} bytes, and had ${bytes}`);
    if (found.sha256 !== sha256) throw damaged(path, `its sha256 is ${found.sha256}, and was ${sha256}`);
  }
  const there = await filesBelow(from);
  const extra = [...there.files, ...there.others].find((path) => !named.has(path) && path !== INDEX_FILE);
  if (extra !== undefined) throw damaged(extra, 'it is not in the index');
}

/** Copies a backup to a place that is free, and holds what is there against its index. Throws BACKUP_DAMAGED, and what writing throws. */
export async function carryBackup(from: string, to: string, onDone?: OnDone): Promise<void> {
  const index = await readIndex(from);
  const onBytes = counting(onDone, 2 * bytesOf(index));
  for (const { path } of index.files) if (!(await copyFile(join(from, path), join(to, path), onBytes))) throw new GatehouseError('BACKUP_DAMAGED', { file: join(from, path), problem: 'it is gone' });
  await copyFile(join(from, INDEX_FILE), join(to, INDEX_FILE));
  await holdAgainst(index, to, onBytes);
}

export interface RestoreTarget {
  /** Where the data directory is to be; must be free. */
  readonly dataDir: string;
  /** Where the home is to be; must be free. Undefined: only the data. */
  readonly home?: string;
}

export interface Restored extends RestoreTarget {
  readonly index: BackupIndex;
  /** Of the audit log: how many decisions came along, and the root they have. */
  readonly audit: { readonly size: number; readonly root: string };
}

/** All or nothing; `targetOf` is asked once the backup is proven. Throws BACKUP_DAMAGED, RESTORE_NOT_EMPTY, and what opening the store throws (STORE_VERSION for one of a newer Gatehouse). */
export async function restoreBackup(from: string, targetOf: () => RestoreTarget, clock: Clock, onDone?: OnDone): Promise<Restored> {
  const index = await readIndex(from);
  const onBytes = counting(onDone, 2 * bytesOf(index));
  await holdAgainst(index, from, onBytes);
  const { dataDir, home } = targetOf();
  for (const path of home === undefined ? [dataDir] : [home, ...(isWithin(dataDir, home) ? [] : [dataDir])]) if (!(await isFree(path))) throw new GatehouseError('RESTORE_NOT_EMPTY', { path });
  const inHome = home !== undefined && isWithin(dataDir, home) ? dataDir.slice(home.length + 1) : undefined;
  await using draft = await draftBeside(home ?? dataDir);
  await using apart = home === undefined || inHome !== undefined ? undefined : await draftBeside(dataDir);
  const dataIn = apart?.path ?? join(draft.path, inHome ?? '');
  for (const { path, sha256 } of index.files) {
    const [root = '', ...rest] = path.split('/');
    if (root === 'home' && home === undefined) continue;
    const copied = await copyFile(join(from, path), join(root === 'data' ? dataIn : draft.path, ...rest), onBytes);
    if (copied?.sha256 !== sha256) throw new GatehouseError('BACKUP_DAMAGED', { file: join(from, path), problem: 'it changed while it was copied' });
  }
  const audit = await proveStore(dataIn, clock);
  await apart?.moveTo(dataDir);
  await draft.moveTo(home ?? dataDir);
  return { dataDir, ...(home === undefined ? {} : { home }), index, audit };
}

/** Opens what was brought back as a host would, and closes it again. */
async function proveStore(dataDir: string, clock: Clock): Promise<Restored['audit']> {
  await using store = await openStore({ dir: join(dataDir, 'store'), clock });
  await using audit = await AuditLog.open({ store, clock, key: await openLogKey(dataDir) });
  const { size, root } = audit.head;
  return { size, root };
}

/** What a backup says of itself, not held against anything yet. Throws BACKUP_DAMAGED. */
export async function readIndex(from: string): Promise<BackupIndex> {
  const file = join(from, INDEX_FILE);
  try {
    return parseDocument(await readFile(file), compileSchema(BackupIndex), { source: file, maxBytes: INDEX_BYTES, maxDepth: 4 });
  } catch (cause) {
    throw new GatehouseError('BACKUP_DAMAGED', { file, problem: problemOf(cause).replace(/\.$/, '') }, { cause });
  }
}

/** A folder of its own beside the place it is for; gone unless it was moved there. */
async function draftBeside(place: string) {
  const path = join(dirname(place), `.${basename(place)}.${randomUUID()}`);
  await mkdir(path, { recursive: true, mode: 0o700 });
  return {
    path,
    async moveTo(target: string) {
      await removeIfEmpty(target);
      await rename(path, target);
      await syncFolder(dirname(target));
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

const bytesOf = ({ files }: BackupIndex): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** Adds up. */
function counting(onDone: OnDone | undefined, total: number): OnBytes {
  let done = 0;
  return (bytes) => onDone?.((done += bytes), total);
}

const isWithin = (path: string, folder: string): boolean => path.startsWith(`${folder}${sep}`);
