// Builds a plugin: its sources become the `dist/` folder that is packed, signed and run. Used by `build` and for first-party plugins.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { readManifest } from '../trust/manifest.ts';
import { ASSETS_FOLDER, MANIFEST_FILE, README_FILE, SBOM_FILE, SCRIPT_FILE, collisionProblem, nameProblem } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import { packageDigest, subjectOf } from '../trust/statement.ts';
import { bundle } from './bundle.ts';
import { softwareBillOfMaterials } from './sbom.ts';

export interface Built {
  /** The `dist` folder. */
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly packageDigest: string;
  readonly files: number;
  readonly bytes: number;
  /** False when `dist` already held exactly this; it was left alone, signature and all. */
  readonly changed: boolean;
  readonly warnings: readonly string[];
}

/** What a build makes, before any of it is written. */
export interface BuiltFiles {
  /** The real path of the source folder. */
  readonly dir: string;
  readonly manifest: PluginManifest;
  /** Every file of the package but its signature, by name. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** The version of esbuild. */
  readonly bundler: string;
  readonly warnings: readonly string[];
}

/** Builds and writes `dist/`. Throws PACKAGE_NOT_FOUND, MANIFEST_INVALID, BUILD_FAILED, PACKAGE_INVALID. */
export async function buildPlugin(source: string): Promise<Built> {
  const { dir, manifest, files, warnings } = await buildFiles(source);
  const path = join(dir, 'dist');
  const digest = packageDigest(subjectOf(files));
  const changed = (await digestOf(path)) !== digest;
  if (changed) await replaceFolder(path, files);
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  return { path, id: manifest.id, version: manifest.version, packageDigest: digest, files: files.size, bytes, changed, warnings };
}

/**
 * Builds in memory: reads the source folder and what it imports, writes nothing, and runs nothing of it. The bundler has no configuration of the folder's own, no
 * script of a package.json is looked at, and the code is parsed only. What no package could hold is not read. Throws MANIFEST_INVALID, BUILD_FAILED.
 */
export async function buildFiles(source: string): Promise<BuiltFiles> {
  if (!existsSync(join(source, MANIFEST_FILE))) throw new GatehouseError('BUILD_FAILED', { source, problem: `there is no ${MANIFEST_FILE}` });
  const dir = await realpath(source);
  const manifestBytes = await readOwn(dir, MANIFEST_FILE);
  const manifest = readManifest(manifestBytes, join(source, MANIFEST_FILE));
  const bundled = await bundle(dir);
  const files = new Map<string, Buffer>([
    [MANIFEST_FILE, manifestBytes],
    [SCRIPT_FILE, Buffer.from(bundled.script)],
    [SBOM_FILE, Buffer.from(softwareBillOfMaterials(manifest, bundled))],
    ...(existsSync(join(dir, README_FILE)) ? [[README_FILE, await readOwn(dir, README_FILE)] as const] : []),
    ...(await readAssets(dir)),
  ]);
  const problem = collisionProblem(files.keys()) ?? boundsProblem([...files.values()].map(({ length }) => length));
  if (problem !== undefined) throw new GatehouseError('BUILD_FAILED', { source, problem });
  return { dir, manifest, files, bundler: bundled.bundler, warnings: bundled.warnings };
}

/** A pipe or device under the name of a file would keep whoever builds waiting. */
async function readOwn(dir: string, name: string): Promise<Buffer> {
  try {
    return await readRegularFile(join(dir, name), BOUNDS.packageBytes);
  } catch (thrown) {
    throw new GatehouseError('BUILD_FAILED', { source: dir, problem: `${name} cannot be read (${problemOf(thrown)})` }, { cause: thrown });
  }
}

/** The digest of the package in a folder; undefined when there is none, or nothing that could be one. */
export async function digestOf(folder: string): Promise<string | undefined> {
  try {
    return packageDigest(subjectOf((await readPackage(folder)).files));
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return undefined;
    throw thrown;
  }
}

/** Everything under assets/ but hidden files, which editors and file managers leave behind. */
async function readAssets(dir: string): Promise<[string, Buffer][]> {
  if (!existsSync(join(dir, ASSETS_FOLDER))) return [];
  const entries = await readdir(join(dir, ASSETS_FOLDER), { withFileTypes: true, recursive: true });
  const names = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => {
    const name = join(entry.parentPath, entry.name).slice(dir.length + 1).replaceAll('\\', '/');
    const problem = entry.isFile() ? nameProblem(name) : `'${name}' is not a regular file`;
    if (problem !== undefined) throw new GatehouseError('BUILD_FAILED', { source: dir, problem });
    return name;
  });
  const problem = boundsProblem(await sizesOf(dir, names));
  if (problem !== undefined) throw new GatehouseError('BUILD_FAILED', { source: dir, problem });
  return Promise.all(names.map(async (name): Promise<[string, Buffer]> => [name, await readOwn(dir, name)]));
}

/** In bytes, and no more of them than show that there are too many. */
function sizesOf(dir: string, names: readonly string[]): Promise<number[]> {
  return Promise.all(names.slice(0, BOUNDS.packageFiles + 1).map(async (name) => (await stat(join(dir, name))).size));
}

function boundsProblem(sizes: readonly number[]): string | undefined {
  if (sizes.length > BOUNDS.packageFiles) return `it has more than ${BOUNDS.packageFiles} files, and no package may`;
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return bytes > BOUNDS.packageBytes ? `its files have ${bytes} bytes; a package may have ${BOUNDS.packageBytes}` : undefined;
}

/** Writes a new folder beside the old one and puts it in its place: nobody ever finds half a package. Two builds at once both succeed; the last one stays. */
async function replaceFolder(path: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const fresh = join(dirname(path), `.dist-${randomUUID()}`);
  const old = `${fresh}-old`;
  try {
    for (const [name, content] of files) {
      await mkdir(dirname(join(fresh, name)), { recursive: true });
      await writeFile(join(fresh, name), content);
    }
    // What comes out must be a package that every other command takes.
    await readPackage(fresh);
    for (;;) {
      await ignoring('ENOENT', rename(path, old));
      if (await ignoring('ENOTEMPTY', rename(fresh, path))) return;
      await rm(old, { recursive: true, force: true });
    }
  } finally {
    await rm(old, { recursive: true, force: true });
    await rm(fresh, { recursive: true, force: true });
  }
}

/** False when it failed for that reason; any other failure is thrown. */
async function ignoring(code: 'ENOENT' | 'ENOTEMPTY', work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === code || (code === 'ENOTEMPTY' && thrown.code === 'EEXIST'))) return false;
    throw thrown;
  }
}
