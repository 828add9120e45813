// The host that `gatehouse dev` runs: the real one, in a process of its own, over the home of dev-home.ts. Called by dev.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Diagnostic } from '../../../schemas/control.ts';
import { OVERRIDE_NAMES } from '../../config.ts';
import { GatehouseError, problemOf } from '../../errors.ts';

/** A line that a plugin logged, or that the host has to say about it. */
export interface LogLine {
  readonly level: string;
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface DevHost {
  readonly address: string;
  /** Resolves with what it last said once the process is gone. */
  readonly ended: Promise<string>;
  /** Drains, and is killed where that takes too long. */
  stop(): Promise<void>;
}

/** Longer than the host itself gives a drain. */
const STOP_MS = 12_000;
const KEPT_CHARACTERS = 4000;

/** Resolves once every plugin has settled. Throws HOST_UNREACHABLE with what it printed when it does not start. */
export async function startDevHost({ home, env, onLog }: { readonly home: string; readonly env: NodeJS.ProcessEnv; readonly onLog: (line: LogLine) => void }): Promise<DevHost> {
  // The descriptor ties it to this process: it ends with it, however that ends.
  const child = spawn(process.execPath, [launcher(), 'start', '--json', '--home', home], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { ...withoutOverrides(env), GATEHOUSE_LAUNCHER_FD: '3' }, detached: true });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new GatehouseError('INTERNAL', { problem: 'the process of the host has no pipes' });
  let said = '';
  createInterface({ input: stderr }).on('line', (line) => {
    said = `${said}${line}\n`.slice(-KEPT_CHARACTERS);
    const told = readLog(line);
    if (told) onLog(told);
  });
  const ended = new Promise<string>((resolve) => child.on('close', () => resolve(said)));
  const ready = Promise.withResolvers<string>();
  createInterface({ input: stdout }).on('line', (line) => {
    const told: unknown = JSON.parse(line); // of our own host
    const { event, address, diagnostics = [] }: { event?: unknown; address?: unknown; diagnostics?: readonly Diagnostic[] } = Object(told);
    if (event === 'ready') ready.resolve(String(address));
    if (event === 'refused') ready.reject(new GatehouseError('HOST_UNREACHABLE', { home, problem: diagnostics.map(({ message }) => message).join('; ') }));
  });
  void ended.then((last) => ready.reject(new GatehouseError('HOST_UNREACHABLE', { home, problem: `it ended: ${last.trim().slice(-600)}` })));
  try {
    return { address: await ready.promise, ended, stop: () => stop(child, ended) };
  } catch (thrown) {
    await stop(child, ended);
    throw thrown;
  }
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(late);
}

/** The home says it all; what an author has set for a host of their own is not for this one. */
const withoutOverrides = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'GATEHOUSE_HOME' && !OVERRIDE_NAMES.includes(name)));

/** As pino numbers them (https://getpino.io/#/docs/api?id=levels). */
const LEVELS: ReadonlyMap<number, string> = new Map([[20, 'debug'], [30, 'info'], [40, 'warn'], [50, 'error'], [60, 'fatal']]);
const WARN = 40;

/** Lines of plugins, and of the host what is worth a warning. */
function readLog(line: string): LogLine | undefined {
  let told: Record<string, unknown>;
  try {
    told = Object(JSON.parse(line));
  } catch (thrown) {
    return { level: 'warn', text: `${line.slice(0, 500)} (${problemOf(thrown).slice(0, 80)})` };
  }
  const { level: number, msg, text, fields } = told;
  const level = LEVELS.get(Number(number)) ?? 'info';
  if (msg === 'plugin log') return { level, text: String(text), ...(fields === undefined ? {} : { fields: Object(fields) }) };
  return Number(number) >= WARN ? { level, text: String(msg), fields: essentials(told) } : undefined;
}

const essentials = ({ level: _level, time: _time, pid: _pid, hostname: _host, msg: _msg, ...rest }: Record<string, unknown>) => rest;

/** Beside the sources in a checkout, two folders up from what is published. */
function launcher(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'bin', 'gatehouse.js');
    if (existsSync(candidate) || dirname(folder) === folder) return candidate;
  }
}
