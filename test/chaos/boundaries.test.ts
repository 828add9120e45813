// Every boundary of the pipeline × every fault, in the real host process: whatever happens there, the independent checker finds nothing lost, doubled, out of order or leaked.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sampler } from '../support/sampled.ts';
import { BOUNDARIES, FAULTS, SLOW_FLUSH_MS, type Boundary, type Fault } from './faults.ts';
import { underFire, type UnderFire } from './under-fire.ts';

/** Messages of each conversation in one cell: one of every kind. */
const BATCH = 8;
/** How long a full disk stays full. */
const FULL_MS = 300;
/** A run tries a sixth of the cells, every fault and every boundary among them. */
const isSampled = sampler(6);
const isTried = (fault: Fault, boundary: Boundary) => isSampled(FAULTS.indexOf(fault) + BOUNDARIES.indexOf(boundary));

/** Where a kill follows whatever else happened, so that what memory alone held is gone before the verdict. */
const KILLED_AFTERWARDS: ReadonlySet<Boundary> = new Set(['moderate', 'accept', 'offer', 'conclude', 'deliver']);

describe.each(FAULTS)('%s', (fault) => {
  let fire: UnderFire;
  beforeAll(async () => {
    fire = await underFire(fault === 'disk full' ? { diskMegabytes: 64 } : {});
  });
  afterAll(async () => {
    await fire[Symbol.asyncDispose]();
  });

  it.each(BOUNDARIES.filter((boundary) => isTried(fault, boundary)))('after %s loses and doubles nothing', async (boundary) => {
    const host = await fire.host();
    const struck = host.strike(fault, boundary, randomInt(2, 12));
    const sent = fire.traffic.send(BATCH);
    await struck;
    if (fault === 'disk full') await sleep(FULL_MS);
    // In the middle of the flush: everything is on disk and nobody has been told, or nothing is.
    if (fault === 'slow flush' && KILLED_AFTERWARDS.has(boundary)) {
      await sleep(SLOW_FLUSH_MS / 2);
      await fire.kill();
    }
    await host.heal();
    await fire.through(sent);
    if (followedByKill(fault, boundary)) await fire.kill();
    expect(await fire.verdict()).toMatchObject({ ok: true, faults: [] });
  });
});

/** Sandboxes that are killed often come back later and later: a fresh host forgets. */
const followedByKill = (fault: Fault, boundary: Boundary) => fault === 'sandboxes killed' || (fault !== 'host killed' && KILLED_AFTERWARDS.has(boundary));
