// Lengths of time as people write them: `90s`, `10m`, `24h`, `7d`. Called by commands with an option for one.
import { GatehouseError } from '../errors.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Throws USAGE. */
export function durationMs(time: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(time) ?? [];
  const unitMs = UNITS[unit];
  if (unitMs === undefined) throw new GatehouseError('USAGE', { problem: `'${time}' is no time; write a number and s, m, h or d, as 90d` });
  return Number(count) * unitMs;
}
