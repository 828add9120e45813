// The ledger of costs on a real store, and budgets held against it: hours and days that roll, restarts, clocks set back, what is over and goes.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Ended } from '../../host/broker/meter.ts';
import { costDesk } from '../../host/costs/desk.ts';
import { CostLedger } from '../../host/costs/ledger.ts';
import { BudgetMeter } from '../../host/costs/meter.ts';
import { GatehouseError } from '../../host/errors.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { createLog } from '../../host/log.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { Store } from '../../host/store/store.ts';
import type { Budgets } from '../../schemas/costs.ts';
import { aHandClock, type HandClock } from '../support/hand-clock.ts';
import { tempDir } from '../support/temp.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CALL: Ended = { ok: true, cpuUs: 2000, wallMs: 3 };

async function aStore() {
  const dir = await tempDir();
  const clock = aHandClock();
  const store = await openStore({ dir: join(dir.path, 'store'), clock });
  return {
    store, clock,
    open: (changes: Partial<Parameters<typeof CostLedger.open>[0]> = {}) => CostLedger.open({ store, clock, log: createLog('error'), hourlyDays: 2, dailyDays: 4, ...changes }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const deskOf = (store: Store, ledger: CostLedger, budgets: Budgets = {}) => costDesk({ store, ledger, instances: () => [{ instance: 'weather', isEnabled: true }, { instance: 'retired', isEnabled: false }], budgetsOf: () => budgets, kvHeldBytes: async () => 7 });

/** What a budget refuses, or `through`. */
const refusedBy = (act: () => unknown): unknown => {
  try {
    const result = act();
    return result instanceof GatehouseError ? result.fields : 'through';
  } catch (error) {
    return error instanceof GatehouseError ? error.fields : error;
  }
};

describe('the ledger of costs', () => {
  it('keeps what was charged over a restart, within the same hour and day', async () => {
    await using world = await aStore();
    {
      await using ledger = await world.open();
      ledger.charge('plugin', 'weather', { ok: 2, failed: 1, code: 'CALL_TIMEOUT', cpuUs: 5000, egressBytes: 100 });
      ledger.charge('tool', 'acme.weather/now', { ok: 1 });
    }
    world.clock.turn(HOUR_MS);
    await using again = await world.open();
    again.charge('plugin', 'weather', { ok: 1, cpuUs: 1000 });
    expect(again.today('plugin', 'weather')).toMatchObject({ ok: 3, failed: 1, cpuUs: 6000, egressBytes: 100, codes: { CALL_TIMEOUT: 1 } });
    const { items } = await deskOf(world.store, again).history({ grain: 'hour' });
    expect(items.map(({ at, by, name, ok }) => [at.slice(11, 13), by, name, ok])).toEqual([['01', 'plugin', 'weather', 1], ['00', 'tool', 'acme.weather/now', 1], ['00', 'plugin', 'weather', 2]]);
  });

  it('begins anew with the UTC day, and keeps the day that is over', async () => {
    await using world = await aStore();
    await using ledger = await world.open();
    ledger.charge('plugin', 'weather', { ok: 1 });
    world.clock.turn(DAY_MS);
    expect(ledger.today('plugin', 'weather')).toBeUndefined();
    ledger.charge('plugin', 'weather', { ok: 5 });
    const { items } = await deskOf(world.store, ledger).history({ grain: 'day' });
    expect(items.map(({ at, ok }) => [at, ok])).toEqual([['2026-01-16T00:00:00.000Z', 5], ['2026-01-15T00:00:00.000Z', 1]]);
  });

  it('gives no day away twice when the clock is set back', async () => {
    await using world = await aStore();
    {
      await using ledger = await world.open();
      world.clock.turn(DAY_MS);
      ledger.charge('plugin', 'weather', { ok: 3 });
      world.clock.turn(-DAY_MS);
      expect(ledger.today('plugin', 'weather')).toMatchObject({ ok: 3 });
    }
    await using again = await world.open();
    expect(again.today('plugin', 'weather')).toMatchObject({ ok: 3 });
  });

  it('lets go of hours and days that are older than it keeps them', async () => {
    await using world = await aStore();
    await using ledger = await world.open();
    for (let day = 0; day < 8; day += 1) {
      ledger.charge('channel', 'webhook', { ok: 1 });
      await ledger.flush();
      world.clock.turn(DAY_MS);
    }
    await ledger.flush();
    const desk = deskOf(world.store, ledger);
    expect((await desk.history({ grain: 'hour' })).items.map(({ at }) => at.slice(0, 10))).toEqual(['2026-01-22', '2026-01-21']);
    expect((await desk.history({ grain: 'day' })).items.map(({ at }) => at.slice(0, 10))).toEqual(['2026-01-22', '2026-01-21', '2026-01-20', '2026-01-19']);
  });

  it('counts on while the store takes nothing, and writes all of it later', async () => {
    await using world = await aStore();
    let isFull = true;
    const { store: real } = world;
    const store: Store = {
      get: (...asked) => real.get(...asked),
      range: (...asked) => real.range(...asked),
      count: (table) => real.count(table),
      watch: (...asked) => real.watch(...asked),
      commit: (change) => (isFull ? Promise.reject(new Error('no space left on device')) : real.commit(change)),
      [Symbol.asyncDispose]: async () => undefined,
    };
    await using ledger = await world.open({ store });
    ledger.charge('plugin', 'weather', { ok: 1 });
    await ledger.flush();
    ledger.charge('plugin', 'weather', { ok: 1 });
    isFull = false;
    await ledger.flush();
    await using again = await world.open();
    expect(again.today('plugin', 'weather')).toMatchObject({ ok: 2 });
  });

  it('sweeps nothing by its age for a day after a clock jumped ahead, and charges the real day again once it is set right', async () => {
    await using world = await aStore();
    {
      await using ledger = await world.open();
      ledger.charge('plugin', 'weather', { ok: 3, calls: 3 });
      await ledger.flush();
      world.clock.turn(1000 * DAY_MS);
      ledger.charge('plugin', 'weather', { ok: 1, calls: 1 });
      await ledger.flush();
      world.clock.turn(-1000 * DAY_MS);
      ledger.charge('plugin', 'weather', { ok: 1, calls: 1 });
      await ledger.flush();
      expect(ledger.today('plugin', 'weather')).toMatchObject({ ok: 4 });
      expect((await deskOf(world.store, ledger).history({ grain: 'day', until: '2026-02-01T00:00:00.000Z' })).items.map(({ ok }) => ok)).toEqual([4]);
    }
    await using again = await world.open();
    expect(again.today('plugin', 'weather')).toMatchObject({ ok: 4 });
    expect(again.day.date).toBe('2026-01-15');
  });

  it('tells at most sixteen codes of a row apart', async () => {
    await using world = await aStore();
    await using ledger = await world.open();
    for (let code = 0; code < 40; code += 1) ledger.charge('plugin', 'weather', { failed: 1, code: `C${code}` });
    const codes = ledger.today('plugin', 'weather')?.codes ?? {};
    expect(Object.keys(codes)).toHaveLength(17);
    expect(codes['OTHER']).toBe(24);
  });

  it('pages history without a gap or a row twice, filtered by kind, name and time', async () => {
    await using world = await aStore();
    await using ledger = await world.open({ hourlyDays: 30 });
    for (let hour = 0; hour < 30; hour += 1) {
      for (const name of ['a', 'b', 'c']) ledger.charge('plugin', name, { ok: hour });
      world.clock.turn(HOUR_MS);
    }
    const desk = deskOf(world.store, ledger);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await desk.history({ grain: 'hour', limit: 7, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map(({ at, name }) => `${at} ${name}`));
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(90);
    expect(new Set(seen).size).toBe(90);
    expect(seen).toEqual(seen.toSorted().toReversed());
    const some = await desk.history({ grain: 'hour', by: 'plugin', name: 'b', since: '2026-01-15T03:00:00.000Z', until: '2026-01-15T06:00:00.000Z' });
    expect(some.items.map(({ ok }) => ok)).toEqual([5, 4, 3]);
    for (const cursor of ['not one', 'day 2026-01-15T00:00:00.000Z plugin a']) await expect(desk.history({ grain: 'hour', cursor })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });
});

describe('budgets', () => {
  async function aMeter(budgets: Budgets) {
    const world = await aStore();
    const ledger = await world.open();
    const told: Events['budget.reached'][] = [];
    const unsubscribe = subscribe('budget.reached', (event) => void told.push(event));
    const meter = new BudgetMeter({ ledger, budgetsOf: () => budgets });
    const call = (subject = 'm1', ended = CALL) => refusedBy(() => meter.begin('weather', subject) ?? meter.end('weather', subject, ended));
    return {
      meter, told, call, ledger, clock: world.clock satisfies HandClock, store: world.store,
      async [Symbol.asyncDispose]() {
        unsubscribe();
        await ledger[Symbol.asyncDispose]();
        await world[Symbol.asyncDispose]();
      },
    };
  }

  it('refuse the call after the last one of the day, and let it through the next day', async () => {
    await using world = await aMeter({ perDay: { calls: 3 } });
    expect([world.call('m1'), world.call('m2'), world.call('m3'), world.call('m4')]).toEqual(['through', 'through', 'through', { instance: 'weather', resource: 'calls', most: 3, period: 'a day', spent: 3 }]);
    world.clock.turn(DAY_MS);
    expect(world.call('m5')).toBe('through');
  });

  it('count calls that are under way: none gets past a budget because the others have not ended', async () => {
    await using world = await aMeter({ perDay: { calls: 2 }, perMessage: { calls: 1 } });
    expect(world.meter.begin('weather', 'm1')).toBeUndefined();
    expect(refusedBy(() => world.meter.begin('weather', 'm1'))).toMatchObject({ period: 'for a message' });
    expect(world.meter.begin('weather', 'm2')).toBeUndefined();
    expect(refusedBy(() => world.meter.begin('weather', 'm3'))).toMatchObject({ period: 'a day' });
    world.meter.end('weather', 'm1', CALL);
    expect(refusedBy(() => world.meter.begin('weather', 'm3'))).toMatchObject({ period: 'a day', spent: 2 });
  });

  it('of CPU refuse calls, of egress fetches, of kv writes, of host calls all three, and nothing else', async () => {
    await using world = await aMeter({ perDay: { cpuMs: 3, hostCalls: 2, egressBytes: 100, kvBytes: 50 } });
    const { meter } = world;
    expect(world.call()).toBe('through');
    meter.spend('weather', 'm1', { egressBytes: 100 });
    expect(refusedBy(() => meter.hold('weather', 'm1', ['hostCalls', 'egressBytes']))).toMatchObject({ resource: 'bytes of egress' });
    expect(refusedBy(() => meter.hold('weather', 'm1', ['hostCalls', 'kvBytes']))).toBe('through');
    meter.spend('weather', 'm1', { kvBytes: 60, hostCalls: 2 });
    expect(refusedBy(() => meter.hold('weather', 'm1', ['kvBytes']))).toMatchObject({ resource: 'bytes written to kv' });
    expect(refusedBy(() => meter.hold('weather', 'm1', ['hostCalls']))).toMatchObject({ resource: 'host calls' });
    expect(world.call()).toBe('through');
    expect(world.call()).toMatchObject({ resource: 'ms of CPU', most: 3, spent: 4 });
  });

  it('of calls are spent by calls that ran, not by those that found no sandbox or no place', async () => {
    await using world = await aMeter({ perDay: { calls: 2 }, perMessage: { calls: 2 } });
    for (let call = 0; call < 5; call += 1) expect(world.call('m1', { ok: false, code: 'INSTANCE_BUSY', cpuUs: 0, wallMs: 1 })).toBe('through');
    expect([world.call('m1'), world.call('m1'), world.call('m1')]).toEqual(['through', 'through', expect.objectContaining({ period: 'for a message' })]);
  });

  it('of one message leave the others alone, and add up the tries at it', async () => {
    await using world = await aMeter({ perMessage: { cpuMs: 4 } });
    expect([world.call('m1'), world.call('m1'), world.call('m1'), world.call('m2')]).toEqual(['through', 'through', expect.objectContaining({ period: 'for a message' }), 'through']);
  });

  it('are told of once when nearly spent and once when spent, each day', async () => {
    await using world = await aMeter({ perDay: { calls: 10 }, warnAt: 0.5 });
    for (let call = 0; call < 12; call += 1) world.call(`m${call}`);
    expect(world.told.map(({ level, spent }) => [level, spent])).toEqual([['warned', 5], ['exceeded', 10]]);
    world.clock.turn(DAY_MS);
    for (let call = 0; call < 5; call += 1) world.call(`n${call}`);
    expect(world.told.at(-1)).toMatchObject({ level: 'warned', spent: 5, most: 10 });
    expect(world.told).toHaveLength(3);
  });

  it('show their state and shares to the operator', async () => {
    const budgets: Budgets = { perDay: { calls: 4, cpuMs: 100 } };
    await using world = await aMeter(budgets);
    for (const id of ['1', '2', '3']) world.call(id);
    const desk = deskOf(world.store, world.ledger, budgets);
    expect(await desk.show('weather')).toMatchObject({ state: 'within', used: { calls: 0.75, cpuMs: 0.06 }, spent: { calls: 3, failed: 0, cpuMs: 6 }, kvHeldBytes: 7, resetsAt: '2026-01-16T00:00:00.000Z' });
    world.call('4');
    expect(await desk.show('weather')).toMatchObject({ state: 'exceeded' });
    await expect(desk.show('nobody')).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  });

  it('list what is switched off where it cost something today', async () => {
    await using world = await aMeter({});
    const desk = deskOf(world.store, world.ledger);
    const listed = async () => (await desk.list()).items.map(({ instance }) => instance);
    expect([await listed(), (await desk.show('retired')).spent.calls]).toEqual([['weather'], 0]);
    world.ledger.charge('plugin', 'retired', { calls: 2 });
    expect([await listed(), (await desk.show('retired')).spent.calls]).toEqual([['retired', 'weather'], 2]);
    world.clock.turn(DAY_MS);
    expect(await listed()).toEqual(['weather']);
  });
});
