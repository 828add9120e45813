#!/usr/bin/env node
// The launcher: plain JavaScript that Node 20 parses. Runs the host on Node 24 or newer, its own or the one in node_modules.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 24;
/** MiB of V8's young generation. A busy host makes garbage in bursts, and the default is so small that collecting it takes a fifth of the host's time. */
const YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=32'];
const here = dirname(realpathSync(fileURLToPath(import.meta.url)));

if (majorOf(process.versions.node) >= NEEDED_MAJOR) await run();
else relaunch();

/** Published packages carry dist/ and no sources; a checkout runs its sources, whatever an earlier build left in dist/. */
async function run() {
  // Halves the time a command takes. Beside the code, because whoever can write there can change the code itself; where it is read-only, nothing happens.
  const modules = nearest('node_modules');
  if (modules) module.enableCompileCache(join(modules, '.cache', 'gatehouse'));
  const source = join(here, '..', 'main.ts');
  const entry = existsSync(source) ? source : join(here, '..', 'dist', 'host', 'main.js');
  /** @type {{ main: (argv: readonly string[]) => Promise<void> }} */
  const { main } = await import(pathToFileURL(entry).href);
  await main(process.argv.slice(2));
}

/** Starts this file again under the `node` package, as a child that ends when this process does. */
function relaunch() {
  // Set already: the node found there is too old itself.
  const node = process.env['GATEHOUSE_LAUNCHER_FD'] ? undefined : findNode();
  if (!node) {
    process.stderr.write(`Gatehouse needs Node.js ${NEEDED_MAJOR} or newer; this is ${process.versions.node}, and no newer \`node\` package is installed beside it.\nInstall Node.js ${NEEDED_MAJOR}, or run \`npm install --save-dev node@${NEEDED_MAJOR}\`.\n`);
    process.exitCode = 2;
    return;
  }
  // Nothing is ever written to fd 3: its end-of-file is how the child learns of this process's death, SIGKILL included.
  const child = spawn(node, [...YOUNG_GENERATION, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, GATEHOUSE_LAUNCHER_FD: '3' },
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`Cannot run ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0));
  });
}

/** The `node` package's binary. */
function findNode() {
  return nearest(join('node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node'));
}

/**
 * The first that exists, from this file's folder upward.
 * @param {string} path
 */
function nearest(path) {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, path);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

/** @param {string} version */
function majorOf(version) {
  return Number(version.split('.')[0]);
}
