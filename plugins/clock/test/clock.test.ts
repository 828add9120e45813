import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';

const clockAt = (iso: string) => runPlugin(plugin, { now: Date.parse(iso) });

describe('now', () => {
  it.each([
    ['UTC', '2026-11-21T08:00:00.123Z', '2026-11-21T08:00:00.123+00:00', 'Saturday, 21 November 2026, 08:00', '+00:00'],
    ['Europe/Berlin', '2026-11-21T08:00:00.123Z', '2026-11-21T09:00:00.123+01:00', 'Saturday, 21 November 2026, 09:00', '+01:00'],
    ['Europe/Berlin', '2026-07-01T08:00:00.000Z', '2026-07-01T10:00:00.000+02:00', 'Wednesday, 1 July 2026, 10:00', '+02:00'],
    ['Asia/Kolkata', '2026-11-21T20:00:00.000Z', '2026-11-22T01:30:00.000+05:30', 'Sunday, 22 November 2026, 01:30', '+05:30'],
    ['America/St_Johns', '2027-01-01T02:00:00.000Z', '2026-12-31T22:30:00.000-03:30', 'Thursday, 31 December 2026, 22:30', '-03:30'],
    ['Pacific/Kiritimati', '2026-12-31T23:59:59.999Z', '2027-01-01T13:59:59.999+14:00', 'Friday, 1 January 2027, 13:59', '+14:00'],
  ])('reads %s at %s', async (zone, at, iso, local, offset) => {
    expect(await clockAt(at).call('now', { zone })).toEqual({ zone, iso, local, offset });
  });

  it('is in UTC unless a zone is named', async () => {
    expect(await clockAt('2026-11-21T08:00:00.000Z').call('now')).toMatchObject({ zone: 'UTC', offset: '+00:00' });
  });

  it('puts the capitals right', async () => {
    expect(await clockAt('2026-11-21T08:00:00.000Z').call('now', { zone: 'america/new_york' })).toMatchObject({ zone: 'America/New_York', offset: '-05:00' });
  });

  it('keeps moments and offsets in step across a change to summer time', async () => {
    for (let minute = 55; minute < 65; minute++) {
      const at = Date.UTC(2026, 2, 29, 0, minute);
      const [hour, offset] = minute < 60 ? ['01', '+01:00'] : ['03', '+02:00'];
      const iso = `2026-03-29T${hour}:${String(minute % 60).padStart(2, '0')}:00.000${offset}`;
      expect(Date.parse(iso)).toBe(at);
      expect(await runPlugin(plugin, { now: at }).call('now', { zone: 'Europe/Berlin' })).toMatchObject({ iso, offset });
    }
  });

  it.each([
    ['Europe/Berlim', 'Europe/Berlin'],
    ['Berlin', 'Europe/Berlin'],
    ['new york', 'America/New_York'],
    ['Kolkatta', 'Asia/Kolkata'],
    ['Argentina', 'America/Argentina/Buenos_Aires'],
  ])('refuses %j, naming it and the nearest zone', async (zone, nearest) => {
    const refused = clockAt('2026-11-21T08:00:00.000Z').call('now', { zone });
    await expect(refused).rejects.toMatchObject({ code: 'ZONE_UNKNOWN', message: `There is no time zone '${zone}'. The nearest is '${nearest}'.` });
  });
});

describe('zones', () => {
  it('finds zones by city, by part of a name and in spite of misspellings, best first', async () => {
    const clock = runPlugin(plugin);
    expect(await clock.call('zones', { like: 'Pari' })).toMatchObject({ zones: ['Europe/Paris', expect.any(String), expect.any(String)] });
    expect(await clock.call('zones', { like: 'Los Angles', limit: 1 })).toEqual({ zones: ['America/Los_Angeles'] });
    expect(await clock.call('zones', { like: 'kyiv', limit: 1 })).toEqual({ zones: ['Europe/Kyiv'] });
  });

  it('always has an answer, in the worst case a far one', async () => {
    for (const like of ['x'.repeat(64), '/'.repeat(64), '???', 'é']) {
      expect(await runPlugin(plugin).call('zones', { like, limit: 10 })).toEqual({ zones: Array.from({ length: 10 }, () => expect.any(String)) });
    }
  });
});
