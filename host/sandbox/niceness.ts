// Who goes first when there is not enough processor for all: the host, then plugins that messages have to pass, then the others, and last whoever holds a core for long. Stepping back needs no privilege; stepping forward again does, so nobody is moved back up.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** `front`: messages do not get past it. `back`: everything else. */
export type Rank = 'front' | 'back';

/** What a sandbox has shown of itself. */
export type Appetite = 'usual' | 'long' | 'hog';

/** Steps of nice(2) behind the host, each a quarter less of the share; 19 is the end. */
const BEHIND: Readonly<Record<Rank, Readonly<Record<Appetite, number>>>> = {
  front: { usual: 1, long: 4, hog: 10 },
  back: { usual: 3, long: 19, hog: 19 },
};
const LAST = 19;

/** CPU that one slice has used. An honest one takes some milliseconds; a whole call may use 50 unless it was given more. */
export function appetiteOf(sliceCpuMs: number, isLoading: boolean): Appetite {
  // The top level of a script is compiled in it, once.
  if (isLoading) return sliceCpuMs >= 250 ? 'hog' : 'usual';
  if (sliceCpuMs >= 50) return 'hog';
  return sliceCpuMs >= 20 ? 'long' : 'usual';
}

/** A process that is gone, or a machine that does not let it, changes nothing: this is a courtesy among neighbours, and the watchdog does not depend on it. */
export function stepBehind(pid: number, rank: Rank, appetite: Appetite): void {
  const niceness = Math.min(LAST, getPriority() + BEHIND[rank][appetite]);
  for (const thread of threadsOf(pid)) {
    try {
      setPriority(thread, niceness);
    } catch {
      // gone, or not permitted
    }
  }
  if (rank === 'back' && appetite === 'hog') runWhenIdle(pid);
}

/** On Linux each thread has a niceness of its own. */
function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [pid]; // no /proc
  }
}

/**
 * SCHED_IDLE of sched(7): it runs only while nobody else wants the processor. Twenty spinners at niceness 19 still keep the kernel's own threads waiting, and
 * with them the disk: a commit took 30 ms instead of one. Node has no call for it; chrt of util-linux has.
 */
function runWhenIdle(pid: number): void {
  spawn('chrt', ['--idle', '--all-tasks', '--pid', '0', String(pid)], { stdio: 'ignore' }).once('error', () => {}); // not installed
}
