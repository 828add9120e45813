// A process that opens one damaged store after the other and reads all of it: `node store-reader.ts <folder>…` prints a JSON line for each. Whoever started it sees whether one of them ended it.
import { systemClock } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Table } from '../../host/store/store.ts';

const kv: Table<{ readonly value: unknown }> = { name: 'kv' };

for (const dir of process.argv.slice(2)) process.stdout.write(`${JSON.stringify({ dir, outcome: await outcomeOf(dir) })}\n`);

async function outcomeOf(dir: string): Promise<string> {
  try {
    await using store = await openStore({ dir, clock: systemClock });
    const rows = await store.range(kv, ['default']);
    await store.commit({ put: [put(kv, ['default', 'after'], { value: 'written' })] });
    return `read ${rows.length}`;
  } catch (thrown) {
    return thrown instanceof GatehouseError ? thrown.code : String(thrown);
  }
}
