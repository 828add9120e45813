// Rows as bytes: the version, then JSON. JSON because V8 writes and reads it faster than msgpack without shared structures (1.4 against 2.5 µs for a
// message), and because a store that outlives us should be readable. `lmdb.ts` is the only user.
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import type { Stored, Table } from './store.ts';

const VERSION_BYTES = 8;

/** Throws STORE_ROW_TOO_LARGE above BOUNDS.storeRowBytes. */
export function encodeRow<Row>(table: Table<Row>, value: Row, version: number): Buffer {
  const json = JSON.stringify(table.pack ? table.pack(value) : value);
  const size = VERSION_BYTES + Buffer.byteLength(json);
  if (size > BOUNDS.storeRowBytes) throw new GatehouseError('STORE_ROW_TOO_LARGE', { table: table.name, size, limit: BOUNDS.storeRowBytes });
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeDoubleLE(version, 0);
  bytes.write(json, VERSION_BYTES);
  return bytes;
}

/** Believes its table's row type: only `encodeRow` writes these bytes. Throws STORE_DAMAGED when they are no row any more. */
export function decodeRow<Row>(table: Table<Row>, bytes: Buffer): Stored<Row> {
  try {
    const value = JSON.parse(bytes.toString('utf8', VERSION_BYTES));
    return { value: table.unpack ? table.unpack(value) : value, version: versionOf(bytes) };
  } catch (cause) {
    throw new GatehouseError('STORE_DAMAGED', { where: '', problem: `a row of the table '${table.name}' cannot be read` }, { cause });
  }
}

export function versionOf(bytes: Buffer): number {
  return bytes.readDoubleLE(0);
}
