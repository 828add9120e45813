// A copy of this checkout as a fresh clone with its packages installed: for tests that build, pack or write where the sources are.
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { tempDir, type TempDir } from './temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SOURCES = ['host', 'plugin-sdk', 'plugins', 'schemas', 'package.json', 'tsconfig.json'];
/** What a clone does not have. */
const MADE = new Set(['node_modules', 'dist', 'data']);

/** Other people's packages are links to the real ones; its own are its own. */
export async function copyOfCheckout(): Promise<TempDir> {
  const copy = await tempDir();
  for (const name of SOURCES) await cp(join(ROOT, name), join(copy.path, name), { recursive: true, filter: (path) => !MADE.has(basename(path)) });
  const modules = join(copy.path, 'node_modules');
  await mkdir(join(modules, '@gatehouse'), { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name === '.bin' || !/^\.|^@gatehouse$/.test(name)) await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const name of ['host', 'plugin-sdk']) await symlink(join('..', '..', name), join(modules, '@gatehouse', name));
  return copy;
}
