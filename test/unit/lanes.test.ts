// Lanes: order within one, many at once, bounds, retries, recovery from the store, closing.
import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../host/clock.ts';
import { createLanes, type LanesOptions, type Queued, type Verdict } from '../../host/store/lanes.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, scan } from '../../host/store/store.ts';
import { lanes as laneTable, type LaneRow } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { messageId, sessionId } from '../support/ids.ts';
import { tempDir } from '../support/temp.ts';

interface Job {
  readonly lane: string;
  readonly item: number;
  finish(verdict?: Verdict<number>): void;
  fail(error: Error): void;
}

/** Lanes whose work stays open until the test finishes it. */
function openWork(options: Partial<LanesOptions<number>> = {}) {
  const started: Job[] = [];
  const faults: unknown[] = [];
  const lanes = createLanes<number>({
    clock,
    work: (item, lane) => new Promise((resolve, reject) => started.push({ lane, item, finish: (verdict = 'done') => resolve(verdict), fail: reject })),
    onFault: (thrown) => {
      faults.push(thrown);
      return 'done';
    },
    ...options,
  });
  const names = () => started.map(({ lane, item }) => `${lane}${item}`);
  const job = (name: string) => eventually(() => started.find(({ lane, item }) => `${lane}${item}` === name) ?? Promise.reject(new Error(`${name} has not started`)));
  return { lanes, started, faults, names, job };
}

/** Lanes whose work is done as soon as it begins. */
function quickWork(work: (item: number, lane: string) => Verdict<number> | Promise<Verdict<number>>, options: Partial<LanesOptions<number>> = {}) {
  return createLanes<number>({ clock, work: async (item, lane) => work(item, lane), onFault: () => 'done', ...options });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('order', () => {
  it('runs one item of a lane at a time, first in, first out', async () => {
    const { lanes, names, job } = openWork();
    for (const item of [1, 2, 3]) lanes.enqueue('a', item);
    await turn();
    expect(names()).toEqual(['a1']);
    (await job('a1')).finish();
    (await job('a2')).finish();
    (await job('a3')).finish();
    await eventually(() => expect(lanes.depth('a')).toBe(0));
    expect(names()).toEqual(['a1', 'a2', 'a3']);
  });

  it('runs no more lanes of one group than its share, and those of others meanwhile', async () => {
    const { lanes, names, job } = openWork({ concurrency: 5, groups: { of: (lane) => lane.charAt(0), concurrency: 2 } });
    for (const lane of ['a1-', 'a2-', 'a3-', 'a4-', 'b1-']) lanes.enqueue(lane, 1);
    await turn();
    expect(names()).toEqual(['a1-1', 'a2-1', 'b1-1']);
    lanes.enqueue('b2-', 1);
    lanes.enqueue('b3-', 1);
    await turn();
    expect(names()).toEqual(['a1-1', 'a2-1', 'b1-1', 'b2-1']);
    (await job('a2-1')).finish({ retryAtMs: 0 });
    await job('a3-1');
    (await job('b1-1')).finish();
    await job('b3-1');
    (await job('a1-1')).finish();
    (await job('a3-1')).finish();
    for (const name of ['a4-1', 'a2-1'] as const) (await job(name)).finish();
    for (const name of ['b2-1', 'b3-1'] as const) (await job(name)).finish();
    await eventually(() => expect(names().filter((name) => name === 'a2-1')).toHaveLength(2));
  });

  it('keeps a group’s share over lanes that come and go', async () => {
    let running = 0;
    let most = 0;
    const lanes = quickWork(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await turn();
        running -= 1;
        return 'done' as const;
      },
      { concurrency: 50, groups: { of: () => 'all', concurrency: 7 } },
    );
    for (let item = 0; item < 500; item++) lanes.enqueue(`lane ${item % 90}`, item);
    await eventually(() => expect([lanes.waiting, lanes.running]).toEqual([0, 0]));
    expect(most).toBe(7);
  });

  it('runs many lanes at once, and no more than the bound', async () => {
    const { lanes, names, job } = openWork({ concurrency: 3 });
    for (const lane of ['a', 'b', 'c', 'd', 'e']) for (const item of [1, 2]) lanes.enqueue(lane, item);
    await turn();
    expect(names()).toEqual(['a1', 'b1', 'c1']);
    expect([lanes.running, lanes.waiting]).toEqual([3, 7]);
    (await job('b1')).finish();
    await job('d1');
    expect(names()).toEqual(['a1', 'b1', 'c1', 'd1']);
  });

  it('gives every lane its turn before a long lane has its second', async () => {
    const order: string[] = [];
    const lanes = quickWork((item, lane) => {
      order.push(`${lane}${item}`);
      return 'done';
    }, { concurrency: 1 });
    for (const item of [1, 2, 3]) lanes.enqueue('long', item);
    lanes.enqueue('b', 1);
    lanes.enqueue('c', 1);
    await eventually(() => expect(order).toHaveLength(5));
    expect(order).toEqual(['long1', 'b1', 'c1', 'long2', 'long3']);
  });

  it('keeps the order of each of a thousand lanes under full concurrency', async () => {
    const seen = new Map<string, number[]>();
    let atOnce = 0;
    let most = 0;
    const lanes = quickWork(async (item, lane): Promise<Verdict<number>> => {
      most = Math.max(most, (atOnce += 1));
      await turn();
      atOnce -= 1;
      seen.set(lane, [...(seen.get(lane) ?? []), item]);
      return 'done';
    });
    for (let item = 0; item < 20; item += 1) for (let lane = 0; lane < 1000; lane += 1) lanes.enqueue(`lane ${lane}`, item);
    await eventually(() => expect([lanes.waiting, lanes.running]).toEqual([0, 0]));
    expect(most).toBe(256);
    expect([...seen.values()].filter((items) => items.some((item, index) => item !== index))).toEqual([]);
    expect(seen.size).toBe(1000);
  });
});

describe('bounds', () => {
  it('says full when the places of a lane are taken, counting reserved, waiting and running ones', async () => {
    const { lanes, job } = openWork({ depth: 3 });
    expect(lanes.reserve('a')).toBe('reserved');
    lanes.enqueue('a', 1);
    expect(lanes.reserve('a')).toBe('reserved');
    expect(lanes.reserve('a')).toBe('reserved');
    expect([lanes.reserve('a'), lanes.depth('a')]).toEqual(['full', 3]);
    expect(lanes.reserve('b')).toBe('reserved');
    lanes.unreserve('a');
    expect(lanes.reserve('a')).toBe('reserved');
    (await job('a1')).finish();
    await eventually(() => expect(lanes.depth('a')).toBe(2));
    expect(lanes.reserve('a')).toBe('reserved');
  });

  it('never refuses what is durable already', () => {
    const { lanes } = openWork({ depth: 1 });
    for (const item of [1, 2, 3]) lanes.enqueue('a', item);
    expect([lanes.depth('a'), lanes.reserve('a')]).toEqual([3, 'full']);
  });
});

describe('retries', () => {
  it('hold the head of their lane until the moment, while other lanes go on', async () => {
    const { lanes, names, job } = openWork();
    lanes.enqueue('a', 1);
    lanes.enqueue('a', 2);
    const retryAtMs = clock.now() + 60;
    (await job('a1')).finish({ retryAtMs });
    lanes.enqueue('b', 1);
    (await job('b1')).finish();
    expect(names()).toEqual(['a1', 'b1']);
    expect(lanes.waiting).toBe(2);
    await eventually(() => expect(names()).toEqual(['a1', 'b1', 'a1']));
    expect(clock.now()).toBeGreaterThanOrEqual(retryAtMs);
  });

  it('carry what the attempt learned, and come before what was queued behind them', async () => {
    const attempts: number[] = [];
    const lanes = quickWork((item) => {
      attempts.push(item);
      return item > 0 && item < 3 ? { retryAtMs: clock.now(), item: item + 1 } : 'done';
    });
    lanes.enqueue('a', 1);
    lanes.enqueue('a', 0);
    await eventually(() => expect(attempts).toEqual([1, 2, 3, 0]));
  });

  it('begin no sooner than a queued item allows', async () => {
    const { lanes, names } = openWork();
    const notBeforeMs = clock.now() + 40;
    lanes.enqueue('a', 1, notBeforeMs);
    await turn();
    expect(names()).toEqual([]);
    await eventually(() => expect(names()).toEqual(['a1']));
    expect(clock.now()).toBeGreaterThanOrEqual(notBeforeMs);
  });

  it('are decided by the owner when work throws, and the lane goes on', async () => {
    const { lanes, faults, job } = openWork();
    lanes.enqueue('a', 1);
    lanes.enqueue('a', 2);
    (await job('a1')).fail(new Error('defect'));
    await job('a2');
    expect(faults).toEqual([new Error('defect')]);
  });
});

describe('a wall clock that is set', () => {
  const DAY_MS = 24 * 3600 * 1000;

  it('back while a lane is delayed holds it up no longer than it was to wait', async () => {
    let offsetMs = 0;
    const { lanes, job } = openWork({ clock: { now: () => clock.now() + offsetMs, monotonicMs: () => clock.monotonicMs() } });
    lanes.enqueue('a', 1);
    (await job('a1')).finish({ retryAtMs: clock.now() + 40, item: 2 });
    lanes.enqueue('b', 1, clock.now() + 40);
    await turn();
    offsetMs = -DAY_MS;
    await expect(Promise.all([job('a2'), job('b1')])).resolves.toHaveLength(2);
  });

  it('back over a restart holds nothing up longer than any retry may', async () => {
    const { lanes, job } = openWork({ mostDelayMs: 40 });
    lanes.enqueue('a', 1, clock.now() + DAY_MS);
    await expect(job('a1')).resolves.toBeDefined();
  });
});

describe('recovery', () => {
  it('takes a hundred thousand rows from the store, every lane in its order', async () => {
    await using dir = await tempDir();
    await using store = await openStore({ dir: dir.path, clock });
    const rows = Array.from({ length: 100_000 }, (_, index) => ({ session: `webchat/${index % 5000}`, id: String(index).padStart(8, '0') }));
    for (let start = 0; start < rows.length; start += 5000) {
      await store.commit({ put: rows.slice(start, start + 5000).map(({ session, id }) => put(laneTable, laneTable.key(id), { sessionKey: sessionId(session), messageId: messageId(id), attempts: 0 })) });
    }
    const last = new Map<string, string>();
    const lanes = createLanes<LaneRow>({
      clock,
      onFault: () => 'done',
      async work({ messageId }, lane) {
        if (messageId <= (last.get(lane) ?? '')) throw new Error('out of order');
        last.set(lane, messageId);
        return 'done';
      },
    });
    async function* queued(): AsyncGenerator<Queued<LaneRow>[]> {
      for await (const page of scan(store, laneTable, laneTable.prefix())) yield page.map(({ value }) => ({ lane: value.sessionKey, item: value }));
    }
    expect(await lanes.recover(queued())).toBe(100_000);
    await eventually(() => expect([lanes.waiting, lanes.running]).toEqual([0, 0]));
    expect(last.size).toBe(5000);
    expect([...last.values()].sort().at(-1)).toBe('00099999');
  });
});

describe('closing', () => {
  it('starts nothing more and waits for what runs', async () => {
    const { lanes, names, job } = openWork();
    lanes.enqueue('a', 1);
    lanes.enqueue('a', 2);
    lanes.enqueue('later', 1, clock.now() + 20);
    const running = await job('a1');
    const closed = lanes.close();
    lanes.enqueue('b', 1);
    running.finish();
    expect(await closed).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(names()).toEqual(['a1']);
  });

  it('gives up at the deadline and says how many still run', async () => {
    const { lanes, job } = openWork();
    lanes.enqueue('a', 1);
    lanes.enqueue('b', 1);
    await job('b1');
    expect(await lanes.close(20)).toBe(2);
  });

  it('is at once when nothing runs', async () => {
    const { lanes } = openWork();
    lanes.enqueue('a', 1, clock.now() + 1e9);
    expect(await lanes.close()).toBe(0);
  });
});

it('forgets lanes that are empty', async () => {
  const lanes = quickWork(() => 'done');
  for (let lane = 0; lane < 100_000; lane += 1) {
    const key = `lane ${lane}`;
    lanes.reserve(key);
    if (lane % 2) lanes.enqueue(key, lane);
    else lanes.unreserve(key);
  }
  await eventually(() => expect([lanes.waiting, lanes.running]).toEqual([0, 0]));
  expect(lanes.depth('lane 99999')).toBe(0);
});

describe('a run', () => {
  it('takes several items, which leave together', async () => {
    const { lanes, names, job } = openWork();
    for (const item of [1, 2, 3, 4]) lanes.enqueue('a', item);
    const first = await job('a1');
    lanes.take('a', 3);
    expect([lanes.behind('a'), lanes.waiting, lanes.depth('a')]).toEqual([1, 1, 4]);
    first.finish();
    await job('a4');
    expect([names(), lanes.depth('a'), lanes.waiting]).toEqual([['a1', 'a4'], 1, 0]);
  });

  it('that takes fewer after all leaves the others where they were', async () => {
    const { lanes, names, job } = openWork();
    for (const item of [1, 2, 3]) lanes.enqueue('a', item);
    const first = await job('a1');
    lanes.take('a', 3);
    lanes.take('a', 1);
    expect(lanes.waiting).toBe(2);
    first.finish();
    await job('a2');
    expect(names()).toEqual(['a1', 'a2']);
  });

  it('that is to be tried again keeps all it took, and what it learned of one of them', async () => {
    const { lanes, job } = openWork();
    for (const item of [1, 2, 3]) lanes.enqueue('a', item);
    const first = await job('a1');
    lanes.take('a', 2);
    first.finish({ retryAtMs: 0, item: 20, index: 1 });
    await eventually(() => expect(lanes.items('a')).toEqual([1, 20, 3]));
    expect([lanes.waiting, lanes.running]).toEqual([2, 1]);
  });

  it('that is given up is not heard any more, and its items go on', async () => {
    const { lanes, started, names, job } = openWork({ concurrency: 1 });
    for (const item of [1, 2]) lanes.enqueue('a', item);
    const lost = await job('a1');
    lanes.enqueue('b', 1);
    expect(lanes.abandon('a', { retryAtMs: 0 })).toBe(true);
    (await job('b1')).finish();
    await eventually(() => expect(names()).toEqual(['a1', 'b1', 'a1']));
    lost.finish();
    await turn();
    expect([lanes.running, lanes.depth('a')]).toEqual([1, 2]);
    started[2]?.finish();
    (await job('a2')).finish();
    await eventually(() => expect(lanes.depth('a')).toBe(0));
    expect(lanes.abandon('a', 'done')).toBe(false);
  });

  it('shows since when it is under way, and others what they wait for', async () => {
    const { lanes, job } = openWork({ concurrency: 1 });
    lanes.enqueue('a', 1);
    lanes.enqueue('b', 1);
    lanes.enqueue('c', 1, clock.now() + 5000);
    await job('a1');
    const standings = Object.fromEntries([...lanes.standings()].map(({ lane, ...rest }) => [lane, rest]));
    expect(standings).toEqual({ a: { state: 'running', depth: 1, runningSinceMs: expect.closeTo(clock.monotonicMs(), -3) }, b: { state: 'ready', depth: 1 }, c: { state: 'delayed', depth: 1, dueMs: expect.closeTo(clock.monotonicMs() + 5000, -3) } });
  });
});

describe('a debounce', () => {
  it('holds the head back until nothing has come for so long', async () => {
    const { lanes, started, job } = openWork();
    const began = clock.monotonicMs();
    const debounce = () => ({ ms: 60, sinceMs: clock.now() });
    lanes.enqueue('a', 1, 0, debounce());
    await eventually(() => expect(clock.monotonicMs() - began).toBeGreaterThan(40));
    lanes.enqueue('a', 2, 0, debounce());
    const pushedAt = clock.monotonicMs();
    await job('a1');
    expect(clock.monotonicMs() - pushedAt).toBeGreaterThan(55);
    expect(started).toHaveLength(1);
  });

  it('holds it back ten times as long at most', async () => {
    const { lanes, started } = openWork();
    const began = clock.monotonicMs();
    for (let item = 0; started.length === 0; item += 1) {
      lanes.enqueue('a', item, 0, { ms: 20, sinceMs: clock.now() });
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(clock.monotonicMs() - began).toBeLessThan(2000);
    }
    expect(clock.monotonicMs() - began).toBeGreaterThan(195);
  });

  it('goes on where it was after a restart, and is over when its time has passed', async () => {
    const { lanes, job, names } = openWork();
    lanes.enqueue('late', 1, 0, { ms: 60_000, sinceMs: clock.now() - 70_000 });
    const began = clock.monotonicMs();
    lanes.enqueue('soon', 1, 0, { ms: 10_000, sinceMs: clock.now() - 9950 });
    await job('soon1');
    expect(clock.monotonicMs() - began).toBeLessThan(5000);
    expect(names()).toEqual(['late1', 'soon1']);
  });

  it('of a clock that was set back holds nothing longer than it asks for', () => {
    const { lanes } = openWork();
    lanes.enqueue('a', 1, 0, { ms: 1000, sinceMs: clock.now() + 24 * 3600 * 1000 });
    const [standing] = [...lanes.standings()];
    expect(standing?.dueMs).toBeLessThanOrEqual(clock.monotonicMs() + 1000);
  });

  it('holds no retry back', async () => {
    const { lanes, names, job } = openWork();
    lanes.enqueue('a', 1, 0, { ms: 10, sinceMs: clock.now() });
    const first = await job('a1');
    lanes.enqueue('a', 2, 0, { ms: 60_000, sinceMs: clock.now() });
    first.finish({ retryAtMs: 0 });
    await eventually(() => expect(names()).toEqual(['a1', 'a1']));
  });
});

describe('room', () => {
  it('is refused beyond the cap, beside what runs', async () => {
    const { lanes, job } = openWork();
    lanes.enqueue('a', 1);
    await job('a1');
    expect(lanes.reserve('a', 2)).toBe('reserved');
    lanes.enqueue('a', 2);
    expect([lanes.reserve('a', 2), lanes.reserve('a', 2)]).toEqual(['reserved', 'full']);
  });

  it('is not refused where older ones give way, but for what is on its way in', () => {
    const { lanes } = openWork({ depth: 3 });
    for (const item of [1, 2, 3, 4]) lanes.enqueue('a', item);
    expect([1, 2, 3, 4].map(() => lanes.reserve('a', 2, true))).toEqual(['reserved', 'reserved', 'reserved', 'full']);
  });

  it('is made by taking out what waits, and not what runs', async () => {
    const { lanes, names, job } = openWork();
    const running = 1;
    for (const item of [running, 2, 3]) lanes.enqueue('a', item);
    const first = await job('a1');
    expect([lanes.swap('a', 2), lanes.swap('a', 2), lanes.swap('a', running)]).toEqual([true, false, false]);
    expect([lanes.waiting, lanes.items('a')]).toEqual([1, [1, 3]]);
    first.finish();
    await job('a3');
    expect(names()).toEqual(['a1', 'a3']);
  });

  it('of a lane that waits for a moment lets the next one begin at its own', async () => {
    const { lanes, names, job } = openWork();
    lanes.enqueue('a', 1, clock.now() + 60_000);
    lanes.enqueue('a', 2);
    expect(lanes.swap('a', 1)).toBe(true);
    await job('a2');
    expect(names()).toEqual(['a2']);
  });

  it('of a lane that waits for its turn holds up no other', async () => {
    const { lanes, names, job } = openWork({ concurrency: 1 });
    for (const lane of ['a', 'b', 'c']) lanes.enqueue(lane, 1);
    const first = await job('a1');
    lanes.swap('b', 1);
    first.finish();
    await job('c1');
    expect([names(), lanes.depth('b')]).toEqual([['a1', 'c1'], 0]);
    lanes.enqueue('b', 2);
    (await job('c1')).finish();
    await job('b2');
  });

  it('changes an item where it stands', async () => {
    const { lanes, job } = openWork();
    for (const item of [1, 2]) lanes.enqueue('a', item);
    const first = await job('a1');
    expect([lanes.swap('a', 2, 20), lanes.swap('a', 1, 10)]).toEqual([true, true]);
    first.finish({ retryAtMs: 0 });
    await job('a10');
    expect(lanes.items('a')).toEqual([10, 20]);
  });
});
