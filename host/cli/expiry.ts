// `--expires`: until when what is signed counts. Called by commands that sign.
import { GatehouseError } from '../errors.ts';

const DAY_MS = 24 * 3600 * 1000;

/** `2027-06-30`, `2027-06-30T12:00:00Z` or `90d`; in the future. Throws USAGE. */
export function expiryOf(text: string, now: number, command: string, option = '--expires'): number {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  const isDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text);
  const time = days === undefined ? (isDate ? Date.parse(text) : Number.NaN) : now + Number(days) * DAY_MS;
  if (Number.isNaN(time)) throw new GatehouseError('USAGE', { problem: `${option} '${text}' is neither a date (2027-06-30), a time in UTC (2027-06-30T12:00:00Z) nor a number of days (90d)`, command });
  if (time <= now) throw new GatehouseError('USAGE', { problem: `${option} '${text}' is not in the future`, command });
  return time;
}
