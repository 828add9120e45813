// A process whose files may not grow past a limit its parent set: fills the store until a commit fails, then reports what it found on stdout. `argv[3]` says what its
// commits expect: nothing, an absent key, or two rows, because the engine has a way of its own for each.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Expectation, type Table } from '../../host/store/store.ts';

const rows: Table<{ readonly value: string }> = { name: 'kv' };
const EXPECTED: Readonly<Record<string, number>> = { nothing: 0, absent: 1, two: 2 };
let unhandled = 0;
process.on('unhandledRejection', () => (unhandled += 1));

const store = await openStore({ dir: String(process.argv[2]), clock: systemClock });
let failure = 'none';
const refused: string[] = [];
for (let round = 0; failure === 'none' && round < 1000; round += 1) {
  const pairs = Array.from({ length: 8 }, (_, lane) => {
    const half = (side: string) => put(rows, ['full', `${round}-${lane}-${side}`], { value: 'x'.repeat(2000) });
    const halves = [half('left'), half('right')];
    const expect = halves.map(({ table, key }): Expectation => ({ table, key, version: 'absent' })).slice(0, EXPECTED[process.argv[3] ?? 'nothing']);
    return store.commit({ expect, put: halves });
  });
  for (const [lane, result] of (await Promise.allSettled(pairs)).entries()) {
    if (result.status === 'fulfilled') continue;
    failure = result.reason instanceof GatehouseError ? result.reason.code : String(result.reason);
    refused.push(`${round}-${lane}`);
  }
}
await sleep(50); // for rejections that nobody handled

const keys = new Set((await store.range(rows, ['full'])).map(({ key }) => String(key[1])));
const pairsBroken = [...keys].filter((key) => !keys.has(key.endsWith('left') ? key.replace('left', 'right') : key.replace('right', 'left'))).length;
const ghosts = refused.filter((pair) => keys.has(`${pair}-left`) || keys.has(`${pair}-right`)).length;
process.stdout.write(JSON.stringify({ failure, pairsBroken, ghosts, unhandled }));
await store[Symbol.asyncDispose]();
