// How slow this machine is right now: tests that hold a promise in milliseconds give a machine that is busy with other tests as much more time as it takes for everything else.
import { spawnSync } from 'node:child_process';

/** What a bare node needs to start and end on a machine that is not busy. */
const QUIET_MS = 60;
const TRIES = 3;

/** 1 on a quiet machine, more on a slow or busy one. Takes some process starts of wall time. */
export function paceNow(): number {
  const least = Math.min(...Array.from({ length: TRIES }, () => {
    const startedAt = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    return performance.now() - startedAt;
  }));
  return Math.max(1, least / QUIET_MS);
}
