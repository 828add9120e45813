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

/** Wider than any screen, and more than any indentation. */
const WIDE_GAP = /[ \t\u00a0\u2000-\u200a\u3000]{160,}/g;

function* farToTheRight({ text, at }: Script, insides: Insides): Iterable<Sighting> {
  for (const { 0: gap, index } of text.matchAll(WIDE_GAP)) {
    const next = text[index + gap.length];
    if (next === undefined || next === '\n' || next === '\r' || insideAt(insides, index) !== undefined) continue;
    yield { outcome: 'warn', risk: 'high', ...at(index + gap.length), message: `Code stands behind ${gap.length} blanks, off to the right of every screen.`, fix: FIX };
  }
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
const SHAPELESS = /[\u00ad\u115f\u1160\u180e\u200b-\u200f\u2060-\u2064\u3164\uffa0]|[\ufe00-\ufe0f]|[\u{e0000}-\u{e01ef}]/gu;
/** Single ones stand in texts of many languages; this many in a row carry something. */
const SHAPELESS_IN_A_ROW = /(?:[\u200b-\u200f\u2060-\u2064\u3164\uffa0]|[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]){12,}/gu;

function* unseenCharacters({ text, at }: Script, insides: Insides): Iterable<Sighting> {
  for (const { index } of text.matchAll(REORDERING)) {
    const inside = insideAt(insides, index);
    if (inside === 'text') continue; // a bundler writes such a character of a text as it is
    yield { outcome: 'warn', risk: 'high', ...at(index), message: `An invisible character outside of texts${inside === 'comment' ? ', in a comment,' : ''} turns the order around in which an editor shows the code.`, fix: FIX };
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

