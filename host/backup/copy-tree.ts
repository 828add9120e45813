// Copies folders file by file, flushed, with the digest of what was written. Used by write-backup.ts and restore-backup.ts.
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Copied {
  readonly bytes: number;
  readonly sha256: string;
  readonly mode: number;
}

export interface Found {
  /** Below the folder, with slashes, in order. */
  readonly files: readonly string[];
  /** What is no regular file and no folder. */
  readonly others: readonly string[];
}

/** Told of every piece that is done. */
export type OnBytes = (bytes: number) => void;

const PIECE_BYTES = 256 * 1024;

/** Everything below a folder; nothing where there is none. Hidden files are drafts of somebody, or an editor's. */
export async function filesBelow(folder: string): Promise<Found> {
  const found = { files: [] as string[], others: [] as string[] };
  const walk = async (below: string): Promise<void> => {
    for (const entry of (await entriesOf(join(folder, below))).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.name.startsWith('.') || entry.name.endsWith('.part')) continue;
      if (entry.isDirectory()) await walk(path);
      else (entry.isFile() ? found.files : found.others).push(path);
    }
  };
  await walk('');
  return found;
}

/** Never over a file that is there. Undefined when the source is gone meanwhile. Folders are made with mode 0700. */
export async function copyFile(from: string, to: string, onBytes?: OnBytes): Promise<Copied | undefined> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await using source = await openIfThere(from);
  if (!source) return undefined;
  const mode = (await source.stat()).mode & 0o777;
  await using target = await open(to, 'wx', mode);
  const { bytes, sha256 } = await pump(source, onBytes, (piece) => target.writeFile(piece)); // goes on until all of it is written, or throws
  await target.sync();
  return { bytes, sha256, mode };
}

/** Makes names durable that were just given in a folder. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** Size and digest of a file as it is. */
export async function digestOf(path: string, onBytes?: OnBytes): Promise<Pick<Copied, 'bytes' | 'sha256'>> {
  await using source = await open(path, 'r');
  return await pump(source, onBytes);
}

async function pump(source: FileHandle, onBytes?: OnBytes, write?: (piece: Buffer) => Promise<unknown>): Promise<Pick<Copied, 'bytes' | 'sha256'>> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, PIECE_BYTES);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await write?.(piece);
    bytes += bytesRead;
    onBytes?.(bytesRead);
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** Whether nothing is in the way at this path: it is not there, or an empty folder. */
export async function isFree(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory() && (await readdir(path)).length === 0;
  } catch (thrown) {
    if (isMissing(thrown)) return true;
    throw thrown;
  }
}

/** An empty folder would be in the way of a rename on some systems. Throws for one that is not empty. */
export async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
  }
}

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
