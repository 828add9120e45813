// Looks at the bytes of one file and says what it is, or why it is refused: type, dimensions, bombs, second natures. Pure; nothing is ever decoded or unpacked. intake.ts calls it for every file before it is kept.
import type { BlobKind } from '../../schemas/media.ts';
import { imageHeader, isImage } from './images.ts';
import { secondNature } from './polyglot.ts';
import { sniff } from './sniff.ts';
import { agrees, declaredType, fitsKind, isAllowed } from './types.ts';
import { typeOfZip, zipDirectory, type ZipDirectory } from './zip.ts';

export interface Claim {
  readonly kind: BlobKind;
  /** What the sender, or else the server, said it is. */
  readonly mimeType?: string | undefined;
  /** Of policy: types or `family/*`; absent allows every type that is known. */
  readonly types?: readonly string[] | undefined;
}

export interface Found {
  readonly mimeType: string;
  readonly width?: number;
  readonly height?: number;
}

/** `type`: it is not what it may be. `unsafe`: it is built to harm whoever opens it, or cannot be told from what is. */
export interface Refused {
  readonly refused: 'type' | 'unsafe';
  /** Continues “the file …”. */
  readonly problem: string;
}

/** The largest phones and cameras that people write from make 50 megapixels. Decoded, a pixel takes four bytes. */
const MOST_PIXELS = 64_000_000;
/** Over all frames of an animation. */
const MOST_FRAME_PIXELS = 512_000_000;
/** From this size on, so many pixels out of one byte are no photograph and no scan. */
const LARGE_PIXELS = 16_000_000;
const MOST_PIXELS_PER_BYTE = 500;
const MOST_ENTRIES = 10_000;
const MOST_UNPACKED_BYTES = 1024 ** 3;
const SMALL_UNPACKED_BYTES = 16 * 1024 ** 2;
const MOST_RATIO = 100;

export function inspect(bytes: Buffer, { kind, mimeType, types }: Claim): Found | Refused {
  if (bytes.length === 0) return wrong('is empty');
  const sniffed = sniff(bytes);
  if (!sniffed) return wrong('is of no type that is taken in');
  if ('never' in sniffed) return wrong(`is ${sniffed.never}, which is never taken in`);
  return sniffed.type === 'application/zip' ? inspectZip(bytes, { kind, mimeType, types }) : inspectOther(sniffed.type, bytes, { kind, mimeType, types });
}

function inspectOther(type: string, bytes: Buffer, claim: Claim): Found | Refused {
  const mismatch = mismatchOf(type, claim);
  if (mismatch) return mismatch;
  const header = isImage(type) ? imageHeader(type, bytes) : undefined;
  if (isImage(type) && !header) return unsafe(`says that it is ${type}, and its headers are cut short or broken`);
  const bomb = header && bombOf(header, bytes.length);
  if (bomb !== undefined) return unsafe(bomb);
  const second = secondNature(type, bytes, header?.end);
  if (second !== undefined) return unsafe(`is ${type} and ${second} at once`);
  return { mimeType: type, ...(header && { width: header.width, height: header.height }) };
}

function inspectZip(bytes: Buffer, claim: Claim): Found | Refused {
  const zip = zipDirectory(bytes);
  if (zip && 'problem' in zip) return unsafe(`is a ZIP archive ${zip.problem}`);
  if (!zip) return unsafe('says that it is a ZIP archive, and has no directory that holds together');
  if (zip.start !== 0 || zip.end !== bytes.length) return unsafe('is a ZIP archive with something before or behind it');
  const type = typeOfZip(bytes, zip);
  const trick = trickOf(zip, type, bytes.length);
  if (trick !== undefined) return unsafe(trick);
  const second = secondNature('application/zip', bytes, zip.end);
  if (second !== undefined) return unsafe(`is ${type} and ${second} at once`);
  return mismatchOf(type, claim) ?? { mimeType: type };
}

function mismatchOf(type: string, { kind, mimeType, types }: Claim): Refused | undefined {
  const declared = declaredType(mimeType);
  if (declared !== undefined && !agrees(declared, type)) return wrong(`is ${type}, but was said to be ${declared.slice(0, 100)}`);
  if (!fitsKind(kind, type)) return wrong(`is ${type}, but was sent as ${kind}`);
  return isAllowed(type, types) ? undefined : wrong(`is ${type}, which policy does not allow`);
}

/** Dimensions against bytes: what a reader would have to hold of what a sender hardly had to send. */
function bombOf({ width, height, frames }: { readonly width: number; readonly height: number; readonly frames: number }, sizeBytes: number): string | undefined {
  const pixels = width * height;
  if (pixels > MOST_PIXELS) return `is an image of ${width} × ${height} pixels, more than ${MOST_PIXELS} in all`;
  if (pixels * frames > MOST_FRAME_PIXELS) return `is an animation of ${frames} frames of ${width} × ${height} pixels, more than ${MOST_FRAME_PIXELS} in all`;
  if (pixels > LARGE_PIXELS && pixels > sizeBytes * MOST_PIXELS_PER_BYTE) return `is an image of ${width} × ${height} pixels in ${sizeBytes} bytes, which is no picture but a bomb`;
  return undefined;
}

function trickOf({ entries, packedBytes, unpackedBytes, names }: ZipDirectory, type: string, sizeBytes: number): string | undefined {
  if (entries > MOST_ENTRIES) return `is a ZIP archive of ${entries} entries, more than ${MOST_ENTRIES}`;
  if (packedBytes > sizeBytes) return 'is a ZIP archive whose entries overlap';
  if (unpackedBytes > MOST_UNPACKED_BYTES) return `is a ZIP archive that unpacks to ${unpackedBytes} bytes, more than ${MOST_UNPACKED_BYTES}`;
  if (unpackedBytes > SMALL_UNPACKED_BYTES && unpackedBytes > sizeBytes * MOST_RATIO) return `is a ZIP archive that unpacks to ${Math.round(unpackedBytes / sizeBytes)} times its size`;
  if (names.some((each) => /^[/\\]|^[a-z]:|(^|[/\\])\.\.([/\\]|$)/i.test(each) || each.includes('\0'))) return 'is a ZIP archive with an entry that leaves its folder';
  if (type !== 'application/zip' && names.some((each) => /(^|\/)vbaProject\.bin$/i.test(each))) return 'is a document with macros';
  return undefined;
}

const wrong = (problem: string): Refused => ({ refused: 'type', problem });
const unsafe = (problem: string): Refused => ({ refused: 'unsafe', problem });
