// Identifiers the host makes: time-ordered UUIDv7 (RFC 9562), strictly increasing within a process and, given the newest of those before, over restarts.
import { randomFillSync } from 'node:crypto';
import { MessageId } from '../schemas/ids.ts';
import type { Clock } from './clock.ts';

export interface Ids {
  /** A UUIDv7 in lower-case text; later calls sort after earlier ones. */
  next(): MessageId;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL_BYTES = 4096;

const MARGIN_MS = 3600 * 1000;
const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * RFC 9562 §6.2 method 1: a 12-bit counter after the millisecond keeps ids of one millisecond in order. All sort after `newest`, whatever the clock says: when
 * it was set back, the time in the ids stands still until it has caught up. `newest` need not be the very last: what the store does not find cheaply (the places of
 * messages that were tried for a while) lies at most an hour behind it.
 */
export function createIds(clock: Clock, newest?: string): Ids {
  const pool = Buffer.allocUnsafe(POOL_BYTES);
  let offset = POOL_BYTES;
  const [, high = '0', low = '0'] = UUID_V7.exec(newest ?? '') ?? [];
  const newestMs = Number.parseInt(high + low, 16);
  const isBehind = clock.now() <= newestMs;
  let lastMs = isBehind ? newestMs + MARGIN_MS : 0;
  let counter = 0;
  return {
    next() {
      const nowMs = clock.now();
      if (nowMs > lastMs) {
        lastMs = nowMs;
        counter = 0;
      } else if (++counter > 0xfff) {
        lastMs += 1;
        counter = 0;
      }
      if (offset + 8 > POOL_BYTES) {
        randomFillSync(pool);
        offset = 0;
      }
      const time = lastMs.toString(16).padStart(12, '0');
      const random = (index: number) => HEX[pool[offset + index] ?? 0] ?? '';
      const variant = HEX[((pool[offset] ?? 0) & 0x3f) | 0x80] ?? '';
      const id = `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${random(1)}-${random(2)}${random(3)}${random(4)}${random(5)}${random(6)}${random(7)}`;
      offset += 8;
      return MessageId.of(id);
    },
  };
}

/** The moment in an id of `createIds`, epoch milliseconds; 0 of anything else. */
export function epochMsOf(id: string): number {
  const [, high, low] = UUID_V7.exec(id) ?? [];
  return high === undefined || low === undefined ? 0 : Number.parseInt(high + low, 16);
}
