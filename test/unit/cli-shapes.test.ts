// The command line as a whole: every command explains itself, every mistake is named, every failure has one shape.
import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../host/cli/cli.ts';
import { gatehouse, LAUNCHER } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';

/** In this process: enough for parsing, help and mistakes. */
async function ask(...argv: readonly string[]) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const code = await runCli({ argv, streams: { stdin, stdout, stderr }, env: {}, cwd: '/', serve: async () => 0 });
  return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

const COMMANDS = ['init', 'start', 'check', 'status', 'doctor', 'send', 'messages', 'plugins', 'dead-letters', 'new', 'dev', 'test', 'build', 'pack', 'sign', 'keys', 'verify', 'inspect', 'diff', 'lock', 'trust', 'security', 'first-party'];
const SUBCOMMANDS = ['messages list', 'messages show', 'plugins list', 'plugins show', 'plugins enable', 'plugins disable', 'plugins quarantine', 'plugins release', 'dead-letters list', 'dead-letters show', 'dead-letters replay', 'dead-letters drop', 'keys generate', 'trust add'];

describe('help', () => {
  it('lists every command', async () => {
    const { code, stdout } = await ask('--help');
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it.each([...COMMANDS, ...SUBCOMMANDS])('of %s shows an example and the options all share', async (command) => {
    const { code, stdout } = await ask(...command.split(' '), '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/Example:\n {2}gatehouse /);
    expect(stdout).toContain('--home <dir>');
    expect((await ask('help', ...command.split(' '))).code).toBe(0);
  });

  it('is what a bare command line gets, as a usage error', async () => {
    const { code, stdout, stderr } = await ask();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: gatehouse');
  });

  it('tells the version', async () => {
    expect(await ask('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });
});

describe('a mistake', () => {
  it.each([
    [['statuz'], /statuz.*did you mean status/],
    [['status', '--jsn'], /--jsn.*did you mean --json/],
    [['plugins', 'lst'], /'lst' \(did you mean list\?\)/],
    [['plugins', 'relaese', 'x'], /'relaese' \(did you mean release\?\)/],
    [['send', '--channel', 'a', '--to', 'b'], /--text/],
    [['init'], /dir/],
    [['init', 'a', 'b'], /too many/],
    [['messages', 'show'], /id/],
    [['--home'], /--home/],
  ])('%j is named and ends with 2', async (argv, message) => {
    const { code, stdout, stderr } = await ask(...argv);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('has one shape for scripts', async () => {
    const { code, stdout } = await ask('statuz', '--json');
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'USAGE', message: expect.stringContaining('statuz'), fix: expect.any(String) } });
    expect(code).toBe(2);
  });

  it.each(['status', 'check', 'doctor', 'messages list', 'dead-letters list', 'plugins list', 'send --channel a --to b --text c'])('%s without a home ends with 2', async (command) => {
    expect(await ask(...command.split(' '), '--json')).toMatchObject({ code: 2, stdout: expect.stringContaining('"HOME_NOT_FOUND"') });
  });
});

describe('as a process', () => {
  it('ends with the code, keeps data on stdout and talk on stderr', async () => {
    await using dir = await tempDir();
    const human = await gatehouse(['check'], { cwd: dir.path });
    expect(human).toMatchObject({ code: 2, stdout: '' });
    expect(human.stderr).toContain('gatehouse init');
    const script = await gatehouse(['check', '--json'], { cwd: dir.path });
    expect(script.json()).toMatchObject({ error: { code: 'HOME_NOT_FOUND' } });
  });

  it('does not mind a reader that went away', async () => {
    const child = spawn(process.execPath, [LAUNCHER, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
