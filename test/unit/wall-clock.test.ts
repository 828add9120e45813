// The doubt of the wall clock: one that is suddenly ahead makes nothing old before it has gone on for a while, also over restarts; and what the sweepers leave alone meanwhile.
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { DeadLetters } from '../../host/pipeline/letters/dead-letters.ts';
import { mediaSweeper } from '../../host/pipeline/media-sweeper.ts';
import { LETTER_RETENTION_DEFAULTS, sweeper } from '../../host/pipeline/sweeper.ts';
import { WallClock } from '../../host/pipeline/wall-clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Store } from '../../host/store/store.ts';
import { deadLetters, dedupe, messages, replays, type DeadLetterRow, type MessageRow } from '../../host/store/tables.ts';
import { SessionKey } from '../../schemas/ids.ts';
import { aHandClock, type HandClock } from '../support/hand-clock.ts';
import { withIds } from '../support/ids.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const forever = new AbortController().signal;

interface World extends AsyncDisposable {
  readonly store: Store;
  readonly hand: HandClock;
  readonly clock: Clock;
  /** Sets the wall clock ahead of the time that passed; back when it is less than before. */
  set(aheadMs: number): void;
  begun(): WallClock;
  warnings(): number;
}

async function aWorld(): Promise<World> {
  const dir = await tempDir();
  const hand = aHandClock();
  let aheadMs = 0;
  let warnings = 0;
  const clock: Clock = { now: () => hand.now() + aheadMs, monotonicMs: () => hand.monotonicMs() };
  const store = await openStore({ dir: dir.path, clock });
  return {
    store, hand, clock,
    set: (ms) => void (aheadMs = ms),
    begun: () => new WallClock({ store, clock, log: Object.assign(Object.create(silentLog), { warn: () => void (warnings += 1) }) }),
    warnings: () => warnings,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Looks once an hour, so many times. */
async function hourly({ hand }: World, wall: WallClock, times: number): Promise<boolean[]> {
  const told: boolean[] = [];
  for (let time = 0; time < times; time += 1) {
    hand.turn(HOUR_MS);
    told.push(await wall.isBelieved());
  }
  return told;
}

describe('a wall clock', () => {
  it('is believed as long as it goes on with the time that passes, or falls behind', async () => {
    await using world = await aWorld();
    const wall = world.begun();
    expect(await hourly(world, wall, 3)).toEqual([true, true, true]);
    world.set(-30 * DAY_MS);
    expect(await hourly(world, wall, 2)).toEqual([true, true]);
    expect(world.warnings()).toBe(0);
  });

  it('is doubted for an hour after a jump of hours, for a day after one of days, by everybody who asks, with one warning', async () => {
    await using world = await aWorld();
    const wall = world.begun();
    await hourly(world, wall, 1);
    world.set(HOUR_MS);
    expect(await Promise.all([wall.isBelieved(), wall.isBelieved()])).toEqual([false, false]);
    expect(await hourly(world, wall, 2)).toEqual([true, true]);
    world.set(30 * DAY_MS);
    expect(await wall.isBelieved()).toBe(false);
    expect(await hourly(world, wall, 25)).toEqual([...Array.from({ length: 23 }, () => false), true, true]);
    expect(world.warnings()).toBe(2);
  });

  it('is believed at once when it is set right, and doubted anew when it is set again', async () => {
    await using world = await aWorld();
    const wall = world.begun();
    await hourly(world, wall, 1);
    world.set(30 * DAY_MS);
    expect(await hourly(world, wall, 20)).not.toContain(true);
    world.set(60 * DAY_MS);
    expect(await hourly(world, wall, 20)).not.toContain(true);
    world.set(0);
    expect(await wall.isBelieved()).toBe(true);
  });

  it('is doubted from the start when it is ahead of what the store remembers, until it has gone on for a day of running', async () => {
    await using world = await aWorld();
    expect(await world.begun().isBelieved()).toBe(true);
    world.hand.turn(2 * DAY_MS); // a weekend
    expect(await world.begun().isBelieved()).toBe(true);
    world.set(400 * DAY_MS);
    let told = await hourly(world, world.begun(), 14);
    expect(told).not.toContain(true);
    told = await hourly(world, world.begun(), 14); // the wait goes on over a restart
    expect([told[0], told.at(-1)]).toEqual([false, true]);
  });

  it('is held against the newest message where the store remembers nothing', async () => {
    await using world = await aWorld();
    const id = createIds(world.clock).next();
    await world.store.commit({ put: [put(messages, messages.key(id), withIds<MessageRow>({ id, instance: 'door', conversation: 'c', sessionKey: 'door:c', sender: { id: 's' }, direction: 'inbound', outcome: 'accepted', text: 'hi', mentions: [], media: [], at: '', flags: [], stages: [] }))] });
    world.set(31 * DAY_MS);
    expect(await world.begun().isBelieved()).toBe(false);
  });
});

describe('while the wall clock is doubted', () => {
  it('the sweeper keeps dedupe keys, signed requests, held messages, places, pairings and letters, but for those beyond their number', async () => {
    await using world = await aWorld();
    const { clock, store } = world;
    const ids = createIds(clock);
    const wallClock = world.begun();
    await wallClock.isBelieved();
    const at = new Date(clock.now()).toISOString();
    for (let n = 0; n < 3; n += 1) {
      const letter = withIds<DeadLetterRow>({ id: ids.next(), messageId: ids.next(), instance: 'door', conversation: 'c', direction: 'inbound', work: { kind: 'respond', sessionKey: SessionKey.of('door:c') }, stage: 'respond', code: 'RESPOND_FAILED', reason: '', attempts: 5, at });
      await store.commit({ put: [put(deadLetters, deadLetters.key(letter.id), letter)] });
    }
    await store.commit({ put: [put(dedupe, dedupe.key('door', 'h'), { messageId: 'm', outcome: 'accepted', atMs: clock.now() }), put(replays, replays.key('door', 'd'), { untilMs: clock.now() + 1 })] });
    const swept: string[] = [];
    const worker = sweeper({
      clock, wallClock, store, retention: { ...LETTER_RETENTION_DEFAULTS, most: 2 },
      held: { expire: async () => void swept.push('held') },
      bounded: [{ trim: async () => swept.push('places') }],
      sweepPairing: async () => void swept.push('pairings'),
      deadLetters: new DeadLetters({ store, clock, ids, enqueueLane: () => undefined, enqueueDelivery: () => undefined }),
    });
    world.set(31 * DAY_MS);
    await worker.run(forever);
    expect([swept, await store.count(dedupe), await store.count(replays), await store.count(deadLetters)]).toEqual([[], 1, 1, 2]);
    await hourly(world, wallClock, 24);
    await worker.run(forever);
    expect([swept, await store.count(dedupe), await store.count(replays), await store.count(deadLetters)]).toEqual([['places', 'held', 'pairings'], 0, 0, 0]);
  });

  it('files are kept whatever their age', async () => {
    const ages: number[] = [];
    for (const isBelieved of [false, true]) {
      await mediaSweeper({ wallClock: { isBelieved: async () => isBelieved }, directory: { channel: () => undefined }, media: { sweep: async (retentionOf) => ages.push(retentionOf('door').ms) } }).run(forever);
    }
    expect(ages).toEqual([Infinity, 30 * DAY_MS]);
  });
});
