// `npm run dashboard`: bundles app/ into dist/, which dashboard.ts hands out. Skips when nothing changed. Called by start, test and bench of a checkout, and by packaging for the published package.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../../..');
const APP = join(import.meta.dirname, 'app');
export const DASHBOARD_DIST = join(import.meta.dirname, 'dist');

/** The hash of what the files were made from, beside them. It is not handed out. */
export const STAMP = '.made-from';

/** All that decides what comes out: the sources, what they import of the host, this file, and the versions of what bundles and is bundled. */
async function inputs(): Promise<string> {
  const files = [...(await readdir(APP, { recursive: true, withFileTypes: true })).filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name)), join(import.meta.dirname, '../scopes.ts'), import.meta.filename];
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(`${relative(ROOT, file)}\n`).update(await readFile(file));
  for (const name of ['vite', 'preact', 'uplot']) hash.update(await readFile(join(ROOT, 'node_modules', name, 'package.json')));
  return hash.digest('hex');
}

/** Makes dist/ unless it is there already, whole or not at all: two builds at once end with one of them. */
export async function buildDashboard(): Promise<{ readonly changed: boolean; /** Of what every view loads, and of all. */ readonly gzipBytes: { readonly first: number; readonly all: number } }> {
  const madeFrom = await inputs();
  const stamp = join(DASHBOARD_DIST, STAMP);
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === madeFrom) return { changed: false, gzipBytes: { first: 0, all: 0 } };
  const fresh = join(import.meta.dirname, `.dist-${process.pid}`);
  const result = await build({
    root: APP,
    configFile: false,
    envFile: false,
    logLevel: 'error',
    base: '/',
    publicDir: false,
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    // Inlined fonts or images would be one more thing for the policy to allow; maps would hold the paths of the machine they were made on.
    build: { outDir: fresh, emptyOutDir: true, target: 'es2022', sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  });
  await mkdir(fresh, { recursive: true });
  await writeFile(join(fresh, STAMP), madeFrom);
  const old = `${fresh}.old`;
  if (existsSync(DASHBOARD_DIST)) await rename(DASHBOARD_DIST, old);
  await rename(fresh, DASHBOARD_DIST);
  await rm(old, { recursive: true, force: true });
  const outputs = [result].flat().flatMap((each) => ('output' in each ? each.output : []));
  const bytesOf = (wanted: typeof outputs) => wanted.reduce((sum, each) => sum + gzipSync(each.type === 'chunk' ? each.code : each.source).length, 0);
  const isFirst = new Set<string>();
  const follow = (fileName: string) => {
    const found = outputs.find((each) => each.fileName === fileName);
    if (!found || isFirst.has(fileName)) return;
    isFirst.add(fileName);
    if (found.type === 'chunk') found.imports.forEach(follow);
  };
  for (const each of outputs) if (each.type !== 'chunk' || each.isEntry) follow(each.fileName);
  return { changed: true, gzipBytes: { first: bytesOf(outputs.filter(({ fileName }) => isFirst.has(fileName))), all: bytesOf(outputs) } };
}

const kb = (bytes: number) => (bytes / 1000).toFixed(1);

if (import.meta.main) {
  const { changed, gzipBytes } = await buildDashboard();
  if (changed) process.stderr.write(`Built the dashboard: ${kb(gzipBytes.first)} kB gzipped, ${kb(gzipBytes.all)} kB in all.\n`);
}
