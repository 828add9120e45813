// Lanes: work in order within a lane, many lanes at once. The pipeline uses this twice: for messages to answer and for deliveries to send.
//
// The rows that make the work durable belong to the pipeline's own commits; this is the scheduler in memory. A lane's place is taken before the commit
// that accepts (`reserve`) and filled after it (`enqueue`), so that a bound reached in the middle of a hundred commits is still a bound.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { FairTurns } from './fair-turns.ts';
import { Fifo } from './fifo.ts';

/**
 * What became of the items a run took: out of the lane, or at its head again, not before then. `item` replaces the one at `index` (default 0, the head), to carry
 * what this attempt learned.
 */
export type Verdict<Item> = 'done' | { readonly retryAtMs: number; readonly item?: Item; readonly index?: number };

/** An item waits for others: until nothing has come for `ms`, and at most ten times as long since its own moment. */
export interface Debounce {
  readonly ms: number;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
}

export interface Queued<Item> {
  readonly lane: string;
  readonly item: Item;
  /** Epoch milliseconds; the lane waits for it, as after a retry. */
  readonly notBeforeMs?: number;
  readonly debounce?: Debounce;
}

/** How a lane stands. Moments are monotonic. */
export interface LaneStanding {
  readonly lane: string;
  readonly state: 'running' | 'ready' | 'delayed';
  /** Reserved, waiting and running. */
  readonly depth: number;
  /** Since when it runs. */
  readonly runningSinceMs?: number;
  /** When its head is due, where it has to wait. */
  readonly dueMs?: number;
}

export interface LaneExtremes {
  readonly oldestMs: number;
  readonly deepest: number;
}

export interface LanesOptions<Item> {
  readonly clock: Clock;
  /** Does the work of the item at the head, and of those behind it that it takes. Called for at most one item of a lane at a time. */
  work(item: Item, lane: string): Promise<Verdict<Item>>;
  /** `work` threw, which it should not: says what becomes of the item. */
  onFault(thrown: unknown, item: Item, lane: string): Verdict<Item>;
  /** Lanes running at once. Default BOUNDS.lanesInFlight. */
  readonly concurrency?: number;
  /** Lanes that share a fate, such as the conversations of one remote: so many of each group run at once, that one that hangs leaves room for the others. Default: no groups. */
  readonly groups?: { readonly of: (lane: string) => string; readonly concurrency: number };
  /** Between whom turns go round while more lanes are ready than may run: parties, and members within each. Default: lanes in the order in which they became ready. */
  readonly turns?: { readonly party: (item: Item, lane: string) => string; readonly member: (item: Item, lane: string) => string; readonly weightOf?: (party: string) => number };
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
  /** Takes a place in the lane, or says that it is full: `cap` items may wait beside those that run, default any; with `mayOverflow` older ones make room. Each place taken is later filled by `enqueue` or given back by `unreserve`. */
  reserve(lane: string, cap?: number, mayOverflow?: boolean): 'reserved' | 'full';
  unreserve(lane: string): void;
  /** Adds what is already durable, filling a reserved place if the lane has one. Never refuses. After `close` it does nothing: the row waits on disk for the next start. */
  enqueue(lane: string, item: Item, notBeforeMs?: number, debounce?: Debounce): void;
  /** Items behind those that run. */
  behind(lane: string): number;
  /** All items of the lane in order, those that run first. */
  items(lane: string): Item[];
  /** For the run of the lane: how many items from the head it works on. They leave together, or stay together. Until then it is one. */
  take(lane: string, count: number): void;
  /** Puts another item in the place of this one; none takes it out, but not from a run, whose verdict that is. False when nothing was done. */
  swap(lane: string, item: Item, replacement?: Item): boolean;
  /** Gives up on the run of the lane: what it took becomes of it what the verdict says, and whatever the run still says is not heard. False when none runs. */
  abandon(lane: string, verdict: Verdict<Item>): boolean;
  /** Every lane that holds something, in no order. */
  standings(): Iterable<LaneStanding>;
  /** How long the oldest item has been here, running ones included, and what the fullest lane holds. Looks at every lane. */
  extremes(): LaneExtremes;
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

const DEBOUNCE_TIMES = BOUNDS.debounceTimes;

interface Waiting<Item> {
  item: Item;
  /** Monotonic: since when it stands here. */
  readonly sinceMs: number;
  /** Monotonic: a wall clock that is set must not hold a lane up. 0 for at once. */
  dueMs: number;
  /** Until when later items may hold it back; 0 for not at all. */
  latestMs: number;
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
  /** Running items stay at the head until they are done. */
  readonly items: Fifo<Waiting<Item>>;
  reserved: number;
  /** Running items. */
  taken: number;
  /** When the newest item that waits for others has waited long enough. */
  quietMs: number;
  runningSinceMs: number;
  /** Counts runs, and those given up: a run whose number has passed is not heard. */
  turn: number;
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
  readonly #ready: FairTurns<Lane<Item>>;
  readonly #idle = Promise.withResolvers<void>();
  #waiting = 0;
  #running = 0;
  #closed = false;

  constructor(options: LanesOptions<Item>) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? BOUNDS.lanesInFlight;
    this.#depth = options.depth ?? BOUNDS.laneDepth;
    this.#groupConcurrency = options.groups?.concurrency ?? Infinity;
    this.#ready = new FairTurns(options.turns?.weightOf);
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

  behind(key: string): number {
    const lane = this.#lanes.get(key);
    return lane ? lane.items.size - lane.taken : 0;
  }

  reserve(key: string, cap = Infinity, mayOverflow = false): 'reserved' | 'full' {
    const known = this.#lanes.get(key);
    if (known) {
      const { items, reserved, taken } = known;
      if (mayOverflow ? reserved >= this.#depth : items.size + reserved >= this.#depth || items.size - taken + reserved >= cap) return 'full';
    }
    (known ?? this.#lane(key)).reserved += 1;
    return 'reserved';
  }

  unreserve(key: string): void {
    const lane = this.#lane(key);
    lane.reserved = Math.max(0, lane.reserved - 1);
    this.#forgetIfEmpty(lane);
  }

  enqueue(key: string, item: Item, notBeforeMs = 0, debounce?: Debounce): void {
    if (this.#closed) return;
    const lane = this.#lane(key);
    lane.reserved = Math.max(0, lane.reserved - 1);
    const waiting = { item, sinceMs: this.#options.clock.monotonicMs(), dueMs: this.#due(notBeforeMs), latestMs: 0 };
    if (debounce) this.#holdBack(lane, waiting, debounce);
    lane.items.push(waiting);
    this.#waiting += 1;
    if (lane.busy === 'no') this.#schedule(lane);
  }

  items(key: string): Item[] {
    return this.#lanes.get(key)?.items.toArray().map(({ item }) => item) ?? [];
  }

  take(key: string, count: number): void {
    const lane = this.#lanes.get(key);
    if (lane?.busy !== 'running') return;
    const taken = Math.max(1, Math.min(count, lane.items.size));
    this.#waiting -= taken - lane.taken;
    lane.taken = taken;
  }

  swap(key: string, item: Item, replacement?: Item): boolean {
    const lane = this.#lanes.get(key);
    const index = lane ? lane.items.toArray().findIndex((each) => each.item === item) : -1;
    const waiting = lane?.items.at(index);
    if (!lane || !waiting) return false;
    if (replacement !== undefined) waiting.item = replacement;
    else if (index < lane.taken) return false;
    else {
      lane.items.removeAt(index);
      this.#waiting -= 1;
      if (index === 0 && lane.busy === 'delayed') this.#reschedule(lane);
    }
    return true;
  }

  abandon(key: string, verdict: Verdict<Item>): boolean {
    const lane = this.#lanes.get(key);
    if (lane?.busy !== 'running') return false;
    this.#settle(lane, verdict);
    return true;
  }

  *standings(): Generator<LaneStanding> {
    for (const lane of this.#lanes.values()) {
      const { key, items, reserved, busy, runningSinceMs } = lane;
      const head = items.peek();
      const dueMs = head ? this.#headDueMs(lane, head) : 0;
      yield {
        lane: key,
        state: busy === 'no' ? 'ready' : busy,
        depth: items.size + reserved,
        ...(busy === 'running' ? { runningSinceMs } : busy === 'delayed' ? { dueMs } : {}),
      };
    }
  }

  async recover(pages: AsyncIterable<readonly Queued<Item>[]>): Promise<number> {
    let count = 0;
    for await (const page of pages) {
      for (const { lane, item, notBeforeMs, debounce } of page) this.enqueue(lane, item, notBeforeMs, debounce);
      count += page.length;
    }
    return count;
  }

  extremes(): LaneExtremes {
    let [sinceMs, deepest] = [Infinity, 0];
    for (const { items, reserved } of this.#lanes.values()) {
      sinceMs = Math.min(sinceMs, items.peek()?.sinceMs ?? Infinity);
      deepest = Math.max(deepest, items.size + reserved);
    }
    return { oldestMs: sinceMs === Infinity ? 0 : this.#options.clock.monotonicMs() - sinceMs, deepest };
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
    const delayMs = head && head.dueMs > 0 ? this.#headDueMs(lane, head) - this.#options.clock.monotonicMs() : 0;
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
      this.#stand(lane);
      this.#pump();
    }
  }

  /** The next one may be due earlier than the one that is gone. */
  #reschedule(lane: Lane<Item>): void {
    clearTimeout(lane.timer);
    this.#schedule(lane);
  }

  /** When a moment of the wall clock will be, as of now. */
  #due(epochMs: number): number {
    const { clock, mostDelayMs = MOST_DELAY_MS } = this.#options;
    const delayMs = epochMs > 0 ? Math.min(epochMs - clock.now(), mostDelayMs) : 0;
    return delayMs > 0 ? clock.monotonicMs() + delayMs : 0;
  }

  /** Moments of the wall clock become monotonic ones here; a clock that was set since holds nothing back for longer than was asked for. */
  #holdBack(lane: Lane<Item>, waiting: Waiting<Item>, { ms, sinceMs }: Debounce): void {
    const { clock } = this.#options;
    const [nowMs, passedMs] = [clock.monotonicMs(), Math.max(0, clock.now() - sinceMs)];
    if (passedMs >= ms) return;
    waiting.dueMs = nowMs + ms - passedMs;
    waiting.latestMs = nowMs + Math.max(0, ms * DEBOUNCE_TIMES - passedMs);
    lane.quietMs = Math.max(lane.quietMs, waiting.dueMs);
  }

  /** Later items hold the head back, but not beyond its latest moment. */
  #headDueMs({ quietMs }: Lane<Item>, { dueMs, latestMs }: Waiting<Item>): number {
    return latestMs > 0 ? Math.min(latestMs, Math.max(dueMs, quietMs)) : dueMs;
  }

  #pump(): void {
    while (!this.#closed && this.#running < this.#concurrency) {
      const lane = this.#ready.shift();
      const head = lane?.items.peek();
      if (!lane) return;
      if (!head) {
        // Its last item was taken out while it waited for its turn.
        lane.busy = 'no';
        this.#forgetIfEmpty(lane);
        continue;
      }
      if (lane.group && lane.group.running >= this.#groupConcurrency) {
        lane.group.parked.push(lane);
        continue;
      }
      if (lane.group) lane.group.running += 1;
      lane.busy = 'running';
      lane.taken = 1;
      lane.turn += 1;
      lane.runningSinceMs = this.#options.clock.monotonicMs();
      this.#waiting -= 1;
      this.#running += 1;
      void this.#run(lane, head, lane.turn);
    }
  }

  async #run(lane: Lane<Item>, head: Waiting<Item>, turn: number): Promise<void> {
    const verdict = await this.#attempt(lane, head);
    if (lane.turn === turn) this.#settle(lane, verdict);
  }

  #settle(lane: Lane<Item>, verdict: Verdict<Item>): void {
    lane.turn += 1;
    this.#running -= 1;
    if (lane.group) this.#leave(lane.group);
    const { taken } = lane;
    lane.taken = 0;
    if (verdict === 'done') for (let left = taken; left > 0; left -= 1) lane.items.shift();
    else this.#putBack(lane, taken, verdict);
    this.#schedule(lane);
    this.#pump();
    if (this.#closed && this.#running === 0) this.#idle.resolve();
  }

  /** A retry has its own moment, and nobody holds it back. */
  #putBack({ items }: Lane<Item>, taken: number, { retryAtMs, item, index = 0 }: Exclude<Verdict<Item>, 'done'>): void {
    const [head, changed] = [items.peek(), items.at(index)];
    if (head) [head.dueMs, head.latestMs] = [this.#due(retryAtMs), 0];
    if (changed && item !== undefined) changed.item = item;
    this.#waiting += taken;
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
    if (next) this.#stand(next);
  }

  /** Into its place among those whose turn comes. */
  #stand(lane: Lane<Item>): void {
    const { turns } = this.#options;
    const head = turns && lane.items.peek()?.item;
    if (turns && head !== undefined) this.#ready.push(lane, turns.party(head, lane.key), turns.member(head, lane.key));
    else this.#ready.push(lane);
  }

  #lane(key: string): Lane<Item> {
    let lane = this.#lanes.get(key);
    if (!lane) {
      const group = this.#options.groups && this.#group(this.#options.groups.of(key));
      if (group) group.lanes += 1;
      lane = { key, group, items: new Fifo(), reserved: 0, taken: 0, quietMs: 0, runningSinceMs: 0, turn: 0, busy: 'no', timer: undefined };
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
