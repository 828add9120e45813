// The filters of a list. What they hold stands in the address, so that a link shows the same; names and times only, never a conversation.
import { setQuery } from '../core/router.ts';

export function TextFilter({ name, label, value, placeholder = 'Any' }: { readonly name: string; readonly label: string; readonly value: string; readonly placeholder?: string }) {
  return <label>{label}<input class="input" type="search" value={value} placeholder={placeholder} onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value.trim() })} /></label>;
}

/** `any` is what holds without a choice. */
export function ChoiceFilter({ name, label, value, any = 'Any', of }: { readonly name: string; readonly label: string; readonly value: string; readonly any?: string; readonly of: readonly (string | readonly [value: string, name: string])[] }) {
  return <label>{label}<select class="input" value={value} onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}><option value="">{any}</option>{of.map((each) => (typeof each === 'string' ? [each, each] as const : each)).map(([choice, says]) => <option key={choice} value={choice}>{says}</option>)}</select></label>;
}

/** From when, until when, and in which order: as long as these lists are, nobody reads to the end. */
export function SpanFilter({ query }: { readonly query: URLSearchParams }) {
  return (
    <>
      {(['since', 'until'] as const).map((name) => <label key={name}>{name === 'since' ? 'Since' : 'Until'}<input class="input" type="datetime-local" value={query.get(name) ?? ''} onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })} /></label>)}
      <ChoiceFilter name="sort" label="Order" value={query.get('sort') ?? ''} any="Newest first" of={[['at', 'Oldest first']]} />
    </>
  );
}

/** The same as the API takes it: times of this machine become times of the world. */
export function spanOf(query: URLSearchParams): Readonly<Record<'since' | 'until' | 'sort', string>> {
  const instant = (name: string) => {
    const at = Date.parse(query.get(name) ?? '');
    return Number.isNaN(at) ? '' : new Date(at).toISOString();
  };
  return { since: instant('since'), until: instant('until'), sort: query.get('sort') ?? '' };
}

export const isFiltering = ({ sort: _sort, ...filter }: Readonly<Record<string, string>>): boolean => Object.values(filter).some((each) => each !== '');
