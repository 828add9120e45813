// Options of a list command as the query of its route. Called by commands that list.

/** `?limit=20&instance=webchat`, or nothing. */
export function queryString(options: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? '' : `?${query.toString()}`;
}
