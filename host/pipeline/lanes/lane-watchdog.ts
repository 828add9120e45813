// Finds lanes whose run makes no step, says so once, and gets them going again. Every call into a plugin has a deadline, so that a run without a step for longer than any of them is a defect of the host.
//
// What it does, in this order: tells, cancels the call of the run, and if the run does not end, gives up on it. A run that was given up can commit nothing, so its
// work is tried again through the usual path. It says what it did and what came of it. A run whose answer is being stored is the store's, and left alone.
import type { Clock } from '../../clock.ts';
import { publish } from '../../events.ts';
import type { WorkerSpec } from '../../supervisor/worker.ts';
import type { LaneContext } from '../context.ts';
import type { LaneWork } from './lane-work.ts';

export interface LaneWatchdogParts {
  readonly clock: Clock;
  readonly work: Pick<LaneWork, 'running' | 'cancel' | 'giveUp'>;
  /** A run without a step for so long is stuck. */
  readonly stuckAfterMs: number;
}

/** What is known of a run since it was first seen. */
interface Watched {
  steps: number;
  stepAtMs: number;
  /** When it was found stuck. */
  stuckAtMs?: number;
}

/** A run that was told to end has so long to do it. */
const GRACE_MS = 5000;

export class LaneWatchdog {
  readonly #parts: LaneWatchdogParts;
  readonly #watched = new Map<LaneContext, Watched>();

  constructor(parts: LaneWatchdogParts) {
    this.#parts = parts;
  }

  worker(): WorkerSpec {
    return { name: 'lane-watchdog', everyMs: Math.min(15_000, Math.max(200, this.#parts.stuckAfterMs / 5)), deadlineMs: 60_000, run: () => this.look() };
  }

  isStuck(sessionKey: string): boolean {
    const run = this.#parts.work.running.get(sessionKey);
    return run !== undefined && this.#watched.get(run)?.stuckAtMs !== undefined;
  }

  /** One look at every run. */
  async look(): Promise<void> {
    const { work, clock, stuckAfterMs } = this.#parts;
    const nowMs = clock.monotonicMs();
    const running = new Set(work.running.values());
    for (const [run, { stuckAtMs }] of this.#watched) {
      if (running.has(run)) continue;
      this.#watched.delete(run);
      if (stuckAtMs !== undefined) this.#tellFreed(run, run.cancelled === 'stuck' ? 'cancelled' : 'by itself', nowMs - stuckAtMs);
    }
    for (const run of running) {
      const watched = this.#watched.get(run) ?? { steps: -1, stepAtMs: nowMs };
      this.#watched.set(run, watched);
      if (watched.steps !== run.stages.length) [watched.steps, watched.stepAtMs] = [run.stages.length, nowMs];
      else if (watched.stuckAtMs === undefined && nowMs - watched.stepAtMs >= stuckAfterMs) this.#end(run, watched, nowMs);
      else if (watched.stuckAtMs !== undefined && nowMs - watched.stuckAtMs >= Math.min(GRACE_MS, stuckAfterMs)) await this.#giveUp(run, watched, nowMs);
    }
  }

  #end(run: LaneContext, watched: Watched, nowMs: number): void {
    watched.stuckAtMs = nowMs;
    const cancelled = this.#parts.work.cancel(run.sessionKey, 'stuck');
    const step = run.isConcluding ? 'conclude' : (run.stages.at(-1)?.stage ?? '');
    publish('lane.stuck', { instance: run.instance, messageId: run.messageId, step, idleMs: Math.round(nowMs - watched.stepAtMs), action: cancelled ? 'cancelled' : 'none' });
  }

  async #giveUp(run: LaneContext, { stuckAtMs = 0 }: Watched, nowMs: number): Promise<void> {
    if (!(await this.#parts.work.giveUp(run))) return;
    this.#watched.delete(run);
    this.#tellFreed(run, 'given up', nowMs - stuckAtMs);
  }

  #tellFreed({ instance, messageId }: LaneContext, how: 'cancelled' | 'given up' | 'by itself', afterMs: number): void {
    publish('lane.freed', { instance, messageId, how, afterMs: Math.round(afterMs) });
  }
}
