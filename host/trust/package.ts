// Reads a package, folder or .tgz, into memory: bounded, regular files only, names that mean one file everywhere. What is read here is what is verified and what runs.
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { MANIFEST_FILE, SCRIPT_FILE, collisionProblem, nameProblem, quoted } from './package-names.ts';
import { bytewise } from './statement.ts';
import { ArchiveProblem, readArchive } from './tar.ts';

export interface PackageFiles {
  /** Where it was read: a folder (of a source folder, its `dist`) or an archive. */
  readonly path: string;
  readonly form: 'folder' | 'archive';
  /** Content by `/`-separated name, bytewise sorted. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Room for headers, padding and folders beside the content; and how many of them there may be. */
const ARCHIVE_OVERHEAD_BYTES = 4 * 1024 * 1024;
const ENTRIES = 4 * BOUNDS.packageFiles;

/** Throws PACKAGE_NOT_FOUND, PACKAGE_INVALID or PACKAGE_TOO_LARGE. */
export async function readPackage(path: string): Promise<PackageFiles> {
  try {
    const root = await packageRoot(path);
    const found = root.form === 'folder' ? await readFolder(root.path) : await readArchiveFile(root.path);
    return { ...root, files: checked(found) };
  } catch (thrown) {
    if (thrown instanceof GatehouseError) throw thrown;
    if (thrown instanceof ArchiveProblem) throw new GatehouseError(thrown.tooLarge ? 'PACKAGE_TOO_LARGE' : 'PACKAGE_INVALID', { source: path, problem: thrown.message, ...thrown.values }, { cause: thrown });
    if (systemCode(thrown) === 'ENOENT' || systemCode(thrown) === 'ENOTDIR') throw new GatehouseError('PACKAGE_NOT_FOUND', { plugin: basename(path), source: path, expected: 'a package: a folder or a .tgz', found: 'nothing' }, { cause: thrown });
    throw new GatehouseError('PACKAGE_INVALID', { source: path, problem: `it cannot be read (${systemCode(thrown) ?? problemOf(thrown)})` }, { cause: thrown });
  }
}

/** The folder or archive a path stands for: a source folder stands for its `dist`. Throws PACKAGE_NOT_FOUND or PACKAGE_INVALID. */
export async function packageRoot(path: string): Promise<{ readonly path: string; readonly form: 'folder' | 'archive' }> {
  const real = await realpath(path);
  const about = await stat(real);
  if (about.isFile()) return { path: real, form: 'archive' };
  if (!about.isDirectory()) throw new ArchiveProblem('it is neither a folder nor a .tgz file');
  if (await isFile(join(real, SCRIPT_FILE))) return { path: real, form: 'folder' };
  const dist = join(real, 'dist');
  if (await isFile(join(dist, MANIFEST_FILE))) return { path: dist, form: 'folder' };
  if (await isFile(join(real, 'src', 'plugin.ts'))) throw new ArchiveProblem('it is not built yet; run `gatehouse build` first');
  return { path: real, form: 'folder' };
}

type Found = { readonly name: string; readonly content: Buffer }[];

async function readFolder(root: string): Promise<Found> {
  const names: string[] = [];
  let entries = 0;
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (++entries > ENTRIES) throw new ArchiveProblem(`it has more than ${ENTRIES} entries`, true);
      const name = `${folder}${entry.name}`;
      if (entry.isDirectory()) {
        folders.push(`${name}/`);
        continue;
      }
      const problem = entry.isFile() ? nameProblem(name) : `${quoted(name)} is ${kindOf(entry)}; only regular files are allowed`;
      if (problem !== undefined) throw new ArchiveProblem(problem);
      if (names.length >= BOUNDS.packageFiles) throw new ArchiveProblem(`it has more than ${BOUNDS.packageFiles} files`, true);
      names.push(name);
    }
  }
  const room: Room = { bytes: BOUNDS.packageBytes };
  const found: Found = [];
  for (let at = 0; at < names.length; at += AT_ONCE) {
    found.push(...(await Promise.all(names.slice(at, at + AT_ONCE).map(async (name) => ({ name, content: await readRegularFile(join(root, name), name, room, { links: false, seen: true }) })))));
  }
  return found;
}

/** Files of a folder that are read at a time: the threads that do it then need not be woken for each step of each. */
const AT_ONCE = 8;

/** What may still be read; taken before it is. */
interface Room {
  bytes: number;
}

async function readArchiveFile(path: string): Promise<Found> {
  const compressed = await readRegularFile(path, basename(path), { bytes: BOUNDS.packageBytes + ARCHIVE_OVERHEAD_BYTES }, { links: true });
  return readArchive(compressed, { bytes: BOUNDS.packageBytes + ARCHIVE_OVERHEAD_BYTES, entries: ENTRIES });
}

/** Reads a file of no more bytes than there is room for, and regular when opened: a link or device put in its place meanwhile is refused too. `seen`: its folder just said what it is. */
async function readRegularFile(path: string, name: string, room: Room, { links, seen }: { readonly links: boolean; readonly seen?: boolean }): Promise<Buffer> {
  const before = seen === true ? undefined : await lstat(path);
  if (before?.isFile() === false) throw new ArchiveProblem(`${quoted(name)} is ${kindOf(before)}; only regular files are allowed`);
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const about = await file.stat();
  if (!about.isFile() || (before && about.ino !== before.ino)) throw new ArchiveProblem(`${quoted(name)} was replaced while it was read`);
  if (about.nlink > 1 && !links) throw new ArchiveProblem(`${quoted(name)} is a hard link; copy the file instead`);
  if (about.size > room.bytes) throw tooMany(BOUNDS.packageBytes, 'bytes', links ? about.size : BOUNDS.packageBytes - room.bytes + about.size);
  room.bytes -= about.size;
  const content = Buffer.alloc(about.size);
  let length = 0;
  while (length < content.length) {
    const { bytesRead } = await file.read(content, length);
    if (bytesRead === 0) throw new ArchiveProblem(`${quoted(name)} was changed while it was read`);
    length += bytesRead;
  }
  return content;
}

/** Names, bounds and order, the same for both forms. */
function checked(found: Found): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  let bytes = 0;
  for (const { name, content } of [...found].sort((a, b) => bytewise(a.name, b.name))) {
    const problem = nameProblem(name);
    if (problem !== undefined) throw new ArchiveProblem(problem);
    if (files.has(name)) throw new ArchiveProblem(`it holds ${quoted(name)} twice`);
    bytes += content.length;
    files.set(name, content);
  }
  const problem = collisionProblem(files.keys());
  if (problem !== undefined) throw new ArchiveProblem(problem);
  if (files.size > BOUNDS.packageFiles) throw tooMany(BOUNDS.packageFiles, 'files', files.size);
  if (bytes > BOUNDS.packageBytes) throw tooMany(BOUNDS.packageBytes, 'bytes', bytes);
  for (const needed of [MANIFEST_FILE, SCRIPT_FILE]) if (!files.has(needed)) throw new ArchiveProblem(`it has no ${needed}`, false, { expected: needed, found: [...files.keys()].slice(0, 20).join(', ') || 'no files' });
  if (!isUtf8(files.get(SCRIPT_FILE) ?? Buffer.alloc(0))) throw new ArchiveProblem(`${SCRIPT_FILE} is not valid UTF-8, so what would run is not what was signed`);
  return files;
}

function tooMany(limit: number, what: 'bytes' | 'files', found: number): ArchiveProblem {
  return new ArchiveProblem(`it has more than ${limit} ${what}`, true, { expected: `at most ${limit} ${what}`, found: `${found} ${what}` });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT' || systemCode(thrown) === 'ENOTDIR') return false;
    throw thrown;
  }
}

function kindOf(about: { isSymbolicLink(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (about.isSymbolicLink()) return 'a symbolic link';
  if (about.isFIFO()) return 'a fifo';
  return about.isSocket() ? 'a socket' : 'a device';
}

function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
