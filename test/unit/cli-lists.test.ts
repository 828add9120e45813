// Lists on the command line: every filter the API has is an option, and reaches it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandTree, type CommandNode } from '../../host/cli/command-tree.ts';
import { LISTS } from '../../host/cli/listing.ts';
import { describedRoutes } from '../../host/control/server.ts';
import { aPlugin, startTestControl, type TestControl } from '../support/control-plane.ts';
import { runCommand } from '../support/run-command.ts';

/** Lists that are no command of their own, and which command takes their place. */
const ELSEWHERE = new Set(['/revocations', '/config/history', '/pairing', '/pairing/invites']);
const DIGEST = `sha256:${'a'.repeat(64)}`;

let control: TestControl;
beforeAll(async () => {
  control = await startTestControl({ plugins: [aPlugin({ digest: DIGEST }), aPlugin({ instance: 'second', digest: DIGEST }), aPlugin({ instance: 'off', state: 'disabled', required: true })] });
});
afterAll(() => control[Symbol.asyncDispose]());

const run = async (...args: readonly string[]) => await runCommand([...args, '--home', control.home]);

describe('the lists of the API', () => {
  it('have each an option for everything they take, and none besides', () => {
    const lists = describedRoutes(control.host).filter(({ path, query }) => query !== undefined && 'cursor' in query && 'sort' in query && !ELSEWHERE.has(path));
    const taken = Object.fromEntries(lists.map(({ path, query = {} }) => [path, Object.keys(query).filter((name) => name !== 'cursor' && name !== 'limit').toSorted()]));
    expect(Object.fromEntries(Object.entries(LISTS).map(([path, options]) => [path, Object.keys(options).toSorted()]))).toEqual(taken);
  });

  it('are commands whose options reach the host by their own names', async () => {
    const below = (node: CommandNode): CommandNode[] => [node, ...node.commands.flatMap(below)];
    const commands = (await commandTree()).commands.flatMap(below);
    for (const [path, filters] of Object.entries(LISTS)) {
      const name = path === '/scans' ? 'packages scans' : `${path === '/backups' ? 'backup' : path.slice(1)} list`;
      const options = commands.find((each) => each.path.join(' ') === name)?.options.map((each) => each.name) ?? [];
      expect({ name, options }).toEqual({ name, options: expect.arrayContaining(['--limit', '--cursor', ...Object.keys(filters).map((option) => `--${option}`)]) });
      const refused = await run(...name.split(' '), '--sort', 'colour');
      expect({ name, code: refused.code, stderr: refused.stderr }).toEqual({ name, code: 2, stderr: expect.stringContaining('sort') });
    }
  });

  it('take an order that begins with a dash', async () => {
    const listed = await run('plugins', 'list', '--sort', '-instance', '--required', 'false', '--json');
    expect(listed.json()).toMatchObject({ items: [{ instance: 'second' }, { instance: 'echo' }], cursor: null });
    await run('messages', 'list', '--sort', 'at', '--since', '2026-11-21T08:00:00Z', '--until', '2026-11-22T08:00:00Z');
    expect(control.asked.at(-1)).toBe('list {"sort":"at","since":"2026-11-21T08:00:00.000Z","until":"2026-11-22T08:00:00.000Z"}');
  });

  it('say where the next page begins, on stderr', async () => {
    const first = await run('plugins', 'list', '--limit', '2');
    expect(first.stdout).not.toContain('second');
    const cursor = /More: --cursor (\S+)/.exec(first.stderr)?.[1] ?? '';
    expect((await run('plugins', 'list', '--limit', '2', '--cursor', cursor)).stdout).toContain('second');
  });

  it('show every instance there is, however many pages that takes', async () => {
    const names = Array.from({ length: 450 }, (_, index) => `instance-${String(index).padStart(3, '0')}`);
    await using many = await startTestControl({ plugins: names.map((instance) => aPlugin({ instance })) });
    const listed = (await runCommand(['plugins', 'list', '--json', '--home', many.home])).json() as { items: readonly { instance: string }[]; cursor: null };
    expect({ names: listed.items.map(({ instance }) => instance), cursor: listed.cursor }).toEqual({ names, cursor: null });
  });

  it('need a host for what files alone do not answer', async () => {
    for (const name of ['plugins', 'quarantine', 'approvals']) expect(await runCommand([name, 'list', '--sort', 'x', '--home', control.home, '--data', '/nonexistent'])).toMatchObject({ code: 4 });
  });
});

describe('packages', () => {
  it('are one line each, with the instances that have them', async () => {
    const { stdout } = await run('packages');
    expect(stdout.split('\n').filter((line) => line.includes(DIGEST))).toEqual([expect.stringMatching(/^gatehouse\.echo +1\.0\.0 +echo, second +none/)]);
    expect((await run('packages', 'list', '--used', 'false')).stdout).toBe('No packages.\n');
  });

  it('are shown by digest, and refused by name where there is none', async () => {
    expect((await run('packages', 'show', DIGEST, '--json')).json()).toEqual({ digest: DIGEST, plugin: 'gatehouse.echo', version: '1.0.0', instances: [{ instance: 'echo', state: 'active' }, { instance: 'second', state: 'active' }], scans: [], approvals: [] });
    expect(await run('packages', 'show', 'sha256:0')).toMatchObject({ code: 1, stderr: expect.stringContaining('gatehouse packages list') });
  });
});
