// UTF-8 without TextEncoder and TextDecoder, which the sandbox does not have. Same results as the WHATWG encoding standard.

const REPLACEMENT = 0xfffd;

/** The bytes of `text`; a lone surrogate becomes U+FFFD, as with TextEncoder. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (const character of text) {
    const code = scalarOf(character);
    if (code < 0x80) bytes[at++] = code;
    else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[at++] = 0xe0 | (code >> 12);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes;
}

/** How many bytes `text` takes as UTF-8: what the host's bounds are counted in. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 2; // 4 bytes for 2 units
      index += 1;
    } else bytes += 2;
  }
  return bytes;
}

/**
 * The text of UTF-8 `bytes`. A byte order mark is kept as U+FEFF.
 *
 * Ill-formed input: with `fatal` it throws a RangeError, otherwise each maximal ill-formed part becomes one U+FFFD, as with TextDecoder.
 */
export function decodeUtf8(bytes: Uint8Array, { fatal = false }: { readonly fatal?: boolean } = {}): string {
  const pieces: string[] = [];
  let codes: number[] = [];
  const push = (code: number) => {
    codes.push(code);
    if (codes.length === 4096) {
      pieces.push(String.fromCodePoint(...codes));
      codes = [];
    }
  };
  for (let at = 0; at < bytes.length; ) {
    const { code, length } = nextCode(bytes, at);
    if (code === ILL_FORMED && fatal) throw new RangeError(`The bytes are not valid UTF-8 at offset ${at}.`);
    push(code === ILL_FORMED ? REPLACEMENT : code);
    at += length;
  }
  pieces.push(String.fromCodePoint(...codes));
  return pieces.join('');
}

const ILL_FORMED = -1;

/** Unicode 16, table 3-7: which second bytes a lead byte allows. The rest of a sequence is 80..BF. */
function nextCode(bytes: Uint8Array, at: number): { readonly code: number; readonly length: number } {
  const lead = byteAt(bytes, at);
  if (lead < 0x80) return { code: lead, length: 1 };
  if (lead < 0xc2 || lead > 0xf4) return { code: ILL_FORMED, length: 1 };
  const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  let code = lead & (0x3f >> more);
  for (let index = 1; index <= more; index++) {
    const byte = byteAt(bytes, at + index);
    const least = index > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = index > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < least || byte > most) return { code: ILL_FORMED, length: index };
    code = (code << 6) | (byte & 0x3f);
  }
  return { code, length: more + 1 };
}

/** Past the end counts as a byte that continues nothing. */
const byteAt = (bytes: Uint8Array, at: number) => bytes[at] ?? 0;

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

function scalarOf(character: string): number {
  const code = character.codePointAt(0) ?? REPLACEMENT;
  return code >= 0xd800 && code <= 0xdfff ? REPLACEMENT : code;
}
