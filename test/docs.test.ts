// The documentation against the code: names, paths, links, keys, commands and numbers that readers rely on exist, and what exists is written down.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { IsObject, type TSchema } from 'typebox';
import { describe, expect, it } from 'vitest';
import { errorsPage } from '../docs/generate-errors.ts';
import { settingsPage } from '../docs/generate-settings.ts';
import { runCli } from '../host/cli/cli.ts';
import type { SecurityCheck } from '../host/cli/security/check.ts';
import { SECURITY_CHECKS } from '../host/cli/security/checks.ts';
import { OVERRIDE_NAMES } from '../host/config.ts';
import { describedRoutes } from '../host/control/server.ts';
import { SCOPES } from '../host/control/scopes.ts';
import { ERRORS } from '../host/errors.ts';
import type { Host } from '../host/host.ts';
import { VITALS } from './support/control-plane.ts';
import { createMetrics } from '../host/telemetry/metrics.ts';
import { OPTIONAL_ABILITIES } from '../schemas/abilities.ts';
import { Capability } from '../schemas/capability.ts';
import { WITHOUT } from '../schemas/channel.ts';
import { PluginState } from '../schemas/control.ts';
import { Enablement } from '../schemas/enablement.ts';
import { EVENT_TYPES, EVENTS } from '../schemas/event.ts';
import { HostConfig } from '../schemas/host-config.ts';
import { Limits } from '../schemas/plugin-manifest.ts';
import { POLICY_BLOCKS } from '../schemas/policy.ts';

const ROOT = resolve(import.meta.dirname, '..');
const OPERATE = 'docs/operate.md';
const API = 'docs/api.md';
const CONFIG = 'docs/config.md';

const pages = globSync(['README.md', 'SECURITY.md', 'CHANGELOG.md', 'docs/**/*.md', 'plugin-sdk/README.md', 'plugins/*/README.md'], { cwd: ROOT }).toSorted();

describe('documentation', () => {
  it('links only to files and headings that exist', () => {
    expect(pages.flatMap((page) => brokenLinks(page).map((link) => `${page}: ${link}`))).toEqual([]);
  });

  it('names only files and folders that exist', () => {
    expect(pages.flatMap((page) => missingPaths(page).map((path) => `${page}: ${path}`))).toEqual([]);
  });

  it('names only error codes that exist', () => {
    const unknown = pages.flatMap((page) => codesIn(page).filter((code) => !Object.hasOwn(ERRORS, code)).map((code) => `${page}: ${code}`));
    expect(unknown).toEqual([]);
  });

  it('carries the table of errors as it is', () => {
    expect(read('docs/errors.md')).toBe(errorsPage());
    for (const code of Object.keys(ERRORS)) expect(read('docs/errors.md')).toContain(`\`${code}\``);
  });

  it('says what to do about the error codes an operator meets most', () => {
    const text = read(OPERATE);
    expect(Object.keys(ERRORS).filter((code) => TROUBLE.has(code) && !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('lists every section of the operator’s page in its contents, in order', () => {
    const contents = /^Contents: (.*)$/m.exec(read(OPERATE))?.[1] ?? '';
    expect([...contents.matchAll(/\[([^\]]+)\]/g)].map(([, name]) => name)).toEqual([...read(OPERATE).matchAll(/^## (.+)$/gm)].map(([, name]) => name));
  });

  it('lists every setting of host.json with its default and its environment variable, and everything else about it as the schema has it', () => {
    expect(settingsTable('Every setting')).toEqual(settingsOf(HostConfig));
    expect(read(CONFIG)).toBe(settingsPage(read(CONFIG)));
  });

  it('lists every key of an enablement', () => {
    const listed = new Set(tableUnder(OPERATE, 'Enablement files').map(([key]) => plain(key)));
    const blocks = { ...POLICY_BLOCKS, limits: Limits };
    const wanted = [...keysOf(Enablement), ...Object.entries(blocks).flatMap(([name, block]) => keysOf(block).map((key) => `${name}.${key}`))];
    expect(wanted.filter((key) => !listed.has(key) && key !== '$schema' && !Object.hasOwn(blocks, key))).toEqual([]);
    expect([...listed].filter((key) => !wanted.includes(key))).toEqual([]);
  });

  it('says what to do in every state of a plugin', () => {
    expect(tableUnder(OPERATE, 'States').map(([state]) => plain(state)).toSorted()).toEqual(wordsOf(PluginState).toSorted());
  });

  it('shows every command and subcommand', async () => {
    const text = ['README.md', ...globSync(['docs/*.md', 'docs/ops/*.md'], { cwd: ROOT })].map(read).join('\n');
    const commands = await everyCommand();
    expect(commands.length).toBeGreaterThan(20);
    expect(commands.filter((command) => !new RegExp(`gatehouse ${command}(?![\\w-])`).test(text))).toEqual([]);
  });

  it('lists every check of the security audit with its severity and why it matters', () => {
    const checks = Object.entries<SecurityCheck>(SECURITY_CHECKS).map(([name, { severity, exposed, why }]) => [name, exposed === undefined ? severity : `${severity}, ${exposed} where others reach the host`, why]);
    expect(tableUnder(OPERATE, 'Security audit').map(([name, ...rest]) => [plain(name), ...rest])).toEqual(checks);
  });

  it('lists every route of the API with its scope', () => {
    const listed = tableUnder(API, 'Routes').map(([route, scope]) => `${plain(route)} ${plain(scope)}`);
    const routes = describedRoutes(stubHost()).map(({ method, path, scope }) => `${method} /api/v1${path} ${scope}`);
    expect(listed.toSorted()).toEqual(routes.toSorted());
    const text = read(API);
    expect(SCOPES.filter((scope) => !text.includes(`\`${scope}\``))).toEqual([]);
  });

  it('lists every event with its fields', () => {
    const fieldsOf = ({ properties, required }: { readonly properties: object; readonly required: readonly string[] }) => Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`)).join(', ');
    const listed = tableUnder('docs/events.md', 'Types').map(([type, , fields]) => `${plain(type)}: ${plain(fields)}`);
    expect(listed).toEqual(EVENT_TYPES.map((type) => `${type}: ${fieldsOf(EVENTS[type])}`));
  });

  it('lists every metric of the host', async () => {
    const metrics = createMetrics(stubHost());
    const names = [...(await metrics.text()).matchAll(/^# TYPE (gatehouse_\w+)/gm)].map(([, name]) => String(name));
    metrics[Symbol.dispose]();
    expect(names.length).toBeGreaterThan(10);
    const listed = tableUnder('docs/observability.md', 'Metrics').map(([name]) => plain(name));
    expect(listed.toSorted()).toEqual(names.toSorted());
  });

  it('lists every action that the host writes to the audit log', () => {
    const kinds = /^(approval|data|file|lock|log|pairing|plugin|revocation|scan|token|trust)\.[a-z-]+$/;
    const code = globSync('host/**/*.ts', { cwd: ROOT }).map(read).filter((text) => text.includes('AuditDraft') || /\baction: /.test(text));
    // After `action:`, where a draft is told apart by a condition, as the state that it leads to, and as what a file's draft is made with.
    const written = code.flatMap((text) => [...text.matchAll(/'([a-z]+\.[a-z-]+)'/g)].map(([, action]) => String(action)).filter((action) => kinds.test(action)));
    const events = new Set([...read('host/events.ts').matchAll(/^ {2}'([a-z]+\.[a-z-]+)':/gm)].map(([, event]) => String(event)));
    const actions = new Set(written.filter((action) => !events.has(action)));
    const listed = tableUnder(OPERATE, 'The audit log').flatMap(([names]) => [...String(names).matchAll(/`([^`]+)`/g)].map(([, name]) => String(name)));
    expect(actions.size).toBeGreaterThan(25);
    expect(listed.filter((action) => action !== 'api.…').toSorted()).toEqual([...actions].toSorted());
  });

  it('explains to authors every capability that they may ask for', () => {
    const text = read('docs/write-a-plugin.md');
    const firstPartyOnly = new Set(['ui']);
    expect(capabilityNames().filter((name) => !firstPartyOnly.has(name) && !text.includes(`\`${name}\``) && !text.includes(`"name": "${name}"`))).toEqual([]);
  });

  it('says of every ability of a channel what the host does without it', () => {
    const listed = tableUnder('docs/write-a-plugin.md', 'Abilities').filter(([name]) => isOptional(plain(name)));
    expect(listed.map(([name, , without]) => [plain(name), without])).toEqual(Object.entries(WITHOUT));
  });

  it('accounts for every runtime dependency', () => {
    const { dependencies } = JSON.parse(read('host/package.json')) as { dependencies: Record<string, string> };
    const listed = tableUnder('docs/decisions/0005-dependencies.md', 'Decision').flatMap(([names]) => [...String(names).matchAll(/`([^`]+)`/g)].map(([, name]) => String(name)));
    expect(listed.toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });

  it('lists every decision in its index', () => {
    const files = globSync('docs/decisions/[0-9]*.md', { cwd: ROOT }).map((file) => file.slice('docs/decisions/'.length));
    expect(files.filter((file) => !read('docs/decisions/README.md').includes(`(${file})`))).toEqual([]);
  });

  it('lists every page in the index', () => {
    const index = read('docs/README.md');
    const files = globSync('docs/*.md', { cwd: ROOT }).map((file) => file.slice('docs/'.length)).filter((file) => file !== 'README.md');
    expect(files.filter((file) => !index.includes(`(${file}`))).toEqual([]);
  });
});

describe('threat model', () => {
  const attacks = () => tableUnder('docs/threat-model.md', 'Attacks').filter(([number]) => /^\d+$/.test(plain(number)));

  it('lists each attack once, by its number', () => {
    const numbers = attacks().map(([number]) => Number(plain(number)));
    expect(numbers.length).toBeGreaterThan(60);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  it('names for each attack a test file that speaks of it, by number or by title', () => {
    const silent = attacks().flatMap(([number, name, , , test]) => {
      const file = /\((?:\.\.\/)?(test\/[^)]+|plugins\/[^)]+)\)/.exec(String(test))?.[1];
      if (file === undefined) return [`${plain(number)} names no test`];
      const title = /“([^”]+)”/.exec(String(test))?.[1];
      const speaks = existsSync(join(ROOT, file)) && (title === undefined ? mentions(read(file), Number(plain(number)), plain(name)) : read(file).includes(title));
      return speaks ? [] : [`${plain(number)} ${plain(name)} is not in ${file}`];
    });
    expect(silent).toEqual([]);
  });

  it('names for each attack of our own a test whose title begins with it', () => {
    const own = tableUnder('docs/threat-model.md', 'Beyond the list').filter(([number]) => /^g\d+$/.test(plain(number)));
    expect(own.length).toBeGreaterThan(30);
    const silent = own.filter(([number, name, , , test]) => !read(/\((?:\.\.\/)?(test\/[^)]+)\)/.exec(String(test))?.[1] ?? 'docs/threat-model.md').includes(`'attack ${plain(number)} ${plain(name)}`));
    expect(silent.map(([number, name]) => `${plain(number)} ${plain(name)}`)).toEqual([]);
    const written = globSync('test/security/*.test.ts', { cwd: ROOT }).flatMap((file) => [...read(file).matchAll(/'attack (g\d+) /g)].map(([, number]) => String(number)));
    expect(new Set(written)).toEqual(new Set(own.map(([number]) => plain(number))));
  });

  it('knows every test file of test/security', () => {
    const text = read('docs/threat-model.md');
    expect(globSync('test/security/*.test.ts', { cwd: ROOT }).filter((file) => !text.includes(file))).toEqual([]);
  });
});

describe('traceability', () => {
  it('gives every test file of test/ a capability', () => {
    const text = read('docs/traceability.md');
    const files = globSync('test/**/*.test.ts', { cwd: ROOT });
    expect(files.filter((file) => !text.includes(file) && !text.includes(`${dirname(file)}/*.test.ts`))).toEqual([]);
  });

  it('gives every folder of the host a capability', () => {
    const text = read('docs/traceability.md');
    const folders = globSync('host/*/', { cwd: ROOT }).filter((each) => !/\/(node_modules|dist)\/?$/.test(each));
    expect(folders.filter((folder) => !text.includes(`${folder.replace(/\/$/, '')}/`))).toEqual([]);
  });
});

/** Codes somebody who runs a host meets without any fault in Gatehouse or a plugin. */
const TROUBLE: ReadonlySet<string> = new Set([
  'HOME_NOT_FOUND', 'CONFIG_OVERRIDE', 'CONFIG_UNSAFE', 'SCHEMA_UNKNOWN_KEY', 'SCHEMA_INVALID', 'JSON_INVALID', 'JSON_DUPLICATE_KEY', 'LISTEN_FAILED', 'STORE_LOCKED', 'STORE_VERSION', 'STORE_FAILED',
  'HOST_UNREACHABLE', 'PACKAGE_NOT_FOUND', 'KEY_UNTRUSTED', 'KEY_DEVELOPMENT', 'RELEASE_SIGNATURE', 'RELEASE_FILES', 'DIGEST_MISMATCH', 'ROLLBACK', 'REVOKED', 'INSTANCE_COLLISION', 'SECRET_MISSING',
  'PLUGIN_CONFIG_INVALID', 'GRANT_TOO_WIDE', 'PLUGIN_NOT_READY', 'GATE_UNAVAILABLE', 'MISDIRECTED', 'UNAUTHENTICATED', 'LOCKED_OUT', 'LANE_FULL', 'SENDER_RATE',
]);

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

// ---- Markdown

/** Text without fenced blocks, whose content is data. */
function prose(page: string): string {
  return read(page).replaceAll(/^(```+|~~~+)[\s\S]*?^\1\s*$/gm, '');
}

function brokenLinks(page: string): string[] {
  const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => String(target));
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
    if (!existsSync(join(ROOT, file))) return true;
    return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).has(anchor);
  });
}

/** As GitHub makes them: lower case, punctuation dropped, spaces to dashes; and explicit ids. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => String(heading).trim().toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
  const ids = [...read(page).matchAll(/<a id="([^"]+)">/g)].map(([, id]) => String(id));
  return new Set([...headings, ...ids]);
}

/** Code spans that look like a path of this repository. `…` and `<name>` stand for something else, and a home has folders of the same names. */
function missingPaths(page: string): string[] {
  const spans = [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, span]) => String(span));
  const paths = spans.filter((span) => /^(host|plugin-sdk|schemas|test|docs|plugins|\.ci)\/[\w.*/-]*$/.test(span) && !/acme|my-|\.tgz$|-\d+\.\d+\.\d+/.test(span) && span !== 'plugins/' && !span.endsWith('/dist') && !span.endsWith('/dist/'));
  return paths.filter((path) => (path.includes('*') ? globSync(path, { cwd: ROOT }).length === 0 : !existsSync(join(ROOT, path))));
}

/** Words in capitals with an underscore, in code spans, that are no environment variables. */
function codesIn(page: string): string[] {
  if (page === 'docs/errors.md') return [];
  return [...prose(page).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, code]) => String(code)).filter((code) => !/^(GATEHOUSE|NO_COLOR|HOST_API_VERSION|XDG|npm)/.test(code) && !/_(KEY|SECRET|TOKEN)$/.test(code));
}

/** The rows of every table between this heading and the next of the same or a higher level. */
function tableUnder(page: string, heading: string): string[][] {
  const lines = read(page).split('\n');
  const start = lines.findIndex((line) => /^#{1,6} /.test(line) && line.replace(/^#+ /, '').trim() === heading);
  if (start === -1) throw new Error(`${page} has no heading '${heading}'`);
  const level = lines[start]?.indexOf(' ') ?? 0;
  const rows: string[][] = [];
  for (const line of lines.slice(start + 1)) {
    const depth = /^(#{1,6}) /.exec(line)?.[1]?.length;
    if (depth !== undefined && depth <= level) break;
    if (line.startsWith('|')) rows.push(line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/).map((cell) => cell.trim()));
  }
  return rows.filter((cells, index) => !isRule(cells) && !isRule(rows[index + 1] ?? []));
}

const isOptional = (name: string) => OPTIONAL_ABILITIES.some((each) => each === name);

const isRule = (cells: readonly string[]) => cells.length > 0 && cells.every((cell) => /^:?-+:?$/.test(cell));

const plain = (cell: string | undefined) => (cell ?? '').replaceAll('`', '').trim();

/** Whether a test file speaks of an attack: by its number and name side by side, as titles and comments write it. */
function mentions(text: string, number: number, name: string): boolean {
  return new RegExp(`\\b${number}['":,\\s]+(?:name:\\s*)?['"]?${name.replaceAll('-', '[-]')}`, 'i').test(text);
}

// ---- Schemas

interface Setting {
  readonly default: unknown;
  readonly variable: string;
}

function settingsOf(schema: TSchema, path: readonly string[] = []): Record<string, Setting> {
  if (!IsObject(schema)) return {};
  return Object.fromEntries(
    Object.entries(schema.properties).flatMap(([key, child]): [string, Setting][] => {
      if (key === '$schema') return [];
      const here = [...path, key];
      if (IsObject(child)) return Object.entries(settingsOf(child, here));
      const variable = `GATEHOUSE_${here.join('_').toUpperCase()}`;
      expect(OVERRIDE_NAMES).toContain(variable);
      return [[here.join('.'), { default: 'default' in child ? child.default : undefined, variable }]];
    }),
  );
}

function settingsTable(heading: string): Record<string, Setting> {
  return Object.fromEntries(tableUnder(CONFIG, heading).map(([key, , , value, , variable]) => [plain(key), { default: JSON.parse(plain(value)) as unknown, variable: plain(variable) }]));
}

function keysOf(schema: TSchema): string[] {
  return IsObject(schema) ? Object.keys(schema.properties) : [];
}

function wordsOf(schema: TSchema): string[] {
  return 'enum' in schema && Array.isArray(schema.enum) ? schema.enum.map(String) : [];
}

function capabilityNames(): string[] {
  return Capability.anyOf.map((each) => each.properties.name.const);
}

// ---- The command line, asked as a person would

/** Every command with its subcommands, as `plugins list`; `help` is nobody's command. */
async function everyCommand(): Promise<string[]> {
  const commands = await commandsIn([]);
  const nested = await Promise.all(commands.map(async (command) => {
    const inner = await commandsIn([command]);
    return inner.length === 0 ? [command] : inner.map((each) => `${command} ${each}`);
  }));
  return nested.flat();
}

async function commandsIn(words: readonly string[]): Promise<string[]> {
  const help = await helpOf(words);
  const section = /^Commands:\n((?: +.*\n?)+)/m.exec(help)?.[1] ?? '';
  return [...section.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => String(name)).filter((name) => name !== 'help');
}

async function helpOf(words: readonly string[]): Promise<string> {
  const stdout = new PassThrough();
  const streams = { stdin: process.stdin, stdout: stdout as unknown as NodeJS.WriteStream, stderr: new PassThrough() as unknown as NodeJS.WriteStream };
  await runCli({ argv: [...words, '--help'], streams, env: {}, cwd: ROOT, serve: async () => 0 });
  return String(stdout.read() ?? '');
}

/** Enough of a host for code that only lists what it would do with one. */
function stubHost(): Host {
  const status = { audit: { size: 0 }, lanes: { waiting: 0, running: 0 }, deliveries: { waiting: 0, running: 0 }, deadLetters: 0, workers: [], pressure: { queues: [], shed: 0 } };
  return { plugins: { list: () => [] }, messages: {}, deadLetters: {}, deliveries: {}, sessions: {}, readiness: () => ({ ready: true, degraded: [] }), status: async () => status, vitals: () => VITALS } as unknown as Host;
}
