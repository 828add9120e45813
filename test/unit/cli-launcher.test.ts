// The launcher: which Node runs the program, whose exit code and signals count, and what its death means. Around a program that only reports what it sees.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp.ts';

const LAUNCHER = join(import.meta.dirname, '../../host/bin/gatehouse.js');

/** What the launcher would import: says which Node it runs on, then does what its first argument says. */
const PROGRAM = `
import { Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
export async function main([verb, file]) {
  if (verb === 'fail') process.exitCode = 3;
  if (verb === 'wait') {
    const busy = setInterval(() => undefined, 1000);
    const launcher = new Socket({ fd: 3, readable: true, writable: false }).on('end', () => { writeFileSync(file, 'ended'); process.exit(); }).resume();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => { console.log(signal); clearInterval(busy); launcher.destroy(); });
  }
  console.log(JSON.stringify({ node: process.versions.node, pid: process.pid, fd: process.env.GATEHOUSE_LAUNCHER_FD ?? null })); // last: who reads it knows that all is listened to
}`;

/** Runs as Node 20 would see it: what decides is \`process.versions\`. */
const PRETEND_OLD = ['--import', `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`];

async function anInstall({ withNode = true } = {}) {
  const dir = await tempDir();
  const bin = join(dir.path, 'host', 'bin');
  await mkdir(bin, { recursive: true });
  await mkdir(join(dir.path, 'host', 'dist', 'host'), { recursive: true });
  await copyFile(LAUNCHER, join(bin, 'gatehouse.js'));
  await writeFile(join(dir.path, 'package.json'), '{"type":"module"}');
  await writeFile(join(dir.path, 'host', 'dist', 'host', 'main.js'), PROGRAM);
  if (withNode) {
    await mkdir(join(dir.path, 'node_modules', 'node', 'bin'), { recursive: true });
    await symlink(process.execPath, join(dir.path, 'node_modules', 'node', 'bin', 'node'));
  }
  const run = (args: readonly string[], { node = process.execPath, flags = PRETEND_OLD }: { node?: string; flags?: readonly string[] } = {}): Running => {
    const child = spawn(node, [...flags, join(bin, 'gatehouse.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (out += text));
    return { child, out: () => out, exit: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal }))) };
  };
  return { path: dir.path, run, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const firstLine = async ({ out }: Running): Promise<{ node: string; pid: number; fd: string | null }> => eventually(() => JSON.parse(out().split('\n')[0] ?? ''));

describe('the launcher', () => {
  it('runs the program itself on a Node that is new enough', async () => {
    await using install = await anInstall();
    const running = install.run([], { flags: [] });
    expect(await firstLine(running)).toEqual({ node: process.versions.node, pid: running.child.pid, fd: null });
    expect(await running.exit).toEqual({ code: 0, signal: null });
  });

  it('runs the sources where they are, whatever an earlier build left behind', async () => {
    await using install = await anInstall();
    await writeFile(join(install.path, 'host', 'main.ts'), `export async function main(): Promise<void> { console.log('"the sources"'); }`);
    const running = install.run([], { flags: [] });
    expect(await running.exit).toEqual({ code: 0, signal: null });
    expect(running.out()).toBe('"the sources"\n');
  });

  it('finds a newer Node above itself when its own is too old', async () => {
    await using install = await anInstall();
    const running = install.run([]);
    const program = await firstLine(running);
    expect(program).toMatchObject({ node: process.versions.node, fd: '3' });
    expect(program.pid).not.toBe(running.child.pid);
    expect(await running.exit).toEqual({ code: 0, signal: null });
  });

  it('says what it needs when there is none, and ends with 2', async () => {
    await using install = await anInstall({ withNode: false });
    const running = install.run([]);
    expect(await running.exit).toEqual({ code: 2, signal: null });
    expect(running.out()).toMatch(/needs Node\.js 24 or newer; this is 20\.11\.0/);
  });

  it('is parsed by an older Node, where there is one', async (context) => {
    const old = olderNode();
    if (old === undefined) return context.skip('no Node older than 24 on this machine');
    await using install = await anInstall();
    const running = install.run([], { node: old, flags: [] });
    expect((await firstLine(running)).node).toBe(process.versions.node);
    return expect(await running.exit).toEqual({ code: 0, signal: null });
  });

  it('passes the exit code on', async () => {
    await using install = await anInstall();
    expect(await install.run(['fail']).exit).toEqual({ code: 3, signal: null });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('passes %s on and waits for the end', async (signal) => {
    await using install = await anInstall();
    const running = install.run(['wait', join(install.path, 'mark')]);
    await firstLine(running);
    running.child.kill(signal);
    expect(await running.exit).toEqual({ code: 0, signal: null });
    expect(running.out()).toContain(signal);
  });

  it('ends with 128 + n when the program was killed', async () => {
    await using install = await anInstall();
    const running = install.run(['wait', join(install.path, 'mark')]);
    process.kill((await firstLine(running)).pid, 'SIGKILL');
    expect(await running.exit).toEqual({ code: 137, signal: null });
  });

  it('takes the program with it even when it is killed itself', async () => {
    await using install = await anInstall();
    const mark = join(install.path, 'mark');
    const running = install.run(['wait', mark]);
    const { pid } = await firstLine(running);
    running.child.kill('SIGKILL');
    await eventually(async () => expect(await readFile(mark, 'utf8')).toBe('ended'));
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/));
  });
});

function olderNode(): string | undefined {
  const folders = new Set([...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin']);
  return [...folders].map((folder) => join(folder, 'node')).find((node) => existsSync(node) && Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 24) < 24);
}
