// Slows down whoever guesses tokens: ten wrong ones in a minute close an address's way in for five. Called by auth.ts.
import type { Clock } from '../clock.ts';

const WRONG_PER_WINDOW = 10;
const WINDOW_MS = 60_000;
const LOCKED_MS = 5 * 60_000;
/** Beyond this many addresses the oldest is forgotten: memory stays bounded under a spray of addresses. */
const ADDRESSES = 10_000;

interface Attempts {
  wrong: number;
  windowEndsAt: number;
  lockedUntil: number;
}

export interface Lockout {
  /** Milliseconds until the address may present a token again; 0 when it may now. */
  lockedForMs(address: string): number;
  /** A presented token was wrong. Requests without a token never count. True when that shuts the address out. */
  wrong(address: string): boolean;
}

export function createLockout(clock: Clock): Lockout {
  const attempts = new Map<string, Attempts>();
  return {
    lockedForMs(address) {
      return Math.max(0, (attempts.get(address)?.lockedUntil ?? 0) - clock.monotonicMs());
    },
    wrong(address) {
      const nowMs = clock.monotonicMs();
      let record = attempts.get(address);
      if (!record || record.windowEndsAt <= nowMs) record = { wrong: 0, windowEndsAt: nowMs + WINDOW_MS, lockedUntil: 0 };
      record.wrong += 1;
      const locksOut = record.wrong >= WRONG_PER_WINDOW;
      if (locksOut) record.lockedUntil = nowMs + LOCKED_MS;
      attempts.delete(address);
      attempts.set(address, record);
      if (attempts.size > ADDRESSES) attempts.delete(attempts.keys().next().value ?? '');
      return locksOut;
    },
  };
}
