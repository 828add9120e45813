// Where an enablement's package lies: the `source` it names, or the highest fitting version under plugins/. Never outside the home. Called by resolve.ts.
import { readdir, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import semver from 'semver';
import { GatehouseError } from '../errors.ts';
import type { LoadedEnablement } from './discover.ts';

/** The real path of the package. Throws PACKAGE_NOT_FOUND, VERSION_UNSATISFIED, PACKAGE_OUTSIDE_HOME. */
export async function locatePackage(home: string, { file, enablement }: LoadedEnablement): Promise<string> {
  const { plugin, instance, source = await newestFitting(home, file, enablement) } = enablement;
  const outside = () => new GatehouseError('PACKAGE_OUTSIDE_HOME', { instance, source });
  const path = resolve(home, source);
  if (!isInside(home, path)) throw outside();
  const found = await realpath(path).catch((thrown: unknown) => {
    throw new GatehouseError('PACKAGE_NOT_FOUND', { plugin, source }, { cause: thrown });
  });
  if (!isInside(await realpath(home), found)) throw outside();
  return found;
}

function isInside(home: string, path: string): boolean {
  const way = relative(home, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Packages stand in `<home>/plugins` as `<id>-<version>`, a folder or a .tgz of that name. */
async function newestFitting(home: string, file: string, { plugin, version: range }: LoadedEnablement['enablement']): Promise<string> {
  const present = (await readdir(join(home, 'plugins')).catch(() => []))
    .filter((name) => name.startsWith(`${plugin}-`))
    .map((name) => ({ name, version: name.slice(plugin.length + 1).replace(/\.tgz$/, '') }))
    .filter(({ version }) => semver.valid(version) === version)
    .sort((a, b) => semver.rcompare(a.version, b.version) || a.name.length - b.name.length);
  const [highest] = present;
  if (!highest) throw new GatehouseError('PACKAGE_NOT_FOUND', { plugin, source: `plugins/${plugin}-<version>` });
  const fitting = present.find(({ version }) => semver.satisfies(version, range));
  if (!fitting) throw new GatehouseError('VERSION_UNSATISFIED', { plugin, version: highest.version, range, source: file });
  return join('plugins', fitting.name);
}
