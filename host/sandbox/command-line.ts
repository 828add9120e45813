// The command lines that start a sandbox behind a given set of walls. confinement.ts finds out which set this machine gives.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import type { Machine } from './machine.ts';
import { syscallFilter } from './syscalls.ts';
import { WALL_ORDER, type Wall } from './walls.ts';

/** What to execute. The environment is exactly `env`, the working directory the root. */
export interface SandboxCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The process that is started stays, as the parent of the sandbox: a process namespace begins with a child. It ends as the sandbox ended, and the sandbox when it ends. */
  readonly forks: boolean;
  /** To be written to descriptor 5, once, and closed: the system calls it may make. */
  readonly syscallFilter?: Buffer;
}

/** What the wrappers are asked for. `spaces` says which tool makes the namespaces and by what right: root's, or that of a user namespace of one's own. */
export interface Plan {
  readonly spaces: 'bubblewrap' | 'unshare as root' | 'unshare as user' | undefined;
  readonly rlimits: boolean;
  readonly uid: boolean;
  readonly nnp: boolean;
  /** Needs bubblewrap. */
  readonly seccomp: boolean;
}

export const BARE: Plan = { spaces: undefined, rlimits: false, uid: false, nnp: false, seccomp: false };

export function wallsOf({ spaces, rlimits, uid, nnp, seccomp }: Plan): readonly Wall[] {
  const wrapped = spaces === 'bubblewrap';
  const has: Readonly<Record<Wall, boolean>> = { netns: spaces !== undefined, pidns: wrapped, files: wrapped, rlimits, uid, nnp: nnp || wrapped, seccomp: seccomp && wrapped, permission: true };
  return WALL_ORDER.filter((wall) => has[wall]);
}

/** musl or glibc? The loader of isolated-vm looks for this file. */
const LIBC_PROBE = '/etc/alpine-release';
const PLUGIN_FREE_HEAP_MB = 64;

/** The command of a sandbox behind these walls. */
export function sandboxCommand(plan: Plan, machine: Machine, { jitless }: { readonly jitless: boolean }): SandboxCommand {
  const main = realpathSync(join(import.meta.dirname, 'child', 'main.js'));
  const isolatedVm = realpathSync(createRequire(import.meta.url).resolve('isolated-vm'));
  const loader = realpathSync(createRequire(isolatedVm).resolve('node-gyp-build'));
  const folders = [main, isolatedVm, loader].map(dirname);
  const node = [machine.node, ...(jitless ? ['--jitless'] : []), '--no-node-snapshot', '--enable-sharedarraybuffer-per-context', `--max-old-space-size=${PLUGIN_FREE_HEAP_MB}`, '--v8-pool-size=1', '--no-warnings', '--disable-sigusr1', '--permission', '--allow-addons', ...folders.map((path) => `--allow-fs-read=${path}/`), `--allow-fs-read=${LIBC_PROBE}`, main, isolatedVm];
  const filter = plan.spaces === 'bubblewrap' && plan.seccomp ? syscallFilter({ architecture: machine.architecture, jitless }) : undefined;
  return wrapped(plan, machine, { words: node, files: [machine.node, ...machine.libraries(), ...folders], filter });
}

/** Any other program behind the same wrappers, to see whether they work. */
export function probeCommand(plan: Plan, machine: Machine): SandboxCommand {
  // In a root of its own there is nothing but Node.
  const words = plan.spaces === 'bubblewrap' ? [machine.node, '--version'] : [machine.program('true') ?? 'true'];
  const filter = plan.spaces === 'bubblewrap' && plan.seccomp ? syscallFilter({ architecture: machine.architecture, jitless: true }) : undefined;
  return wrapped(plan, machine, { words, files: [machine.node, ...machine.libraries()], filter });
}

interface Content {
  readonly words: readonly string[];
  /** Files and folders it needs, where it has a root of its own. */
  readonly files: readonly string[];
  readonly filter: Buffer | undefined;
}

function wrapped(plan: Plan, machine: Machine, { words, files, filter }: Content): SandboxCommand {
  const path = (name: string) => machine.program(name) ?? name;
  const wrappers = plan.spaces === 'bubblewrap' ? withBubblewrap(plan, path, files, filter) : withUtilLinux(plan, path);
  const [file = '', ...args] = [...unhurried(machine), ...wrappers, ...words];
  return { file, args, env: { TZ: 'UTC', LC_ALL: 'C' }, forks: plan.spaces === 'bubblewrap', ...(filter ? { syscallFilter: filter } : {}) };
}

/** No RLIMIT_AS (V8 reserves far more than it uses), no RLIMIT_CPU (a lifetime cap kills the healthy). */
const limits = ({ uid }: Plan, path: (name: string) => string) => [path('prlimit'), '--core=0', '--fsize=8', '--nofile=64', ...(uid ? ['--nproc=64'] : [])];

/**
 * SCHED_BATCH (sched(7)): a sandbox that is woken by a frame does not take the core from the host in the middle of writing to the others. Its share is the same.
 * Needs no privilege; where there is no chrt, nothing is lost but that.
 */
function unhurried(machine: Machine): string[] {
  const chrt = machine.program('chrt');
  return chrt === undefined ? [] : [chrt, '--batch', '0'];
}

/** systemd's range for dynamic users: no account, no file, nothing else runs there. */
const UIDS = { first: 61_184, count: 65_519 - 61_184 };

/** Neighbouring sandboxes have different users, so that one which broke out of everything else could still not touch another. */
let nextUid = process.pid % UIDS.count;

function anotherUser(): string[] {
  nextUid = (nextUid + 1) % UIDS.count;
  const uid = UIDS.first + nextUid;
  return [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
}

/** Each wrapper executes the next without forking, so the process that was spawned is the sandbox. */
function withUtilLinux(plan: Plan, path: (name: string) => string): string[] {
  const words: string[] = [];
  if (plan.spaces !== undefined) words.push(path('unshare'), ...(plan.spaces === 'unshare as user' ? ['--user', '--map-current-user'] : []), '--net', '--ipc');
  if (plan.rlimits) words.push(...limits(plan, path));
  if (plan.uid || plan.nnp) words.push(path('setpriv'));
  if (plan.nnp) words.push('--no-new-privs');
  if (plan.uid) words.push(...anotherUser());
  if (plan.nnp) words.push('--pdeathsig=KILL'); // last: a change of user clears it
  return words;
}

const FILTER_FD = 5;

/** stdin, stdout, stderr, frames, progress, and the list of system calls where there is one. */
export function stdioOf({ syscallFilter: filter }: SandboxCommand, frames: 'pipe' | 'ignore', progress: number | 'ignore'): StdioOptions {
  return ['ignore', 'ignore', 'pipe', frames, progress, ...(filter ? ['pipe' as const] : [])];
}

/** Hands the list of system calls to the wrapper that reads it. A wrapper that died before tells so by its end. */
export function feedFilter(started: ChildProcess, { syscallFilter: filter }: SandboxCommand): void {
  const pipes: readonly unknown[] = started.stdio;
  const pipe = pipes[FILTER_FD];
  if (!filter || !(pipe instanceof Writable)) return;
  pipe.on('error', () => {}); // see above
  pipe.end(filter);
}

/** Bubblewrap sets no-new-privileges by itself, and stays as the parent of the sandbox. The other user comes first: inside there is only one. */
function withBubblewrap(plan: Plan, path: (name: string) => string, files: readonly string[], filter: Buffer | undefined): string[] {
  const words: string[] = [];
  if (plan.rlimits) words.push(...limits(plan, path));
  if (plan.uid) words.push(path('setpriv'), ...anotherUser());
  words.push(path('bwrap'), '--unshare-user', '--unshare-net', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try', '--die-with-parent', '--as-pid-1', '--tmpfs', '/');
  for (const file of files) words.push('--ro-bind', file, file);
  words.push('--remount-ro', '/', '--chdir', '/');
  if (filter) words.push('--seccomp', String(FILTER_FD));
  return words;
}
