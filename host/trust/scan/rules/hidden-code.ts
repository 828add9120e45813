// Code that stands where nobody looks: far to the right, in one endless line of a script that is otherwise laid out for people, or behind characters that cannot be seen.
import type { ContentRule, Sighting } from '../finding.ts';
import { linesOf, type Script } from '../script.ts';

export const hiddenCode: ContentRule = {
  name: 'hidden-code',
  *look({ script }) {
    if (script.nodes.length === 0) return;
    const insides = insidesOf(script);
    yield* farToTheRight(script, insides);
    yield* oneEndlessLine(script, insides);
    yield* unseenCharacters(script, insides);
  },
};

const FIX = 'Ask the author what this is for, and for a build with `gatehouse build`, which lays code out by itself.';

/** Where texts, patterns and comments begin and end, in order: blanks and signs in them are content. */
type Insides = readonly (readonly [start: number, end: number, kind: 'text' | 'comment'])[];

function insidesOf({ nodes, comments }: Script): Insides {
  const texts = nodes.flatMap((node) => (node.type === 'TemplateElement' || (node.type === 'Literal' && typeof node.value !== 'number') ? [[node.start, node.end, 'text'] as const] : []));
  return [...texts, ...comments.map(({ start, end }) => [start, end, 'comment'] as const)].sort(([a], [b]) => a - b);
}

function insideAt(insides: Insides, offset: number): 'text' | 'comment' | undefined {
  let low = 0;
  let high = insides.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((insides[middle]?.[0] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const [start, end, kind] = insides[low] ?? [0, 0, undefined];
  return offset >= start && offset < end ? kind : undefined;
}

/** Everything that ECMAScript takes for white space within a line (ECMA-262, 12.2). */
const BLANK = '[ \\t\\v\\f\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\ufeff]';
/** Wider than any screen, and more than any indentation. */
const WIDE = 160;
const WIDE_GAP = new RegExp(`${BLANK}{${WIDE},}`, 'g');
/** Comments that lie between, and blanks in them, are part of a gap; the words of a licence in one line are not. */
const PART_OF_GAP = new RegExp(`${BLANK}{16,}`, 'g');

function* farToTheRight({ text, comments, at }: Script, insides: Insides): Iterable<Sighting> {
  for (const { 0: gap, index } of withoutComments(text, comments).matchAll(WIDE_GAP)) {
    const end = index + gap.length;
    if (end === text.length || /[\r\n\u2028\u2029]/.test(text[end] ?? '') || insideAt(insides, index) === 'text') continue;
    let blanks = 0;
    for (const [part] of text.slice(index, end).matchAll(PART_OF_GAP)) blanks += part.length;
    if (blanks < WIDE) continue;
    yield { outcome: 'warn', risk: 'high', ...at(end), message: `Code stands behind ${blanks} blanks, off to the right of every screen.`, fix: FIX };
  }
}

/** The same places, and blanks where comments stand; their ends of lines stay. */
function withoutComments(text: string, comments: Script['comments']): string {
  const parts: string[] = [];
  let read = 0;
  for (const { start, end } of comments) {
    parts.push(text.slice(read, start), text.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, ' '));
    read = end;
  }
  return parts.join('') + text.slice(read);
}

const LONG_LINE = 4000;
const LINES_FOR_PEOPLE = 20;

/** Minified code is minified throughout; only lines of code count, not those of long texts. A bundler leaves such a line where a package came minified: worth a look, no more. */
function* oneEndlessLine({ text, nodes, at }: Script, insides: Insides): Iterable<Sighting> {
  const starts = linesOf(text).filter((start) => insideAt(insides, start) === undefined);
  const lengths = starts.map((start) => lineEnd(text, start) - start);
  const long = starts.filter((_, index) => (lengths[index] ?? 0) >= LONG_LINE);
  const others = lengths.filter((length) => length > 0 && length < 200).length;
  if (long.length === 0 || others < LINES_FOR_PEOPLE * long.length) return;
  for (const start of long) {
    const end = lineEnd(text, start);
    let names = 0;
    for (const node of nodes) if (node.type === 'Identifier' && node.start >= start && node.end <= end) names += node.end - node.start + 1;
    // A table of data is not code: names make up a good part of that.
    if (names < LONG_LINE / 8) continue;
    yield { outcome: 'note', risk: 'low', ...at(start), message: `One line of ${end - start} characters of code in a script whose other lines are laid out for people.`, fix: FIX };
  }
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

/** Order that is not the order on the screen (CVE-2021-42574, “Trojan Source”), and characters without a shape. Joiners inside texts belong to emoji and to scripts that need them. */
const REORDERING = /[\u202a-\u202e\u2066-\u2069]/g;
const SHAPELESS = /[\u00ad\u115f\u1160\u180e\u200b-\u200f\u2060-\u2064\u3164\ufeff\uffa0]|[\ufe00-\ufe0f]|[\u{e0000}-\u{e01ef}]/gu;
/** Single ones stand in texts of many languages, six tags in the flag of Wales; this many in a row carry something. */
const SHAPELESS_IN_A_ROW = new RegExp(`(?:${SHAPELESS.source}){12,}`, 'gu');

function* unseenCharacters({ text, at }: Script, insides: Insides): Iterable<Sighting> {
  for (const { index } of text.matchAll(REORDERING)) {
    const inside = insideAt(insides, index);
    if (inside === 'text') continue; // a bundler writes such a character of a text as it is; see below
    yield { outcome: 'warn', risk: 'high', ...at(index), message: `An invisible character outside of texts${inside === 'comment' ? ', in a comment,' : ''} turns the order around in which an editor shows the code.`, fix: FIX };
  }
  for (const [start, end, kind] of insides) {
    if (kind !== 'text' || !leavesOpen(text, start, end)) continue;
    // A single one is how those name it who write in both directions.
    const isName = text.slice(start, end).replaceAll(/['"]/g, '').length === 1;
    yield { outcome: isName ? 'note' : 'warn', risk: isName ? 'low' : 'high', ...at(start), message: 'Invisible characters in a text turn the order of characters around and do not turn it back: the code behind it is shown in another order.', fix: FIX };
  }
  for (const { index } of text.matchAll(SHAPELESS)) {
    if (index === 0 || insideAt(insides, index) !== undefined) continue;
    yield { outcome: 'warn', risk: 'high', ...at(index), message: 'An invisible character is part of the code: two names that look the same may be different.', fix: FIX };
  }
  for (const { 0: row, index } of text.matchAll(SHAPELESS_IN_A_ROW)) {
    if (insideAt(insides, index) !== 'text') continue;
    yield { outcome: 'warn', risk: 'high', ...at(index), message: `A text holds ${row.length} invisible characters in a row: something is written in them.`, fix: FIX };
  }
}

/**
 * Whether an embedding, override or isolate that begins in a text goes on behind it, or to the end of a line of it (UAX 9, 3.1 and 3.3.2). An isolate that is from
 * left to right, or as what is in it, changes nothing of the code behind it: what sets a name apart in a sentence ends with such a one.
 */
function leavesOpen(text: string, start: number, end: number): boolean {
  const open: string[] = [];
  const turns = () => open.some((char) => char !== LEFT_TO_RIGHT && char !== AS_ITS_CONTENT);
  for (const [char] of text.slice(start, end).matchAll(/[\u202a-\u202e\u2066-\u2069\n\r\u2028\u2029]/g)) {
    if (char === '\u2069') open.length = Math.max(0, open.findLastIndex((each) => each >= LEFT_TO_RIGHT)); // ends what was begun inside of it, too
    else if (char === '\u202c') {
      if ((open.at(-1) ?? LEFT_TO_RIGHT) < LEFT_TO_RIGHT) open.pop();
    } else if (char >= '\u202a' && char !== '\u2028' && char !== '\u2029') open.push(char);
    else if (turns()) return true;
  }
  return turns();
}

const LEFT_TO_RIGHT = '\u2066';
const AS_ITS_CONTENT = '\u2068';
