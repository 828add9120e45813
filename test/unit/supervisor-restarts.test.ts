// How often sandboxes come back: one instance's rate, all together, and what those that go on crashing cost the others.
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { Allowance } from '../../host/supervisor/allowance.ts';
import type { Standing } from '../../host/supervisor/hibernation.ts';
import { DEFAULT_POLICY } from '../../host/supervisor/restart-policy.ts';
import { Supervisor, type QuarantineEvidence } from '../../host/supervisor/supervisor.ts';
import { eventually } from '../support/eventually.ts';
import { aCall, aPool, aSpec, recordingHooks } from '../support/sandboxes.ts';

const pool = aPool({ warm: 2 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

describe('an allowance', () => {
  it('lets a burst go at once and says how long the rest has to wait', () => {
    const allowance = new Allowance({ burst: 3, perMinute: 6 });
    expect([0, 0, 0, 0].map((nowMs) => allowance.take(nowMs))).toEqual([0, 0, 0, 10_000]);
    expect(allowance.take(4000)).toBe(6000);
    expect(allowance.take(10_000)).toBe(0);
    expect(allowance.take(10_000)).toBe(10_000);
  });

  it('gathers no more than its burst', () => {
    const allowance = new Allowance({ burst: 2, perMinute: 60 });
    expect(Array.from({ length: 3 }, () => allowance.take(3_600_000))).toEqual([0, 0, 1000]);
  });
});

// attack 57 fork-bomb-respawn
describe('twenty plugins that crash at load, for ever', () => {
  const bombs = Array.from({ length: 20 }, (_, n) => `bomb-${n}`);

  async function aBattle({ again, standing }: { readonly again: { readonly burst: number; readonly perMinute: number }; readonly standing: Standing }) {
    const quarantined: QuarantineEvidence[] = [];
    let opened = 0;
    const supervisor = new Supervisor({
      pool: { open: (...args) => ((opened += 1), pool.open(...args)) },
      clock: systemClock,
      policy: { ...DEFAULT_POLICY, baseMs: 5, mostMs: 20, again },
      hooksFor: () => recordingHooks(),
      standingOf: (instance) => (instance === 'innocent' ? { rank: 'back' } : standing),
      onStateChange: () => {},
      onQuarantine: (_, evidence) => void quarantined.push(evidence),
    });
    await supervisor.start(aSpec({ instance: 'innocent' }));
    await Promise.allSettled(bombs.map((instance) => supervisor.start(aSpec({ instance, source: 'throw new Error("boom")' }))));
    return { supervisor, quarantined, opened: () => opened, [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose]() };
  }

  it('are all given up, after as many starts as strikes', async () => {
    await using battle = await aBattle({ again: { burst: 100, perMinute: 100 }, standing: { rank: 'back' } });
    await eventually(() => expect(battle.quarantined).toHaveLength(20), 120_000);
    expect(battle.opened()).toBe(1 + 3 * 20);
  });

  it('come back no faster than all together may, and an innocent neighbour comes back at once', async () => {
    await using battle = await aBattle({ again: { burst: 5, perMinute: 0.001 }, standing: { rank: 'back' } });
    await eventually(() => expect(battle.opened()).toBe(1 + 20 + 5), 120_000);
    process.kill(battle.supervisor.stats('innocent')?.pid as number, 'SIGKILL');
    await eventually(() => expect(battle.supervisor.stats('innocent')).toMatchObject({ state: 'active', restarts: 1 }));
    expect(await battle.supervisor.call('innocent', aCall('unharmed'))).toMatchObject({ ok: true, value: 'unharmed' });
    expect(battle.opened()).toBe(1 + 20 + 5 + 1);
    expect(bombs.filter((bomb) => battle.supervisor.stats(bomb)?.state === 'active')).toEqual([]);
  });
});
