// Which walls a machine gives a sandbox process, and what is done where some are missing. What they deny is tried in test/security/confinement.test.ts.
import { execFileSync, spawn } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import type { SandboxCommand } from '../../host/sandbox/command-line.ts';
import { detectConfinement, type SandboxCommands } from '../../host/sandbox/confinement.ts';
import { thisMachine, type Machine } from '../../host/sandbox/machine.ts';
import { WALL_ORDER, type ConfinementLevel, type Wall } from '../../host/sandbox/walls.ts';
import { FAKE_PRELUDE } from '../support/fake-child.ts';
import { readableByAnyone } from '../support/readable.ts';
import { tempDir } from '../support/temp.ts';

const start = (commands: SandboxCommands) => ConfinedProcess.start(commands.command({ jitless: true }));
const machine = thisMachine();
const detected = await detectConfinement(start);
const { level } = detected.commands;
afterAll(() => detected.started.kill());

const has = (wall: Wall) => level.walls.includes(wall);

/** The very command line of a sandbox, with other code in it. */
function withScript(commands: SandboxCommands, script: string): SandboxCommand {
  const command = commands.command({ jitless: true });
  return { ...command, args: [...command.args.slice(0, -2), '-e', script] };
}

/** Runs a script in a sandbox process and returns what it sent. `attempt(f)` is what came of trying. */
async function inside(script: string, commands = detected.commands): Promise<Record<string, unknown>> {
  const attempt = 'const attempt = (f) => { try { return "did it: " + String(f()).slice(0, 60) } catch (e) { return e.code ?? e.message } };';
  const process = await ConfinedProcess.start(withScript(commands, `${FAKE_PRELUDE} ${attempt} ready(); next(); (async () => { ${script} })();`));
  try {
    return await new Promise((done, fail) => {
      process.attach({ onFrame: (text) => done(JSON.parse(text) as Record<string, unknown>), onFrameProblem: (problem) => fail(new Error(problem)) });
      process.send('{}');
      void process.ended.then(({ said }) => fail(new Error(`it ended: ${said}`)));
    });
  } finally {
    process.kill();
  }
}

async function levelWith(lesser: Machine): Promise<ConfinementLevel> {
  const { commands, started } = await detectConfinement(start, lesser);
  started.kill();
  await started.ended;
  started.release();
  return commands.level;
}

/** What is missing is not found by its bare name either. */
const nowhere = (lesser: Machine): Machine => ({ ...lesser, program: (name) => lesser.program(name) ?? (name === 'bwrap' ? undefined : `/nowhere/${name}`) });

async function statusOf(pid: number): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return new Map(text.split('\n').map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]));
}

it('says which walls it found and why others are missing', () => {
  expect(level.name).toBe(level.walls.join('+'));
  expect(level.walls).toContain('permission');
  expect(level.walls.length + level.missing.length).toBe(WALL_ORDER.length);
  for (const { wall, why } of level.missing) expect([wall, why.length > 0]).toEqual([wall, true]);
  expect(level.explanation).toContain('permission model');
  console.error(`confinement exercised here: ${level.name}${level.missing.map(({ wall, why }) => `; not ${wall} (${why})`).join('')}`);
});

describe('a sandbox process', () => {
  it('has an empty environment and the root as its working directory', async () => {
    const seen = await inside('send({ env: { ...process.env }, cwd: process.cwd(), argv: process.execArgv.filter((each) => each.includes("allow")) })');
    expect(seen).toMatchObject({ env: { TZ: 'UTC', LC_ALL: 'C' }, cwd: '/' });
    const readable = (seen.argv as string[]).filter((each) => each.startsWith('--allow-fs-read=')).map((each) => each.slice(16));
    expect(readable).toHaveLength(4);
    for (const path of readable) expect(path).toMatch(/\/sandbox\/child\/$|\/isolated-vm\/$|\/node-gyp-build\/$|^\/etc\/alpine-release$/);
  });

  it.runIf(has('uid'))('is nobody in particular, and not the one its neighbour is', async () => {
    const neighbour = await start(detected.commands);
    try {
      const [own, other] = [await statusOf(detected.started.pid), await statusOf(neighbour.pid)];
      expect(own.get('Uid')).not.toBe(other.get('Uid'));
      expect(own.get('Uid')).not.toMatch(/\b0\b/);
      expect(own.get('Groups')).toBe('');
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect([set, own.get(set)]).toEqual([set, '0000000000000000']);
    } finally {
      neighbour.kill();
    }
  });

  it.runIf(has('nnp'))('can gain no privileges', async () => {
    expect((await statusOf(detected.started.pid)).get('NoNewPrivs')).toBe('1');
  });

  it.runIf(has('rlimits'))('leaves no core dump and no file of more than eight bytes', async () => {
    const limits = await readFile(`/proc/${detected.started.pid}/limits`, 'utf8');
    expect(limits).toMatch(/Max core file size\s+0\s+0/);
    expect(limits).toMatch(/Max file size\s+8\s+8/);
    expect(limits).toMatch(/Max open files\s+64\s+64/);
    expect(limits).toMatch(/Max cpu time\s+unlimited/);
  });

  it.runIf(has('rlimits') && has('uid'))('has at most 64 threads', async () => {
    expect(await readFile(`/proc/${detected.started.pid}/limits`, 'utf8')).toMatch(/Max processes\s+64\s+64/);
  });
});

describe('on a lesser machine', async () => {
  const WRAPPED: readonly Wall[] = ['pidns', 'files', 'seccomp'];
  const without = (...missing: string[]): Machine => ({ ...machine, program: (name) => (missing.includes(name) ? undefined : machine.program(name)) });
  const plain = await levelWith(without('bwrap'));

  it.each<[string, Machine, readonly Wall[]]>([
    ['without unshare', without('bwrap', 'unshare'), ['netns']],
    ['without prlimit', without('bwrap', 'prlimit'), ['rlimits']],
    ['without setpriv', without('bwrap', 'setpriv'), ['uid', 'nnp']],
    ['without any of them', without('bwrap', 'unshare', 'prlimit', 'setpriv'), ['netns', 'rlimits', 'uid', 'nnp']],
    ['without being root', { ...without('bwrap'), isRoot: false }, ['uid']],
  ])('%s the other walls stand, and the gaps are named', async (_, lesser, gaps) => {
    const found = await levelWith(nowhere(lesser));
    expect(found.walls).toEqual(plain.walls.filter((wall) => !gaps.includes(wall)));
    expect(found.missing.map(({ wall }) => wall)).toEqual(expect.arrayContaining([...gaps, ...WRAPPED]));
  });

  it.runIf(machine.program('bwrap')).each<[string, Machine, readonly Wall[]]>([
    ['without unshare', without('unshare'), []],
    ['without prlimit', without('prlimit'), ['rlimits']],
    ['without setpriv', without('setpriv'), ['uid']],
    ['of an architecture nobody has listed', { ...machine, architecture: 'riscv64' }, ['seccomp']],
    ['whose libraries are elsewhere', { ...machine, libraries: () => [] }, WRAPPED],
  ])('%s bubblewrap gives the rest', async (_, lesser, gaps) => {
    expect((await levelWith(nowhere(lesser))).walls).toEqual(WALL_ORDER.filter((wall) => !gaps.includes(wall) && (machine.isRoot || wall !== 'uid')));
  });

  it('a wrapper that is there and does not work is left out, and the rest stands', async () => {
    const { walls, missing } = await levelWith({ ...machine, program: (name) => (name === 'bwrap' ? machine.program('false') : machine.program(name)) });
    expect(walls).toEqual(plain.walls);
    expect(missing.filter(({ wall }) => WRAPPED.includes(wall)).map(({ why }) => why)).toEqual(Array(3).fill('it ended with 1'));
  });

  it.runIf(has('uid'))('whose code another user cannot read, the host’s own user is kept and the reason told', async () => {
    await using dir = await tempDir();
    const hiddenNode = join(dir.path, 'node');
    await writeFile(hiddenNode, `#!/bin/sh\nexec ${machine.node} "$@"\n`, { mode: 0o755 });
    await chmod(dir.path, 0o700);
    const { walls, missing } = await levelWith({ ...without('bwrap'), node: hiddenNode });
    expect(walls).toEqual(plain.walls.filter((wall) => wall !== 'uid'));
    expect(missing.find(({ wall }) => wall === 'uid')?.why).toMatch(/denied/i);
  });

  it('that starts nothing at all says so', async () => {
    await expect(detectConfinement(start, { ...machine, node: '/nowhere/node' })).rejects.toThrow(/node|ENOENT/);
  });

  it.runIf(process.getuid?.() === 0)('run by an ordinary user, a sandbox still answers', async (context) => {
    if (!readableByAnyone(resolve('test/support/sandboxes.ts'))) {
      console.error('not run: the checkout lies in a folder that other users may not enter');
      context.skip();
    }
    const script = `
      import { aCall, aPool, openSandbox } from ${JSON.stringify(resolve('test/support/sandboxes.ts'))};
      const pool = aPool({ warm: 0 });
      const open = await openSandbox(pool);
      const { name, missing } = await pool.confinement();
      const result = await open.sandbox.call(aCall('hello'));
      console.log(JSON.stringify({ name, missing, result: result.value, pid: open.sandbox.pid }));
      await pool[Symbol.asyncDispose]();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { uid: 65_534, gid: 65_534, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH ?? '' } });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await new Promise((done) => child.once('close', done));
    const seen = JSON.parse(said) as { name: string; missing: { wall: Wall }[]; result: string };
    expect(seen.result).toBe('hello');
    expect(seen.missing.map(({ wall }) => wall)).toContain('uid');
    console.error(`confinement exercised as an ordinary user: ${seen.name}`);
  });
});

it('the host never loads isolated-vm', () => {
  const script = `await import(${JSON.stringify(resolve('host/supervisor/supervisor.ts'))}); await import(${JSON.stringify(resolve('host/sandbox/pool.ts'))}); console.log(process.report.getReport().sharedObjects.filter((each) => each.includes('isolated')).length)`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()).toBe('0');
});
