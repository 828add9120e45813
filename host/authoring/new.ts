// Starts a plugin: a folder that builds, tests and can be read in a minute, inside or outside this repository. Used by `new`.
import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PluginId } from '../../schemas/ids.ts';
import { HOST_API_VERSION, type PluginKind } from '../../schemas/plugin-manifest.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import { TEMPLATES, type Template } from './templates.ts';

export interface NewPlugin {
  readonly path: string;
  readonly id: string;
  readonly kind: PluginKind;
  /** Names of the files written, sorted. */
  readonly files: readonly string[];
}

/** The publisher of a plugin whose author has not said who they are. */
const PLACEHOLDER_PUBLISHER = 'example';

/** `dir` may exist but must be empty; without an id it is `example.<folder>`. Throws FOLDER_NOT_EMPTY or USAGE. */
export async function newPlugin(kind: PluginKind, dir: string, givenId?: string): Promise<NewPlugin> {
  const id = givenId ?? `${PLACEHOLDER_PUBLISHER}.${slug(basename(dir))}`;
  const ids: { is(value: unknown): boolean } = compileSchema(PluginId);
  if (!ids.is(id)) throw new GatehouseError('USAGE', { problem: `'${id}' is not a plugin id; one looks like acme.weather: publisher, dot, name, in lower-case letters, digits and dashes`, command: 'new' });
  if (existsSync(dir) && (await readdir(dir)).length > 0) throw new GatehouseError('FOLDER_NOT_EMPTY', { folder: dir });
  const files = filesOf(kind, id, TEMPLATES[kind]);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  await linkSdk(dir);
  return { path: dir, id, kind, files: Object.keys(files).sort() };
}

function filesOf(kind: PluginKind, id: string, { description, manifest, source, test }: Template): Record<string, string> {
  const name = id.slice(id.indexOf('.') + 1);
  const plugin = {
    $schema: 'https://gatehouse.dev/schemas/plugin-manifest.schema.json',
    manifestVersion: 1, id, publisher: id.slice(0, id.indexOf('.')), version: '0.1.0', kind, displayName: titleOf(name), description, license: 'MIT', hostApi: `^${HOST_API_VERSION}`, ...manifest,
  };
  return {
    'plugin.json': json(plugin),
    'src/plugin.ts': source,
    'test/plugin.test.ts': test,
    'README.md': readme(id, titleOf(name), kind, description),
    'package.json': json({ name, version: '0.1.0', private: true, type: 'module', scripts: { test: 'node --test' } }),
    'tsconfig.json': json({ compilerOptions: { target: 'es2023', lib: ['es2024'], module: 'nodenext', moduleResolution: 'nodenext', types: [], strict: true, noEmit: true, allowImportingTsExtensions: true, verbatimModuleSyntax: true, skipLibCheck: true }, include: ['src'] }),
    '.gitignore': 'dist/\nnode_modules/\n*.key.json\n',
  };
}

/** For editors and tests; the build finds the SDK without it. A system that permits no links loses completion, nothing else. */
async function linkSdk(dir: string): Promise<void> {
  const link = join(dir, 'node_modules', '@gatehouse', 'plugin-sdk');
  await mkdir(dirname(link), { recursive: true });
  try {
    await symlink(dirname(fileURLToPath(import.meta.resolve('@gatehouse/plugin-sdk/package.json'))), link, 'junction');
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM')) throw thrown;
  }
}

function slug(name: string): string {
  const letters = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^[^a-z]+|-+$/g, '').slice(0, 40);
  return letters === '' ? 'plugin' : letters;
}

function titleOf(name: string): string {
  const words = name.replace(/[.-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function readme(id: string, title: string, kind: PluginKind, description: string): string {
  const publisher = id.slice(0, id.indexOf('.'));
  return `# ${title}

${description} A ${kind} plugin for [Gatehouse](https://gatehouse.dev).

\`\`\`sh
node --test                                            # Node 24 or newer
gatehouse build .                                      # writes dist/
gatehouse keys generate --publisher ${publisher} --out ~/keys    # once
gatehouse sign . --key ~/keys/${publisher}.key.json
gatehouse inspect .                                    # what an operator will see
gatehouse trust add ~/keys/${publisher}.json --home HOME         # the operator, once per publisher
gatehouse plugins enable . --home HOME
\`\`\`
`;
}
