// How a sandbox process is locked in: finds, by starting one, the strongest set of walls this machine gives. Used by pool.ts; `doctor` and `status` show the result.
import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { problemOf } from '../errors.ts';

/** One wall around a sandbox process, outermost first; a level is named by the walls it has. */
export type Wall = 'netns' | 'rlimits' | 'uid' | 'nnp' | 'permission';

const ORDER: readonly Wall[] = ['netns', 'rlimits', 'uid', 'nnp', 'permission'];

export const WALLS: Readonly<Record<Wall, string>> = {
  netns: 'a network and IPC namespace of its own: no interface but a loopback that is down',
  rlimits: 'resource limits: no core dumps, no files beyond 8 bytes, 64 descriptors, and 64 threads where it has its own uid',
  uid: 'a user id of its own, without groups or capabilities: it reads no private file and signals no other process',
  nnp: 'no new privileges, and SIGKILL when the host dies',
  permission: "Node's permission model: no file beyond the sandbox's own code, no child process, no worker, no inspector",
};

export interface MissingWall {
  readonly wall: Wall;
  /** What the machine said when it was tried. */
  readonly why: string;
}

export interface ConfinementLevel {
  /** The walls, joined by `+`: `netns+rlimits+uid+nnp+permission` is all of them. */
  readonly name: string;
  readonly walls: readonly Wall[];
  readonly missing: readonly MissingWall[];
  /** For people: what holds a sandbox here, and what does not. */
  readonly explanation: string;
}

/** What to execute. The environment is exactly `env`, the working directory the root. */
export interface SandboxCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface SandboxCommands {
  readonly level: ConfinementLevel;
  command(options: { readonly jitless: boolean }): SandboxCommand;
}

/** Starts one process and resolves once it said `ready`; rejects with the reason when it ends before. */
export type TryStart<Started> = (commands: SandboxCommands) => Promise<Started>;

/**
 * Tries the best level by starting a real sandbox at it. Only if that fails are the wrappers tried one by one, and what works is started again, leaving walls
 * out until a sandbox answers: where all is well this costs nothing beyond the one start, whose process is handed back. Rejects when not even a bare one starts.
 */
export async function detectConfinement<Started>(tryStart: TryStart<Started>, machine: Machine = thisMachine()): Promise<{ readonly commands: SandboxCommands; readonly started: Started }> {
  const best = bestPlan(machine);
  const missing = unreachable(machine);
  let plan = best;
  const attempt = async () => {
    const commands = commandsOf(plan, missing, machine);
    return { commands, started: await tryStart(commands) };
  };
  try {
    return await attempt();
  } catch (first) {
    plan = await workingWrappers(best, missing, machine);
    // All wrappers may work and the sandbox still not start: then it cannot read its own code as another user, say under a private home.
    let problem = problemOf(first);
    for (const wall of [undefined, 'uid', 'netns', 'nnp', 'rlimits'] as const) {
      if (wall) {
        if (!plan[wall]) continue;
        plan = { ...plan, [wall]: wall === 'netns' ? undefined : false };
        missing.set(wall, problem);
      }
      try {
        return await attempt();
      } catch (failed) {
        problem = problemOf(failed);
      }
    }
    throw new Error(problem, { cause: first });
  }
}

/** The best level this machine could have, if nothing is in the way. */
export function likelyCommands(machine: Machine = thisMachine()): SandboxCommands {
  return commandsOf(bestPlan(machine), unreachable(machine), machine);
}

// --- Command lines ----------------------------------------------------------------------------------------------------------------------------------

/** Which wrappers a command line uses. `netns` says by what right: as root, or inside a user namespace of one's own. */
interface Plan {
  readonly netns: 'root' | 'user' | undefined;
  readonly rlimits: boolean;
  readonly uid: boolean;
  readonly nnp: boolean;
}

const bestPlan = ({ isRoot }: Machine): Plan => ({ netns: isRoot ? 'root' : 'user', rlimits: true, uid: isRoot, nnp: true });

const unreachable = ({ isRoot }: Machine) => new Map<Wall, string>(isRoot ? [] : [['uid', 'the host does not run as root']]);

/** What detection needs to know of the machine; tests pass another. */
export interface Machine {
  readonly isRoot: boolean;
  readonly node: string;
  /** Absolute path of a program, or undefined when it is not installed. */
  program(name: string): string | undefined;
}

/** musl or glibc? The loader of isolated-vm looks for this file. */
const LIBC_PROBE = '/etc/alpine-release';
const PLUGIN_FREE_HEAP_MB = 64;
/** systemd's range for dynamic users: no account, no file, nothing else runs there. */
const UIDS = { first: 61_184, count: 65_519 - 61_184 };

/** Neighbouring sandboxes have different users, so that one which broke out of everything else could still not touch another. */
let nextUid = process.pid % UIDS.count;

function commandsOf(plan: Plan, missing: ReadonlyMap<Wall, string>, machine: Machine): SandboxCommands {
  const main = realpathSync(join(import.meta.dirname, 'child', 'main.js'));
  const isolatedVm = realpathSync(createRequire(import.meta.url).resolve('isolated-vm'));
  const loader = realpathSync(createRequire(isolatedVm).resolve('node-gyp-build'));
  const readable = [main, isolatedVm, loader].map(dirname).map((path) => `--allow-fs-read=${path}/`);
  const nodeArguments = ['--no-node-snapshot', '--enable-sharedarraybuffer-per-context', `--max-old-space-size=${PLUGIN_FREE_HEAP_MB}`, '--v8-pool-size=1', '--no-warnings', '--disable-sigusr1', '--permission', '--allow-addons', ...readable, `--allow-fs-read=${LIBC_PROBE}`];
  return {
    level: levelOf(plan, missing),
    command({ jitless }) {
      const [file, ...args] = [...wrappersOf(plan, machine), machine.node, ...(jitless ? ['--jitless'] : []), ...nodeArguments, main, isolatedVm];
      return { file, args, env: { TZ: 'UTC', LC_ALL: 'C' } };
    },
  };
}

/** Each wrapper executes the next without forking, so the process that was spawned is the sandbox. No RLIMIT_AS (V8 reserves far more than it uses), no RLIMIT_CPU (a lifetime cap kills the healthy). */
function wrappersOf(plan: Plan, machine: Machine): string[] {
  const path = (name: string) => machine.program(name) ?? name;
  const words: string[] = [];
  if (plan.netns) words.push(path('unshare'), ...(plan.netns === 'user' ? ['--user', '--map-current-user'] : []), '--net', '--ipc');
  if (plan.rlimits) words.push(path('prlimit'), '--core=0', '--fsize=8', '--nofile=64', ...(plan.uid ? ['--nproc=64'] : []));
  if (plan.uid || plan.nnp) words.push(path('setpriv'));
  if (plan.nnp) words.push('--no-new-privs');
  if (plan.uid) {
    nextUid = (nextUid + 1) % UIDS.count;
    const uid = UIDS.first + nextUid;
    words.push(`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all');
  }
  if (plan.nnp) words.push('--pdeathsig=KILL'); // last: a change of user clears it
  return words;
}

function levelOf(plan: Plan, missing: ReadonlyMap<Wall, string>): ConfinementLevel {
  const walls = ORDER.filter((wall) => wall === 'permission' || Boolean(plan[wall]));
  const gaps = ORDER.filter((wall) => !walls.includes(wall)).map((wall) => ({ wall, why: missing.get(wall) ?? 'it was not tried' }));
  const has = `Sandboxes have ${walls.map((wall) => WALLS[wall]).join('; ')}.`;
  const lacks = gaps.map(({ wall, why }) => ` Without ${WALLS[wall]} (${why}).`).join('');
  return { name: walls.join('+'), walls, missing: gaps, explanation: has + lacks };
}

// --- What the machine can do ------------------------------------------------------------------------------------------------------------------------

/** Tries each wrapper alone around `true`, all at once: a few milliseconds. */
async function workingWrappers(best: Plan, missing: Map<Wall, string>, machine: Machine): Promise<Plan> {
  const none: Plan = { netns: undefined, rlimits: false, uid: false, nnp: false };
  const [netnsRoot, netnsUser, rlimits, uid, nnp] = await Promise.all([
    best.netns === 'root' ? runs({ ...none, netns: 'root' }, machine) : 'the host does not run as root',
    runs({ ...none, netns: 'user' }, machine),
    runs({ ...none, rlimits: true }, machine),
    best.uid ? runs({ ...none, uid: true }, machine) : 'the host does not run as root',
    runs({ ...none, nnp: true }, machine),
  ]);
  for (const [wall, why] of [['rlimits', rlimits], ['uid', uid], ['nnp', nnp]] as const) if (why !== undefined) missing.set(wall, why);
  const netns = netnsRoot === undefined ? 'root' : netnsUser === undefined ? 'user' : undefined;
  if (netnsUser !== undefined && !netns) missing.set('netns', netnsUser);
  // Inside a user namespace that maps one user there is no other to become.
  const canBecome = uid === undefined && netns !== 'user';
  if (uid === undefined && !canBecome) missing.set('uid', 'the network namespace needs a user namespace here, which has one user');
  return { netns, rlimits: rlimits === undefined, uid: canBecome, nnp: nnp === undefined };
}

const PROBE_MS = 2000;

/** Undefined when the wrappers of a plan can execute something, else why not. */
function runs(plan: Plan, machine: Machine): Promise<string | undefined> {
  const [file, ...args] = [...wrappersOf(plan, machine), machine.program('true') ?? 'true'];
  return new Promise((resolve) => {
    const probe = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {}, cwd: '/', timeout: PROBE_MS, killSignal: 'SIGKILL' });
    let said = '';
    probe.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 200)));
    probe.once('error', (error) => resolve(problemOf(error)));
    probe.once('close', (code, signal) => resolve(code === 0 ? undefined : said.split('\n')[0] || `it ended with ${signal ?? code}`));
  });
}

export function thisMachine(): Machine {
  const folders = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'])].filter((folder) => folder.startsWith('/'));
  return {
    isRoot: process.getuid?.() === 0,
    node: realpathSync(process.execPath),
    program: (name) => folders.map((folder) => join(folder, name)).find(isExecutable),
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
