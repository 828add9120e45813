// Query parameters that many routes share: pages, moments, order. A parameter is a schema with a description; host/control/routes/query.ts reads requests by it, /openapi.json shows it.
import { Type } from 'typebox';
import { oneOf, text, whole } from './closed.ts';

/** Items of one page. */
export const PAGE_ITEMS = { default: 50, most: 200 } as const;

/** What every list takes. */
export const PAGE = {
  cursor: text(2048, { description: '`cursor` of the page before; without it, the first page.' }),
  limit: whole(1, PAGE_ITEMS.most, { default: PAGE_ITEMS.default, description: 'Items of one page at most.' }),
};

/** RFC 3339; what is read of it is in UTC with milliseconds, so that moments compare as text. */
export const moment = (description: string) => Type.String({ format: 'date-time', description });

export const SPAN = {
  since: moment('Only from then on: a time, as 2026-11-21T08:00:00Z.'),
  until: moment('Only before then.'),
};

/** The order of a list: a field, `-` in front for the greatest first. The first is the default. */
export function sortBy<const W extends readonly [string, ...string[]]>(...fields: W) {
  return { ...oneOf(...fields), default: fields[0], description: "The order: a field, with '-' in front the greatest first." };
}

/** One of a fixed set of words. */
export function wordOf<const W extends readonly string[]>(words: W, description: string) {
  return { ...oneOf(...words), description };
}
