// A process that opens a store with a migration of many small steps; tests kill it in the middle. The migration is exported, for whoever opens the store in the end.
import { systemClock } from '../../host/clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { Migration } from '../../host/store/migrations.ts';
import { put, type Table } from '../../host/store/store.ts';

const kv: Table<{ readonly value: number }> = { name: 'kv' };
const STEP = 1_000_000;

/** Safe to run again from the start: rows that are moved already are left alone. */
export const TEST_MIGRATIONS: readonly Migration[] = [
  {
    to: 2,
    what: 'every value is a million more',
    async run(store) {
      for (const { key, value, version } of await store.range(kv, ['default', 'shop'])) {
        if (value.value < STEP) await store.commit({ expect: [{ table: kv, key, version }], put: [put(kv, key, { value: value.value + STEP })] });
      }
    },
  },
];

if (import.meta.main) {
  const store = await openStore({ dir: String(process.argv[2]), clock: systemClock, migrations: TEST_MIGRATIONS });
  process.stdout.write('migrated\n');
  await store[Symbol.asyncDispose]();
}
