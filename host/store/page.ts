// One page of a list, through a filter: message-queries.ts, delivery-queries.ts and dead-letters.ts page what operators see.
import { setImmediate } from 'node:timers/promises';
import { PAGE_ITEMS } from '../../schemas/query.ts';
import { GatehouseError } from '../errors.ts';
import { readablePage, type RowPage, type Store } from './store.ts';
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

/** Rows keyed by one id, in its order or against it; `pick` makes an item of a row, or leaves it out. What cannot be read is left out too: one bad row hides no other (the event `store.unreadable` tells of it). */
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
    const page: RowPage<Row> = await readablePage(store, table, table.prefix(), { reverse: newestFirst, limit: chunk, ...ends(table, { last, newestFirst, least, beyond }) });
    for (const { key, value } of page.rows) {
      last = String(key.at(-1));
      try {
        const item = await pick(value, last);
        if (item !== undefined) items.push(item);
      } catch (thrown) {
        if (!isUnreadable(thrown)) throw thrown;
      }
      if (items.length === most) return { items, cursor: last };
    }
    if (page.isEnd) return { items, cursor: null };
    if (page.last) last = String(page.last.at(-1));
    await setImmediate(); // a rare filter reads many pages, and others want to run
  }
  return { items, cursor: last ?? null };
}

/** Whether somebody met a row that cannot be read; the store has told of it. */
export const isUnreadable = (thrown: unknown): boolean => thrown instanceof GatehouseError && thrown.code === 'STORE_DAMAGED';

/** An id is made when its row comes, a moment before or after the time the row is given. After the clock was set back ids run ahead of it, and a span is one of ids. */
const SLACK_MS = 60_000;

/** The ids of rows of a span of time, for rows whose ids are as old as they are. */
export function idsOf({ since, until }: Span): { readonly least: string | undefined; readonly beyond: string | undefined } {
  return { least: idAt(since, -SLACK_MS), beyond: idAt(until, SLACK_MS) };
}

/** What every id of a moment begins with. */
function idAt(time: string | undefined, slackMs: number): string | undefined {
  if (time === undefined) return undefined;
  const hex = Math.max(0, Date.parse(time) + slackMs).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
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
