// What is published, as strangers get it: packed from a fresh clone, installed from the tarballs into a folder of its own, used with nothing else at hand.
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { openChat } from '../support/chat.ts';
import { copyOfCheckout } from '../support/checkout.ts';
import { gatehouse as runLauncher, startProcess, type CommandResult } from '../support/process.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let checkout: TempDir;
let consumer: TempDir;
let packages: readonly Packed[];
let isInstalled: boolean;

beforeAll(async () => {
  checkout = await copyOfCheckout();
  consumer = await tempDir();
  packages = JSON.parse(await run('npm', ['pack', '-w', 'plugin-sdk', '-w', 'host', '--json', '--pack-destination', consumer.path], checkout.path)) as Packed[];
  isInstalled = await install();
});

afterAll(async () => {
  await checkout?.[Symbol.asyncDispose]();
  await consumer?.[Symbol.asyncDispose]();
});

describe('the packed files', () => {
  it.each(['@gatehouse/host', '@gatehouse/plugin-sdk'])('of %s are what runs, its types and its licence', (name) => {
    const files = filesOf(name);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(files.filter((file) => !/^(LICENSE|README\.md|package\.json|bin\/gatehouse\.js|dist\/.+\.(js|d\.ts|json|md|html|css|svg))$/.test(file))).toEqual([]);
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    expect(files.filter((file) => /(^|\/)(test|src|data|keys|node_modules|packaging)\/|\.test\.|\.key\.json$/.test(file))).toEqual([]);
  });

  it('of the host hold every first-party plugin and whom to trust for them, never the key', async () => {
    const plugins = await readdir(join(checkout.path, 'plugins'));
    for (const plugin of plugins) expect(filesOf('@gatehouse/host')).toContain(`dist/first-party/${plugin}/plugin.dsse.json`);
    const { privateKey, publicKey } = JSON.parse(await readFile(join(checkout.path, 'data/keys/gatehouse.key.json'), 'utf8')) as Record<string, string>;
    const contents = await Promise.all(filesOf('@gatehouse/host').map((file) => readFile(join(checkout.path, 'host', file), 'utf8')));
    expect(contents.filter((content) => content.includes(publicKey as string))).toHaveLength(1);
    expect(contents.filter((content) => content.includes(privateKey as string) || content.includes('"privateKey": "'))).toEqual([]);
  });

  it('of the host hold the dashboard, and nothing of the machine it was made on', async () => {
    const files = filesOf('@gatehouse/host').filter((file) => file.startsWith('dist/host/control/dashboard/dist/'));
    expect(files.map((file) => file.replace(/^.*\/dist\//, '').replace(/-[\w-]{8}\./, '.')).toSorted()).toEqual(['assets/icon.svg', 'assets/index.css', 'assets/index.js', 'assets/pairing.js', 'assets/uPlot.esm.js', 'index.html']);
    const contents = await Promise.all(files.map((file) => readFile(join(checkout.path, 'host', file), 'utf8')));
    expect(contents.filter((content) => content.includes(checkout.path) || content.includes(ROOT) || content.includes('sourceMappingURL'))).toEqual([]);
  });

  it('of the SDK declare nothing by a path that is not there', async () => {
    const files = new Set(filesOf('@gatehouse/plugin-sdk'));
    for (const file of files) {
      const text = file.endsWith('.d.ts') ? await readFile(join(checkout.path, 'plugin-sdk', file), 'utf8') : '';
      for (const [, specifier] of text.matchAll(/from '(\.[^']+)'/g)) expect(files).toContain(join(file, '..', String(specifier)));
    }
  });

  it('leave the checkout as it was', async () => {
    for (const file of ['host/package.json', 'plugin-sdk/package.json']) expect(await readFile(join(checkout.path, file), 'utf8')).toBe(await readFile(join(ROOT, file), 'utf8'));
    expect(await readdir(join(checkout.path, 'plugin-sdk'))).not.toContain('package.checkout.json');
  });
});

describe('an install', () => {
  it('brings no Node of its own and says which one it needs', async (context) => {
    requireInstall(context);
    expect(await readdir(join(consumer.path, 'node_modules'))).not.toContain('node');
    for (const name of ['host', 'plugin-sdk']) {
      const manifest = JSON.parse(await readFile(join(consumer.path, 'node_modules/@gatehouse', name, 'package.json'), 'utf8')) as Record<string, unknown>;
      expect(manifest).toMatchObject({ version: '0.1.0', license: 'MIT', engines: { node: '>=24' }, publishConfig: { access: 'public' } });
    }
  });

  it('serves an operator: init, check, start, a chat, a first-party plugin by its id', async (context) => {
    requireInstall(context);
    const home = join(consumer.path, 'home');
    expect(await run('npx', ['--no', 'gatehouse', 'init', 'home', '--json'], consumer.path)).toContain('"wordlist"');
    // The folder is private, so sandboxes get no user of their own; that is a warning, and all there is.
    const check = (await gatehouse(['check', '--home', home, '--json'])).json<{ ok: boolean; diagnostics: { code: string }[] }>();
    expect(check).toMatchObject({ ok: true });
    expect(check.diagnostics.filter(({ code }) => code !== 'CONFINEMENT_TOO_WEAK')).toEqual([]);
    await writeFile(join(home, 'webhook.secret'), 'a secret of this test');
    const enabled = await gatehouse(['plugins', 'enable', 'gatehouse.webhook', '--secret', `signing=file:${join(home, 'webhook.secret')}`, '--home', home, '--yes', '--json']);
    expect(enabled.code).toBe(0);
    await using host = await startProcess(home, [], launcher());
    expect(host.lines[0]).toMatchObject({ event: 'ready', plugins: { active: ['clock', 'concierge', 'echo', 'webchat', 'webhook', 'wordlist'], degraded: [] } });
    expect(await (await fetch(host.address)).text()).toMatch(/<script type="module" crossorigin src="\/assets\/index-[\w-]+\.js">/);
    await using chat = await openChat(host.address);
    expect(await chat.ask('echo hello from a package')).toBe('hello from a package');
  });

  it('serves an author outside of any checkout: new, test, build, sign, verify', async (context) => {
    requireInstall(context);
    await using outside = await tempDir();
    for (const line of ['new skill greeter --id acme.greeter', 'build greeter', 'keys generate --publisher acme --out keys', 'sign greeter --key keys/acme.key.json']) {
      expect(await gatehouse(line.split(' '), outside.path)).toMatchObject({ code: 0 });
    }
    const verified = await gatehouse(['verify', 'greeter', '--trust', 'keys', '--json'], outside.path);
    expect(verified.json()).toMatchObject({ ok: true, id: 'acme.greeter', publisher: 'acme' });
    expect(await withFaultyTweetnacl(() => gatehouse(['verify', 'greeter', '--trust', 'keys', '--json'], outside.path))).toMatchObject({ code: 3, stdout: expect.stringContaining('"SIGNATURE_DISPUTED"') });
    expect(await run(process.execPath, ['--test', '--test-reporter=tap'], join(outside.path, 'greeter'))).toMatch(/^# fail 0/m);
    expect(await run(process.execPath, [TSC, '-p', '.'], join(outside.path, 'greeter'))).toBe('');
  });

  it.for([['nodenext', 'nodenext'], ['preserve', 'bundler']] as const)('gives TypeScript its types, module %s and resolution %s', async ([module, moduleResolution], context) => {
    requireInstall(context);
    const dir = join(consumer.path, `types-${module}`);
    await mkdir(dir);
    await writeFile(join(dir, 'plugin.ts'), CONSUMER);
    const options = { target: 'es2023', lib: ['es2024', 'esnext.disposable'], module, moduleResolution, types: [], strict: true, noEmit: true };
    await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }));
    expect(await run(process.execPath, [TSC, '-p', '.'], dir)).toBe('');
  });
});

/** Right uses pass, and wrong ones are seen: types that were not found would be `any`, and take everything. */
const CONSUMER = `
import { main } from '@gatehouse/host';
import { BOUNDS, defineSkill, parseUrl, type Message } from '@gatehouse/plugin-sdk';
import { aMessage, runPlugin } from '@gatehouse/plugin-sdk/testing';

const shout = (message: Message): string => message.text.toUpperCase().slice(0, BOUNDS.messageTextBytes);
const skill = defineSkill({ respond: ({ message }) => ({ replies: [{ text: shout(message) }] }) });
export const answered: Promise<unknown> = runPlugin(skill).respond(aMessage({ text: parseUrl('https://a.example/')?.host ?? '' }));
export const run: (argv: readonly string[]) => Promise<void> = main;

// @ts-expect-error a reply has a text
defineSkill({ respond: () => ({ replies: [{ txt: '' }] }) });
// @ts-expect-error a message's text is no number
export const wrong: number = aMessage().text;
`;

/** While one of the two implementations of Ed25519 that were installed says no to everything. */
async function withFaultyTweetnacl<T>(work: () => Promise<T>): Promise<T> {
  const file = join(consumer.path, 'node_modules/tweetnacl/nacl-fast.js');
  const right = await readFile(file);
  await writeFile(file, `${right.toString()}\nmodule.exports.sign.detached.verify = () => false;\n`);
  try {
    return await work();
  } finally {
    await writeFile(file, right);
  }
}

const launcher = () => join(consumer.path, 'node_modules/@gatehouse/host/bin/gatehouse.js');

function gatehouse(args: readonly string[], cwd = consumer.path): Promise<CommandResult> {
  return runLauncher(args, { cwd, launcher: launcher() });
}

function filesOf(name: string): string[] {
  return packages.find((each) => each.name === name)?.files.map(({ path }) => path) ?? [];
}

function requireInstall(context: TestContext): void {
  if (!isInstalled) context.skip('not run: npm registry');
}

/** False when there is no registry to take the dependencies from, or it is too slow; throws when it is the packages that cannot be installed. */
async function install(): Promise<boolean> {
  if (!(await registryAnswers())) return false;
  await writeFile(join(consumer.path, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  try {
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages.map(({ filename }) => `./${filename}`)], consumer.path, INSTALL_MS);
    return true;
  } catch (thrown) {
    const isTooSlow = thrown instanceof Error && thrown.cause instanceof Error && 'killed' in thrown.cause && thrown.cause.killed === true;
    if (isTooSlow || !(await registryAnswers())) return false;
    throw thrown;
  }
}

const INSTALL_MS = 80_000;
const PROBE_MS = 15_000;

function registryAnswers(): Promise<boolean> {
  return run('npm', ['view', 'typebox', 'name', '--prefer-online', '--fetch-retries=0'], consumer.path, PROBE_MS).then(() => true, () => false);
}

/** Resolves with what it printed; rejects, with what it said, unless it ended with 0 in time. */
function run(command: string, args: readonly string[], cwd: string, timeoutMs = INSTALL_MS): Promise<string> {
  return new Promise((done, fail) => {
    execFile(command, args, { cwd, env: ENVIRONMENT, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) fail(new Error(`${command} ${args.join(' ')} ended with ${String(error.code)}: ${stderr}${stdout}`, { cause: error }));
      else done(stdout);
    });
  });
}

/** As a person's shell has it, with the repository's Node first: an npm that runs these tests tells its children about this repository, which is none of theirs. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_(?!config_(registry|cache|userconfig|https?_proxy|proxy|noproxy|cafile|strict_ssl)$)|NODE_(?!EXTRA_CA_CERTS)|GATEHOUSE_|VITEST|INIT_CWD)/i.test(name))),
  PATH: [join(ROOT, 'node_modules/node/bin'), process.env['PATH'] ?? ''].join(delimiter),
  NO_COLOR: '1',
};
