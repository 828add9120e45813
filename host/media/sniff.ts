// What a file is by its first bytes, whatever anybody says about it. Used by inspect.ts.
//
// A table of our own and no library: file-type knows two hundred formats, and what is wanted here is the other way round, few formats and each looked through.
import { isUtf8 } from 'node:buffer';

export type Sniffed =
  | { readonly type: string }
  /** Something that is never taken in, and what it is. */
  | { readonly never: string }
  | undefined;

/** Signatures at the very beginning, longest claim first. */
const SIGNATURES: readonly (readonly [signature: Buffer, Exclude<Sniffed, undefined>])[] = [
  [hex('89504e470d0a1a0a'), { type: 'image/png' }],
  [hex('ffd8ff'), { type: 'image/jpeg' }],
  [text('GIF87a'), { type: 'image/gif' }],
  [text('GIF89a'), { type: 'image/gif' }],
  [text('fLaC'), { type: 'audio/flac' }],
  [text('ID3'), { type: 'audio/mpeg' }],
  [text('#!AMR'), { type: 'audio/amr' }],
  [text('%PDF-'), { type: 'application/pdf' }],
  [hex('504b0304'), { type: 'application/zip' }],
  [hex('504b0506'), { type: 'application/zip' }],
  [text('#!'), { never: 'a script' }],
  [text('MZ'), { never: 'a program' }],
  [hex('7f454c46'), { never: 'a program' }],
  [hex('feedface'), { never: 'a program' }],
  [hex('feedfacf'), { never: 'a program' }],
  [hex('cefaedfe'), { never: 'a program' }],
  [hex('cffaedfe'), { never: 'a program' }],
  [hex('cafebabe'), { never: 'a program' }],
  [hex('0061736d'), { never: 'a program' }],
  [text('dex\n'), { never: 'a program' }],
  [hex('4c00000001140200'), { never: 'a shortcut' }],
  [hex('d0cf11e0a1b11ae1'), { never: 'an Office file of the old kind, or an installer' }],
];

export function sniff(bytes: Buffer): Sniffed {
  const found = SIGNATURES.find(([signature]) => startsWith(bytes, 0, signature))?.[1];
  return found ?? riff(bytes) ?? isoMedia(bytes) ?? ebml(bytes) ?? ogg(bytes) ?? mpegAudio(bytes) ?? textual(bytes);
}

function riff(bytes: Buffer): Sniffed {
  if (!startsWith(bytes, 0, text('RIFF'))) return undefined;
  if (startsWith(bytes, 8, text('WEBP'))) return { type: 'image/webp' };
  return startsWith(bytes, 8, text('WAVE')) ? { type: 'audio/wav' } : undefined;
}

/** ISO/IEC 14496-12: the brands of the first box say what the container is for. */
function isoMedia(bytes: Buffer): Sniffed {
  if (bytes.length < 16 || !startsWith(bytes, 4, text('ftyp'))) return undefined;
  const size = Math.min(bytes.readUInt32BE(0), bytes.length, 512);
  const brands = [bytes.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= size; at += 4) brands.push(bytes.toString('latin1', at, at + 4));
  const [major = ''] = brands;
  if (brands.some((each) => each === 'avif' || each === 'avis')) return { type: 'image/avif' };
  if (brands.some((each) => /^he(ic|ix|im|is|vc)$/.test(each))) return { type: 'image/heic' };
  if (/^M4[AB] $/.test(major)) return { type: 'audio/mp4' };
  if (major === 'qt  ') return { type: 'video/quicktime' };
  if (/^3g[2p]/.test(major)) return { type: 'video/3gpp' };
  return brands.some((each) => /^(isom|iso[2-9]|mp4[12]|avc1|M4V |dash|MSNV|f4v )$/.test(each)) ? { type: 'video/mp4' } : undefined;
}

/** Of Matroska's family only the one that browsers play. */
function ebml(bytes: Buffer): Sniffed {
  return startsWith(bytes, 0, hex('1a45dfa3')) && bytes.subarray(0, 64).includes('webm') ? { type: 'video/webm' } : undefined;
}

function ogg(bytes: Buffer): Sniffed {
  const first = bytes.subarray(0, 128);
  return startsWith(bytes, 0, text('OggS')) && ['OpusHead', '\u0001vorbis', 'Speex   ', '\u007fFLAC'].some((each) => first.includes(each, 0, 'latin1')) ? { type: 'audio/ogg' } : undefined;
}

/** ISO/IEC 11172-3 and 13818-7: eleven or twelve bits of sync, and no reserved value after them. */
function mpegAudio(bytes: Buffer): Sniffed {
  const [sync = 0, version = 0, rate = 0] = bytes;
  if (sync !== 0xff || bytes.length < 4) return undefined;
  if ((version & 0xf6) === 0xf0) return (rate & 0x3c) >> 2 < 13 ? { type: 'audio/aac' } : undefined;
  const isFrame = (version & 0xe0) === 0xe0 && (version & 0x18) !== 0x08 && (version & 0x06) !== 0 && rate >> 4 !== 0x0f && rate >> 4 !== 0 && (rate & 0x0c) !== 0x0c;
  return isFrame ? { type: 'audio/mpeg' } : undefined;
}

// oxlint-disable-next-line no-control-regex -- the control characters are the point
const NOT_TEXT = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f\u007f]/;
/** A tag, a declaration or an instruction. */
const MARKUP = /^<[a-z!?/]/i;

/** All of it, because text has no header that could speak for the rest. */
function textual(bytes: Buffer): Sniffed {
  if (bytes.length === 0 || !isUtf8(bytes) || NOT_TEXT.test(bytes.toString('latin1'))) return undefined;
  return MARKUP.test(bytes.toString('utf8', 0, 4096).replace(/^[\s\ufeff]+/, '')) ? { never: 'markup' } : { type: 'text/plain' };
}

export function startsWith(bytes: Buffer, offset: number, signature: Buffer): boolean {
  return bytes.length >= offset + signature.length && bytes.compare(signature, 0, signature.length, offset, offset + signature.length) === 0;
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex');
}

function text(characters: string): Buffer {
  return Buffer.from(characters, 'latin1');
}
