// What the answer to a request means for the work behind it: done, to be tried again, or refused for good. Called by actions.ts.

export type Judgement =
  | { readonly outcome: 'done' }
  /** `afterMs`: what the remote asked for, bounded. */
  | { readonly outcome: 'later'; readonly afterMs?: number }
  | { readonly outcome: 'refused' };

/** A remote may put work off by this much, and no more: its conversation waits. */
export const MOST_RETRY_AFTER_MS = 15 * 60_000;

/** Timeouts, early data and rate limits; of what the server itself got wrong, everything. */
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** Redirects that egress did not follow are no success: the remote has not taken anything. `nowMs` is the epoch time that a date is held against. */
export function judgeAnswer(status: number, headers: Readonly<Record<string, string>>, nowMs: number): Judgement {
  if (status >= 200 && status < 300) return { outcome: 'done' };
  if (!AGAIN.has(status) && status < 500) return { outcome: 'refused' };
  const afterMs = retryAfterMs(headers['retry-after'], nowMs);
  return afterMs === undefined ? { outcome: 'later' } : { outcome: 'later', afterMs };
}

/** RFC 9110 section 10.2.3: whole seconds, or a date (section 5.6.7, the one form that is sent). Undefined for anything else. */
function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\d{1,10}$/.test(value) ? Number(value) * 1000 : DATE.test(value) ? Date.parse(value) - nowMs : Number.NaN;
  return Number.isNaN(waitMs) ? undefined : Math.min(MOST_RETRY_AFTER_MS, Math.max(0, waitMs));
}

const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
