// The walls around a sandbox process, tried from inside: with Node's permission model, and without it, as native code that broke out of V8 would.
import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import { detectConfinement, thisMachine, type Machine, type SandboxCommand, type SandboxCommands, type Wall } from '../../host/sandbox/confinement.ts';
import { FAKE_PRELUDE } from '../support/fake-child.ts';
import { tempDir } from '../support/temp.ts';

const start = (commands: SandboxCommands) => ConfinedProcess.start(commands.command({ jitless: true }));
const machine = thisMachine();
const detected = await detectConfinement(start);
const { level } = detected.commands;
afterAll(() => detected.started.kill());

const has = (wall: Wall) => level.walls.includes(wall);
const NODE_AT = (args: readonly string[]) => args.indexOf(machine.node);

/** The very command line of a sandbox, with other code in it. */
function withScript(commands: SandboxCommands, script: string): SandboxCommand {
  const { file, args, env } = commands.command({ jitless: true });
  return { file, args: [...args.slice(0, -2), '-e', script], env };
}

/** The same without Node's permission model: what is left are the walls of the operating system. */
function brokenOut(commands: SandboxCommands, script: string): SandboxCommand {
  const { file, args, env } = commands.command({ jitless: true });
  const words = [file, ...args];
  return { file: words[0] as string, args: [...words.slice(1, NODE_AT(words) + 1), '-e', script], env };
}

/** Runs a script in a sandbox process and returns what it sent. `attempt(f)` is what came of trying. */
async function inside(command: (commands: SandboxCommands, script: string) => SandboxCommand, script: string, commands = detected.commands): Promise<Record<string, unknown>> {
  const attempt = 'const attempt = (f) => { try { return "did it: " + String(f()).slice(0, 60) } catch (e) { return e.code ?? e.message } };';
  const process = await ConfinedProcess.start(command(commands, `${FAKE_PRELUDE} ${attempt} ready(); next(); (async () => { ${script} })();`));
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

async function statusOf(pid: number): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return new Map(text.split('\n').map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]));
}

it('says which walls it found and why others are missing', () => {
  expect(level.name).toBe(level.walls.join('+'));
  expect(level.walls).toContain('permission');
  expect(level.walls.length + level.missing.length).toBe(5);
  for (const { wall, why } of level.missing) expect([wall, why.length > 0]).toEqual([wall, true]);
  expect(level.explanation).toContain('permission model');
  console.error(`confinement exercised here: ${level.name}${level.missing.map(({ wall, why }) => `; not ${wall} (${why})`).join('')}`);
});

describe('a sandbox process', () => {
  it('has an empty environment and the root as its working directory', async () => {
    const seen = await inside(withScript, 'send({ env: { ...process.env }, cwd: process.cwd(), argv: process.execArgv.filter((each) => each.includes("allow")) })');
    expect(seen).toMatchObject({ env: { TZ: 'UTC', LC_ALL: 'C' }, cwd: '/' });
    const readable = (seen.argv as string[]).filter((each) => each.startsWith('--allow-fs-read=')).map((each) => each.slice(16));
    expect(readable).toHaveLength(4);
    for (const path of readable) expect(path).toMatch(/\/sandbox\/child\/$|\/isolated-vm\/$|\/node-gyp-build\/$|^\/etc\/alpine-release$/);
  });

  it('reads no file but its own code, writes none, starts nothing', async () => {
    await using dir = await tempDir();
    await chmod(dir.path, 0o777);
    await writeFile(join(dir.path, 'private'), 'secret', { mode: 0o644 });
    const seen = await inside(withScript, `send({
      passwd: attempt(() => fs.readFileSync('/etc/passwd')), data: attempt(() => fs.readFileSync(${JSON.stringify(join(dir.path, 'private'))})), repository: attempt(() => fs.readFileSync(${JSON.stringify(resolve('package.json'))})),
      home: attempt(() => fs.readdirSync('/root')), folder: attempt(() => fs.readdirSync('/')), proc: attempt(() => fs.readFileSync('/proc/self/environ')), write: attempt(() => fs.writeFileSync(${JSON.stringify(join(dir.path, 'x'))}, 'x')),
      spawn: attempt(() => require('node:child_process').spawnSync('true')), worker: attempt(() => new (require('node:worker_threads').Worker)('1', { eval: true })), binding: attempt(() => process.binding('fs')), inspector: attempt(() => require('node:inspector').open()),
      wasm: typeof WebAssembly, own: attempt(() => fs.readFileSync(${JSON.stringify(resolve('host/sandbox/child/main.js'))})) })`);
    const { own, wasm, inspector, ...others } = seen;
    expect(own).toMatch(/^did it/);
    expect(wasm).toBe('undefined');
    expect(inspector).not.toMatch(/^did it/);
    expect(others).toEqual(Object.fromEntries(Object.keys(others).map((each) => [each, 'ERR_ACCESS_DENIED'])));
  });

  it.runIf(has('netns'))('has no network', async () => {
    const server = createServer((socket) => socket.destroy());
    let connections = 0;
    server.on('connection', () => (connections += 1));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    try {
      const script = `require('node:net').connect(${port}, '127.0.0.1').on('error', (e) => send({ code: e.code })).on('connect', () => send({ code: 'connected' }))`;
      for (const command of [withScript, brokenOut]) expect(await inside(command, script)).toEqual({ code: 'ENETUNREACH' });
      expect(connections).toBe(0);
      expect(await readlink(`/proc/${detected.started.pid}/ns/net`)).not.toBe(await readlink('/proc/self/ns/net'));
    } finally {
      server.close();
    }
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

  it.runIf(has('uid'))('broken out of V8 and Node it still reads no private file, signals nobody, and gains nothing', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'data'), { mode: 0o700 });
    await writeFile(join(dir.path, 'data', 'admin-token'), 'secret', { mode: 0o600 });
    const seen = await inside(brokenOut, `send({
      token: attempt(() => fs.readFileSync(${JSON.stringify(join(dir.path, 'data', 'admin-token'))})), shadow: attempt(() => fs.readFileSync('/etc/shadow')), host: attempt(() => process.kill(${process.pid}, 0)), neighbour: attempt(() => process.kill(${detected.started.pid}, 'SIGKILL')),
      setuid: attempt(() => process.setuid(0)), memory: attempt(() => fs.openSync('/proc/${detected.started.pid}/mem', 'r+')), dump: attempt(() => fs.readFileSync('/proc/${process.pid}/environ')) })`);
    expect(Object.entries(seen).filter(([, outcome]) => String(outcome).startsWith('did it'))).toEqual([]);
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

describe('on a lesser machine', () => {
  const without = (...missing: string[]): Machine => ({ ...machine, program: (name) => (missing.includes(name) ? undefined : machine.program(name)) });

  it.each<[string, Machine, Wall[]]>([
    ['without unshare', without('unshare'), ['netns']],
    ['without prlimit', without('prlimit'), ['rlimits']],
    ['without setpriv', without('setpriv'), ['uid', 'nnp']],
    ['without any of them', without('unshare', 'prlimit', 'setpriv'), ['netns', 'rlimits', 'uid', 'nnp']],
    ['without being root', { ...machine, isRoot: false }, ['uid']],
  ])('%s the other walls stand, and the gaps are named', async (_, lesser, gaps) => {
    // `program` of a missing tool falls back to its bare name, which an empty PATH does not find.
    const hidden: Machine = { ...lesser, program: (name) => lesser.program(name) ?? `/nowhere/${name}` };
    const { commands, started } = await detectConfinement(start, hidden);
    try {
      expect(commands.level.missing.map(({ wall }) => wall)).toEqual(expect.arrayContaining(gaps));
      const expected = level.walls.filter((wall) => !gaps.includes(wall));
      expect(commands.level.walls).toEqual(expected);
    } finally {
      started.kill();
    }
  });

  it.runIf(has('uid'))('whose code another user cannot read, the host’s own user is kept and the reason told', async () => {
    await using dir = await tempDir();
    const hiddenNode = join(dir.path, 'node');
    await writeFile(hiddenNode, `#!/bin/sh\nexec ${machine.node} "$@"\n`, { mode: 0o755 });
    await chmod(dir.path, 0o700);
    const { commands, started } = await detectConfinement(start, { ...machine, node: hiddenNode });
    try {
      expect(commands.level.walls).toEqual(level.walls.filter((wall) => wall !== 'uid'));
      expect(commands.level.missing.find(({ wall }) => wall === 'uid')?.why).toMatch(/denied/i);
    } finally {
      started.kill();
    }
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

/** Whether every folder on the way lets others through. */
function readableByAnyone(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & (at === path ? 0o004 : 0o001)) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

it('the host never loads isolated-vm', () => {
  const script = `await import(${JSON.stringify(resolve('host/supervisor/supervisor.ts'))}); await import(${JSON.stringify(resolve('host/sandbox/pool.ts'))}); console.log(process.report.getReport().sharedObjects.filter((each) => each.includes('isolated')).length)`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()).toBe('0');
});
