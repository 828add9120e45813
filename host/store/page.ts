// One page of a list, through a filter: message-queries.ts, delivery-queries.ts and dead-letters.ts page what operators see.
import { setImmediate } from 'node:timers/promises';
import { PAGE_ITEMS } from '../../schemas/query.ts';
import type { Entry, Store } from './store.ts';
import type { TableDeclaration } from './tables.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass back as `cursor` for the next page; null at the end. A page may be short, and even empty, before the end: a rare filter over many rows takes several. */
  readonly cursor: string | null;
}

export interface PageQuery {
  /** Id of the last row the page before looked at. */
  readonly cursor?: string | undefined;
  /** 1 to 200, default 50. */
  readonly limit?: number | undefined;
}

/** Rows looked at for one page; a rare filter over a large store answers with a short page and a cursor instead of a long wait. */
const MOST_SCANNED = 20_000;
const CHUNK = 500;

export const pageSize = (limit: number = PAGE_ITEMS.default): number => Math.min(PAGE_ITEMS.most, Math.max(1, limit));

/** Rows keyed by one id, in its order or against it; `pick` makes an item of a row, or leaves it out. */
export async function filteredPage<Row, Item>(
  store: Store,
  table: TableDeclaration<Row, [id: string]>,
  { cursor, limit, newestFirst = false }: PageQuery & { readonly newestFirst?: boolean },
  pick: (row: Row, id: string) => Item | undefined | Promise<Item | undefined>,
): Promise<Page<Item>> {
  const most = pageSize(limit);
  const items: Item[] = [];
  let last = cursor;
  for (let scanned = 0; scanned < MOST_SCANNED; scanned += CHUNK) {
    const from = last === undefined ? {} : newestFirst ? { to: table.key(last) } : { after: table.key(last) };
    const rows: readonly Entry<Row>[] = await store.range(table, table.prefix(), { reverse: newestFirst, limit: CHUNK, ...from });
    for (const { key, value } of rows) {
      last = String(key.at(-1));
      const item = await pick(value, last);
      if (item !== undefined) items.push(item);
      if (items.length === most) return { items, cursor: last };
    }
    if (rows.length < CHUNK) return { items, cursor: null };
    await setImmediate(); // a rare filter reads many pages, and others want to run
  }
  return { items, cursor: last ?? null };
}
