// Gatehouse as an operator starts it: the real launcher in a process of its own, for kills, exit codes and whole-process scenarios.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';

export const LAUNCHER = resolve(import.meta.dirname, '../../host/bin/gatehouse.js');

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface HostProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** JSON lines of `start --json`, as they come. */
  readonly lines: readonly Record<string, unknown>[];
  readonly stderr: () => string;
  readonly exited: Promise<Exit>;
  /** The host's own process, not the launcher. */
  readonly pid: number;
  readonly address: string;
}

export interface ProcessOptions {
  /** For Node itself, before the launcher: `--import` and the like. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Joined by a message channel: `child.send` and `child.on('message')`. */
  readonly ipc?: boolean;
  /** Told of the process at once, long before it is ready. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Resolves with the `ready` line; rejects with what was printed when the process ends before. */
export async function startProcess(home: string, args: readonly string[] = [], launcher = LAUNCHER, { nodeArgs = [], env = {}, ipc = false, onSpawn }: ProcessOptions = {}): Promise<HostProcess> {
  const command = [...nodeArgs, launcher, 'start', '--json', '--home', home, '--listen', '127.0.0.1:0', ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])], env: { PATH: process.env['PATH'] ?? '', ...env } });
  onSpawn?.(child);
  const lines: Record<string, unknown>[] = [];
  let stderr = '';
  const { stdout, stderr: errors } = child;
  if (!stdout || !errors) throw new Error('the process has no pipes');
  errors.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-20_000)));
  const exited = new Promise<Exit>((done) => child.on('exit', (code, signal) => done({ code, signal })));
  const ready = await new Promise<Record<string, unknown>>((done, fail) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const event = JSON.parse(line) as Record<string, unknown>;
      lines.push(event);
      if (event['event'] === 'ready') done(event);
    });
    void exited.then(({ code }) => fail(new Error(`the host ended with ${code} before it was ready: ${stderr} ${JSON.stringify(lines)}`)));
  });
  return {
    child,
    lines,
    stderr: () => stderr,
    exited,
    pid: Number(ready['pid']),
    address: String(ready['address']),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  json<T = Record<string, unknown>>(): T;
}

/** Runs one command through the launcher and waits for its end. */
export async function gatehouse(args: readonly string[], { cwd, env = {}, launcher = LAUNCHER }: { readonly cwd?: string; readonly env?: Record<string, string>; readonly launcher?: string } = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [launcher, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stdout, stderr, json: <T>() => JSON.parse(stdout) as T };
}
