// The layers of the code, held by a test: who may import whom, one owner per library, no loose ends.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** Lowest first: a file imports only from its own layer or an earlier one. */
const HOST_LAYERS: readonly (readonly string[])[] = [
  ['host/errors.ts', 'host/events.ts', 'host/tracing.ts', 'host/clock.ts', 'host/ids.ts', 'host/log.ts', 'host/log-redaction.ts', 'host/secret-formats.ts', 'host/strict-json.ts', 'host/schema.ts', 'host/schema-explain.ts', 'host/plugin-schema.ts', 'host/config.ts', 'host/config-edit.ts', 'host/problem.ts', 'host/time-zone.ts', 'host/nearest.ts', 'host/version.ts', 'host/network/'],
  ['host/store/'],
  ['host/trust/'],
  ['host/registry/'],
  ['host/sandbox/'],
  ['host/egress/'],
  ['host/media/'],
  ['host/capabilities/', 'host/broker/', 'host/costs/'],
  ['host/supervisor/'],
  ['host/pipeline/', 'host/outbound/'],
  ['host/host.ts', 'host/config-desk.ts', 'host/plugin-life.ts', 'host/directory.ts', 'host/quarantine/', 'host/channels/', 'host/topology.ts', 'host/vitals.ts', 'host/reload/', 'host/backup/'],
  ['host/authoring/', 'host/control/', 'host/cli/', 'host/telemetry/'],
  ['host/main.ts', 'host/packaging/'],
];

/** Runs in browsers, and nothing of it in the host. */
const PAGE = 'host/control/dashboard/app/';

const OWNERS: Readonly<Record<string, readonly string[]>> = {
  lmdb: ['host/store/lmdb.ts'],
  'isolated-vm': ['host/sandbox/child/'],
  fastify: ['host/control/'],
  '@fastify/websocket': ['host/control/'],
  '@fastify/static': ['host/control/'],
  '@fastify/cors': ['host/control/'],
  '@fastify/swagger-ui': ['host/control/'],
  '@opentelemetry/api': ['host/telemetry/'],
  'bonjour-service': ['host/control/'],
  tweetnacl: ['host/trust/keys.ts'],
  ajv: ['host/schema.ts', 'host/schema-explain.ts', 'host/plugin-schema.ts'],
  pino: ['host/log.ts'],
  'prom-client': ['host/telemetry/'],
  commander: ['host/cli/', 'host/main.ts'],
  'cli-table3': ['host/cli/'],
  esbuild: ['host/authoring/'],
  undici: ['host/egress/'],
  'ipaddr.js': ['host/egress/'],
  chokidar: ['host/reload/'],
  acorn: ['host/trust/scan/'],
  vite: ['host/control/dashboard/build.ts'],
  preact: ['host/control/dashboard/app/'],
  uplot: ['host/control/dashboard/app/'],
};

const files = [...sources('host'), ...sources('plugin-sdk'), ...sources('schemas'), ...sources('plugins')];

describe('architecture', () => {
  it('lets a file of the host import only from its own layer or an earlier one', () => {
    const breaches: string[] = [];
    for (const file of files.filter((each) => each.startsWith('host/'))) {
      for (const target of localImports(file)) {
        if (target.startsWith('schemas/')) continue;
        if (!target.startsWith('host/')) breaches.push(`${file} imports ${target}, which is not the host's`);
        else if (layerOf(target) > layerOf(file)) breaches.push(`${file} imports ${target}, a later layer`);
      }
    }
    expect(breaches).toEqual([]);
  });

  it('gives every file of the host a layer', () => {
    const homeless = files.filter((each) => each.startsWith('host/') && !each.startsWith('host/bin/') && layerOf(each) === -1);
    expect(homeless).toEqual([]);
  });

  it('keeps the child of the sandbox to itself and in plain JavaScript', () => {
    const child = files.filter((each) => each.startsWith('host/sandbox/child/'));
    expect(child.length).toBeGreaterThan(0);
    expect(child.filter((each) => !each.endsWith('.js'))).toEqual([]);
    const outside = child.flatMap((file) => localImports(file).filter((target) => !target.startsWith('host/sandbox/child/')).map((target) => `${file} imports ${target}`));
    expect(outside).toEqual([]);
  });

  it('keeps the page of the dashboard to what a browser has: its own files, types of the schemas, the scopes', () => {
    const page = files.filter((each) => each.startsWith(PAGE));
    expect(page.length).toBeGreaterThan(10);
    const outside = page.flatMap((file) => localImports(file).filter((target) => !target.startsWith(PAGE) && target !== 'host/control/scopes.ts' && !target.startsWith('schemas/')).map((target) => `${file} imports ${target}`));
    const values = page.filter((file) => /^import (?!type )[^;]*\/schemas\//m.test(codeOf(file))).map((file) => `${file} imports a schema, not a type`);
    const foreign = page.flatMap((file) => packageImports(file).filter((name) => !/^(preact|uplot)(\/|$)/.test(name)).map((name) => `${file} imports ${name}`));
    expect([...outside, ...values, ...foreign]).toEqual([]);
    expect(files.filter((each) => !each.startsWith(PAGE) && localImports(each).some((target) => target.startsWith(PAGE)))).toEqual([]);
  });

  it('lets schemas import only schemas, the SDK only schemas, plugins only the SDK', () => {
    const breaches: string[] = [];
    for (const file of files) {
      for (const target of localImports(file)) {
        if (file.startsWith('schemas/') && !target.startsWith('schemas/')) breaches.push(`${file} imports ${target}`);
        if (file.startsWith('plugin-sdk/') && !target.startsWith('plugin-sdk/') && !target.startsWith('schemas/')) breaches.push(`${file} imports ${target}`);
        if (file.startsWith('plugins/') && !target.startsWith(file.split('/').slice(0, 2).join('/'))) breaches.push(`${file} imports ${target}`);
      }
      if (file.startsWith('plugins/') && file.includes('/src/')) for (const name of packageImports(file)) if (!name.startsWith('@gatehouse/plugin-sdk')) breaches.push(`${file} imports ${name}`);
    }
    expect(breaches).toEqual([]);
  });

  it('gives every library one owner', () => {
    const breaches: string[] = [];
    for (const file of files) {
      for (const name of packageImports(file)) {
        const owners = OWNERS[name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] as string)];
        if (owners && !owners.some((owner) => file.startsWith(owner))) breaches.push(`${file} imports ${name}; its owner is ${owners.join(', ')}`);
      }
    }
    expect(breaches).toEqual([]);
  });

  it('asks the time only in clock.ts', () => {
    const outside = files.filter((each) => each.startsWith('host/') && each !== 'host/clock.ts' && !each.startsWith(PAGE) && !each.startsWith('host/sandbox/child/') && /\bDate\.now\(\)|new Date\(\)/.test(codeOf(each)));
    expect(outside).toEqual([]);
  });

  it('begins every file with a sentence that says what it is', () => {
    const silent = files.filter((each) => !each.startsWith('host/bin/') && !/^(#!.*\n)?(\/\/|\/\*)/.test(readFileSync(join(ROOT, each), 'utf8')));
    expect(silent).toEqual([]);
  });

  it('has no folder but the agreed ones at the top', () => {
    const agreed = new Set(['host', 'plugin-sdk', 'plugins', 'manifests', 'schemas', 'test', 'docs', 'node_modules', 'data', 'evidence', '.git', '.ci']);
    const others = readdirSync(ROOT).filter((each) => statSync(join(ROOT, each)).isDirectory() && !agreed.has(each));
    expect(others).toEqual([]);
  });
});

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && /\.(tsx?|js)$/.test(each.name) && !each.name.endsWith('.d.ts'))
    .map((each) => relative(ROOT, join(each.parentPath, each.name)))
    .filter((each) => !/(^|\/)(node_modules|dist|assets)\//.test(each) && !each.startsWith('schemas/json/') && !/\/test\//.test(each));
}

function layerOf(file: string): number {
  return HOST_LAYERS.findIndex((layer) => layer.some((each) => (each.endsWith('/') ? file.startsWith(each) : file === each)));
}

function codeOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

function importsOf(file: string): string[] {
  return [...codeOf(file).matchAll(/(?:^|[\s;}])(?:import|export)\s[^'";]*?from\s*'([^']+)'|^import\s*'([^']+)'|import\(\s*'([^']+)'\s*\)/gm)].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
}

function localImports(file: string): string[] {
  return importsOf(file).filter((each) => each.startsWith('.')).map((each) => relative(ROOT, resolve(ROOT, dirname(file), each)));
}

function packageImports(file: string): string[] {
  return importsOf(file).filter((each) => !each.startsWith('.') && !each.startsWith('node:'));
}
