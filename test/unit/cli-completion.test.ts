// Completions as a shell makes them: the script is sourced by a real shell, and asked as Tab would ask.
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { completionScript, SHELLS } from '../../host/cli/completion.ts';
import { commandTree, type CommandNode } from '../../host/cli/command-tree.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

let root: CommandNode;
beforeAll(async () => {
  root = await commandTree();
});

/** What bash offers for these words; the last is the one being typed. */
function offered(words: readonly string[], { cwd = '/', env = {} }: { readonly cwd?: string; readonly env?: Record<string, string> } = {}): string[] {
  const script = `${completionScript('bash', root)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gatehouse; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', script, 'bash', 'gatehouse', ...words], { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...env } });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('in bash', () => {
  it('offers commands, subcommands, options and choices', () => {
    expect(offered(['stat'])).toEqual(expect.arrayContaining(['status']));
    expect(offered(['stat'])).not.toContain('plugins');
    expect(offered(['plugins', 're'])).toEqual(['reload', 'release']);
    expect(offered(['--home', 'x', '--json', 'plugins', 're'])).toEqual(['reload', 'release']);
    expect(offered(['dead-letters', 'list', '--c'])).toEqual(expect.arrayContaining(['--code', '--conversation', '--cursor']));
    expect(offered(['completion', ''])).toEqual(expect.arrayContaining([...SHELLS]));
  });

  it('offers every command of the tree', () => {
    expect(root.commands.filter(({ name }) => !offered([name]).includes(name)).map(({ name }) => name)).toEqual([]);
  });

  it('offers the instances of the home that is named, of GATEHOUSE_HOME, or of this folder', async () => {
    await using home: TestHome = await aHome();
    await home.write('manifests/plugins/weather.json', {});
    await home.write('manifests/plugins/webchat.json', {});
    for (const asked of [offered(['plugins', 'show', 'we'], { cwd: home.path }), offered(['plugins', 'show', 'we'], { env: { GATEHOUSE_HOME: home.path } }), offered(['--home', home.path, 'send', '--channel', 'we'])]) {
      expect(asked).toEqual(['weather', 'webchat']);
    }
    expect(offered(['plugins', 'show', 'we'])).toEqual([]);
  });

  it('offers files where a command takes one, and runs nothing that is named like a command', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, '$(touch ran).tgz'), '');
    await writeFile(join(dir.path, 'two words.tgz'), '');
    expect(offered(['verify', 'tw'], { cwd: dir.path })).toEqual(['two words.tgz']);
    expect(offered(['verify', '$'], { cwd: dir.path })).toEqual(['$(touch ran).tgz']);
    expect(offered(['verify', 'ra'], { cwd: dir.path })).toEqual([]);
  });
});

describe.each(['zsh', 'fish'] as const)('in %s', (shell) => {
  const isThere = spawnSync(shell, ['--version']).status === 0;
  it.runIf(isThere)(`the script is one that it reads${isThere ? '' : ` (not run: ${shell})`}`, async () => {
    const { status, stderr } = spawnSync(shell, ['-n', '-c', completionScript(shell, root)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('gatehouse completion', () => {
  it('prints the script, and names the shells there are', async () => {
    expect(await runCommand(['completion', 'bash'])).toMatchObject({ code: 0, stdout: completionScript('bash', root) });
    expect(await runCommand(['completion', 'tcsh'])).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh, fish') });
  });
});
