// A process that commits pairs of rows as fast as it can and prints each number once its commit is on disk; tests kill it in the middle.
import { systemClock } from '../../host/clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Table } from '../../host/store/store.ts';

const IN_FLIGHT = 32;
const left: Table<{ readonly value: number }> = { name: 'kv' };
const right: Table<{ readonly value: number }> = { name: 'sessions' };

const store = await openStore({ dir: String(process.argv[2]), clock: systemClock });
let next = 0;

async function write(): Promise<never> {
  for (;;) {
    const number = next++;
    const key = ['default', 'writer', `n${number}`];
    await store.commit({ expect: [{ table: left, key, version: 'absent' }], put: [put(left, key, { value: number }), put(right, key, { value: number })] });
    process.stdout.write(`${number}\n`);
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, write));
