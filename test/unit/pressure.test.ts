// What follows from full queues, at each threshold and beside it.
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { Pressure, type QueueFill } from '../../host/pipeline/pressure.ts';

const THRESHOLDS = { slow: 0.7, shed: 0.85, refuse: 0.95 };

function at(depth: number, others: readonly QueueFill[] = []): Pressure {
  return new Pressure(THRESHOLDS, () => [{ queue: 'messages', depth, limit: 1000 }, ...others]);
}

const refusals = (pressure: Pressure) => (['low', 'normal', 'high'] as const).map((priority) => pressure.refusal(priority)?.code ?? 'taken');

describe('pressure', () => {
  it.each([
    [0, 'normal', 0, ['taken', 'taken', 'taken']],
    [699, 'normal', 0, ['taken', 'taken', 'taken']],
    [700, 'slow', 0, ['taken', 'taken', 'taken']],
    [775, 'slow', 100, ['taken', 'taken', 'taken']],
    [849, 'slow', 199, ['taken', 'taken', 'taken']],
    [850, 'shed', 200, ['PRESSURE_SHED', 'taken', 'taken']],
    [899, 'shed', 200, ['PRESSURE_SHED', 'taken', 'taken']],
    [900, 'shed', 200, ['PRESSURE_SHED', 'PRESSURE_SHED', 'taken']],
    [949, 'shed', 200, ['PRESSURE_SHED', 'PRESSURE_SHED', 'taken']],
    [950, 'refuse', 200, ['HOST_BUSY', 'HOST_BUSY', 'HOST_BUSY']],
    [1000, 'refuse', 200, ['HOST_BUSY', 'HOST_BUSY', 'HOST_BUSY']],
  ] as const)('with %i of 1000 waiting is %s', (depth, level, pauseMs, expected) => {
    const pressure = at(depth);
    expect(pressure.view.level).toBe(level);
    expect(pressure.pauseMs()).toBe(pauseMs);
    expect(refusals(pressure)).toEqual(expected);
    expect(pressure.view.shed).toBe(expected.filter((each) => each !== 'taken').length);
  });

  it('goes by the fullest queue, and says which', () => {
    const pressure = at(10, [{ queue: 'deliveries', depth: 96, limit: 100 }]);
    expect(pressure.refusal('high')).toEqual({ code: 'HOST_BUSY', fields: { queue: 'deliveries', depth: 96 } });
    expect(at(10, [{ queue: 'arrivals', depth: 86, limit: 100 }]).refusal('low')).toEqual({ code: 'PRESSURE_SHED', fields: { queue: 'arrivals', depth: 86, priority: 'low' } });
  });

  it('has no pause to divide by where slowing and shedding begin together', () => {
    const pressure = new Pressure({ slow: 0.85, shed: 0.85, refuse: 0.95 }, () => [{ queue: 'messages', depth: 86, limit: 100 }]);
    expect(pressure.pauseMs()).toBe(200);
  });

  it('tells of changes of its level, not of every look', async () => {
    const told: unknown[] = [];
    const stop = subscribe('pressure.changed', (event) => void told.push(event));
    let depth = 0;
    const worker = new Pressure(THRESHOLDS, () => [{ queue: 'messages', depth, limit: 100 }]).worker();
    for (const each of [10, 72, 75, 96, 20]) {
      depth = each;
      await worker.run(new AbortController().signal);
    }
    stop();
    expect(told).toEqual([
      { from: 'normal', to: 'slow', ratio: 0.72, queue: 'messages' },
      { from: 'slow', to: 'refuse', ratio: 0.96, queue: 'messages' },
      { from: 'refuse', to: 'normal', ratio: 0.2, queue: 'messages' },
    ]);
  });
});
