// Boundaries of sessions. The rules one by one are data, in test/fixtures/session-resets/; here, what holds for all moments.
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { resetRule } from '../../host/pipeline/sessions/session-resets.ts';
import { sessionRules, scopeOf } from '../../host/pipeline/sessions/session-rules.ts';
import { timeZone } from '../../host/time-zone.ts';

const HOUR_MS = 3_600_000;
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Beirut', 'America/Sao_Paulo', 'Africa/Casablanca', 'Antarctica/Troll'];

function dailyBoundary(zone: string, hour: number) {
  const rule = resetRule({ policy: 'daily', hour, timeZone: zone });
  if (rule.policy !== 'daily') throw new Error('not daily');
  return rule.lastBoundary;
}

describe('the daily boundary', () => {
  it('is the same for a rule that has been asked before as for one that has not', () => {
    const moment = fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2030, 0, 1) });
    fc.assert(fc.property(fc.constantFrom(...ZONES), fc.integer({ min: 0, max: 23 }), moment, fc.array(fc.integer({ min: -30 * HOUR_MS, max: 30 * HOUR_MS }), { minLength: 1, maxLength: 6 }), (zone, hour, start, steps) => {
      const asked = dailyBoundary(zone, hour);
      for (const step of steps) expect(asked(start + step)).toBe(dailyBoundary(zone, hour)(start + step));
    }));
  });

  it('lies at most two days back, shows its hour unless that was skipped, and never moves back as time goes on', () => {
    fc.assert(fc.property(fc.constantFrom(...ZONES), fc.integer({ min: 0, max: 23 }), fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2030, 0, 1) }), (zone, hour, at) => {
      const boundary = dailyBoundary(zone, hour)(at);
      expect(boundary).toBeLessThanOrEqual(at);
      expect(at - boundary).toBeLessThan(48 * HOUR_MS);
      expect(dailyBoundary(zone, hour)(at + 90 * 60_000)).toBeGreaterThanOrEqual(boundary);
      const shown = boundary + (timeZone(zone)?.offsetMsAt(boundary) ?? 0);
      const justBefore = boundary - 1 + (timeZone(zone)?.offsetMsAt(boundary - 1) ?? 0);
      const wanted = shown - (shown % (24 * HOUR_MS)) + hour * HOUR_MS;
      expect(shown === wanted || (justBefore < wanted && shown > wanted) || shown - justBefore > 23 * HOUR_MS).toBe(true);
    }), { numRuns: 500 });
  });
});

describe('what operators say about sessions', () => {
  it('is taken key by key, the nearest word first', () => {
    const rules = sessionRules({ reset: { policy: 'idle' } }, { scope: 'peer', reset: { idleMinutes: 5 } }, { scope: 'main', reset: { policy: 'daily', hour: 6 } });
    expect(rules).toEqual({ scope: 'peer', sharedScope: 'conversation', reset: { policy: 'idle', idleMs: 300_000 } });
    expect(sessionRules()).toEqual({ scope: 'conversation', sharedScope: 'conversation', reset: { policy: 'none' } });
  });

  it('joins a group with what its members say elsewhere only where the room itself says so', () => {
    const everywhere = sessionRules({}, { scope: 'main' }, {});
    const here = sessionRules({ scope: 'main' }, {}, {});
    for (const kind of ['group', 'channel'] as const) {
      expect(scopeOf(everywhere, { room: { kind } })).toBe('conversation');
      expect(scopeOf(here, { room: { kind } })).toBe('main');
    }
    expect(scopeOf(everywhere, { room: { kind: 'direct' } })).toBe('main');
    expect(scopeOf(everywhere, {})).toBe('main');
  });
});
