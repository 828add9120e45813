// Ids sort in the order they were made: within a millisecond, over a clock that is set back, and over a restart.
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { newestId } from '../../host/store/newest-id.ts';
import { put } from '../../host/store/store.ts';
import { held, lanes, transitions, type HeldRow, type TransitionRow } from '../../host/store/tables.ts';
import { ConversationId, InstanceId, MessageId, SenderId, SessionKey, ThreadId } from '../../schemas/ids.ts';
import { messageId, sessionId } from '../support/ids.ts';
import { tempDir } from '../support/temp.ts';

const DAY_MS = 24 * 3600 * 1000;
const at = (now: number) => ({ now: () => now, monotonicMs: () => 0 });
const sorted = (ids: readonly string[]) => ids.every((id, index) => index === 0 || String(ids[index - 1]) < id);

describe('ids', () => {
  it('are RFC 9562 version 7 and rise within one millisecond, past the counter too', () => {
    const ids = createIds(at(1_700_000_000_000));
    const made = Array.from({ length: 10_000 }, () => ids.next());
    expect(made.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(true);
    expect(sorted(made)).toBe(true);
  });

  it('rise while the clock is set back and forth', () => {
    let now = 1_700_000_000_000;
    const ids = createIds({ now: () => now, monotonicMs: () => 0 });
    const made = [0, DAY_MS, -DAY_MS, -DAY_MS, 3 * DAY_MS, -1].flatMap((jump) => {
      now += jump;
      return [ids.next(), ids.next()];
    });
    expect(sorted(made)).toBe(true);
  });

  it('sort after the newest one of before, with a clock that is a day behind it', () => {
    const newest = createIds(at(1_700_000_000_000)).next();
    const ids = createIds(at(1_700_000_000_000 - DAY_MS), newest);
    expect(sorted([newest, ...Array.from({ length: 5000 }, () => ids.next())])).toBe(true);
  });

  it('follow the clock when it is ahead of the newest one, or when that is no id of ours', () => {
    const time = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    expect(time(createIds(at(1_700_000_000_001), createIds(at(1_700_000_000_000)).next()).next())).toBe(1_700_000_000_001);
    expect(time(createIds(at(1_700_000_000_001), 'm1').next())).toBe(1_700_000_000_001);
  });
});

describe('the newest id of a store', () => {
  it('is found in whatever table and group it stands', async () => {
    await using dir = await tempDir();
    await using store = await openStore({ dir: dir.path, clock: systemClock });
    expect(await newestId(store)).toBeUndefined();
    const ids = createIds(systemClock);
    const row = {} as HeldRow & TransitionRow;
    const places = [
      (id: string) => put(lanes, lanes.key(id), { sessionKey: sessionId('s'), messageId: messageId(id), attempts: 0 }),
      (id: string) => put(held, held.key('a-gate', id), row),
      (id: string) => put(held, held.key('z-gate', id), row),
      (id: string) => put(transitions, transitions.key('a', id), row),
      (id: string) => put(transitions, transitions.key('b', id), row),
    ];
    for (const place of [...places, ...places.toReversed()]) {
      const id = ids.next();
      await store.commit({ put: [place(id)] });
      expect(await newestId(store)).toBe(id);
    }
  });
});

describe('a branded id', () => {
  it.each([
    ['InstanceId', InstanceId, ['webchat', 'a', `a${'-'.repeat(63)}`], ['', 'Webchat', '1st', 'a b', 'a\n', `a${'b'.repeat(64)}`]],
    ['ConversationId', ConversationId, ['c', 'x'.repeat(256), 'any text\nat all 𝄞'], ['', 'x'.repeat(257)]],
    ['SenderId', SenderId, ['ada'], ['', 'x'.repeat(257)]],
    ['ThreadId', ThreadId, ['17.5'], ['', 'x'.repeat(257)]],
    ['MessageId', MessageId, [createIds(systemClock).next()], ['', '01932b6e-4a00-4000-8000-000000000001', '01932B6E-4A00-7000-8000-000000000001', ' 01932b6e-4a00-7000-8000-000000000001']],
    ['SessionKey', SessionKey, ['webchat:c'], ['', 'x'.repeat(601)]],
  ] as const)('%s is made only of what is one', (_, brand, good, bad) => {
    for (const text of good) expect(brand.of(text)).toBe(text);
    for (const text of bad) {
      expect(brand.is(text)).toBe(false);
      expect(() => brand.of(text)).toThrow(TypeError);
    }
  });

  it('takes the place of its own kind alone', () => {
    const greet = (instance: InstanceId) => instance;
    expect(greet(InstanceId.of('webchat'))).toBe('webchat');
    // @ts-expect-error another kind of id
    greet(ConversationId.of('webchat'));
    // @ts-expect-error text that nobody has looked at
    greet('webchat');
  });
});
