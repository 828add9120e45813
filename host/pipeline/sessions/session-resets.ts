// When a session is over and the next message begins a new one: never, daily at an hour, or after a time of silence. sessions.ts asks before it counts a message.
import type { SessionReset } from '../../../schemas/policy.ts';
import { lastHour, timeZone, type TimeZone } from '../../time-zone.ts';

/** A reset policy with nothing left to look up. */
export type ResetRule =
  | { readonly policy: 'none' }
  /** `lastBoundary`: the last time, not after this moment, at which the hour came. */
  | { readonly policy: 'daily'; readonly lastBoundary: (epochMs: number) => number }
  | { readonly policy: 'idle'; readonly idleMs: number };

const UTC: TimeZone = { name: 'UTC', offsetMsAt: () => 0 };
/** No zone's clocks are ever set ahead so far that its hour comes sooner again. */
const SOONEST_AGAIN_MS = 22 * 3_600_000;

/** Defaults: 04:00 UTC, 60 minutes. A zone is judged where its file is read; one that this Node has forgotten since counts as UTC. */
export function resetRule({ policy = 'none', hour = 4, timeZone: zone = 'UTC', idleMinutes = 60 }: SessionReset = {}): ResetRule {
  switch (policy) {
    case 'none':
      return { policy };
    case 'daily':
      return { policy, lastBoundary: boundaryFinder(zone === 'UTC' ? UTC : (timeZone(zone) ?? UTC), hour) };
    case 'idle':
      return { policy, idleMs: idleMinutes * 60_000 };
    default:
      return policy satisfies never;
  }
}

/**
 * Whether a message at `nowMs` is the first of a new session, when the last one of the session was at `lastAtMs`. Daily: the hour has come since then; a message at
 * the very hour is of the new day. Idle: the silence lasted as long as the limit or longer. A clock that was set back ends nothing: no time has passed.
 */
export function isOver(rule: ResetRule, lastAtMs: number, nowMs: number): boolean {
  switch (rule.policy) {
    case 'none':
      return false;
    case 'daily':
      return lastAtMs < rule.lastBoundary(nowMs);
    case 'idle':
      return nowMs - lastAtMs >= rule.idleMs;
    default:
      return rule satisfies never;
  }
}

/** Asked for every message, and looked up once a day: what a zone's clocks show takes Intl some twenty microseconds to say. */
function boundaryFinder(zone: TimeZone, hour: number): (epochMs: number) => number {
  let found = Number.NaN;
  return (epochMs) => {
    if (!(epochMs >= found && epochMs < found + SOONEST_AGAIN_MS)) found = lastHour(zone, hour, epochMs);
    return found;
  };
}
