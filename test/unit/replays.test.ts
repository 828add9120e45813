// What is remembered of signed requests: what is in work, what was taken, and for how long.
import { describe, expect, it } from 'vitest';
import { Replays } from '../../host/pipeline/ingress/replays.ts';
import { LETTER_RETENTION_DEFAULTS, sweeper } from '../../host/pipeline/sweeper.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { replays } from '../../host/store/tables.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { tempDir } from '../support/temp.ts';

async function aMemory() {
  const dir = await tempDir();
  const clock = aHandClock();
  const store = await openStore({ dir: dir.path, clock });
  const memory = new Replays({ store, clock });
  const seen = { digest: 'd'.repeat(64), untilMs: clock.now() + 300_000 };
  return {
    store,
    clock,
    memory,
    seen,
    async claimed(instance = 'slack') {
      const claim = await memory.claim(instance, seen);
      if (claim.status !== 'fresh') throw new Error(claim.status);
      return claim;
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe('a signed request', () => {
  it('is claimed by the first of two at the same moment', async () => {
    await using world = await aMemory();
    const both = await Promise.all([world.memory.claim('slack', world.seen), world.memory.claim('slack', world.seen)]);
    expect(both.map(({ status }) => status)).toEqual(['fresh', 'in-work']);
  });

  it('may come again when it came to nothing', async () => {
    await using world = await aMemory();
    (await world.claimed())[Symbol.dispose]();
    expect((await world.memory.claim('slack', world.seen)).status).toBe('fresh');
  });

  it('is a replay once it was taken, for another process over the same store too, and not for another instance', async () => {
    await using world = await aMemory();
    const first = await world.claimed();
    await first.keep();
    first[Symbol.dispose]();
    expect((await world.memory.claim('slack', world.seen)).status).toBe('replayed');
    expect((await new Replays(world).claim('slack', world.seen)).status).toBe('replayed');
    expect((await world.memory.claim('other', world.seen)).status).toBe('fresh');
  });

  it('is remembered to the millisecond in which its time stops being near enough, and swept after that', async () => {
    await using world = await aMemory();
    await (await world.claimed()).keep();
    const sweep = () => sweeper({ sweepPairing: async () => undefined, deadLetters: { forget: async () => 0 }, retention: LETTER_RETENTION_DEFAULTS, wallClock: { isBelieved: async () => true }, ...world, held: { expire: () => Promise.resolve() }, bounded: [] }).run(new AbortController().signal);
    world.clock.turn(300_000);
    await sweep();
    expect((await new Replays(world).claim('slack', world.seen)).status).toBe('replayed');
    world.clock.turn(1);
    expect(await world.store.get(replays, replays.key('slack', world.seen.digest))).toBeDefined();
    await sweep();
    expect(await world.store.get(replays, replays.key('slack', world.seen.digest))).toBeUndefined();
    expect((await new Replays(world).claim('slack', world.seen)).status).toBe('fresh');
  });
});
