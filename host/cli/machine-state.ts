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
