// Makes the columns of a table fit a terminal. Called by table.ts.

/** A column's name, and how wide its widest cell is. */
export interface Column {
  readonly name: string;
  readonly width: number;
}

/** What the next command is given. In a table without one of these it is the first column. */
const KEYS: readonly string[] = ['id', 'key', 'session', 'digest', 'hash'];
/** Between columns. */
const GAP = 2;
/** Less of a text tells nothing. */
const LEAST = 8;

/**
 * How wide each column may be, in their order, so that no line is wider than `room`; 0 for one that is left out. The widest gives way first, then the last are left out;
 * what the next command is given is cut only where nothing else is left.
 */
export function fitted(columns: readonly Column[], room: number): number[] {
  const isNamed = columns.some(({ name }) => KEYS.includes(name));
  const isKey = ({ name }: Column, at: number) => (isNamed ? KEYS.includes(name) : at === 0);
  const others = columns.flatMap((column, at) => (isKey(column, at) ? [] : [at]));
  const natural = columns.map(({ width }) => width);
  for (let kept = others.length; kept >= 0; kept -= 1) {
    const out = others.slice(kept);
    const widths = natural.map((width, at) => (out.includes(at) ? 0 : width));
    narrow(widths, others.slice(0, kept), room);
    if (lineOf(widths) <= room) return widths;
    if (kept === 0) return keysAlone(widths, room);
  }
  return natural;
}

/** Takes from the widest of `soft`, down to the least that tells something. */
function narrow(widths: number[], soft: readonly number[], room: number): void {
  while (lineOf(widths) > room) {
    const widest = soft.reduce((found, at) => ((widths[at] ?? 0) > (widths[found] ?? 0) ? at : found), soft[0] ?? -1);
    const width = widths[widest] ?? 0;
    if (width <= LEAST) return;
    widths[widest] = width - 1;
  }
}

/** The first of them whole where it fits, and of the next what still does. */
function keysAlone(widths: readonly number[], room: number): number[] {
  let left = room;
  return widths.map((width, at) => {
    if (width === 0 || left <= 0) return 0;
    const given = Math.min(width, left);
    left -= given + (at < widths.length - 1 ? GAP : 0);
    return given;
  });
}

function lineOf(widths: readonly number[]): number {
  const shown = widths.filter((width) => width > 0);
  return shown.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, shown.length - 1);
}

// East Asian wide and fullwidth ranges, and pictures (https://www.unicode.org/reports/tr11/); a narrow picture counts as wide, which leaves a gap and breaks no line.
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Extended_Pictographic}/u;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const widthOf = (grapheme: string): number => (WIDE.test(grapheme) ? 2 : 1);

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  // oxlint-disable-next-line no-control-regex -- what is plain ASCII is as wide as it is long
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOf(segment);
  return width;
}

/** The text, or as much of it as fits with `…` at the end. */
export function cutTo(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const { segment } of graphemes.segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}
