// Brings text into the one form in which rules and messages are compared, so that capitals, full-width letters and invisible characters hide nothing.

/**
 * NFKC with case folding and without invisible characters (close to NFKC_Casefold, Unicode 16 §3.13), and without marks that make up no letter of their own:
 * a struck-through “d̶a̶r̶n̶” reads as “darn”, while “año” stays apart from “ano”. Costs native passes over the text, no matter what it holds.
 */
export function fold(text: string, caseSensitive: boolean): string {
  let folded = text.normalize('NFKC').replace(INVISIBLE, '');
  // Upper case first: it spells out ß and unites the sigmas; lower case alone would not.
  if (!caseSensitive) folded = folded.toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return folded.normalize('NFKC').replace(MARKS_TO_SPARE, '$1');
}

/** What each unit of the folded text came from, or null when the pieces do not add up to the whole, which crafted text can bring about. */
export function foldWithOrigins(text: string, caseSensitive: boolean): { readonly from: Int32Array; readonly to: Int32Array } | null {
  const whole = fold(text, caseSensitive);
  if (whole === (caseSensitive ? text : text.toLowerCase())) return inPlace(whole.length);
  const from = new Int32Array(whole.length);
  const to = new Int32Array(whole.length);
  const known = new Map<string, string>();
  let length = 0;
  for (const { 0: part, 1: plain, index } of text.matchAll(PARTS)) {
    let piece = known.get(part);
    if (piece === undefined) known.set(part, (piece = fold(part, caseSensitive)));
    if (!whole.startsWith(piece, length)) return null;
    for (let unit = 0; unit < piece.length; unit++, length++) {
      from[length] = plain === undefined ? index : index + unit;
      to[length] = plain === undefined ? index + part.length : index + unit + 1;
    }
  }
  return length === whole.length ? { from, to } : null;
}

/** Folding changed no lengths: each unit comes from its own place. */
function inPlace(length: number): { readonly from: Int32Array; readonly to: Int32Array } {
  const from = new Int32Array(length + 1);
  for (let unit = 0; unit <= length; unit++) from[unit] = unit;
  return { from, to: from.subarray(1) };
}

const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}]+/gu;

/** Marks that are still separate after composition, on letters of scripts that write with precomposed ones. Elsewhere marks carry the vowels and stay. */
const MARKS_TO_SPARE = /([\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Nd}])\p{M}+/gu;

/** Either a stretch of ASCII, where each character folds to one, or one character with the marks on it. */
const PARTS = /([ -~]+(?!\p{M}))|\P{M}\p{M}*|\p{M}+/gu;
