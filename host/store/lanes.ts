// Lanes: work in order within a lane, many lanes at once. The pipeline uses this twice: for messages to answer and for deliveries to send.
//
// The rows that make the work durable belong to the pipeline's own commits; this is the scheduler in memory. A lane's place is taken before the commit
// that accepts (`reserve`) and filled after it (`enqueue`), so that a bound reached in the middle of a hundred commits is still a bound.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { Fifo } from './fifo.ts';

/** What became of one item: out of the lane, or at its head again, not before then. `item` replaces it, to carry what this attempt learned. */
export type Verdict<Item> = 'done' | { readonly retryAtMs: number; readonly item?: Item };

export interface Queued<Item> {
  readonly lane: string;
  readonly item: Item;
  /** Epoch milliseconds; the lane waits for it, as after a retry. */
  readonly notBeforeMs?: number;
}

export interface LanesOptions<Item> {
  readonly clock: Clock;
  /** Does the work of one item. Called for at most one item of a lane at a time. */
  work(item: Item, lane: string): Promise<Verdict<Item>>;
  /** `work` threw, which it should not: says what becomes of the item. */
  onFault(thrown: unknown, item: Item, lane: string): Verdict<Item>;
  /** Lanes running at once. Default BOUNDS.lanesInFlight. */
  readonly concurrency?: number;
  /** Lanes that share a fate, such as the conversations of one remote: so many of each group run at once, that one that hangs leaves room for the others. Default: no groups. */
  readonly groups?: { readonly of: (lane: string) => string; readonly concurrency: number };
  /** Items in one lane: reserved, waiting and running. Default BOUNDS.laneDepth. */
  readonly depth?: number;
  /** Nothing is held back longer than this, whatever moment it names: that may be of a clock that was set since. Default 20 minutes, more than any retry asks for. */
  readonly mostDelayMs?: number;
}

export interface Lanes<Item> extends AsyncDisposable {
  /** Items waiting, over all lanes; the running ones are not among them. */
  readonly waiting: number;
  readonly running: number;
  /** Items of this lane: reserved, waiting and running. */
  depth(lane: string): number;
  /** Takes a place in the lane, or says that it is full. Each place taken is later filled by `enqueue` or given back by `unreserve`. */
  reserve(lane: string): 'reserved' | 'full';
  unreserve(lane: string): void;
  /** Adds what is already durable, filling a reserved place if the lane has one. Never refuses. After `close` it does nothing: the row waits on disk for the next start. */
  enqueue(lane: string, item: Item, notBeforeMs?: number): void;
  /**
   * Enqueues what the store held when the host stopped, each lane in order, and resolves with how many. Work begins at once, so call it before anything
   * else may add rows to the same table.
   */
  recover(pages: AsyncIterable<readonly Queued<Item>[]>): Promise<number>;
  /** Takes up no more work and resolves with the number of items still running: 0 unless `deadlineMs` (default 10,000) passed first. */
  close(deadlineMs?: number): Promise<number>;
}

export function createLanes<Item>(options: LanesOptions<Item>): Lanes<Item> {
  return new LaneScheduler(options);
}

const CLOSE_DEADLINE_MS = 10_000;
const MOST_DELAY_MS = 20 * 60_000;

interface Waiting<Item> {
  item: Item;
  /** Monotonic: a wall clock that is set must not hold a lane up. 0 for at once. */
  dueMs: number;
}

interface Group<Item> {
  readonly key: string;
  /** Lanes in memory, and those of them that run. */
  lanes: number;
  running: number;
  /** Lanes whose turn came while the group had no place left. */
  readonly parked: Fifo<Lane<Item>>;
}

interface Lane<Item> {
  readonly key: string;
  readonly group: Group<Item> | undefined;
  /** The running item stays at the head until it is done. */
  readonly items: Fifo<Waiting<Item>>;
  reserved: number;
  busy: 'no' | 'ready' | 'running' | 'delayed';
  timer: NodeJS.Timeout | undefined;
}

class LaneScheduler<Item> implements Lanes<Item> {
  readonly #options: LanesOptions<Item>;
  readonly #concurrency: number;
  readonly #depth: number;
  readonly #groupConcurrency: number;
  /** Only lanes that hold something. */
  readonly #lanes = new Map<string, Lane<Item>>();
  /** Only groups with lanes in memory. */
  readonly #groups = new Map<string, Group<Item>>();
  /** Lanes whose head may run, in turn. */
  readonly #ready = new Fifo<Lane<Item>>();
  readonly #idle = Promise.withResolvers<void>();
  #waiting = 0;
  #running = 0;
  #closed = false;

  constructor(options: LanesOptions<Item>) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? BOUNDS.lanesInFlight;
    this.#depth = options.depth ?? BOUNDS.laneDepth;
    this.#groupConcurrency = options.groups?.concurrency ?? Infinity;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  depth(key: string): number {
    const lane = this.#lanes.get(key);
    return lane ? lane.items.size + lane.reserved : 0;
  }

  reserve(key: string): 'reserved' | 'full' {
    if (this.depth(key) >= this.#depth) return 'full';
    this.#lane(key).reserved += 1;
    return 'reserved';
  }

  unreserve(key: string): void {
    const lane = this.#lane(key);
    lane.reserved = Math.max(0, lane.reserved - 1);
    this.#forgetIfEmpty(lane);
  }

  enqueue(key: string, item: Item, notBeforeMs = 0): void {
    if (this.#closed) return;
    const lane = this.#lane(key);
    lane.reserved = Math.max(0, lane.reserved - 1);
    lane.items.push({ item, dueMs: this.#due(notBeforeMs) });
    this.#waiting += 1;
    if (lane.busy === 'no') this.#schedule(lane);
  }

  async recover(pages: AsyncIterable<readonly Queued<Item>[]>): Promise<number> {
    let count = 0;
    for await (const page of pages) {
      for (const { lane, item, notBeforeMs } of page) this.enqueue(lane, item, notBeforeMs);
      count += page.length;
    }
    return count;
  }

  async close(deadlineMs = CLOSE_DEADLINE_MS): Promise<number> {
    this.#closed = true;
    for (const { timer } of this.#lanes.values()) clearTimeout(timer);
    if (this.#running > 0) {
      const deadline = setTimeout(this.#idle.resolve, deadlineMs);
      await this.#idle.promise;
      clearTimeout(deadline);
    }
    return this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Puts an unoccupied lane where its head belongs: in turn, behind a timer, or out of memory. */
  #schedule(lane: Lane<Item>): void {
    const head = lane.items.peek();
    const delayMs = head && head.dueMs > 0 ? head.dueMs - this.#options.clock.monotonicMs() : 0;
    if (!head) {
      lane.busy = 'no';
      this.#forgetIfEmpty(lane);
    } else if (this.#closed) {
      lane.busy = 'no';
    } else if (delayMs > 0) {
      lane.busy = 'delayed';
      lane.timer = setTimeout(() => this.#schedule(lane), delayMs);
    } else {
      lane.busy = 'ready';
      this.#ready.push(lane);
      this.#pump();
    }
  }

  /** When a moment of the wall clock will be, as of now. */
  #due(epochMs: number): number {
    const { clock, mostDelayMs = MOST_DELAY_MS } = this.#options;
    const delayMs = epochMs > 0 ? Math.min(epochMs - clock.now(), mostDelayMs) : 0;
    return delayMs > 0 ? clock.monotonicMs() + delayMs : 0;
  }

  #pump(): void {
    while (!this.#closed && this.#running < this.#concurrency) {
      const lane = this.#ready.shift();
      const head = lane?.items.peek();
      if (!lane || !head) return;
      if (lane.group && lane.group.running >= this.#groupConcurrency) {
        lane.group.parked.push(lane);
        continue;
      }
      if (lane.group) lane.group.running += 1;
      lane.busy = 'running';
      this.#waiting -= 1;
      this.#running += 1;
      void this.#run(lane, head);
    }
  }

  async #run(lane: Lane<Item>, head: Waiting<Item>): Promise<void> {
    const verdict = await this.#attempt(lane, head);
    this.#running -= 1;
    if (lane.group) this.#leave(lane.group);
    if (verdict === 'done') lane.items.shift();
    else {
      head.dueMs = this.#due(verdict.retryAtMs);
      if (verdict.item !== undefined) head.item = verdict.item;
      this.#waiting += 1;
    }
    this.#schedule(lane);
    this.#pump();
    if (this.#closed && this.#running === 0) this.#idle.resolve();
  }

  async #attempt(lane: Lane<Item>, { item }: Waiting<Item>): Promise<Verdict<Item>> {
    try {
      return await this.#options.work(item, lane.key);
    } catch (thrown) {
      return this.#options.onFault(thrown, item, lane.key);
    }
  }

  /** The place it had goes to the lane of the group that has waited longest, which waits its turn among all others then. */
  #leave(group: Group<Item>): void {
    group.running -= 1;
    const next = group.parked.shift();
    if (next) this.#ready.push(next);
  }

  #lane(key: string): Lane<Item> {
    let lane = this.#lanes.get(key);
    if (!lane) {
      const group = this.#options.groups && this.#group(this.#options.groups.of(key));
      if (group) group.lanes += 1;
      lane = { key, group, items: new Fifo(), reserved: 0, busy: 'no', timer: undefined };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #group(key: string): Group<Item> {
    const group = this.#groups.get(key) ?? { key, lanes: 0, running: 0, parked: new Fifo() };
    this.#groups.set(key, group);
    return group;
  }

  #forgetIfEmpty({ key, group, items, reserved }: Lane<Item>): void {
    if (items.size > 0 || reserved > 0 || !this.#lanes.delete(key) || !group) return;
    group.lanes -= 1;
    if (group.lanes === 0) this.#groups.delete(group.key);
  }
}
