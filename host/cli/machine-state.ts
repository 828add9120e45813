// What `gatehouse doctor` asks of the machine itself: whether its clock goes on from where the store left off, and how many files may be open. Called by doctor.ts.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';

/** A clock is set by seconds every day; beyond that it was set back. */
const SET_BACK_MS = 60_000;

/** How far the clock is behind the newest write of the store, in milliseconds; undefined where it is not, or nothing was ever written. */
export function clockBehindMs(storeDir: string, clock: Clock): number | undefined {
  const newest = Math.max(0, ...namesIn(storeDir).map((name) => statSync(join(storeDir, name), { throwIfNoEntry: false })?.mtimeMs ?? 0));
  const behind = Math.round(newest - clock.now());
  return behind > SET_BACK_MS ? behind : undefined;
}

/** How far the clock was set since a process started, by the one that nobody sets; undefined where it was not, or the system does not say (Linux does, proc(5)). */
export function clockJumpMs(pid: number, startedAtMs: number, clock: Clock): number | undefined {
  try {
    // Behind the name of the program, which may hold anything: field 22 is the start, in ticks since boot.
    const startTicks = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19]);
    const upSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const jump = Math.round(clock.now() - startedAtMs - (upSeconds - startTicks / TICKS_PER_SECOND) * 1000);
    return Math.abs(jump) > SET_BACK_MS ? jump : undefined;
  } catch {
    return undefined; // no /proc, or not ours to read
  }
}

/** USER_HZ, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What this process, and a host started the same way, may have open; undefined where the system does not say (Linux does, proc(5)). */
export function openFilesLimit(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return undefined; // no /proc: nothing to say
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // the first start makes it
  }
}
