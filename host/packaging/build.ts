// `npm run build`: makes dist/ of the packages that are published, host and plugin-sdk. Called by their prepack scripts too; a checkout runs its sources and needs none of it.
import { execFileSync } from 'node:child_process';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { buildFirstParty } from '../authoring/first-party.ts';
import { shipFirstParty } from '../authoring/shipped.ts';
import { systemClock } from '../clock.ts';
import { buildDashboard, DASHBOARD_DIST, STAMP } from '../control/dashboard/build.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');

/** What stands in dist/ beside the compiled sources. Folders keep the places they have in the repository, so that code finds them from both. */
const EXTRAS: Readonly<Record<string, (dist: string) => Promise<void>>> = {
  'plugin-sdk': async () => undefined,
  async host(dist) {
    await cp(join(ROOT, 'host/sandbox/child'), join(dist, 'host/sandbox/child'), { recursive: true }); // the very bytes that the tests ran
    await cp(join(ROOT, 'schemas/json'), join(dist, 'schemas/json'), { recursive: true });
    await buildDashboard();
    await cp(DASHBOARD_DIST, join(dist, 'host/control/dashboard/dist'), { recursive: true, filter: (file) => basename(file) !== STAMP });
    await shipFirstParty(join(dist, 'first-party'), await buildFirstParty({ now: systemClock.now() }));
  },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(EXTRAS);
for (const name of wanted) {
  const addExtras = EXTRAS[name];
  if (!addExtras) throw new Error(`there is no package '${name}' to build, only ${Object.keys(EXTRAS).join(' and ')}`);
  const dist = join(ROOT, name, 'dist');
  await rm(dist, { recursive: true, force: true });
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(ROOT, name, 'tsconfig.build.json')], { stdio: 'inherit' });
  await pointDeclarationsAtScripts(dist);
  await addExtras(dist);
  process.stderr.write(`${name}/dist is built.\n`);
}

/** tsc rewrites `./x.ts` to `./x.js` in what runs, not in what declares; there is no x.ts beside a declaration. */
async function pointDeclarationsAtScripts(dist: string): Promise<void> {
  const files = (await readdir(dist, { recursive: true })).filter((file) => file.endsWith('.d.ts'));
  for (const file of files) {
    const path = join(dist, file);
    const text = await readFile(path, 'utf8');
    const rewritten = text.replaceAll(/((?:from |import\()(["'])\.{1,2}\/[^"']+)\.ts\2/g, (_, specifier: string, quote: string) => `${specifier}.js${quote}`);
    if (rewritten !== text) await writeFile(path, rewritten);
  }
}
