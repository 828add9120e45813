// The host's own workers: passes, failures, the budget of failures, passes that do not end.
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { subscribe, type EventName } from '../../host/events.ts';
import { Worker, type WorkerBudget } from '../../host/supervisor/worker.ts';
import { Workers } from '../../host/supervisor/workers.ts';
import { eventually } from '../support/eventually.ts';

const QUICK: WorkerBudget = { failures: 3, windowMs: 60_000, pauseMs: 20, firstMs: 1 };
const HOUR_MS = 3_600_000;

function heard(...names: EventName[]) {
  const events: string[] = [];
  const stop = names.map((name) => subscribe(name, () => void events.push(name)));
  return { events, [Symbol.dispose]: () => { for (const each of stop) each(); } };
}

describe('a worker', () => {
  it('runs a pass when it is woken, and one more when that comes during a pass', async () => {
    const passes: PromiseWithResolvers<void>[] = [];
    await using worker = new Worker({ name: 'subject', deadlineMs: HOUR_MS, run: () => { const pass = Promise.withResolvers<void>(); passes.push(pass); return pass.promise; } }, systemClock, QUICK);
    worker.wake();
    worker.wake();
    worker.wake();
    expect(passes).toHaveLength(1);
    expect(worker.view).toMatchObject({ state: 'working', passes: 0 });
    passes[0]?.resolve();
    await eventually(() => expect(passes).toHaveLength(2));
    passes[1]?.resolve();
    await eventually(() => expect(worker.view).toEqual({ name: 'subject', state: 'idle', passes: 2, failures: 0 }));
  });

  it('comes by itself', async () => {
    let passes = 0;
    await using worker = new Worker({ name: 'subject', everyMs: 1, deadlineMs: HOUR_MS, run: async () => void (passes += 1) }, systemClock, QUICK);
    await eventually(() => expect(passes).toBeGreaterThan(3));
    expect(worker.view.failures).toBe(0);
  });

  it('is tried again after a failure, and forgets it with a pass that succeeds', async () => {
    let left = 2;
    await using worker = new Worker({ name: 'subject', deadlineMs: HOUR_MS, run: async () => { if (left-- > 0) throw new Error('no disk'); } }, systemClock, QUICK);
    worker.wake();
    await eventually(() => expect(worker.view).toEqual({ name: 'subject', state: 'idle', passes: 3, failures: 2 }));
  });

  it('is degraded when its budget is spent, says so once, and recovers by itself', async () => {
    using told = heard('worker.degraded', 'worker.recovered');
    let works = false;
    await using worker = new Worker({ name: 'subject', deadlineMs: HOUR_MS, run: async () => { if (!works) throw new Error('no disk'); } }, systemClock, QUICK);
    worker.wake();
    await eventually(() => expect(worker.view).toMatchObject({ state: 'degraded', problem: 'no disk' }));
    await eventually(() => expect(worker.view.failures).toBeGreaterThan(4));
    expect(told.events).toEqual(['worker.degraded']);
    works = true;
    await eventually(() => expect(worker.view.state).toBe('idle'));
    expect(told.events).toEqual(['worker.degraded', 'worker.recovered']);
  });

  it('is aborted at its deadline, and no second pass begins beside one that does not end', async () => {
    using told = heard('worker.stuck');
    const released = Promise.withResolvers<void>();
    let passes = 0;
    let aborted = 0;
    const run = (signal: AbortSignal) => {
      passes += 1;
      signal.addEventListener('abort', () => void (aborted += 1));
      return released.promise;
    };
    await using worker = new Worker({ name: 'subject', everyMs: 1, deadlineMs: 5, run }, systemClock, QUICK);
    await eventually(() => expect(worker.view.state).toBe('stuck'));
    worker.wake();
    expect([passes, aborted, told.events.length]).toEqual([1, 1, 1]);
    released.resolve();
    await eventually(() => expect(passes).toBeGreaterThan(1));
    expect(worker.view).toMatchObject({ failures: 1 });
  });

  it('is waited for when it is ended, and told to stop', async () => {
    let over = false;
    const worker = new Worker({ name: 'subject', deadlineMs: HOUR_MS, run: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => { over = true; resolve(); })) }, systemClock, QUICK);
    worker.wake();
    await worker[Symbol.asyncDispose]();
    expect(over).toBe(true);
    worker.wake();
    expect(worker.view.passes).toBe(1);
  });
});

describe('workers', () => {
  it('stand alone: what stops one pauses no other', async () => {
    await using workers = new Workers(systemClock, QUICK);
    let passes = 0;
    workers.start({ name: 'broken', everyMs: 1, deadlineMs: HOUR_MS, run: () => Promise.reject(new Error('no disk')) });
    const hung = workers.start({ name: 'hung', deadlineMs: 5, run: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 200))) });
    hung.wake();
    workers.start({ name: 'sound', everyMs: 1, deadlineMs: HOUR_MS, run: async () => void (passes += 1) });
    await eventually(() => expect(workers.views().map(({ name, state }) => `${name} ${state}`)).toEqual(['broken degraded', 'hung stuck', expect.stringMatching(/^sound/)]));
    const before = passes;
    await eventually(() => expect(passes).toBeGreaterThan(before + 3));
  });

  it('have names of their own', async () => {
    await using workers = new Workers(systemClock);
    const spec = { name: 'subject', deadlineMs: HOUR_MS, run: async () => undefined };
    workers.start(spec);
    expect(() => workers.start(spec)).toThrow("there is a worker 'subject' already");
  });
});
