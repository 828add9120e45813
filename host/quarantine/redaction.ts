// Takes out of evidence what must not be kept: secrets of the instance wherever they stand, and in lines that a plugin wrote also what looks like somebody's. Called by evidence.ts.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Search } from '../egress/secret-search.ts';

const WITHHELD = '[withheld: it held a secret]';

/** The same value with every text cut, and withheld where one of the searches finds something. */
export function withoutSecrets(value: unknown, searches: readonly Search[]): unknown {
  if (typeof value === 'string') return searches.some((search) => search(value)) ? WITHHELD : cut(value);
  if (Array.isArray(value)) return value.map((each) => withoutSecrets(each, searches));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [cut(key), withoutSecrets(each, searches)]));
}

/** A line a plugin wrote: withheld, or cut and masked. */
export function withoutPeople(text: string, searches: readonly Search[]): string {
  return masked(String(withoutSecrets(text, searches)));
}

/** What a plugin may have copied from a message: addresses, numbers of people and cards, keys and tokens. A net, no promise: words stay words. */
function masked(text: string): string {
  return text
    .replaceAll(/[^\s@<>"']{1,64}@[^\s@<>"']{1,255}/g, '[address]')
    .replaceAll(/\b(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,}/g, '[token]')
    .replaceAll(/\+?\d(?:[ .()/-]{0,3}\d){6,}/g, '[number]');
}

const cut = (text: string) => (text.length <= BOUNDS.evidenceTextLength ? text : `${text.slice(0, BOUNDS.evidenceTextLength)}…`);
