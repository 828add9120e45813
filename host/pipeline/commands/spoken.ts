// What of a text somebody says in their own words: without code, quoted lines and links. mentions.ts looks for names in it.

/** Runs of backticks, ends of lines and links, in one pass. A link ends where Markdown and people end it. */
const PIECES = /`+|\n|(?<![\p{L}\p{N}])(?:[a-z][a-z0-9+.-]{0,30}:\/\/|www\.|mailto:)[^\s`<>"')\]]*/giu;
const QUOTED = /^[ \t]*>/;

interface Ticks {
  readonly at: number;
  readonly end: number;
  readonly line: number;
}

/**
 * Each left-out part becomes one character that belongs to no word. Linear: every run of backticks is looked at twice, whatever opens and never closes.
 * Code is `inline` (closed on its line by as many backticks) or a block (three and more; one that nobody closes goes to the end).
 */
export function spokenPart(text: string): string {
  if (!/[`>:]|www\./i.test(text)) return text;
  const { ticks, links } = piecesOf(text);
  const gaps = mergedInOrder(codeIn(text, ticks), links);
  let spoken = '';
  let at = 0;
  for (const [start, end] of gaps) {
    if (start < at) continue;
    spoken += `${text.slice(at, start)}${GAP}`;
    at = end;
  }
  spoken += text.slice(at);
  return spoken.split('\n').filter((line) => !QUOTED.test(line)).join('\n');
}

/** Visible, no letter, no white space: what stands beside it stays a word of its own. */
const GAP = '\u25a1';

type Span = readonly [start: number, end: number];

function piecesOf(text: string): { readonly ticks: readonly Ticks[]; readonly links: readonly Span[] } {
  const ticks: Ticks[] = [];
  const links: Span[] = [];
  let line = 0;
  for (const { 0: piece, index } of text.matchAll(PIECES)) {
    if (piece === '\n') line += 1;
    else if (piece.startsWith('`')) ticks.push({ at: index, end: index + piece.length, line });
    else links.push([index, index + piece.length]);
  }
  return { ticks, links };
}

function codeIn(text: string, ticks: readonly Ticks[]): Span[] {
  // From behind: for each run, the next one of its length.
  const next: (number | undefined)[] = [];
  const latest = new Map<number, number>();
  for (let index = ticks.length - 1; index >= 0; index--) {
    const { at = 0, end = 0 } = ticks[index] ?? {};
    next[index] = latest.get(end - at);
    latest.set(end - at, index);
  }
  const spans: Span[] = [];
  for (let index = 0; index < ticks.length; index++) {
    const opening = ticks[index];
    if (!opening) break;
    const closingIndex = next[index];
    const closing = closingIndex === undefined ? undefined : ticks[closingIndex];
    const isBlock = opening.end - opening.at >= 3;
    if (closing && closingIndex !== undefined && (isBlock || closing.line === opening.line)) {
      spans.push([opening.at, closing.end]);
      index = closingIndex;
    } else if (isBlock) {
      spans.push([opening.at, text.length]);
      break;
    }
  }
  return spans;
}

function mergedInOrder(one: readonly Span[], other: readonly Span[]): Span[] {
  return [...one, ...other].sort((a, b) => a[0] - b[0]);
}
