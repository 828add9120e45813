// Who is put to sleep: those that nobody has called for long, and, when more sandboxes run than should, those that were called longest ago. Pure; supervisor.ts asks, and does it.
import type { Rank } from '../sandbox/niceness.ts';

/** What the rest of the host loses when an instance has to wait. */
export interface Standing {
  readonly rank: Rank;
  /** Idle for this long it is put to sleep; absent, it never is. */
  readonly hibernateAfterMs?: number;
}

export const ALWAYS_UP: Standing = { rank: 'front' };

export interface Sleeper {
  /** It has a process, or is getting one. */
  readonly isRunning: boolean;
  /** Since when nothing is asked of it; undefined while something is. */
  readonly idleSinceMs: number | undefined;
  readonly standing: Standing;
}

/** Least recently used first. Those that may not sleep count among the running all the same. */
export function toHibernate<S extends Sleeper>(instances: readonly S[], nowMs: number, mostRunning: number): S[] {
  const tooMany = instances.filter(({ isRunning }) => isRunning).length - mostRunning;
  return instances
    .flatMap((each) => (each.idleSinceMs === undefined || each.standing.hibernateAfterMs === undefined ? [] : [{ each, idleSinceMs: each.idleSinceMs, afterMs: each.standing.hibernateAfterMs }]))
    .sort((a, b) => a.idleSinceMs - b.idleSinceMs)
    .filter(({ idleSinceMs, afterMs }, index) => index < tooMany || nowMs - idleSinceMs >= afterMs)
    .map(({ each }) => each);
}
