// How a sandbox process is locked in: finds, by starting one, the strongest set of walls this machine gives. Used by pool.ts; `doctor` and `status` show the result.
import { spawn } from 'node:child_process';
import { problemOf } from '../errors.ts';
import { BARE, feedFilter, probeCommand, sandboxCommand, stdioOf, wallsOf, type Plan, type SandboxCommand } from './command-line.ts';
import { thisMachine, type Machine } from './machine.ts';
import { syscallFilter } from './syscalls.ts';
import { levelOf, type ConfinementLevel, type Wall } from './walls.ts';

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
  const reasons = unreachable(machine);
  const attempt = async (plan: Plan) => {
    const commands = commandsOf(plan, reasons, machine);
    return { commands, started: await tryStart(commands) };
  };
  const best = bestPlan(machine);
  try {
    return await attempt(best);
  } catch (first) {
    const working = await workingWrappers(best, reasons, machine);
    // All wrappers may work and the sandbox still not start: then it cannot read its own code as another user, say under a private home.
    let problem = problemOf(first);
    for (const { plan, without } of lesserPlans(working, machine)) {
      for (const wall of without) reasons.set(wall, problem);
      try {
        return await attempt(plan);
      } catch (failed) {
        problem = problemOf(failed);
        for (const wall of without) reasons.delete(wall);
      }
    }
    throw new Error(problem, { cause: first });
  }
}

/** The best level this machine could have, if nothing is in the way. */
export function likelyCommands(machine: Machine = thisMachine()): SandboxCommands {
  return commandsOf(bestPlan(machine), unreachable(machine), machine);
}

function commandsOf(plan: Plan, reasons: ReadonlyMap<Wall, string>, machine: Machine): SandboxCommands {
  return { level: levelOf(wallsOf(plan), reasons), command: (options) => sandboxCommand(plan, machine, options) };
}

// --- Plans --------------------------------------------------------------------------------------------------------------------------------------------

function bestPlan(machine: Machine): Plan {
  const wrapped = machine.program('bwrap') !== undefined;
  return { spaces: wrapped ? 'bubblewrap' : unshareBy(machine), rlimits: true, uid: machine.isRoot, nnp: true, seccomp: wrapped && hasFilter(machine) };
}

/** What only bubblewrap gives. */
const WRAPPED = ['pidns', 'files', 'seccomp'] as const;
const unshareBy = ({ isRoot }: Machine) => (isRoot ? 'unshare as root' : 'unshare as user');
const hasFilter = ({ architecture }: Machine) => syscallFilter({ architecture, jitless: true }) !== undefined;

/** What needs no trying. */
function unreachable(machine: Machine): Map<Wall, string> {
  const reasons = new Map<Wall, string>();
  if (!machine.isRoot) reasons.set('uid', 'the host does not run as root');
  if (machine.program('bwrap') === undefined) for (const wall of WRAPPED) reasons.set(wall, 'bubblewrap is not installed');
  else if (!hasFilter(machine)) reasons.set('seccomp', `there is no list of system calls for ${machine.architecture}`);
  return reasons;
}

/** The plan itself, then without one wall, then without more and more of them. */
function* lesserPlans(plan: Plan, machine: Machine): Generator<{ readonly plan: Plan; readonly without: readonly Wall[] }> {
  yield { plan, without: [] };
  const removable = LEFT_OUT_FIRST.filter((wall) => wallsOf(plan).includes(wall));
  const lesser = (less: Plan) => ({ plan: less, without: wallsOf(plan).filter((wall) => !wallsOf(less).includes(wall)) });
  for (const wall of removable) yield lesser(withoutWall(plan, wall, machine));
  let less = plan;
  for (const wall of removable) yield lesser((less = withoutWall(less, wall, machine)));
}

/** A user of its own is worth more to a host that is root than a root folder of its own. */
const LEFT_OUT_FIRST = ['seccomp', 'files', 'uid', 'netns', 'nnp', 'rlimits'] as const;

/** What else stands on a wall goes with it; the network namespace that bubblewrap gave can be had from unshare. */
function withoutWall(plan: Plan, wall: (typeof LEFT_OUT_FIRST)[number], machine: Machine): Plan {
  switch (wall) {
    case 'files':
      return { ...plan, spaces: unshareBy(machine), seccomp: false };
    case 'netns':
      return { ...plan, spaces: undefined, seccomp: false };
    case 'nnp':
      return { ...plan, spaces: plan.spaces === 'bubblewrap' ? unshareBy(machine) : plan.spaces, nnp: false, seccomp: false };
    case 'uid':
    case 'rlimits':
    case 'seccomp':
      return { ...plan, [wall]: false };
    default:
      return wall satisfies never;
  }
}

// --- What the machine can do ------------------------------------------------------------------------------------------------------------------------

/** Tries each wrapper alone, all at once: a few milliseconds. */
async function workingWrappers(best: Plan, reasons: Map<Wall, string>, machine: Machine): Promise<Plan> {
  const notRoot = 'the host does not run as root';
  const [wrapped, asRoot, asUser, rlimits, uid, nnp] = await Promise.all([
    best.spaces === 'bubblewrap' ? whyNot({ ...BARE, spaces: 'bubblewrap' }, machine) : 'bubblewrap is not installed',
    machine.isRoot ? whyNot({ ...BARE, spaces: 'unshare as root' }, machine) : notRoot,
    whyNot({ ...BARE, spaces: 'unshare as user' }, machine),
    whyNot({ ...BARE, rlimits: true }, machine),
    best.uid ? whyNot({ ...BARE, uid: true }, machine) : notRoot,
    whyNot({ ...BARE, nnp: true }, machine),
  ]);
  for (const [wall, why] of [['rlimits', rlimits], ['uid', uid], ['nnp', nnp]] as const) if (why !== undefined) reasons.set(wall, why);
  const others = { rlimits: rlimits === undefined, nnp: nnp === undefined };
  if (wrapped === undefined) {
    const seccomp = best.seccomp ? await whyNot({ ...BARE, spaces: 'bubblewrap', seccomp: true }, machine) : 'not tried';
    if (best.seccomp && seccomp !== undefined) reasons.set('seccomp', seccomp);
    return { ...others, spaces: 'bubblewrap', uid: uid === undefined, seccomp: seccomp === undefined };
  }
  for (const wall of WRAPPED) reasons.set(wall, wrapped);
  const spaces = asRoot === undefined ? 'unshare as root' : asUser === undefined ? 'unshare as user' : undefined;
  if (spaces === undefined) reasons.set('netns', asUser ?? 'it was not tried');
  // Inside a user namespace that maps one user there is no other to become.
  const canBecome = uid === undefined && spaces !== 'unshare as user';
  if (uid === undefined && !canBecome) reasons.set('uid', 'the network namespace needs a user namespace here, which has one user');
  return { ...others, spaces, uid: canBecome, seccomp: false };
}

const PROBE_MS = 2000;

/** Undefined when the wrappers of a plan can execute something, else what they said. */
function whyNot(plan: Plan, machine: Machine): Promise<string | undefined> {
  const command = probeCommand(plan, machine);
  return new Promise((resolve) => {
    const probe = spawn(command.file, command.args, { stdio: stdioOf(command, 'ignore', 'ignore'), env: { ...command.env }, cwd: '/', timeout: PROBE_MS, killSignal: 'SIGKILL' });
    feedFilter(probe, command);
    let said = '';
    probe.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 200)));
    probe.once('error', (error) => resolve(problemOf(error)));
    probe.once('close', (code, signal) => resolve(code === 0 ? undefined : said.split('\n')[0] || `it ended with ${signal ?? code}`));
  });
}
