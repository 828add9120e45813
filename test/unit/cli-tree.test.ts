// Every command of the command line, walked as data: each explains itself, refuses what it does not know, and stands in docs/cli.md.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cliPage } from '../../docs/generate-cli.ts';
import { commandTree, type CommandNode } from '../../host/cli/command-tree.ts';
import { runCommand } from '../support/run-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
let all: readonly CommandNode[];
beforeAll(async () => {
  const below = (node: CommandNode): CommandNode[] => [node, ...node.commands.flatMap(below)];
  all = (await commandTree()).commands.flatMap(below);
});

/** Each failing name with why, so that one run tells of all. */
async function failures(of: readonly CommandNode[], problem: (node: CommandNode) => Promise<string | undefined>): Promise<string[]> {
  const found: string[] = [];
  for (const node of of) {
    const said = await problem(node);
    if (said !== undefined) found.push(`${node.path.join(' ')}: ${said}`);
  }
  return found;
}

describe('every command', () => {
  it('has a description and an example that begins with its own name', async () => {
    expect(all.length).toBeGreaterThan(80);
    expect(await failures(all, async ({ summary, examples, path, commands }) => {
      if (summary === '') return 'no description';
      const name = commands.length > 0 ? path.slice(0, 1) : path;
      return examples.some((each) => each.includes(`gatehouse ${name.join(' ')}`)) ? undefined : `no example of it in ${JSON.stringify(examples)}`;
    })).toEqual([]);
  });

  it('answers an option that it does not know with 2, the nearest, and one document for scripts', async () => {
    expect(await failures(all, async ({ path, arguments: given, options }) => {
      const { code, stdout } = await runCommand([...path, ...given.map(({ choices }) => choices[0] ?? 'x'), ...options.filter(({ mandatory }) => mandatory).flatMap(({ name }) => [name, 'x']), '--jsno', '--json']);
      const { error }: { error?: { code?: string; message?: string } } = JSON.parse(stdout);
      return code === 2 && error?.code === 'USAGE' && error.message?.includes('did you mean --json') ? undefined : `${code} ${stdout}`;
    })).toEqual([]);
  });

  it('names the nearest subcommand for one that does not exist', async () => {
    const groups = all.filter(({ commands }) => commands.length > 0);
    expect(groups.length).toBeGreaterThan(10);
    expect(await failures(groups, async ({ path, commands }) => {
      const target = commands.map(({ name }) => name).find((name) => name.length > 3) ?? '';
      const { code, stderr } = await runCommand([...path, `${target.slice(0, -2)}${target.at(-1)}${target.at(-2)}`]);
      return code === 2 && /did you mean/i.test(stderr) ? undefined : `${code} ${stderr}`;
    })).toEqual([]);
  });

  it('ends with 2 and one document for scripts where it needs a home and there is none', async () => {
    const asking = all.filter(({ path, commands, arguments: given }) => commands.length === 0 && given.length === 0 && !['start', 'first-party', 'completion', 'pairing'].includes(path[0] ?? ''));
    expect(asking.length).toBeGreaterThan(15);
    expect(await failures(asking, async ({ path }) => {
      const { code, stdout } = await runCommand([...path, '--json', '--home', '/nonexistent']);
      const { error }: { error?: { code?: string } } = JSON.parse(stdout);
      return code === 2 && ['HOME_NOT_FOUND', 'USAGE'].includes(error?.code ?? '') ? undefined : `${code} ${stdout}`;
    })).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  it('has every command as it is', async () => {
    const page = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');
    expect(page).toBe(await cliPage(page));
    expect(all.filter(({ path, commands }) => commands.length === 0 && !page.includes(`\`gatehouse ${path.join(' ')}`))).toEqual([]);
  });
});
