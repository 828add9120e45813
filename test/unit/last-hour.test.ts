// The last hour of a host in memory: what is counted when, how exact latencies are, and that an hour is all there ever is.
import { expect, it } from 'vitest';
import { toTimestamp } from '../../host/clock.ts';
import { LastHour } from '../../host/control/last-hour.ts';
import { publish } from '../../host/events.ts';
import { LastHourView, STEPS, STEP_MS } from '../../schemas/last-hour.ts';
import { compileSchema } from '../../host/schema.ts';
import { startTestControl } from '../support/control-plane.ts';
import { aHandClock } from '../support/hand-clock.ts';

it('counts into the step of the moment, keeps one hour, and has a step for time in which nothing happened', () => {
  const clock = aHandClock();
  const hour = new LastHour(clock);
  hour.count('accepted');
  clock.turn(STEP_MS * 3);
  hour.count('accepted');
  hour.count('accepted');
  hour.sample({ messages: 4, deliveries: 1, deadLetters: 2, pressure: 0.25 });
  expect(hour.view()).toMatchObject({ stepMs: STEP_MS, counts: { accepted: [1, 0, 0, 2] }, depth: { messages: [null, null, null, 4] } });
  for (let step = 0; step < 3 * STEPS; step += 1) {
    clock.turn(STEP_MS);
    hour.count('calls');
  }
  const view = hour.view();
  expect(compileSchema(LastHourView).explain(view)).toBeUndefined();
  expect([view.at.length, view.counts.accepted.length, view.depth.messages.length]).toEqual([STEPS, STEPS, STEPS]);
  expect(new Set(view.at).size).toBe(STEPS);
  clock.turn(1000 * STEPS * STEP_MS);
  expect(hour.view().counts.calls.every((each) => each === 0)).toBe(true);
});

it('goes on in its newest step when the clock is set back a little, and begins anew when it is set back far', () => {
  const clock = aHandClock();
  const hour = new LastHour(clock);
  hour.count('denied');
  clock.turn(-STEP_MS);
  hour.count('denied');
  expect(hour.view().counts.denied).toEqual([2]);
  clock.turn(-3_600_000);
  for (let step = 0; step < 3; step += 1) {
    hour.count('denied');
    clock.turn(STEP_MS);
  }
  const { at, counts } = hour.view();
  expect([at.at(-1), counts.denied]).toEqual([toTimestamp(Math.floor(clock.now() / STEP_MS) * STEP_MS), [1, 1, 1, 0]]);
});

it('tells latencies to within a fifth, from microseconds to hours', () => {
  for (const durationMs of [0, 0.004, 0.5, 12, 480, 59_000]) {
    const hour = new LastHour(aHandClock());
    for (let each = 0; each < 99; each += 1) hour.measure('ingest', durationMs);
    hour.measure('ingest', 3_600_000);
    const told = hour.view().latency.ingestP50Ms[0] ?? Number.NaN;
    expect(told).toBeGreaterThanOrEqual(Math.floor(durationMs));
    expect(told).toBeLessThanOrEqual(Math.max(0.11, durationMs * 1.21));
  }
  expect(new LastHour(aHandClock()).view().latency.deliveryP99Ms).toEqual([null]);
});

it('hears the events of the host it is served by, and shows them to whoever may read the status', async () => {
  await using control = await startTestControl();
  publish('message.outcome', { messageId: 'm', instance: 'hook', direction: 'inbound', outcome: 'accepted', durationMs: 7 });
  publish('dead-letter.created', { id: 'd', messageId: 'm', instance: 'hook', stage: 'respond', code: 'X' });
  publish('plugin.call', { instance: 'hook', handler: 'respond', ok: false, cpuUs: 1, wallMs: 1 });
  const { status, json } = await control.call('GET', '/api/v1/status/last-hour', { token: true });
  expect(status).toBe(200);
  expect(compileSchema(LastHourView).explain(json)).toBeUndefined();
  expect(json).toMatchObject({ counts: { deadLettered: expect.arrayContaining([1]), failedCalls: expect.arrayContaining([1]), accepted: expect.arrayContaining([1]) } });
});
