// How large an image says it is, and where it ends: read from its headers, never decoded. Used by inspect.ts.

export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  /** 1 for a still. */
  readonly frames: number;
  /** Offset behind its last byte; the length of the file where the file ends first. */
  readonly end: number;
}

/** Undefined when the headers are cut short or contradict themselves. */
export function imageHeader(type: string, bytes: Buffer): ImageHeader | undefined {
  try {
    return READERS[type]?.(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a read beyond the end
    throw error;
  }
}

/** For tests and callers that must know which types have dimensions. */
export const isImage = (type: string): boolean => Object.hasOwn(READERS, type);

const READERS: Readonly<Record<string, (bytes: Buffer) => ImageHeader | undefined>> = { 'image/png': png, 'image/jpeg': jpeg, 'image/gif': gif, 'image/webp': webp, 'image/avif': heif, 'image/heic': heif };

/** W3C PNG: an IHDR of 13 bytes first, chunks of length, name, data and CRC, IEND last; acTL counts frames. */
function png(bytes: Buffer): ImageHeader | undefined {
  if (bytes.readUInt32BE(8) !== 13 || bytes.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  bytes.readUInt32BE(29); // its CRC is there
  let frames = 1;
  let at = 8;
  while (at + 12 <= bytes.length) {
    const size = bytes.readUInt32BE(at);
    const name = bytes.toString('latin1', at + 4, at + 8);
    if (name === 'acTL' && size === 8) frames = Math.max(1, bytes.readUInt32BE(at + 8));
    at += 12 + size;
    if (name === 'IEND') return sized(width, height, frames, at);
  }
  return sized(width, height, frames, bytes.length);
}

/** ITU-T T.81 annex B: segments up to the first scan, one of them the frame header; then scans up to EOI. */
function jpeg(bytes: Buffer): ImageHeader | undefined {
  let at = 2;
  let size: { readonly width: number; readonly height: number } | undefined;
  for (;;) {
    if (bytes.readUInt8(at) !== 0xff) return undefined;
    while (bytes.readUInt8(at + 1) === 0xff) at += 1;
    const marker = bytes.readUInt8(at + 1);
    if (marker === 0xd9) return size && sized(size.width, size.height, 1, at + 2);
    const length = bytes.readUInt16BE(at + 2);
    if (length < 2) return undefined;
    if (isFrameHeader(marker)) {
      if (size) return undefined; // two sizes: whoever decodes chooses
      size = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
    at += 2 + length;
    if (marker !== 0xda) continue;
    if (!size) return undefined;
    at = endOfScan(bytes, at);
    if (at >= bytes.length - 1) return sized(size.width, size.height, 1, bytes.length);
  }
}

const isFrameHeader = (marker: number) => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Behind a scan's data: the next marker that is neither a stuffed byte nor a restart. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
  return bytes.length;
}

/** GIF89a: a logical screen, then blocks up to the trailer; every image block is a frame. */
function gif(bytes: Buffer): ImageHeader | undefined {
  let width = bytes.readUInt16LE(6);
  let height = bytes.readUInt16LE(8);
  let at = 13 + colours(bytes.readUInt8(10));
  let frames = 0;
  while (at < bytes.length) {
    const block = bytes[at];
    if (block === 0x3b) return sized(width, height, Math.max(1, frames), at + 1);
    if (block === 0x21) at = endOfBlocks(bytes, at + 2);
    else if (block === 0x2c) {
      if (at + 10 > bytes.length) break;
      width = Math.max(width, bytes.readUInt16LE(at + 5));
      height = Math.max(height, bytes.readUInt16LE(at + 7));
      frames += 1;
      at = endOfBlocks(bytes, at + 10 + colours(bytes.readUInt8(at + 9)) + 1);
    } else return undefined;
  }
  return frames === 0 ? undefined : sized(width, height, frames, bytes.length);
}

const colours = (packed: number) => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1));

function endOfBlocks(bytes: Buffer, from: number): number {
  let at = from;
  for (let size = bytes[at]; size !== undefined; size = bytes[at]) {
    at += 1 + size;
    if (size === 0) return at;
  }
  return bytes.length;
}

/** RFC 9649: a RIFF whose first chunk has the size; with VP8X the canvas, and a frame for each ANMF. */
function webp(bytes: Buffer): ImageHeader | undefined {
  const end = 8 + bytes.readUInt32LE(4);
  const first = bytes.toString('latin1', 12, 16);
  if (first === 'VP8 ') return bytes.readUIntBE(23, 3) === 0x9d012a ? sized(bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff, 1, end) : undefined;
  if (first === 'VP8L') {
    const packed = bytes.readUInt32LE(21);
    return bytes.readUInt8(20) === 0x2f ? sized((packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1, 1, end) : undefined;
  }
  if (first !== 'VP8X') return undefined;
  let frames = 0;
  for (let at = 12; at + 8 <= Math.min(end, bytes.length); at += 8 + bytes.readUInt32LE(at + 4) + (bytes.readUInt32LE(at + 4) & 1)) if (bytes.toString('latin1', at, at + 4) === 'ANMF') frames += 1;
  return sized(bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1, Math.max(1, frames), end);
}

/** ISO/IEC 23008-12: meta › iprp › ipco › ispe; of several the largest, which is the whole of a grid. */
function heif(bytes: Buffer): ImageHeader | undefined {
  let best: { readonly width: number; readonly height: number } | undefined;
  const look = (from: number, to: number, path: string) => {
    for (const box of boxes(bytes, from, to)) {
      const here = `${path}/${box.name}`;
      if (here === '/meta') look(box.body + 4, box.end, here);
      else if (here === '/meta/iprp' || here === '/meta/iprp/ipco') look(box.body, box.end, here);
      else if (here === '/meta/iprp/ipco/ispe') {
        const size = { width: bytes.readUInt32BE(box.body + 4), height: bytes.readUInt32BE(box.body + 8) };
        if (!best || size.width * size.height > best.width * best.height) best = size;
      }
    }
  };
  look(0, bytes.length, '');
  return best && sized(best.width, best.height, 1, boxes(bytes, 0, bytes.length).at(-1)?.end ?? bytes.length);
}

interface Box {
  readonly name: string;
  readonly body: number;
  readonly end: number;
}

const MOST_BOXES = 4096;

/** What stands at one level; ends where something is no box. */
function boxes(bytes: Buffer, from: number, to: number): readonly Box[] {
  const found: Box[] = [];
  for (let at = from; at + 8 <= to && found.length < MOST_BOXES; ) {
    const short = bytes.readUInt32BE(at);
    const name = bytes.toString('latin1', at + 4, at + 8);
    const isLong = short === 1;
    const size = isLong ? Number(bytes.readBigUInt64BE(at + 8)) : short === 0 ? to - at : short;
    if (!/^[ -~]{4}$/.test(name) || size < (isLong ? 16 : 8) || at + size > to) break;
    found.push({ name, body: at + (isLong ? 16 : 8), end: at + size });
    at += size;
  }
  return found;
}

function sized(width: number, height: number, frames: number, end: number): ImageHeader | undefined {
  return width > 0 && height > 0 ? { width, height, frames, end } : undefined;
}
