// Archives nobody should accept, written entry by entry; headers come from the `tar` package, which shares no code with the reader under test.
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

export interface RawEntry {
  readonly path: string;
  readonly type?: 'File' | 'Directory' | 'Link' | 'SymbolicLink' | 'CharacterDevice' | 'BlockDevice' | 'FIFO' | 'ContiguousFile' | 'ExtendedHeader' | 'GlobalExtendedHeader' | 'NextFileHasLongPath';
  readonly content?: string | Uint8Array;
  readonly linkpath?: string;
  /** What the header says, when it is not the truth. */
  readonly size?: number;
  /** Changes the finished header; its checksum is made right again unless `keepChecksum`. */
  readonly damage?: (header: Buffer) => void;
  readonly keepChecksum?: boolean;
}

/** A gzip-compressed archive of exactly these entries; `end` follows them (default: as it must). */
export function rawArchive(entries: readonly RawEntry[], end?: Uint8Array): Buffer {
  return gzipSync(rawTar(entries, end));
}

/** The same before compression. */
export function rawTar(entries: readonly RawEntry[], end: Uint8Array = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), end]);
}

function blocksOf({ path, type = 'File', content = '', linkpath, size, damage, keepChecksum = false }: RawEntry): Uint8Array[] {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  new Header({ path, type, size: size ?? body.length, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), uname: '', gname: '', ...(linkpath === undefined ? {} : { linkpath }) }).encode(header);
  damage?.(header);
  if (damage && !keepChecksum) writeChecksum(header);
  return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

function writeChecksum(header: Buffer): void {
  header.write(' '.repeat(8), 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** One record of an extended header: `<length in bytes> <key>=<value>\n`. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (String(length).length + bytes !== length) length++;
  return `${length}${rest}`;
}
