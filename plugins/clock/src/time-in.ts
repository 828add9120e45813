// A moment as it reads in one time zone, by way of Intl, which the sandbox has with full zone data.

export interface LocalTime {
  readonly zone: string;
  /** RFC 3339 with milliseconds and the zone's offset. */
  readonly iso: string;
  /** `Saturday, 21 November 2026, 09:00`. */
  readonly local: string;
  /** `+01:00`. */
  readonly offset: string;
}

/** Null for a zone that Intl does not know. Names are matched without regard to case. */
export function timeIn(zone: string, epochMs: number): LocalTime | null {
  const format = formatFor(zone);
  if (format === null) return null;
  const part = Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  const offset = part['timeZoneName'] === 'GMT' ? '+00:00' : String(part['timeZoneName']).replace('GMT', '');
  // The wall clock of the zone is UTC's, moved by the offset; toISOString then writes it with all its digits.
  const wall = new Date(epochMs + offsetMs(offset)).toISOString();
  return {
    zone: properName(zone, format.resolvedOptions().timeZone),
    iso: wall.replace('Z', offset),
    local: `${part['weekday']}, ${part['day']} ${part['month']} ${part['year']}, ${part['hour']}:${part['minute']}`,
    offset,
  };
}

function formatFor(timeZone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone, hourCycle: 'h23', weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'longOffset' });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** `+05:30` in milliseconds. */
function offsetMs(offset: string): number {
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number);
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** Intl answers with the right capitals, but for some zones also with an outdated name (Asia/Calcutta for Asia/Kolkata): then the asker's own stands. */
const properName = (asked: string, resolved: string) => (asked.toLowerCase() === resolved.toLowerCase() ? resolved : asked);
