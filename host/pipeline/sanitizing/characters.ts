// Characters that have no place in what leaves, whatever the markup: controls, and what hides or reorders text. Asked by every dialect, and by the host for texts of its own.
import { normalizeText } from '../stages/normalize.ts';

/**
 * Soft hyphen, Mongolian vowel separator, zero-width space, bidirectional overrides and isolates (UAX #9), word joiner and invisible operators, deprecated format
 * characters, byte order mark, interlinear annotation. Joiners stay, scripts and emoji need them; so do the marks of direction, which reorder nothing by themselves.
 */
const HIDING = /[\u00ad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A flag of emoji tags (UTS #51: black flag, tag letters, cancel tag) stays whole; a tag character anywhere else says something that nobody sees. */
const TAGS = /(\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{1,6}\u{e007f})|[\u{e0000}-\u{e007f}]/gu;

const PLAIN = /^[\x20-\x7e\n]*$/;

export function visible(text: string): string {
  if (PLAIN.test(text)) return text;
  // In this order: what is taken out may have stood between a letter and its accent.
  return normalizeText(text.replaceAll(HIDING, '').replaceAll(TAGS, '$1'));
}

const REPLACEMENT = '\ufffd';

/** The character a numeric reference names, or the replacement character where it names one that would not be visible. Nothing is ever left out: what stood apart stays apart. */
export function characterOf(codePoint: number): string {
  if (codePoint === 0 || codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return REPLACEMENT;
  const character = String.fromCodePoint(codePoint);
  // Marks join what stands before them, and could join markup to text.
  return /^\p{M}/u.test(character) || visible(character) !== character ? REPLACEMENT : character;
}
