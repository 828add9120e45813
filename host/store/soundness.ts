// Whether a store may be opened at all: its directory takes writes, its file is there and its pages hold together. Called by `lmdb.ts`, before LMDB sees any of it.
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { WritableRoom } from './disk-room.ts';
import { damageOf, type Depth } from './store-file.ts';

/** Where LMDB keeps everything, beside its lock. */
export const STORE_FILE = 'data.mdb';
/** Says that a store was opened here before: from then on a file that is missing or empty is a loss, and no new store. */
const BEGUN_FILE = 'begun';

/** Throws STORE_DAMAGED. Nothing is written. */
export async function refuseDamaged(dir: string, depth: Depth): Promise<void> {
  const path = join(dir, STORE_FILE);
  const hasBegun = existsSync(join(dir, BEGUN_FILE));
  const found = existsSync(path) ? await stat(path) : undefined;
  // A host that was killed within its very first start leaves no file, or an empty one.
  if (!hasBegun && (found?.size ?? 0) === 0) return;
  const problem = found ? damageOf(path, depth) : 'its file is gone';
  if (problem !== undefined) throw new GatehouseError('STORE_DAMAGED', { where: ` ${path}`, problem });
}

export async function markBegun(dir: string): Promise<void> {
  const path = join(dir, BEGUN_FILE);
  if (!existsSync(path)) await writeFile(path, '', { mode: 0o600, flush: true });
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'Make room on that disk, or move the data directory to another one with `dataDir` or --data; docs/ops/runbooks/disk-full.md lists what may go.',
  EDQUOT: 'Raise the quota of the user the host runs as, or move the data directory with `dataDir` or --data.',
  EROFS: 'Mount the disk so that it can be written. A disk that turned read-only by itself has reported errors: look at `dmesg` before you trust it again.',
  EACCES: 'Give the directory to the user the host runs as, with `chown -R`.',
  EPERM: 'Give the directory to the user the host runs as, with `chown -R`.',
  EIO: 'The disk reports errors: look at `dmesg`, and bring a backup back on another one.',
};

/** Throws STORE_UNWRITABLE where nothing fits any more, or nothing can be written. */
export async function openRoom(dir: string, clock: Clock): Promise<WritableRoom> {
  return await writable(dir, async () => {
    const room = new WritableRoom(dir, clock);
    const problem = room.problem();
    if (problem === undefined) return room;
    room[Symbol.dispose]();
    throw Object.assign(new Error(problem), { code: 'ENOSPC' });
  });
}

/** Does it, and tells what the system says of the directory in words. Throws STORE_UNWRITABLE. */
export async function writable<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    // Node names a missing folder when the one above it takes no writes: mkdir(2) is asked for the lowest one first.
    const remedy = REMEDIES[code] ?? (code === 'ENOENT' || code === 'ENOTDIR' ? 'Make the folder above it, on a disk that can be written, or name another place with `dataDir` or --data.' : undefined);
    if (thrown instanceof GatehouseError || remedy === undefined) throw thrown;
    throw new GatehouseError('STORE_UNWRITABLE', { dir, problem: problemOf(thrown), remedy }, { cause: thrown });
  }
}
