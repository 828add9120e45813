// What a ZIP holds, by its central directory (APPNOTE 4.3), never unpacked: enough to know a bomb, a macro, a name that climbs, and an archive hidden behind something else. Used by inspect.ts.

export interface ZipDirectory {
  /** Offset behind its last byte, comment included. */
  readonly end: number;
  /** Where its first byte is, by its own offsets: 0 when nothing stands before it. */
  readonly start: number;
  readonly entries: number;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  readonly names: readonly string[];
}

const EOCD = Buffer.from('504b0506', 'hex');
const EOCD_BYTES = 22;
const MOST_COMMENT = 0xffff;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const ZIP64 = 0xffffffff;
const BITS_64 = { problem: 'of the 64-bit kind, which no file of its size needs' };

/** Several ends are what chameleons have, and each costs a walk through the directory. */
const MOST_ENDS = 16;

/** Why an archive is refused before anything is known of it; continues “a ZIP archive …”. */
export interface ZipProblem {
  readonly problem: string;
}

/** The directory that readers would find, searching from the end as they do; undefined when there is none that holds together. */
export function zipDirectory(bytes: Buffer): ZipDirectory | ZipProblem | undefined {
  const from = Math.max(0, bytes.length - EOCD_BYTES - MOST_COMMENT);
  let ends = 0;
  for (let at = bytes.lastIndexOf(EOCD); at >= from; at = at === 0 ? -1 : bytes.lastIndexOf(EOCD, at - 1)) {
    if (at + EOCD_BYTES > bytes.length) continue;
    const read = directoryAt(bytes, at);
    if (read) return read;
    ends += 1;
    if (ends === MOST_ENDS) return { problem: 'of many ends' };
  }
  return undefined;
}

function directoryAt(bytes: Buffer, eocd: number): ZipDirectory | ZipProblem | undefined {
  const entries = bytes.readUInt16LE(eocd + 10);
  const size = bytes.readUInt32LE(eocd + 12);
  const offset = bytes.readUInt32LE(eocd + 16);
  if (entries === 0xffff || size === ZIP64 || offset === ZIP64) return BITS_64;
  // What stands before the archive shifts it: readers find the directory by its size, or by its offset.
  const first = eocd - size;
  if (first < 0) return undefined;
  const start = first - offset;
  let at = first;
  let packedBytes = 0;
  let unpackedBytes = 0;
  const names: string[] = [];
  for (let entry = 0; entry < entries; entry += 1) {
    if (at + CENTRAL_BYTES > eocd || bytes.readUInt32LE(at) !== CENTRAL) return undefined;
    const packed = bytes.readUInt32LE(at + 20);
    const unpacked = bytes.readUInt32LE(at + 24);
    if (packed === ZIP64 || unpacked === ZIP64) return BITS_64;
    packedBytes += packed;
    unpackedBytes += unpacked;
    const nameLength = bytes.readUInt16LE(at + 28);
    names.push(bytes.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength));
    at += CENTRAL_BYTES + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return { start, end: eocd + EOCD_BYTES + bytes.readUInt16LE(eocd + 20), entries, packedBytes, unpackedBytes, names };
}

/** The documents that are ZIPs: Office Open XML by its parts, OpenDocument and EPUB by the stored first entry that names the type (ODF 1.3 part 2, 3.3). */
export function typeOfZip(bytes: Buffer, { names }: Pick<ZipDirectory, 'names'>): string {
  if (names.includes('[Content_Types].xml')) {
    for (const [folder, type] of OOXML) if (names.some((each) => each.startsWith(folder))) return type;
  }
  if (bytes.length > 38 && bytes.readUInt16LE(8) === 0 && bytes.toString('latin1', 30, 38) === 'mimetype') {
    const named = bytes.toString('latin1', 38, Math.min(bytes.length, 38 + bytes.readUInt32LE(18), 200));
    if (DOCUMENTS.has(named)) return named;
  }
  return 'application/zip';
}

const OOXML = [
  ['word/', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['xl/', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['ppt/', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
] as const;

const DOCUMENTS: ReadonlySet<string> = new Set(['application/vnd.oasis.opendocument.text', 'application/vnd.oasis.opendocument.spreadsheet', 'application/vnd.oasis.opendocument.presentation', 'application/epub+zip']);
