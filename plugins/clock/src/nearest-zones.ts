// Finds the time zones whose names are nearest to what somebody typed: a city, a part of a name, a misspelling.

/** Current names that Intl lists only under their predecessors. */
const RENAMED = ['UTC', 'America/Argentina/Buenos_Aires', 'America/Nuuk', 'Asia/Ho_Chi_Minh', 'Asia/Kathmandu', 'Asia/Kolkata', 'Asia/Yangon', 'Europe/Kyiv'];

let known: readonly { readonly name: string; readonly plain: string; readonly city: string }[] | undefined;

/** At most `limit` names, best first; never empty. */
export function nearestZones(typed: string, limit: number): string[] {
  known ??= [...RENAMED, ...Intl.supportedValuesOf('timeZone')].map((name) => ({ name, plain: plainly(name), city: plainly(name.slice(name.lastIndexOf('/') + 1)) }));
  const wanted = plainly(typed);
  const ranked: { readonly name: string; readonly distance: number }[] = [];
  let worst = Infinity;
  for (const { name, plain, city } of known) {
    const distance = wanted.includes('/') ? editDistance(wanted, plain, worst) : Math.min(editDistance(wanted, city, worst), plain.includes(wanted) ? 1.5 : Infinity);
    if (distance >= worst) continue;
    ranked.push({ name, distance });
    ranked.sort((a, b) => a.distance - b.distance);
    if (ranked.length > limit) ranked.pop();
    if (ranked.length === limit) worst = ranked.at(-1)?.distance ?? Infinity;
  }
  return ranked.map(({ name }) => name);
}

/** Lower case, and one separator for what people type between words. */
const plainly = (name: string) => name.toLowerCase().replace(/[\s_-]+/g, '_');

/** Levenshtein distance, or Infinity as soon as it cannot stay below `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return Infinity;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a.charCodeAt(row - 1) === b.charCodeAt(column - 1) ? 0 : 1);
      const cost = Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      current.push(cost);
      if (cost < least) least = cost;
    }
    if (least >= limit) return Infinity;
    previous = current;
  }
  return previous[b.length] ?? Infinity;
}
