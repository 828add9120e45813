// A process whose files may not grow past a limit its parent set: fills the store until a commit fails, then reports what it found on stdout.
import { systemClock } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Table } from '../../host/store/store.ts';

const rows: Table<{ readonly value: string }> = { name: 'kv' };
let unhandled = 0;
process.on('unhandledRejection', () => (unhandled += 1));

const store = await openStore({ dir: String(process.argv[2]), clock: systemClock });
let failure = 'none';
for (let round = 0; failure === 'none' && round < 1000; round += 1) {
  const pairs = Array.from({ length: 8 }, (_, lane) => {
    const half = (side: string) => put(rows, ['full', `${round}-${lane}-${side}`], { value: 'x'.repeat(8000) });
    return store.commit({ put: [half('left'), half('right')] });
  });
  for (const result of await Promise.allSettled(pairs)) if (result.status === 'rejected') failure = result.reason instanceof GatehouseError ? result.reason.code : String(result.reason);
}

const keys = new Set((await store.range(rows, ['full'])).map(({ key }) => String(key[1])));
const pairsBroken = [...keys].filter((key) => !keys.has(key.endsWith('left') ? key.replace('left', 'right') : key.replace('right', 'left'))).length;
await store[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify({ failure, pairsBroken, unhandled }));
