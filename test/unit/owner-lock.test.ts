// The lock of the data directory under contention: owners come and go while others try.
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { takeOwnerLock } from '../../host/store/owner-lock.ts';
import { tempDir } from '../support/temp.ts';

describe('the owner lock', () => {
  it('has at most one owner at any moment, however fast owners change', async () => {
    await using dir = await tempDir();
    let owners = 0;
    let most = 0;
    let taken = 0;
    const contend = async (): Promise<void> => {
      while (taken < 300) {
        try {
          const lock = await takeOwnerLock(dir.path);
          most = Math.max(most, (owners += 1));
          taken += 1;
          await new Promise((resolve) => setImmediate(resolve));
          owners -= 1;
          await lock.release();
        } catch (error) {
          if (!(error instanceof GatehouseError) || error.code !== 'STORE_LOCKED') throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 12 }, contend));
    expect(most).toBe(1);
  });

  it('leaves one file behind, whatever happened', async () => {
    await using dir = await tempDir();
    for (let round = 0; round < 3; round += 1) {
      const attempts = await Promise.allSettled(Array.from({ length: 6 }, () => takeOwnerLock(dir.path)));
      for (const attempt of attempts) if (attempt.status === 'fulfilled') await attempt.value.release();
    }
    expect(await readdir(dir.path)).toEqual(['owner-3.json']);
  });
});
