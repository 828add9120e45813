// What `gatehouse doctor` asks of the store: its schema, whether a start would migrate it, and whether its tables agree. Called by doctor.ts; a host that runs keeps its store to itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { checkConsistency } from '../store/consistency.ts';
import { MIGRATIONS, storeSchema } from '../store/migrations.ts';
import { STORE_FILE } from '../store/soundness.ts';
import type { Finding } from './doctor.ts';

const FIX = 'Gatehouse writes them together, so something else changed the store, or the disk lost a write. Keep a copy of the data directory, and bring a backup back with `gatehouse restore`.';

export async function examineStore(dir: string, { clock, deep }: { readonly clock: Clock; readonly deep: boolean }): Promise<Finding[]> {
  const ok = (detail: string): Finding => ({ check: 'store', state: 'ok', detail });
  if (!existsSync(join(dir, STORE_FILE))) return [ok('made at the first start')];
  const { openStore } = await import('../store/lmdb.ts'); // the engine is a binary worth loading only when needed
  try {
    await using store = await openStore({ dir, clock, asFound: true });
    const { disagreements, looked, of } = await checkConsistency(store, { clock, deep });
    const extent = looked >= of ? `all ${of} rows` : `${looked} of ${of} rows, with --deep all`;
    return [
      schemaFinding(await storeSchema(store)),
      ...(disagreements.length === 0 ? [ok(`its tables agree (${extent})`)] : []),
      ...disagreements.map(({ between, what, count, first }): Finding => ({ check: 'store', state: 'failure', detail: `${between}: ${what} (${count === 1 ? first : `${count} of them, the first ${first}`})`, fix: FIX })),
    ];
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    if (thrown.code === 'STORE_LOCKED') return [ok('in use by the running host, which looked at its pages when it started; its tables are compared while no host runs, or in a restored backup')];
    return [{ check: 'store', state: 'failure', detail: thrown.message, fix: thrown.fix }];
  }
}

function schemaFinding(schema: number): Finding {
  const known = MIGRATIONS.at(-1)?.to ?? 1;
  if (schema === known) return { check: 'store', state: 'ok', detail: `schema ${schema}, as this Gatehouse writes it` };
  if (schema < known) return { check: 'store', state: 'warning', detail: `schema ${schema}; a start brings it to ${known}, after a copy of it`, fix: 'Have room for a copy of the store, and see docs/ops/upgrade.md.' };
  return { check: 'store', state: 'failure', detail: `schema ${schema} is of a newer Gatehouse; this one knows ${known}`, fix: 'Start it with the Gatehouse that wrote it, or bring back the copy from before its migration.' };
}
