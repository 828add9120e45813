// One page of a list that is in memory as a whole, by any field of its items: approvals, revocations, instances, backups. Desks and the control plane's lists use it.
import { GatehouseError } from '../errors.ts';
import { pageSize, type Page, type PageQuery } from './page.ts';

type Value = string | number;
/** Where an item stands: by the field, and among equals by its key. */
type Place = readonly [value: Value, key: string];

export interface Sorting<Item> {
  readonly keyOf: (item: Item) => string;
  /** By which a list can be ordered; absent values come first. */
  readonly fields: Readonly<Record<string, (item: Item) => Value | undefined>>;
}

/**
 * `sort` names a field, with '-' in front the greatest first. The cursor is a place and not a number, so that items which come and go between two pages neither repeat
 * nor hide others. Throws CURSOR_INVALID.
 */
export function sortedPage<Item>(all: readonly Item[], { cursor, limit, sort }: PageQuery & { readonly sort: string }, { keyOf, fields }: Sorting<Item>): Page<Item> {
  const descends = sort.startsWith('-');
  const valueOf = fields[descends ? sort.slice(1) : sort];
  if (!valueOf) throw new GatehouseError('INTERNAL', { problem: `a list has no field to sort by '${sort}'` });
  const direction = descends ? -1 : 1;
  const after = cursor === undefined ? undefined : placeIn(cursor);
  const placed = all.map((item) => ({ item, place: [valueOf(item) ?? '', keyOf(item)] as const }));
  const behind = after ? placed.filter(({ place }) => compared(place, after) * direction > 0) : placed;
  const ordered = behind.toSorted((one, other) => compared(one.place, other.place) * direction);
  const shown = ordered.slice(0, pageSize(limit));
  const last = shown.at(-1);
  return { items: shown.map(({ item }) => item), cursor: last && shown.length < ordered.length ? JSON.stringify(last.place) : null };
}

function compared([one, oneKey]: Place, [other, otherKey]: Place): number {
  if (one !== other) return one < other ? -1 : 1;
  return oneKey < otherKey ? -1 : Number(oneKey > otherKey);
}

function placeIn(cursor: string): Place {
  try {
    const place: unknown = JSON.parse(cursor);
    if (Array.isArray(place) && place.length === 2 && (typeof place[0] === 'string' || typeof place[0] === 'number') && typeof place[1] === 'string') return [place[0], place[1]];
  } catch {
    // Not ours: told below.
  }
  throw new GatehouseError('CURSOR_INVALID');
}
