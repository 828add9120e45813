// Wall clocks of IANA time zones, as far as a boundary at a full hour needs them. Called by config and registry, to refuse names nobody knows, and by the pipeline's session resets.

/** What a zone's clocks show, as an offset from UTC. */
export interface TimeZone {
  readonly name: string;
  /** Milliseconds to add to UTC, for the offset in force at that moment. */
  offsetMsAt(epochMs: number): number;
}

/** Undefined for a name that this Node does not know. Names are those of the IANA time zone database, `Europe/Berlin` or `UTC`. */
export function timeZone(name: string): TimeZone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
  } catch {
    return undefined; // a RangeError, the only thing it throws for a zone
  }
  return {
    name,
    offsetMsAt(epochMs) {
      const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
      for (const { type, value } of format.formatToParts(epochMs)) shown[type] = Number(value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
      return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(epochMs / 1000) * 1000;
    },
  };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The last moment, not after `epochMs`, at which the clocks of the zone came to `hour` o'clock. An hour that is skipped in spring comes when it is skipped; one that is repeated in autumn comes once, the first time. */
export function lastHour(zone: TimeZone, hour: number, epochMs: number): number {
  const local = epochMs + zone.offsetMsAt(epochMs);
  const midnight = local - (((local % DAY_MS) + DAY_MS) % DAY_MS);
  // Today's hour may still be to come. Where clocks were set across it, yesterday's is found the same way.
  for (const daysAgo of [0, 1]) {
    const at = momentOf(zone, midnight - daysAgo * DAY_MS + hour * HOUR_MS);
    if (at <= epochMs) return at;
  }
  return momentOf(zone, midnight - 2 * DAY_MS + hour * HOUR_MS);
}

/** When the zone's clocks show this (as if it were UTC). Both offsets around it are tried: where both fit, it comes twice and the first counts; where none does, it is skipped. */
function momentOf(zone: TimeZone, shownMs: number): number {
  const before = zone.offsetMsAt(shownMs - DAY_MS);
  const after = zone.offsetMsAt(shownMs + DAY_MS);
  for (const offset of before > after ? [before, after] : [after, before]) if (zone.offsetMsAt(shownMs - offset) === offset) return shownMs - offset;
  return shownMs - before;
}
