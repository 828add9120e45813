// When refusals are a streak: counted per instance, within a sliding window, and only of those who reach for what they were not given.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Violations } from '../../host/supervisor/violations.ts';
import { aHandClock } from '../support/hand-clock.ts';

const { refusalsPerMinute, leaksPerHour } = BOUNDS;

describe('refusals', () => {
  it('are a streak when the last of a minute is one too many, and are then counted afresh', () => {
    const violations = new Violations(aHandClock());
    const verdicts = Array.from({ length: refusalsPerMinute + 1 }, () => violations.count('a', 'reach'));
    expect(verdicts.map((each) => each !== undefined)).toEqual([...Array.from({ length: refusalsPerMinute - 1 }, () => false), true, false]);
    expect(verdicts[refusalsPerMinute - 1]).toMatch(/^100 refusals within a minute$/);
  });

  it('slower than that never are, however long it goes on', () => {
    const clock = aHandClock();
    const violations = new Violations(clock);
    for (let n = 0; n < 10 * refusalsPerMinute; n += 1) {
      expect(violations.count('a', 'reach')).toBeUndefined();
      clock.turn(60_000 / (refusalsPerMinute - 2));
    }
  });

  it('slide with the window: what is a minute old no longer counts', () => {
    const clock = aHandClock();
    const violations = new Violations(clock);
    const some = (count: number) => Array.from({ length: count }, () => violations.count('a', 'reach')).find((each) => each !== undefined);
    expect(some(refusalsPerMinute / 2)).toBeUndefined();
    clock.turn(30_000);
    expect(some(refusalsPerMinute / 2 - 1)).toBeUndefined();
    clock.turn(30_000);
    expect(some(refusalsPerMinute / 2)).toBeUndefined();
    expect(some(1)).toBeDefined();
  });

  it('of one instance are not held against another', () => {
    const violations = new Violations(aHandClock());
    for (let n = 1; n < refusalsPerMinute; n += 1) for (const instance of ['a', 'b']) expect(violations.count(instance, 'reach')).toBeUndefined();
    expect(violations.count('a', 'reach')).toBeDefined();
  });

  it('of an earlier life are forgotten', () => {
    const violations = new Violations(aHandClock());
    for (let n = 1; n < refusalsPerMinute; n += 1) violations.count('a', 'reach');
    violations.forget('a');
    expect(violations.count('a', 'reach')).toBeUndefined();
  });
});

describe('leaked secrets', () => {
  it('count by themselves, within an hour', () => {
    const clock = aHandClock();
    const violations = new Violations(clock);
    for (let n = 1; n < leaksPerHour; n += 1) {
      expect([violations.count('a', 'leak'), violations.count('a', 'reach')]).toEqual([undefined, undefined]);
      clock.turn(3_600_000 / leaksPerHour);
    }
    expect(violations.count('a', 'leak')).toMatch(/secret/);
  });
});
