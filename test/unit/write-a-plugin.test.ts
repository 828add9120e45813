// Every example in docs/write-a-plugin.md is a plugin: it type-checks, builds, registers, and its own test passes.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { newPlugin } from '../../host/authoring/new.ts';
import { TEMPLATES } from '../../host/authoring/templates.ts';
import { ERRORS } from '../../host/errors.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { tempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/write-a-plugin.md'), 'utf8');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const run = promisify(execFile);

/** The fenced blocks marked `example=<name>`, by that name. */
const examples = new Map([...PAGE.matchAll(/^```\w+ example=(\S+)\n([^]*?)^```$/gm)].map(([, name = '', content = '']) => [name, content]));
const plugins = [...examples.keys()].filter((name) => !name.includes(':'));

const HANDLERS = { skill: ['respond'], moderation: ['evaluate'], tool: ['call'], channel: ['receive', 'send'] };

function manifestOf(name: string): PluginManifest {
  return { ...JSON.parse(examples.get('base:plugin.json') ?? '{}'), ...JSON.parse(examples.get(`${name}:plugin.json`) ?? '{}') };
}

describe.each(plugins)('the example %s', (name) => {
  it('type-checks, builds and registers what its kind needs', async () => {
    await using dir = await tempDir('gatehouse-example-');
    const folder = join(dir.path, name);
    const manifest = manifestOf(name);
    await newPlugin(manifest.kind, folder, manifest.id);
    await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest));
    await writeFile(join(folder, 'src/plugin.ts'), examples.get(name) ?? '');
    await expect(run(process.execPath, [TSC, '-p', folder])).resolves.toMatchObject({ stdout: '' });

    const { path, warnings } = await buildPlugin(folder);
    expect(warnings).toEqual([]);
    const registered: unknown[] = [];
    runInContext(await readFile(join(path, 'plugin.js'), 'utf8'), createContext({ gatehouse: { register: (plugin: { kind: string; handlers: object }) => registered.push({ kind: plugin.kind, handlers: Object.keys(plugin.handlers) }) } }));
    expect(registered).toEqual([{ kind: manifest.kind, handlers: manifest.channel?.abilities ?? HANDLERS[manifest.kind] }]);

    const test = examples.get(`${name}:test`);
    await mkdir(join(folder, 'test'), { recursive: true });
    await writeFile(join(folder, 'test/plugin.test.ts'), test ?? '');
    await expect(run(process.execPath, ['--test', '--test-reporter=tap'], { cwd: folder })).resolves.toMatchObject({ stdout: expect.stringMatching(/# fail 0\n/) });
  });
});

describe('docs/write-a-plugin.md', () => {
  it('has an example of each kind and a test', () => {
    expect(new Set(plugins.map((name) => manifestOf(name).kind))).toEqual(new Set(Object.keys(HANDLERS)));
    expect([...examples.keys()].filter((name) => name.endsWith(':test'))).toEqual(['counter:test']);
  });

  it('shows the skill that `new` writes', () => {
    expect(PAGE).toContain(`\`\`\`ts\n${TEMPLATES.skill.source}\`\`\``);
  });

  it('names only error codes that exist', () => {
    const ownExamples = ['TOO_LARGE', 'EVENT_MALFORMED'];
    const codes = new Set([...PAGE.matchAll(/[`'"]([A-Z]+_[A-Z_]+)[`'"]/g)].map(([, code = '']) => code));
    expect([...codes].filter((code) => !Object.hasOwn(ERRORS, code) && !ownExamples.includes(code))).toEqual([]);
  });
});
