// kill -9 at random moments under full load, many times over one store, the host and its plugins by turns and sometimes a host that is just starting: what was
// acknowledged is answered exactly once, in order; nothing else matters as much. `GATEHOUSE_CHAOS_KILLS=500` for the long run.
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { underFire } from './under-fire.ts';

const KILLS = Number(process.env['GATEHOUSE_CHAOS_KILLS'] ?? 8);
const LONGEST_LIFE_MS = 700;

describe('kill -9 under load', () => {
  it(`loses and doubles nothing over ${KILLS} kills`, { timeout: 120_000 + KILLS * 15_000 }, async () => {
    await using fire = await underFire({ hooks: 12, posts: 4, chats: 8 });
    const stop = new AbortController();
    const flowing = fire.traffic.flow(stop.signal);
    const trouble: unknown[] = [];
    flowing.catch((error: unknown) => trouble.push(error));
    const kills = { hosts: 0, 'hosts that were starting': 0, sandboxes: 0 };
    const readyMs: number[] = [];

    for (let kill = 0; kill < KILLS && trouble.length === 0; kill += 1) {
      const startedAt = performance.now();
      const fresh = !fire.running;
      const host = await fire.host();
      if (fresh) readyMs.push(performance.now() - startedAt);
      await sleep(randomInt(5, LONGEST_LIFE_MS));
      if (kill % 5 < 2) {
        host.killOne();
        kills.sandboxes += 1;
      } else if (kill % 5 === 2) {
        await fire.kill();
        await fire.stillborn(randomInt(1, 600));
        kills['hosts that were starting'] += 1;
      } else {
        await fire.kill();
        kills.hosts += 1;
      }
    }
    stop.abort();
    await fire.through(flowing);

    const { counts, faults } = await fire.verdict();
    expect(faults).toEqual([]);
    expect(counts.acknowledged).toBeGreaterThan(KILLS * 24);
    const sorted = readyMs.toSorted((a, b) => a - b);
    console.error(`chaos: ${JSON.stringify({ kills, ...counts, readyMs: { median: Math.round(sorted[sorted.length >> 1] ?? 0), most: Math.round(sorted.at(-1) ?? 0) } })}`);
  });
});
