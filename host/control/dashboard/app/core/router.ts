// Where the page is, in the fragment of its address: `#/plugins/echo?state=active`. The host never sees a fragment, and no secret is ever put there.
import { useEffect, useState } from 'preact/hooks';

export interface Route {
  /** `['plugins', 'echo']` */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export function currentRoute(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { path: path.split('/').filter((part) => part !== '').map(decode), query: new URLSearchParams(query) };
}

/** A link: `to('plugins', instance)`. */
export const to = (...path: readonly string[]): string => `#/${path.map(encodeURIComponent).join('/')}`;

export const go = (href: string): void => {
  location.hash = href;
};

/** Changes the query in place: going back leaves the page instead of taking filters off one by one. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const { path, query } = currentRoute();
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, '', `${to(...path)}${text === '' ? '' : `?${text}`}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(currentRoute);
  useEffect(() => {
    const look = () => setRoute(currentRoute());
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  return route;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
