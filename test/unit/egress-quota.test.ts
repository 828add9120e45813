// What an instance's fetches may use: bytes a day, counted over restarts; turns, first come, first served.
import { describe, expect, it } from 'vitest';
import { DailyBytes } from '../../host/egress/daily-bytes.ts';
import { Turns } from '../../host/egress/turns.ts';
import { createLog } from '../../host/log.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { egressBytes } from '../../host/store/tables.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { tempDir } from '../support/temp.ts';

const NOON = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 24 * 3600 * 1000;
const log = createLog('error');

async function aStore() {
  const dir = await tempDir();
  const clock = { at: NOON, now: () => clock.at, monotonicMs: () => clock.at };
  const store = await openStore({ dir: dir.path, clock });
  const rows = async () => Object.fromEntries((await store.range(egressBytes, egressBytes.prefix())).map(({ key, value }) => [String(key[1]), value]));
  return {
    clock,
    store,
    rows,
    open: () => DailyBytes.open({ store, clock, log }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe('bytes a day', () => {
  it('are counted by instance, and on after a restart', async () => {
    await using at = await aStore();
    {
      await using bytes = await at.open();
      bytes.add('a', 100);
      bytes.add('a', 20);
      bytes.add('b', 7);
      expect([bytes.used('a'), bytes.used('b'), bytes.used('c')]).toEqual([120, 7, 0]);
    }
    await using again = await at.open();
    expect([again.used('a'), again.used('b'), again.used('c')]).toEqual([120, 7, 0]);
  });

  it('are written once a second, not at each byte', async () => {
    await using at = await aStore();
    await using bytes = await at.open();
    bytes.add('a', 1);
    expect(await at.rows()).toEqual({});
    await bytes.flush();
    expect(await at.rows()).toEqual({ a: { day: '2026-11-21', bytes: 1 } });
  });

  it('begin anew with the UTC day, and rows of days that are over go', async () => {
    await using at = await aStore();
    await using bytes = await at.open();
    bytes.add('a', 1);
    bytes.add('gone', 1);
    await bytes.flush();
    at.clock.at = NOON + DAY_MS;
    expect(bytes.used('a')).toBe(0);
    bytes.add('a', 5);
    await bytes.flush();
    expect(await at.rows()).toEqual({ a: { day: '2026-11-22', bytes: 5 } });
  });

  it('of days that are over do not count after a restart', async () => {
    await using at = await aStore();
    {
      await using bytes = await at.open();
      bytes.add('a', 9);
    }
    at.clock.at = NOON + DAY_MS;
    await using again = await at.open();
    expect(again.used('a')).toBe(0);
    await again.flush();
    expect(await at.rows()).toEqual({});
  });

  it('are not given twice by a clock that is set back, running or restarted', async () => {
    await using at = await aStore();
    {
      await using bytes = await at.open();
      bytes.add('a', 9);
      at.clock.at = NOON - 3 * DAY_MS;
      expect(bytes.used('a')).toBe(9);
    }
    await using again = await at.open();
    expect(again.used('a')).toBe(9);
  });

  it('are kept for the next try when the store does not take them', async () => {
    await using at = await aStore();
    const refusing = { commits: 0, get: at.store.get.bind(at.store), range: at.store.range.bind(at.store), count: at.store.count.bind(at.store), watch: at.store.watch.bind(at.store), [Symbol.asyncDispose]: async () => undefined, commit: async (...commit: Parameters<typeof at.store.commit>) => {
      refusing.commits += 1;
      if (refusing.commits === 1) throw new Error('disk full');
      return await at.store.commit(...commit);
    } };
    await using bytes = await DailyBytes.open({ store: refusing, clock: at.clock, log: createLog('error') });
    bytes.add('a', 4);
    await bytes.flush();
    expect(await at.rows()).toEqual({});
    await bytes.flush();
    expect(await at.rows()).toEqual({ a: { day: '2026-11-21', bytes: 4 } });
  });
});

describe('turns', () => {
  const forever = new AbortController().signal;

  it('let four run at once, the next when one ends, in order', async () => {
    const turns = new Turns();
    const ends = await Promise.all(Array.from({ length: BOUNDS.fetchesAtOnce }, () => turns.take('a', forever)));
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (each) => {
      const end = await turns.take('a', forever);
      order.push(each);
      end();
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    ends[0]?.();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
  });

  it("of one instance are not another's to wait for", async () => {
    const turns = new Turns();
    await Promise.all(Array.from({ length: BOUNDS.fetchesAtOnce }, () => turns.take('a', forever)));
    expect(await turns.take('b', forever)).toBeInstanceOf(Function);
  });

  it('are refused when too many wait, and end once however often they are ended', async () => {
    const turns = new Turns();
    const [end] = await Promise.all(Array.from({ length: BOUNDS.fetchesAtOnce }, () => turns.take('a', forever)));
    const leaving = new AbortController();
    const waiting = Array.from({ length: BOUNDS.fetchesWaiting }, () => turns.take('a', leaving.signal));
    await expect(turns.take('a', forever)).rejects.toMatchObject({ code: 'EGRESS_BUSY' });
    let taken = 0;
    for (const each of waiting) void each.then(() => (taken += 1), () => undefined);
    end?.();
    end?.();
    end?.();
    await waiting[0];
    await new Promise(setImmediate);
    expect(taken).toBe(1);
    leaving.abort(new Error('nobody waits any more'));
    expect((await Promise.allSettled(waiting)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are given up by whoever ends, and pass to the one behind', async () => {
    const turns = new Turns();
    const ends = await Promise.all(Array.from({ length: BOUNDS.fetchesAtOnce }, () => turns.take('a', forever)));
    const leaving = new AbortController();
    const left = turns.take('a', leaving.signal);
    const behind = turns.take('a', forever);
    leaving.abort(new Error('call over'));
    await expect(left).rejects.toThrow('call over');
    await expect(turns.take('a', leaving.signal)).rejects.toThrow('call over');
    ends[0]?.();
    await behind;
  });
});
