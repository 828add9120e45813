// A text as lines that know whether they belong to a code block, and what closes and opens that block again when it is cut. Read by chunk.ts.
//
// CommonMark 0.31 section 4.5, with one liberty: a mark may be indented by any amount, because a block in a list is indented as the list is.

export interface Fence {
  /** A line that opens it again, with its language, and one that closes it. */
  readonly opening: string;
  readonly closing: string;
}

/** `text[start, end)`; the line after it begins at `next`. `code` lines are between the two marks of a block. */
export interface Line {
  readonly start: number;
  readonly end: number;
  readonly next: number;
  readonly role: 'text' | 'opening' | 'code' | 'closing';
  readonly fence?: Fence;
}

const MARK = /^([ \t]*)(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
/** More than this behind the mark is not repeated: the first word is the language. */
const LONGEST_INFO = 32;

/** Blocks do not nest: inside one, a mark is text unless it closes the block. A line of more than `longestMark` bytes is no mark: what repeats it must leave room for the text. */
export function readLines(text: string, longestMark: number): Line[] {
  const lines: Line[] = [];
  let open: (Fence & { readonly mark: string }) | undefined;
  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const next = newline === -1 ? text.length + 1 : newline + 1;
    const line = text.slice(start, end);
    const mayMark = Buffer.byteLength(line) <= longestMark;
    if (open) {
      const isLast = mayMark && closes(line, open.mark);
      lines.push({ start, end, next, role: isLast ? 'closing' : 'code', fence: open });
      if (isLast) open = undefined;
    } else {
      open = mayMark ? fenceOf(line.trimEnd()) : undefined;
      lines.push({ start, end, next, ...(open ? { role: 'opening', fence: open } : { role: 'text' }) });
    }
    start = next;
  }
  return lines;
}

function fenceOf(line: string): (Fence & { readonly mark: string }) | undefined {
  const [, indent = '', mark = '', info = ''] = MARK.exec(line) ?? [];
  return mark === '' ? undefined : { opening: `${indent}${mark}${languageOf(info)}`, closing: `${indent}${mark}`, mark };
}

/** The same character, at least as often, and nothing else. */
function closes(line: string, mark: string): boolean {
  const found = line.trim();
  return found.length >= mark.length && found === mark.charAt(0).repeat(found.length);
}

function languageOf(info: string): string {
  if (info.length <= LONGEST_INFO) return info;
  const [word = ''] = info.trim().split(/\s/, 1);
  return word.length <= LONGEST_INFO ? word : '';
}
