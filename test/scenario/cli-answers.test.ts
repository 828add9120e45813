// Every command that reads, on one real host: what --json prints parses, and is what people are shown. A list that is missing here fails.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandTree, type CommandNode } from '../../host/cli/command-tree.ts';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { runCommand } from '../support/run-command.ts';
import { anApiWorld, type ApiWorld } from './api-world.ts';

type Row = Readonly<Record<string, string | number | undefined>>;
interface Listed {
  readonly items: readonly Row[];
}

/** What the first line of a table calls its columns, and which member each shows as it is; the first tells the rows apart. */
const LISTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'messages list': { id: 'id', at: 'at', direction: 'direction', instance: 'instance' },
  'deliveries list': { id: 'id', at: 'at', instance: 'instance' },
  'sessions list': { key: 'key', messages: 'messages' },
  'lanes list': { session: 'session', state: 'state', depth: 'depth' },
  'costs list': { instance: 'instance', state: 'state' },
  'config history': { at: 'at', hash: 'hash', by: 'actor' },
  'tokens list': { id: 'id', label: 'label', created: 'createdAt' },
  'pairing list': { id: 'id', channel: 'instance', state: 'state' },
  'pairing invites': { id: 'id', channel: 'instance', state: 'state' },
  'backup list': { name: 'name', state: 'state' },
  'plugins list': { instance: 'instance', plugin: 'plugin', kind: 'kind', version: 'version', state: 'state' },
  'packages list': { digest: 'digest', plugin: 'plugin', version: 'version' },
  'packages scans': { at: 'at', plugin: 'plugin', outcome: 'outcome', risk: 'risk', digest: 'packageDigest' },
  'quarantine list': { instance: 'instance', state: 'state', since: 'since' },
  'dead-letters list': { id: 'id', at: 'at', stage: 'stage', code: 'code' },
  'approvals list': { id: 'id', decision: 'decision', instance: 'instance', reviewer: 'reviewer' },
  'audit list': { index: 'index', at: 'at', actor: 'actor', action: 'action', resource: 'resource' },
  stats: { name: 'name', by: 'by', ok: 'ok', failed: 'failed', denied: 'denied' },
};
/** Told in another form than a table of items; test/unit/trust-commands.test.ts and its neighbours read it. */
const OTHER_LISTS = ['trust list'];

/** What nothing in this world has to fill. */
const MAY_BE_EMPTY = ['deliveries list', 'lanes list'];
/** For machines only, or said by the title of the command. */
const NOT_SHOWN = ['signature', 'publicKey', 'day'];

let world: ApiWorld;
let home: string;
let walk: readonly CommandNode[];
beforeAll(async () => {
  world = await anApiWorld();
  const { config } = world.gatehouse.host;
  home = config.home;
  writeRunFile(config.dataDir, { address: world.gatehouse.address, pid: process.pid, startedAt: '2026-11-21T00:00:00.000Z' });
  await world.gatehouse.api('/approvals', { method: 'POST', body: world.approval });
  const { hash } = await world.get<{ hash: string }>('/config');
  await world.gatehouse.api('/config', { method: 'PATCH', body: { baseHash: hash, patch: { log: { level: 'warn' } } } });
  await world.gatehouse.api('/tokens', { method: 'POST', body: { label: 'a walker', scopes: ['status:read'] } });
  await world.gatehouse.api('/pairing/invites', { method: 'POST', body: { instance: 'webchat' } });
  await world.gatehouse.api('/backups', { method: 'POST' });
  await world.gatehouse.api('/plugins/parrot/quarantine', { method: 'POST', body: { reason: 'a walk' } });
  const below = (node: CommandNode): CommandNode[] => [node, ...node.commands.flatMap(below)];
  walk = (await commandTree()).commands.flatMap(below);
});
afterAll(() => world[Symbol.asyncDispose]());

const run = async (command: string, ...more: readonly string[]) => await runCommand([...command.split(' '), ...more, '--home', home]);
/** The cells of a table by the names of their columns, which begin where their heads do. */
function cellsOf(table: string): Record<string, string>[] {
  const [head = '', ...lines] = table.trimEnd().split('\n');
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map(({ 0: name, index }) => ({ name, index }));
  return lines.map((line) => Object.fromEntries(columns.map(({ name, index }, at) => [name, line.slice(index, columns[at + 1]?.index).trim()])));
}

describe('every list', () => {
  it('is walked here', () => {
    const lists = walk.filter(({ commands, options, name }) => commands.length === 0 && (name === 'list' || options.some((option) => option.name === '--cursor'))).map(({ path }) => path.join(' '));
    expect([...Object.keys(LISTS), ...OTHER_LISTS].toSorted()).toEqual([...new Set([...lists, 'config history'])].toSorted());
  });

  it.each(Object.entries(LISTS))('%s tells people what it tells scripts', async (command, columns) => {
    const script = await run(command, '--json');
    expect({ code: script.code, stderr: script.stderr }).toEqual({ code: 0, stderr: '' });
    const { items } = script.json() as Listed;
    expect([command, items.length > 0 || MAY_BE_EMPTY.includes(command)]).toEqual([command, true]);
    const people = await run(command);
    expect(people.code).toBe(0);
    const shown = items.length === 0 ? [] : cellsOf(people.stdout);
    expect(shown.map((cells) => Object.keys(columns).map((column) => cells[column]))).toEqual(items.map((item) => Object.values(columns).map((member) => String(item[member] ?? '–'))));
    expect(people.stdout.trim()).not.toBe('');
  });
});

describe('every look at one thing', () => {
  const first = async (list: string, member: string) => String((await run(list, '--json')).json<Listed>().items[0]?.[member]);

  it.each([
    ['status', '', ''], ['doctor', '', ''], ['config get', '', ''], ['audit head', '', ''], ['trust list', '', ''],
    ['plugins show', 'plugins list', 'instance'], ['messages show', 'messages list', 'id'], ['sessions show', 'sessions list', 'key'], ['dead-letters show', 'dead-letters list', 'id'],
    ['costs show', 'costs list', 'instance'], ['packages show', 'packages list', 'digest'], ['quarantine show', 'quarantine list', 'instance'],
  ])('%s is one document with what people are shown', async (command, list, member) => {
    const of = list === '' ? [] : [await first(list, member)];
    const script = await run(command, ...of, '--json');
    expect({ code: script.code, stderr: script.stderr }).toEqual({ code: 0, stderr: '' });
    const people = (await run(command, ...of)).stdout;
    const facts = Object.entries(script.json()).flatMap(([name, value]) => (NOT_SHOWN.includes(name) ? [] : [value])).filter((value) => typeof value === 'string' && !/^\d{4}-\d\d-\d\dT/.test(value));
    expect(script.json()).not.toEqual({});
    for (const each of of) expect(people).toContain(each);
    expect(facts.filter((fact) => !people.replace(/\s+/g, ' ').includes(String(fact).replace(/\s+/g, ' ').trim()))).toEqual([]);
  });
});
