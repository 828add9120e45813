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
/** Rows read at once: as many as the page takes, and with a filter that leaves most of them out, more. */
const LEAST_CHUNK = 16;
const MOST_CHUNK = 500;

export const pageSize = (limit: number = PAGE_ITEMS.default): number => Math.min(PAGE_ITEMS.most, Math.max(1, limit));

/** Half of a span is a bound, and none takes all; RFC 3339 in UTC with milliseconds. */
export interface Span {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** Whether a time is in a span; one that is not known is in none but the whole. */
export function within(at: string | undefined, { since, until }: Span): boolean {
  return (since === undefined || (at !== undefined && at >= since)) && (until === undefined || (at !== undefined && at < until));
}

/** Whether an item has everything that is wanted; undefined wants nothing. */
export function fits<Item extends object>(item: Item, wanted: { readonly [Name in keyof Item]?: Item[Name] | undefined }): boolean {
  return Object.entries(wanted).every(([name, value]) => value === undefined || Reflect.get(item, name) === value);
}

/** Rows keyed by one id, in its order or against it; `pick` makes an item of a row, or leaves it out. */
export async function filteredPage<Row, Item>(
  store: Store,
  table: TableDeclaration<Row, [id: string]>,
  { cursor, limit, newestFirst = false, least, beyond }: PageQuery & { readonly newestFirst?: boolean; /** Ids from this one on, and below that one. */ readonly least?: string | undefined; readonly beyond?: string | undefined },
  pick: (row: Row, id: string) => Item | undefined | Promise<Item | undefined>,
): Promise<Page<Item>> {
  const most = pageSize(limit);
  const items: Item[] = [];
  let last = cursor;
  let chunk = Math.max(LEAST_CHUNK, most);
  for (let scanned = 0; scanned < MOST_SCANNED; scanned += chunk, chunk = Math.min(MOST_CHUNK, chunk * 2)) {
    const rows: readonly Entry<Row>[] = await store.range(table, table.prefix(), { reverse: newestFirst, limit: chunk, ...ends(table, { last, newestFirst, least, beyond }) });
    for (const { key, value } of rows) {
      last = String(key.at(-1));
      const item = await pick(value, last);
      if (item !== undefined) items.push(item);
      if (items.length === most) return { items, cursor: last };
    }
    if (rows.length < chunk) return { items, cursor: null };
    await setImmediate(); // a rare filter reads many pages, and others want to run
  }
  return { items, cursor: last ?? null };
}

/** Where a page begins: behind the last row looked at, and within the span. */
function ends<Row>(table: TableDeclaration<Row, [id: string]>, { last, newestFirst, least, beyond }: { readonly last: string | undefined; readonly newestFirst: boolean; readonly least: string | undefined; readonly beyond: string | undefined }) {
  const from = least === undefined ? {} : { from: table.key(least) };
  const to = newestFirst ? earliest(last, beyond) : beyond;
  return { ...from, ...(to === undefined ? {} : { to: table.key(to) }), ...(last === undefined || newestFirst ? {} : { after: table.key(last) }) };
}

function earliest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}
