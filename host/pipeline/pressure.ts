// How full the host's queues are, and what follows: first everybody is answered later, then what matters less is sent away, then everything. inbound.ts asks for each arrival, ingress.ts before it answers.
import type { Priority } from '../../schemas/policy.ts';
import type { PressureLevel, PressureView, QueueFill } from '../../schemas/status.ts';
import { publish } from '../events.ts';
import type { Fields } from '../errors.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';

/** Shares of a queue's bound, rising. */
export interface Thresholds {
  /** From here on answers are delayed. */
  readonly slow: number;
  /** From here on messages of low priority are refused, and halfway to the next those of normal priority. */
  readonly shed: number;
  /** From here on every message is refused. */
  readonly refuse: number;
}

/** As schemas/host-config.ts declares them: shares, then how many messages and replies may wait. A waiting message takes about 1.5 KB, and a start must find its way through them. */
export const PRESSURE_DEFAULTS = { slow: 0.7, shed: 0.85, refuse: 0.95, messages: 200_000, deliveries: 100_000 };

/** Messages between arrival and accept at any moment. */
export const MOST_IN_WORK = 20_000;

export type { PressureLevel, PressureView, QueueFill };

export type QueueName = QueueFill['queue'];

export type Refused = { readonly code: 'HOST_BUSY' | 'PRESSURE_SHED'; readonly fields: Fields };

/** An answer is delayed by so much where shedding begins, by nothing where slowing begins. */
const MOST_PAUSE_MS = 200;
const LOOK_EVERY_MS = 1000;

export class Pressure {
  readonly #thresholds: Thresholds;
  readonly #queues: () => readonly QueueFill[];
  #told: PressureLevel = 'normal';
  #shed = 0;

  constructor(thresholds: Thresholds, queues: () => readonly QueueFill[]) {
    this.#thresholds = thresholds;
    this.#queues = queues;
  }

  get view(): PressureView {
    const queues = this.#queues();
    const { ratio } = fullest(queues);
    return { level: this.#levelOf(ratio), ratio: Math.round(ratio * 1000) / 1000, queues: [...queues], shed: this.#shed };
  }

  /** Why a message of this priority is not taken now; undefined when it is. */
  refusal(priority: Priority): Refused | undefined {
    const { ratio, queue, depth } = fullest(this.#queues());
    const { shed, refuse } = this.#thresholds;
    if (ratio < shed) return undefined;
    if (ratio >= refuse) {
      this.#shed += 1;
      return { code: 'HOST_BUSY', fields: { queue, depth } };
    }
    const isShed = priority === 'low' || (priority === 'normal' && ratio >= (shed + refuse) / 2);
    if (!isShed) return undefined;
    this.#shed += 1;
    return { code: 'PRESSURE_SHED', fields: { queue, depth, priority } };
  }

  /** How long an answer waits, so that whoever waits for answers sends more slowly. Milliseconds, 0 to 200. */
  pauseMs(): number {
    const { slow, shed } = this.#thresholds;
    const { ratio } = fullest(this.#queues());
    if (ratio < slow) return 0;
    return Math.round(MOST_PAUSE_MS * Math.min(1, (ratio - slow) / Math.max(shed - slow, Number.EPSILON)));
  }

  /** Tells of every change of the level, at most once a second. */
  worker(): WorkerSpec {
    return {
      name: 'pressure',
      everyMs: LOOK_EVERY_MS,
      deadlineMs: 10_000,
      run: async () => {
        const { level, ratio, queues } = this.view;
        if (level === this.#told) return;
        publish('pressure.changed', { from: this.#told, to: level, ratio, queue: fullest(queues).queue });
        this.#told = level;
      },
    };
  }

  #levelOf(ratio: number): PressureLevel {
    const { slow, shed, refuse } = this.#thresholds;
    if (ratio >= refuse) return 'refuse';
    if (ratio >= shed) return 'shed';
    return ratio >= slow ? 'slow' : 'normal';
  }
}

function fullest(queues: readonly QueueFill[]): QueueFill & { readonly ratio: number } {
  let most: QueueFill & { readonly ratio: number } = { queue: 'messages', depth: 0, limit: 1, ratio: 0 };
  for (const each of queues) {
    const ratio = each.depth / each.limit;
    if (ratio > most.ratio) most = { ...each, ratio };
  }
  return most;
}
