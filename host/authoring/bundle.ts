// Bundles a plugin's sources into one classic script, byte-identical wherever the folder lies. Used by build.ts.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import { Script } from 'node:vm';
import type { Loader, Message, Metafile, Plugin } from 'esbuild';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { readRegularFile } from '../trust/regular-file.ts';

/** A file whose code is part of the bundle, by its path in its package or, of the plugin's own, in its folder. */
export interface BundledFile {
  readonly name: string;
  readonly sha256: string;
}

/** An npm package whose code is part of the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
  /** Those that went into the script, sorted by name. */
  readonly files: readonly BundledFile[];
  /** Which packages of the bundle they import, as `name@version`. */
  readonly uses: readonly string[];
}

export interface Bundle {
  readonly script: string;
  /** The plugin's own files, sorted by name. */
  readonly sources: readonly BundledFile[];
  /** Which packages they import, as `name@version`. */
  readonly uses: readonly string[];
  /** Sorted by name and version. */
  readonly packages: readonly BundledPackage[];
  /** The version of esbuild: another one may write other bytes. */
  readonly bundler: string;
  /** What the bundler found odd but not wrong, one line each. */
  readonly warnings: readonly string[];
}

const SDK = '@gatehouse/plugin-sdk';
/** Our own code does nothing by being imported: what a plugin does not use is left out. */
const PURE: ReadonlySet<string> = new Set([SDK, 'gatehouse']);
/** Of all modules together, what is left out of the script included. */
const SOURCE_BYTES = 8 * BOUNDS.packageBytes;
const ENTRIES = ['src/plugin.ts', 'src/plugin.js'] as const;

/** `dir` is a real path. Throws BUILD_FAILED with the first errors and their places. */
export async function bundle(dir: string): Promise<Bundle> {
  const entry = ENTRIES.find((name) => existsSync(join(dir, name)));
  if (entry === undefined) throw new GatehouseError('BUILD_FAILED', { source: dir, problem: `there is no ${ENTRIES.join(' or ')}` });
  const { build, version } = await import('esbuild');
  const modules: Modules = { origins: new Map(), digests: new Map() };
  try {
    const { outputFiles, metafile, warnings } = await build({
      entryPoints: [entry],
      absWorkingDir: dir,
      plugins: [stablePaths(dir, modules)],
      bundle: true,
      write: false,
      metafile: true,
      format: 'iife',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['import', 'default'],
      target: 'es2023',
      charset: 'utf8',
      legalComments: 'none',
      // An author's tsconfig.json, or one in a folder above, must not change what is built.
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: true, verbatimModuleSyntax: true } },
      define: { 'process.env.NODE_ENV': '"production"' },
      logLevel: 'silent',
    });
    const script = withoutPathComments(outputFiles[0]?.text ?? '');
    assertClassicScript(script);
    return { script, ...inputsOf(metafile, modules), bundler: version, warnings: warnings.map(describe) };
  } catch (thrown) {
    throw new GatehouseError('BUILD_FAILED', { source: dir, problem: bundlerErrors(thrown) ?? problemOf(thrown) }, { cause: thrown });
  }
}

/** Every module is known to the bundler by a path that says what it is, not where it lies: `src/plugin.ts`, `left-pad@1.3.0/index.js`. */
const NAMESPACE = 'gatehouse-source';

const LOADERS: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.mts': 'ts', '.js': 'js', '.mjs': 'js', '.cjs': 'js', '.json': 'json', '.txt': 'text' };

/** Where a package came from. */
type Origin = Pick<BundledPackage, 'name' | 'version' | 'license'>;

/** What is known of each module by its stable path. */
interface Modules {
  /** Of those that belong to a package: which, and the path in it. */
  readonly origins: Map<string, Origin & { readonly file: string }>;
  /** SHA-256 of what was read. */
  readonly digests: Map<string, string>;
}

/** Takes over finding and reading of modules: the SDK that came with the host stands in for a missing one, and Node's own modules are refused. */
function stablePaths(dir: string, { origins, digests }: Modules): Plugin {
  const asking = Symbol('asking the bundler itself');
  const realPaths = new Map<string, string>();
  let room = SOURCE_BYTES;
  return {
    name: 'stable-paths',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
        if (pluginData === asking) return undefined;
        if (isBuiltin(path)) return { errors: [{ text: `'${path}' is a module of Node.js; plugin code runs without Node and uses its ctx instead` }] };
        const ask = (from: string) => build.resolve(path, { kind, importer, resolveDir: from, namespace: 'file', pluginData: asking });
        let found = await ask(resolveDir);
        if (found.errors.length > 0 && (path === SDK || path.startsWith(`${SDK}/`))) found = await ask(import.meta.dirname);
        if (found.errors.length > 0) return { errors: found.errors };
        if (found.external) return { errors: [{ text: `'${path}' cannot be bundled` }] };
        const { stable, origin } = stableName(found.path, dir);
        const other = realPaths.get(stable);
        // Two copies of one package are one; two files that only say they are would make the list of contents a lie.
        if (other !== undefined && other !== found.path && !isSameFile(other, found.path)) return { errors: [{ text: `two different files are '${stable}'` }] };
        if (origin) origins.set(stable, origin);
        realPaths.set(stable, found.path);
        return { path: stable, namespace: NAMESPACE, sideEffects: found.sideEffects && !PURE.has(origin?.name ?? '') };
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, async ({ path }) => {
        const real = realPaths.get(path) ?? path;
        const loader = LOADERS[extname(real)];
        if (!loader) return { errors: [{ text: `'${path}' is no script, JSON or text; put other files into assets/` }] };
        const { size } = await stat(real);
        if (size > room) return { errors: [{ text: `with '${path}' the sources have more than ${SOURCE_BYTES} bytes` }] };
        room -= size; // before it is read: modules are loaded side by side
        const contents = await readRegularFile(real, size);
        digests.set(path, createHash('sha256').update(contents).digest('hex'));
        return { contents, loader, resolveDir: dirname(real) };
      });
    },
  };
}

/** Sizes first: what is too big to be a module is not read to find that out. */
function isSameFile(one: string, other: string): boolean {
  const [here, there] = [statSync(one), statSync(other)];
  return here.size === there.size && here.size <= SOURCE_BYTES && readFileSync(one).equals(readFileSync(other));
}

function stableName(path: string, dir: string): { readonly stable: string; readonly origin?: Origin & { readonly file: string } } {
  const own = slashed(relative(dir, path));
  if (!own.startsWith('../') && !own.includes('node_modules/')) return { stable: own };
  const found = packageAround(path);
  if (!found) return { stable: own };
  const { name, version, license, root } = found;
  const file = slashed(relative(root, path));
  return { stable: `${name}@${version}/${file}`, origin: { name, version, license, file } };
}

/** The nearest package.json above a file that has a name and a version. */
function packageAround(path: string): (Origin & { readonly root: string }) | undefined {
  for (let root = dirname(path); root !== dirname(root); root = dirname(root)) {
    const file = join(root, 'package.json');
    if (!existsSync(file)) continue;
    const { name, version, license, licenses }: Record<string, unknown> = Object(JSON.parse(readFileSync(file, 'utf8')));
    if (typeof name === 'string' && typeof version === 'string') return { name, version, license: licenseOf(license) ?? licenseOf(licenses), root };
  }
  return undefined;
}

/** As npm writes it, `"MIT"`, and as it once did: `{"type": "MIT"}`, or a list of these to choose from. */
function licenseOf(field: unknown): string | undefined {
  const names = [field].flat().flatMap((each: unknown) => {
    const name: unknown = typeof each === 'object' && each !== null && 'type' in each ? each.type : each;
    return typeof name === 'string' && name !== '' ? [name] : [];
  });
  return names.length > 1 ? `(${names.join(' OR ')})` : names[0];
}

/** The bundler heads each module with a comment that names it; our namespace makes those lines unmistakable. */
function withoutPathComments(script: string): string {
  return script.replace(new RegExp(`^ *// ${NAMESPACE}:.*\n`, 'gm'), '');
}

/** The sandbox evaluates plugin.js as a classic script; what does not parse as one must not leave this machine. */
function assertClassicScript(script: string): void {
  void new Script(script, { filename: 'plugin.js' });
}

/** What of which package went into the script, and who imports whom; a module of which nothing is left does not count. */
function inputsOf({ inputs, outputs }: Metafile, { origins, digests }: Modules): Pick<Bundle, 'sources' | 'uses' | 'packages'> {
  const kept = Object.values(outputs).flatMap((output) => Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [withoutNamespace(path)] : [])));
  const packageOf = (module: string) => {
    const origin = origins.get(module);
    return origin && `${origin.name}@${origin.version}`;
  };
  const byPackage = Map.groupBy(kept, packageOf);
  const contents = (modules: readonly string[]) => modules.map((module): BundledFile => ({ name: origins.get(module)?.file ?? module, sha256: digests.get(module) ?? '' })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const imported = (modules: readonly string[], self: string | undefined) => {
    const targets = modules.flatMap((module) => inputs[`${NAMESPACE}:${module}`]?.imports.map(({ path }) => packageOf(withoutNamespace(path))) ?? []);
    return [...new Set(targets)].filter((each): each is string => each !== undefined && each !== self && byPackage.has(each)).sort();
  };
  const packages = [...byPackage].flatMap(([key, modules]): [string, BundledPackage][] => {
    const origin = origins.get(modules[0] ?? '');
    if (key === undefined || !origin) return [];
    const { name, version, license } = origin;
    return [[key, { name, version, license, files: contents(modules), uses: imported(modules, key) }]];
  });
  const own = byPackage.get(undefined) ?? [];
  return { sources: contents(own), uses: imported(own, undefined), packages: packages.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each) };
}

const withoutNamespace = (path: string): string => path.slice(NAMESPACE.length + 1);

function bundlerErrors(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('errors' in thrown) || !Array.isArray(thrown.errors)) return undefined;
  const errors: readonly Message[] = thrown.errors;
  return errors.slice(0, 5).map(describe).join('; ');
}

function describe({ text, location }: Message): string {
  if (!location) return text;
  return `${location.file.replace(`${NAMESPACE}:`, '')}:${location.line}:${location.column + 1} ${text}`;
}

function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}
