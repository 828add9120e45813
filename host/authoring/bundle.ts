// Bundles a plugin's sources into one classic script, byte-identical wherever the folder lies. Used by build.ts.
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import { Script } from 'node:vm';
import type { Loader, Message, Metafile, Plugin } from 'esbuild';
import { GatehouseError, problemOf } from '../errors.ts';

/** An npm package whose code is part of the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
}

export interface Bundle {
  readonly script: string;
  /** Sorted by name and version. */
  readonly packages: readonly BundledPackage[];
  /** What the bundler found odd but not wrong, one line each. */
  readonly warnings: readonly string[];
}

const SDK = '@gatehouse/plugin-sdk';
/** Our own code does nothing by being imported: what a plugin does not use is left out. */
const PURE: ReadonlySet<string> = new Set([SDK, 'gatehouse']);
const ENTRIES = ['src/plugin.ts', 'src/plugin.js'] as const;

/** `dir` is a real path. Throws BUILD_FAILED with the first errors and their places. */
export async function bundle(dir: string): Promise<Bundle> {
  const entry = ENTRIES.find((name) => existsSync(join(dir, name)));
  if (entry === undefined) throw new GatehouseError('BUILD_FAILED', { source: dir, problem: `there is no ${ENTRIES.join(' or ')}` });
  const { build } = await import('esbuild');
  const origins = new Map<string, BundledPackage>();
  try {
    const { outputFiles, metafile, warnings } = await build({
      entryPoints: [entry],
      absWorkingDir: dir,
      plugins: [stablePaths(dir, origins)],
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
    return { script, packages: packagesIn(metafile, origins), warnings: warnings.map(describe) };
  } catch (thrown) {
    throw new GatehouseError('BUILD_FAILED', { source: dir, problem: bundlerErrors(thrown) ?? problemOf(thrown) }, { cause: thrown });
  }
}

/** Every module is known to the bundler by a path that says what it is, not where it lies: `src/plugin.ts`, `left-pad@1.3.0/index.js`. */
const NAMESPACE = 'gatehouse-source';

const LOADERS: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.mts': 'ts', '.js': 'js', '.mjs': 'js', '.cjs': 'js', '.json': 'json', '.txt': 'text' };

/** Takes over finding and reading of modules: the SDK that came with the host stands in for a missing one, and Node's own modules are refused. */
function stablePaths(dir: string, origins: Map<string, BundledPackage>): Plugin {
  const asking = Symbol('asking the bundler itself');
  const realPaths = new Map<string, string>();
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
        if (origin) origins.set(stable, origin);
        realPaths.set(stable, found.path);
        return { path: stable, namespace: NAMESPACE, sideEffects: found.sideEffects && !PURE.has(origin?.name ?? '') };
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, async ({ path }) => {
        const real = realPaths.get(path) ?? path;
        const loader = LOADERS[extname(real)];
        if (!loader) return { errors: [{ text: `'${path}' is no script, JSON or text; put other files into assets/` }] };
        return { contents: await readFile(real), loader, resolveDir: dirname(real) };
      });
    },
  };
}

function stableName(path: string, dir: string): { readonly stable: string; readonly origin?: BundledPackage } {
  const own = slashed(relative(dir, path));
  if (!own.startsWith('../') && !own.includes('node_modules/')) return { stable: own };
  const found = packageAround(path);
  if (!found) return { stable: own };
  const { name, version, license, root } = found;
  return { stable: `${name}@${version}/${slashed(relative(root, path))}`, origin: { name, version, license } };
}

/** The nearest package.json above a file that has a name and a version. */
function packageAround(path: string): (BundledPackage & { readonly root: string }) | undefined {
  for (let root = dirname(path); root !== dirname(root); root = dirname(root)) {
    const file = join(root, 'package.json');
    if (!existsSync(file)) continue;
    const { name, version, license }: Record<string, unknown> = Object(JSON.parse(readFileSync(file, 'utf8')));
    if (typeof name === 'string' && typeof version === 'string') return { name, version, license: typeof license === 'string' ? license : undefined, root };
  }
  return undefined;
}

/** The bundler heads each module with a comment that names it; our namespace makes those lines unmistakable. */
function withoutPathComments(script: string): string {
  return script.replace(new RegExp(`^ *// ${NAMESPACE}:.*\n`, 'gm'), '');
}

/** The sandbox evaluates plugin.js as a classic script; what does not parse as one must not leave this machine. */
function assertClassicScript(script: string): void {
  void new Script(script, { filename: 'plugin.js' });
}

function packagesIn({ outputs }: Metafile, origins: ReadonlyMap<string, BundledPackage>): BundledPackage[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs).flatMap(([name, { bytesInOutput }]) => (bytesInOutput > 0 ? [name] : [])));
  const packages = inputs.flatMap((name) => origins.get(name.slice(NAMESPACE.length + 1)) ?? []);
  const unique = new Map(packages.map((each) => [`${each.name}@${each.version}`, each]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

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
