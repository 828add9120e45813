// Packages as .tgz: reads the one safe part of the tar format, from memory, and writes it the same for the same files. Used by package.ts, pack and sign.
import { gunzip, gzipSync } from 'node:zlib';
import { promisify } from 'node:util';
import { pathProblem } from './package-names.ts';

/** Why an archive is refused. The caller knows which one it was and throws the typed error. */
export class ArchiveProblem extends Error {
  readonly tooLarge: boolean;
  /** What would have passed and what was there, where that is more than the problem says. */
  readonly values: { readonly expected?: string; readonly found?: string };
  constructor(problem: string, tooLarge = false, values: ArchiveProblem['values'] = {}) {
    super(problem);
    this.tooLarge = tooLarge;
    this.values = values;
  }
}

export interface ArchiveLimits {
  /** Of all headers and contents together, before compression. */
  readonly bytes: number;
  /** Headers of any kind, folders included. */
  readonly entries: number;
}

/**
 * The regular files of a gzip-compressed tar. Tar has many dialects that readers understand differently, which is how files are smuggled past checks;
 * this reads POSIX ustar with pax paths, as written by every tar for ordinary files, and refuses the rest: links, devices, fifos, sparse files, sizes
 * and names by extension, damaged checksums, a missing end, anything after it. Throws ArchiveProblem.
 */
export async function readArchive(compressed: Buffer, limits: ArchiveLimits): Promise<{ readonly name: string; readonly content: Buffer }[]> {
  const tar = await decompress(compressed, limits.bytes);
  const files: { name: string; content: Buffer }[] = [];
  let paxPath: string | undefined;
  let at = 0;
  for (let count = 0; ; count++) {
    const header = headerAt(tar, at);
    if (!header) break;
    if (count >= limits.entries) throw new ArchiveProblem(`it has more than ${limits.entries} entries`, true, { expected: `at most ${limits.entries} entries`, found: 'more' });
    const start = at + BLOCK;
    if (start + header.size > tar.length) throw new ArchiveProblem('it is cut off inside a file', false, { expected: `${start + header.size} bytes at least`, found: `${tar.length} bytes` });
    const content = tar.subarray(start, start + header.size);
    at = start + Math.ceil(header.size / BLOCK) * BLOCK;
    switch (header.kind) {
      case 'file':
        files.push({ name: withoutDot(paxPath ?? header.name), content });
        paxPath = undefined;
        break;
      case 'folder':
        if (header.size > 0) throw new ArchiveProblem('a folder in it has content');
        refuseFolder(paxPath ?? header.name);
        paxPath = undefined;
        break;
      case 'pax':
        if (paxPath !== undefined) throw new ArchiveProblem('it names one file twice');
        if (header.size > PAX_BYTES) throw new ArchiveProblem(`an extended header has more than ${PAX_BYTES} bytes`);
        paxPath = paxPathOf(content, header.global);
        break;
      default:
        header satisfies never;
    }
  }
  if (!isZero(tar.subarray(at)) || tar.length - at < 2 * BLOCK) throw new ArchiveProblem('it does not end as an archive must');
  return files;
}

/** The same bytes for the same files: given order, fixed owner, mode and time. Names are at most 200 bytes of ASCII. */
export function writeArchive(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const blocks: Uint8Array[] = [];
  for (const [name, content] of files) {
    const [prefix, rest] = splitName(name);
    if (rest === undefined) blocks.push(...entry('PaxHeader', 'x', paxRecord('path', name)));
    blocks.push(...entry(rest ?? name.slice(-FIELDS.name.length), '0', content, prefix));
  }
  const compressed = gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
  compressed[GZIP_SYSTEM_BYTE] = GZIP_SYSTEM_UNKNOWN;
  return compressed;
}

const BLOCK = 512;
/** Of one extended header: a path, times and owners take a few hundred; what takes more is there to keep the host busy. */
const PAX_BYTES = 64 * 1024;
/** RFC 1952: which system compressed it; the one byte of the header that depends on the machine. */
const GZIP_SYSTEM_BYTE = 9;
const GZIP_SYSTEM_UNKNOWN = 255;

/** POSIX ustar header fields: offset and length. */
const FIELDS = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  linkName: { at: 157, length: 100 },
  magic: { at: 257, length: 8 },
  prefix: { at: 345, length: 155 },
} as const;

const POSIX_MAGIC = 'ustar\u000000';
const GNU_MAGIC = 'ustar  \0';

type Header = { readonly kind: 'file' | 'folder'; readonly name: string; readonly size: number } | { readonly kind: 'pax'; readonly global: boolean; readonly size: number };

const REFUSED_TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link', '2': 'a symbolic link', '3': 'a character device', '4': 'a block device', '6': 'a fifo', '7': 'a contiguous file', D: 'a directory dump', K: 'a GNU long link', L: 'a GNU long name', M: 'a continued file', S: 'a sparse file',
};

async function decompress(compressed: Buffer, maxBytes: number): Promise<Buffer> {
  if (compressed[0] !== 0x1f || compressed[1] !== 0x8b) throw new ArchiveProblem('it is not a gzip file', false, { expected: 'a file that begins with 1f 8b', found: `one that begins with ${compressed.subarray(0, 2).toString('hex') || 'nothing'}` });
  try {
    return await promisify(gunzip)(compressed, { maxOutputLength: maxBytes });
  } catch (thrown) {
    const tooLarge = thrown instanceof RangeError;
    throw new ArchiveProblem(tooLarge ? `it unpacks to more than ${maxBytes} bytes` : 'its compressed data is damaged', tooLarge);
  }
}

/** The header at an offset, or undefined at the end of the archive. */
function headerAt(tar: Buffer, at: number): Header | undefined {
  const block = tar.subarray(at, at + BLOCK);
  if (block.length < BLOCK) throw new ArchiveProblem('it is cut off');
  if (isZero(block)) return undefined;
  const magic = block.toString('latin1', FIELDS.magic.at, FIELDS.magic.at + FIELDS.magic.length);
  if (magic !== POSIX_MAGIC && magic !== GNU_MAGIC) throw new ArchiveProblem('it is not a ustar archive');
  if (octal(block, 'checksum') !== checksumOf(block)) throw new ArchiveProblem('the checksum of a header is wrong', false, { expected: String(checksumOf(block)), found: String(octal(block, 'checksum')) });
  const size = octal(block, 'size');
  const type = String.fromCharCode(block[FIELDS.type.at] ?? 0);
  if (type === 'x' || type === 'g') return { kind: 'pax', global: type === 'g', size };
  if (type !== '0' && type !== '\0' && type !== '5') throw new ArchiveProblem(`it holds ${REFUSED_TYPES[type] ?? 'an entry of an unknown type'}; only regular files are allowed`);
  if (text(block, 'linkName') !== '') throw new ArchiveProblem('a regular file in it has a link target');
  const prefix = magic === POSIX_MAGIC ? text(block, 'prefix') : '';
  const name = text(block, 'name');
  return { kind: type === '5' ? 'folder' : 'file', name: prefix === '' ? name : `${prefix}/${name}`, size };
}

/** Text up to the first zero byte; after it everything must be zero, so that no reader sees more than this one. */
function text(block: Buffer, field: 'name' | 'linkName' | 'prefix'): string {
  const { at, length } = FIELDS[field];
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  if (end < 0) return bytes.toString('latin1');
  if (!isZero(bytes.subarray(end))) throw new ArchiveProblem('a header hides bytes behind a name');
  return bytes.toString('latin1', 0, end);
}

function octal(block: Buffer, field: 'size' | 'checksum'): number {
  const { at, length } = FIELDS[field];
  const digits = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', at, at + length))?.[1];
  if (digits === undefined) throw new ArchiveProblem('a number in a header is not octal');
  return Number.parseInt(digits, 8);
}

/** The sum of all bytes, with the checksum field itself read as spaces. */
function checksumOf(block: Uint8Array): number {
  const { at, length } = FIELDS.checksum;
  let sum = length * 0x20;
  for (let index = 0; index < BLOCK; index += 1) if (index < at || index >= at + length) sum += block[index] ?? 0;
  return sum;
}

/** Loops, not callbacks: they see every byte of an archive's headers. */
function isZero(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index += 1) if (bytes[index] !== 0) return false;
  return true;
}

/** The path a pax header gives to the next file. Times, owners and comments are ignored; whatever changes how the archive is read is refused. */
function paxPathOf(content: Buffer, global: boolean): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(/^[1-9]\d{0,5}$/.exec(content.toString('latin1', at, Math.max(at, space)))?.[0] ?? Number.NaN);
    const record = content.toString('latin1', space + 1, at + length);
    const equals = record.indexOf('=');
    if (!(at + length <= content.length) || equals < 1 || !record.endsWith('\n')) throw new ArchiveProblem('an extended header is damaged');
    const key = record.slice(0, equals);
    if (key === 'path' && !global && path === undefined) path = record.slice(equals + 1, -1);
    else if (/^(?:path|size|linkpath|type|hdrcharset|charset)$|^GNU\.sparse/.test(key)) throw new ArchiveProblem(`an extended header changes '${key}'`);
    at += length;
  }
  return path;
}

/** Nothing is made of a folder; one that leads elsewhere shows what the archive was made for (attack 90 zip-slip). */
function refuseFolder(name: string): void {
  if (name === '.' || name === './') return;
  const problem = pathProblem(withoutDot(name).replace(/\/$/, ''));
  if (problem !== undefined) throw new ArchiveProblem(problem);
}

function withoutDot(name: string): string {
  return name.startsWith('./') ? name.slice(2) : name;
}

function entry(name: string, type: '0' | 'x', content: Uint8Array, prefix = ''): Uint8Array[] {
  const header = Buffer.alloc(BLOCK);
  const write = (field: keyof typeof FIELDS, value: string) => header.write(value, FIELDS[field].at, FIELDS[field].length, 'latin1');
  write('name', name);
  write('mode', '0000644\0');
  write('uid', '0000000\0');
  write('gid', '0000000\0');
  write('size', `${content.length.toString(8).padStart(11, '0')}\0`);
  write('mtime', `${'0'.repeat(11)}\0`);
  write('type', type);
  write('magic', POSIX_MAGIC);
  write('prefix', prefix);
  write('checksum', `${checksumOf(header).toString(8).padStart(6, '0')}\0 `);
  return [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
}

/** A name that fits the two fields, cut at a slash; `undefined` when only a pax header can carry it. */
function splitName(name: string): [prefix: string, rest: string | undefined] {
  if (name.length <= FIELDS.name.length) return ['', name];
  for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
    if (slash <= FIELDS.prefix.length && name.length - slash - 1 <= FIELDS.name.length) return [name.slice(0, slash), name.slice(slash + 1)];
  }
  return ['', undefined];
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return Buffer.from(`${length}${rest}`, 'latin1');
}
