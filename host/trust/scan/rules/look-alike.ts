// Names that are easily taken for another one: `gatehouse.webchat` and `gatehouze.webchat`. Ids are lower-case ASCII, so what is left are letters that look alike, slips of the hand and borrowed names.
import { MANIFEST_FILE } from '../../package-names.ts';
import { quote, type PlaceRule } from '../finding.ts';

/** Publishers and plugins that everybody knows who runs this. */
export const FIRST_PARTY_NAMES: readonly string[] = ['gatehouse.', 'gatehouse.clock', 'gatehouse.concierge', 'gatehouse.echo', 'gatehouse.webchat', 'gatehouse.webhook', 'gatehouse.wordlist'];

export const lookAlike: PlaceRule = {
  name: 'look-alike',
  *look({ manifest: { id, publisher, displayName }, knownNames, isSettled }) {
    const note = isSettled ? ({ outcome: 'note', risk: 'low' } as const) : undefined;
    const fix = 'Make sure that this is the publisher you mean, by an address that you know and not by the name alone.';
    for (const known of new Set([...FIRST_PARTY_NAMES, ...knownNames])) {
      const owner = known.slice(0, known.indexOf('.'));
      if (owner === publisher || owner === '') continue;
      const resemblance = known.endsWith('.') ? resemblanceOf(publisher, owner) : resemblanceOfIds(id, known);
      if (resemblance === undefined) continue;
      yield {
        outcome: 'warn', risk: 'high', ...note, file: MANIFEST_FILE,
        message: known.endsWith('.') ? `Its publisher ${quote(publisher)} ${resemblance} ${quote(owner)}, whom this host knows.` : `Its id ${quote(id)} ${resemblance} ${quote(known)}, which this host knows.`,
        fix,
      };
    }
    // Letters of two scripts in one word are how a name is written that looks like another.
    const mixed = displayName.split(/[\s\p{P}]+/u).find((word) => /\p{Script=Latin}/u.test(word) && /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u.test(word));
    if (mixed !== undefined) yield { outcome: 'warn', risk: 'medium', ...note, file: MANIFEST_FILE, message: `A word of its name, ${quote(mixed)}, mixes letters of several scripts that look alike.`, fix };
  },
};

/** Short names are near to each other by chance. */
const LEAST_LENGTH = 5;
const LONG = 10;
const LEAST_ID = 8;

function resemblanceOf(name: string, known: string): string | undefined {
  if (sameName(name, known)) return 'looks the same as';
  if (known.length < LEAST_LENGTH) return undefined;
  // `gatehouse-plugins`, `official-gatehouse`: a known name with something beside it.
  if (name.split('-').includes(known)) return 'borrows the name of';
  const distance = editDistance(skeleton(name), skeleton(known), 2);
  return distance === 1 || (distance === 2 && known.length >= LONG) ? 'is a slip of the hand away from' : undefined;
}

/** The same name under nearly the same publisher is no chance even where the publisher's name is short. */
function resemblanceOfIds(id: string, known: string): string | undefined {
  if (sameName(id, known)) return 'looks the same as';
  return known.length >= LEAST_ID && editDistance(id, known, 1) === 1 ? 'is a slip of the hand away from' : undefined;
}

const sameName = (one: string, other: string) => one !== other && skeleton(one) === skeleton(other);

/** What is left of a name at a glance: https://www.unicode.org/reports/tr39/#Confusable_Detection, for the characters that ids have. */
function skeleton(name: string): string {
  return name.replaceAll('-', '').replaceAll('rn', 'm').replaceAll('vv', 'w').replaceAll('cl', 'd').replaceAll(/[1ij]/g, 'l').replaceAll('0', 'o').replaceAll('5', 's').replaceAll('3', 'e').replaceAll('8', 'b').replaceAll('2', 'z');
}

/** Insertions, deletions, replacements and swaps of neighbours (Damerau–Levenshtein, optimal string alignment); anything beyond `most` is `most + 1`. */
export function editDistance(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const cost = one[row - 1] === other[column - 1] ? 0 : 1;
      let best = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + cost);
      if (row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      current.push(best);
    }
    [beforeLast, last] = [last, current];
  }
  return Math.min(last[other.length] ?? 0, most + 1);
}
