// How many fetches of one instance run at once, and how many wait, first come, first served. Used by egress.ts.
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';

interface Queue {
  running: number;
  /** In order of arrival; each is told when its turn has come. */
  readonly waiting: Set<() => void>;
}

export class Turns {
  readonly #queues = new Map<string, Queue>();

  /** Those that wait, of all instances. */
  get waiting(): number {
    let count = 0;
    for (const { waiting } of this.#queues.values()) count += waiting.size;
    return count;
  }

  /** Resolves with the function that ends the turn. Throws EGRESS_BUSY when too many wait or it takes too long, and the signal's reason. */
  async take(instance: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const queue = this.#queues.get(instance) ?? { running: 0, waiting: new Set() };
    this.#queues.set(instance, queue);
    if (queue.running < BOUNDS.fetchesAtOnce) queue.running += 1;
    else if (queue.waiting.size >= BOUNDS.fetchesWaiting) throw busy(instance, `${queue.waiting.size} of its fetches wait already`);
    else await wait(queue, instance, signal);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#next(instance, queue);
    };
  }

  /** The one who waits longest takes over; with nobody left the queue is forgotten. */
  #next(instance: string, queue: Queue): void {
    const [next] = queue.waiting;
    if (next) return next();
    queue.running -= 1;
    if (queue.running === 0) this.#queues.delete(instance);
  }
}

async function wait({ waiting }: Queue, instance: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = (settle: () => void) => () => {
    waiting.delete(turn);
    settle();
  };
  const turn = leave(resolve);
  const giveUp = leave(() => reject(signal.reason));
  const deadline = setTimeout(leave(() => reject(busy(instance, `its turn did not come within ${BOUNDS.fetchWaitMs} ms`))), BOUNDS.fetchWaitMs);
  waiting.add(turn);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', giveUp);
  }
}

const busy = (instance: string, problem: string) => new GatehouseError('EGRESS_BUSY', { instance, problem });
