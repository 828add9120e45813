// Who may read and write the files of a home: keys and the data directory are the host's alone, what decides about plugins is nobody else's to write. Asked by the audit and by `doctor`.
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { AuditedHome, SecurityCheck, Sighting } from './check.ts';

/** Bits that nobody else may have. */
const PRIVATE = 0o077;
const NOT_WRITABLE = 0o022;
/** A secret may be shared with a group, as service managers do, but not with everybody. */
const NOT_FOR_ALL = 0o007;

/** Below the data directory; the directory itself is ''. */
const PRIVATE_DATA = ['', 'store', 'media', 'evidence', 'keys', 'run.json', 'sandboxes', 'held.key', 'media.key'];

export const dataModes: SecurityCheck = {
  severity: 'high',
  why: 'The store holds messages, conversations and the hashes of tokens; whoever writes there decides what the host believes it did.',
  look: ({ config: { dataDir } }) => looseData(dataDir),
};

/** What of the data directory others may use. */
export async function looseData(dataDir: string): Promise<Sighting[]> {
  const sightings = await Promise.all(PRIVATE_DATA.map((name) => loose(join(dataDir, name), PRIVATE, 'others may use it')));
  return sightings.flat();
}

export const adminToken: SecurityCheck = {
  severity: 'critical',
  why: 'Whoever reads this token may do everything that the control plane can.',
  look: ({ config: { dataDir } }) => looseAdminToken(dataDir),
};

export const looseAdminToken = (dataDir: string): Promise<Sighting[]> => loose(join(dataDir, 'admin-token'), PRIVATE, 'others may read the admin token');

export const privateKeys: SecurityCheck = {
  severity: 'critical',
  why: 'Who holds a private key signs releases, approvals or the audit log in its owner’s name.',
  async look({ config: { home, dataDir, manifestsDir } }) {
    const folders = [join(dataDir, 'keys'), home, ...(await foldersBelow(manifestsDir))];
    const files = (await Promise.all(folders.map((folder) => filesIn(folder, (name) => name.endsWith('.key.json'))))).flat();
    return (await Promise.all(files.map((file) => loose(file, PRIVATE, 'others may use this private key')))).flat();
  },
};

/** A key that lies where a backup or a repository takes it along. */
export const misplacedKeys: SecurityCheck = {
  severity: 'medium',
  why: 'What lies in the home is copied with it, into backups and repositories; a private key belongs where nothing else goes.',
  async look({ config: { home, manifestsDir } }) {
    const folders = [home, ...(await foldersBelow(manifestsDir))];
    const files = (await Promise.all(folders.map((folder) => filesIn(folder, (name) => name.endsWith('.key.json'))))).flat();
    return files.map((file) => ({ where: relative(home, file), found: 'a private key lies among the files of the home', fix: `Move it to where only its owner reads, and let nobody keep a copy: mv ${file} ~/keys/` }));
  },
};

export const manifestsWritable: SecurityCheck = {
  severity: 'high',
  why: 'These files say which plugins run, with which powers, and whose signatures count: who writes them has all of that.',
  async look({ config: { manifestsDir } }) {
    const folders = await foldersBelow(manifestsDir);
    const files = (await Promise.all(folders.map((folder) => filesIn(folder, (name) => name.endsWith('.json'))))).flat();
    return (await Promise.all([...folders, ...files].map((path) => loose(path, NOT_WRITABLE, 'others may write it')))).flat();
  },
};

export const packagesWritable: SecurityCheck = {
  severity: 'medium',
  why: 'Nothing changed in a package runs, but whoever can change one can have its plugin put into quarantine.',
  async look({ config: { home } }) {
    const folder = join(home, 'plugins');
    const packages = existsSync(folder) ? (await readdir(folder)).map((name) => join(folder, name)) : [];
    return (await Promise.all([folder, ...packages].map((path) => loose(path, NOT_WRITABLE, 'others may write it')))).flat();
  },
};

export const secretFiles: SecurityCheck = {
  severity: 'high',
  why: 'A secret that everybody on the machine can read is none.',
  async look({ instances, config: { home } }: AuditedHome) {
    const files = instances.flatMap(({ enablement: { secrets } }) => Object.values(secrets).flatMap((reference) => ('file' in reference ? [resolve(home, reference.file)] : [])));
    return (await Promise.all([...new Set(files)].map((file) => loose(file, NOT_FOR_ALL, 'everybody on this machine may use this secret')))).flat();
  },
};

/** Nothing where there is no such file, or its mode is as tight as it must be. */
async function loose(path: string, forbidden: number, problem: string): Promise<Sighting[]> {
  if (!existsSync(path)) return [];
  const found = (await stat(path)).mode & 0o777;
  if ((found & forbidden) === 0) return [];
  const mode = (found & ~forbidden).toString(8).padStart(3, '0');
  return [{ where: path, found: `mode ${found.toString(8).padStart(3, '0')}: ${problem}`, fix: `chmod ${mode} ${path}`, repair: { kind: 'chmod', path, mode } }];
}

export async function filesIn(folder: string, wanted: (name: string) => boolean): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && wanted(entry.name)).map(({ name }) => join(folder, name)).sort();
}

/** The folder and those in it, as deep as it goes. */
async function foldersBelow(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return [folder, ...entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)).sort()];
}
