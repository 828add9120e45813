// What waited too long while no host ran: not answered and not sent as if it were new, but kept as a dead letter. lane-work.ts and delivery-work.ts ask when the turn of what was found at the start has come.
import { GatehouseError } from '../errors.ts';
import { epochMsOf } from '../ids.ts';

/**
 * `recoveredAtMs`: when this host found it; undefined for what it took in itself. `since` is the id that tells when it began to wait, or that moment itself. Age
 * is counted to the start of the host and no further: what waits for its turn since then does not expire. What does not tell when it began does not either.
 */
export function isExpired(recoveredAtMs: number | undefined, since: string | number, maxAgeMs: number): boolean {
  const began = sinceMs(since);
  return recoveredAtMs !== undefined && began > 0 && recoveredAtMs - began > maxAgeMs;
}

/** What its dead letter says. */
export function expiry(recoveredAtMs: number, since: string | number, maxAgeMs: number): { readonly code: 'MESSAGE_EXPIRED'; readonly problem: string } {
  const { message } = new GatehouseError('MESSAGE_EXPIRED', { age: inWords(recoveredAtMs - sinceMs(since)), limit: inWords(maxAgeMs) });
  return { code: 'MESSAGE_EXPIRED', problem: message };
}

const sinceMs = (since: string | number) => (typeof since === 'number' ? since : epochMsOf(since));

function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} seconds`;
  return ms < 2 * 3_600_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 3_600_000)} hours`;
}
