// Cuts a text that is too long for its channel into pieces that are not. Called by shape.ts; the rules as cases are in test/fixtures/chunking/.
//
// A piece ends at the best place in its second half: between paragraphs, between lines, between words; else at the last line or word there is, else between two
// graphemes. So a link, which has no white space, stays whole if a piece can hold it. A code block that is cut is closed, and opened again with its language.
// White space at a cut is dropped, inside a code block only the line end; nothing else is lost, and no piece is blank.
import type { TextLimits } from '../../schemas/text-limits.ts';
import { readLines, type Line } from './lines.ts';

/** One piece. What stands before and after its part of the text belongs to a code block that was cut. */
export interface Piece {
  readonly before: string;
  readonly body: string;
  readonly after: string;
}

/** In order; the text as it is when it fits. Time grows with the length of the text, whatever is in it. */
export function chunk(text: string, limits: TextLimits): string[] {
  return pieces(text, limits).map(({ before, body, after }) => before + body + after);
}

export function pieces(text: string, limits: TextLimits): Piece[] {
  if (fits(text, limits)) return [{ before: '', body: text, after: '' }];
  const source: Source = { text, lines: readLines(text, Math.min(limits.characters ?? Infinity, limits.bytes ?? Infinity) / 4), limits };
  const cut: Piece[] = [];
  for (let place = firstText(source, { line: 0, at: 0 }); place; ) {
    const { piece, next } = onePiece(source, place);
    cut.push(piece);
    place = firstText(source, next);
  }
  return cut.length > 0 ? cut : [{ before: '', body: '', after: '' }];
}

/** Whether a text is within every limit. */
export function fits(text: string, { characters = Infinity, bytes = Infinity, lines = Infinity }: TextLimits): boolean {
  if (text.length > characters) return false;
  if (text.length * 3 > bytes && Buffer.byteLength(text) > bytes) return false;
  if (text.length < lines) return true;
  let count = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count <= lines;
}

interface Source {
  readonly text: string;
  readonly lines: readonly Line[];
  readonly limits: TextLimits;
}

/** Somewhere in the text, and the line that is in. */
interface Place {
  readonly line: number;
  readonly at: number;
}

/** What is left of the limits. */
type Room = Readonly<Required<TextLimits>>;

/** Where the part of a piece ends, what closes it, and where the next one begins. */
interface Cut {
  readonly end: number;
  readonly after: string;
  readonly next: Place;
}

function onePiece(source: Source, from: Place): { readonly piece: Piece; readonly next: Place } {
  const { text, lines, limits } = source;
  const all: Room = { characters: limits.characters ?? Infinity, bytes: limits.bytes ?? Infinity, lines: limits.lines ?? Infinity };
  const first = lines[from.line];
  const resumed = first?.role === 'code' && first.fence ? first.fence.opening : undefined;
  const { end, after, next } = bestCut(source, from, resumed === undefined ? all : beside(all, resumed), resumed === undefined ? 0 : 1);
  const body = text.slice(from.at, end);
  return { piece: { before: resumed === undefined ? '' : `${resumed}\n`, body: after === '' ? body.trimEnd() : body, after }, next };
}

/** `lineEnds`: 1 when a line that opens a block again stands before the first of the text. */
function bestCut(source: Source, from: Place, room: Room, lineEnds: 0 | 1): Cut {
  const { text, lines } = source;
  let left = room;
  let paragraph: Cut | undefined;
  let lineEnd: Cut | undefined;
  // The first line that may be cut: if no line ends where a piece may, it is this one that is too long.
  let cuttable: (() => WithinLine | undefined) | undefined;
  let index = from.line;
  for (; index < lines.length; index += 1) {
    const line = lines[index];
    if (!line) break;
    const [here, start, room, ends] = [index, Math.max(line.start, from.at), left, index > from.line ? 1 : lineEnds] as const;
    if (line.role !== 'opening') cuttable ??= () => withinLine(source, here, start, room, ends);
    const behind = beside(left, text.slice(start, line.end), ends);
    if (!isRoom(behind)) break;
    left = behind;
    const cut = cutAfter(lines, index, left);
    lineEnd = cut ?? lineEnd;
    if (cut && isParagraphEnd(source, index)) paragraph = cut;
  }
  if (index === lines.length) return { end: text.length, after: '', next: { line: index, at: text.length } };

  const inside = withinLine(source, index, Math.max(lines[index]?.start ?? 0, from.at), left, index > from.line ? 1 : lineEnds);
  const farthest = inside?.farthest ?? lineEnd?.end ?? from.at;
  const half = from.at + (farthest - from.at) / 2;
  if (paragraph && paragraph.end >= half) return paragraph;
  if (lineEnd && lineEnd.end >= half) return lineEnd;
  const word = inside?.word();
  if (word && word.end >= half) return word;
  const long = lineEnd || inside ? inside : cuttable?.();
  const cut = lineEnd ?? long?.word() ?? long?.grapheme();
  if (!cut) throw new Error('no limit is too small for a line and what repeats its block'); // TextLimits has the least values
  return cut;
}

/** What is left when this stands in the piece too, with so many line ends before it. */
function beside({ characters, bytes, lines }: Room, text: string, lineEnds: 0 | 1 = 0): Room {
  return { characters: characters - text.length - lineEnds, bytes: bytes - Buffer.byteLength(text) - lineEnds, lines: lines - 1 };
}

const isRoom = ({ characters, bytes, lines }: Room) => characters >= 0 && bytes >= 0 && lines >= 0;

/** Undefined where no piece may end: behind a mark that opens a block, or where what closes the block has no room. */
function cutAfter(lines: readonly Line[], index: number, left: Room): Cut | undefined {
  const line = lines[index];
  if (!line || line.role === 'opening') return undefined;
  if (line.role !== 'code' || !line.fence) return { end: line.end, after: '', next: { line: index + 1, at: line.next } };
  if (!isRoom(beside(left, line.fence.closing, 1))) return undefined;
  // What closes the piece stands for the mark that would come next.
  const following = lines[index + 1];
  const next = following?.role === 'closing' ? { line: index + 2, at: following.next } : { line: index + 1, at: line.next };
  return { end: line.end, after: `\n${line.fence.closing}`, next };
}

/** Where a block ends or one begins, or a blank line follows. */
function isParagraphEnd({ text, lines }: Source, index: number): boolean {
  const following = lines[index + 1];
  if (lines[index]?.role === 'closing' || following?.role === 'opening') return true;
  return lines[index]?.role === 'text' && following?.role === 'text' && text.slice(following.start, following.end).trim() === '';
}

/** Places inside the first line that does not fit as a whole, from `start` on. */
interface WithinLine {
  readonly farthest: number;
  word(): Cut | undefined;
  grapheme(): Cut;
}

function withinLine({ text, lines }: Source, index: number, start: number, left: Room, lineEnds: 0 | 1): WithinLine | undefined {
  const line = lines[index];
  if (!line || line.role === 'opening' || line.role === 'closing') return undefined;
  const after = line.role === 'code' && line.fence ? `\n${line.fence.closing}` : '';
  const room = beside(after === '' ? left : beside(left, after), '', lineEnds);
  const farthest = start + prefixLength(text, start, line.end, room);
  if (farthest <= start || room.lines < 0) return undefined;
  const at = (end: number, next = end): Cut => ({ end, after, next: { line: index, at: next } });
  return {
    farthest,
    word() {
      const end = lastWordEnd(text, start, farthest, line.end);
      // In code the white space stays.
      return end === undefined ? undefined : at(end, after === '' ? skipBlanks(text, end, line.end) : end);
    },
    grapheme: () => at(graphemeEnd(text, start, farthest, line.end)),
  };
}

/** How much of `text[start, end)` is within the room, never half of a surrogate pair. */
function prefixLength(text: string, start: number, end: number, { characters, bytes }: Room): number {
  let at = start;
  let used = 0;
  while (at < end) {
    const code = text.codePointAt(at) ?? 0;
    const units = code > 0xffff ? 2 : 1;
    used += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (at - start + units > characters || used > bytes) break;
    at += units;
  }
  return at - start;
}

/** Scripts that write no spaces: a clause ends behind one of these. */
const CLAUSE_ENDS: ReadonlySet<string> = new Set('。！？；，、：．');

/** Where the last word that fits as a whole ends; one in the text of a Markdown link counts only if the link does not fit. */
function lastWordEnd(text: string, start: number, farthest: number, lineEnd: number): number | undefined {
  const links = linksIn(text, start, farthest, lineEnd);
  for (let at = farthest; at > start; at -= 1) {
    const isEnd = isBlank(text, at) || (CLAUSE_ENDS.has(text[at - 1] ?? '') && !EXTENDS.test(text[at] ?? ''));
    if (isEnd && !isBlank(text, at - 1) && !links.some(({ from, to }) => at > from && at < to)) return at;
  }
  return undefined;
}

/** Markdown links that a piece of their own could hold. Bounded on both sides, so that brackets without end cost nothing. */
const LINK = /\[[^\][\n]{0,300}\]\([^()\s]{0,2000}\)/g;
const LONGEST_LINK = 2304;

function linksIn(text: string, start: number, farthest: number, lineEnd: number): { readonly from: number; readonly to: number }[] {
  const found = text.slice(start, Math.min(lineEnd, farthest + LONGEST_LINK)).matchAll(LINK);
  return [...found].map(({ 0: link, index }) => ({ from: start + index, to: start + index + link.length })).filter(({ from, to }) => to - from <= farthest - start);
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });
/** More than any grapheme that means something: what is longer is cut. */
const LONGEST_GRAPHEME = 128;

/** UAX #29: never inside a family, a flag or a letter with its marks, unless one alone is more than fits. */
function graphemeEnd(text: string, start: number, farthest: number, lineEnd: number): number {
  if (farthest === lineEnd) return farthest;
  const { index = 0 } = graphemes.segment(text.slice(start, Math.min(lineEnd, farthest + LONGEST_GRAPHEME))).containing(farthest - start) ?? {};
  return index > 0 ? start + index : farthest;
}

/** The next place where there is text; inside a code block every line is. Undefined at the end. */
function firstText({ text, lines }: Source, { line: index, at }: Place): Place | undefined {
  for (let line = lines[index]; line; line = lines[++index]) {
    const from = Math.max(at, line.start);
    if (line.role === 'code' || text.slice(from, line.end).trim() !== '') return { line: index, at: from };
  }
  return undefined;
}

/** What belongs to the character before it (UAX #29), even if that is a space. */
const EXTENDS = /[\p{M}\u200d]/u;

const isBlank = (text: string, at: number) => (text[at] === ' ' || text[at] === '\t') && !EXTENDS.test(text[at + 1] ?? '');

function skipBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(text, at)) at += 1;
  return at;
}
