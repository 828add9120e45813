// Files as recipes: small well-formed ones, and whatever is made by cutting them up and gluing them together. Data cases write recipes as JSON, tests as values.
import { crc32, deflateSync } from 'node:zlib';

/** Text is Latin-1, `0x…` hex. A list is glued together. */
export type Recipe =
  | string
  | readonly Recipe[]
  | { readonly fill: number; readonly times: number }
  | { readonly cut: Recipe; readonly to: number }
  | { readonly rest: Recipe; readonly from: number }
  | { readonly png: { readonly width: number; readonly height: number; readonly frames?: number; readonly comment?: string } }
  | { readonly jpeg: { readonly width: number; readonly height: number; readonly comment?: string } }
  | { readonly gif: { readonly width: number; readonly height: number; readonly frames?: number; readonly comment?: string } }
  | { readonly webp: { readonly width: number; readonly height: number } }
  | { readonly avif: { readonly width: number; readonly height: number; readonly brand?: string } }
  | { readonly iso: string }
  | { readonly zip: readonly ZipEntry[]; readonly comment?: string };

export interface ZipEntry {
  readonly name: string;
  readonly content?: string;
  /** What its directory says, when it is not the truth. */
  readonly packedBytes?: number;
  readonly unpackedBytes?: number;
}

export function bytesOf(recipe: Recipe): Buffer {
  if (typeof recipe === 'string') return recipe.startsWith('0x') ? Buffer.from(recipe.slice(2), 'hex') : Buffer.from(recipe, 'latin1');
  if (isList(recipe)) return Buffer.concat(recipe.map(bytesOf));
  if ('fill' in recipe) return Buffer.alloc(recipe.times, recipe.fill);
  if ('cut' in recipe) return bytesOf(recipe.cut).subarray(0, recipe.to);
  if ('rest' in recipe) return bytesOf(recipe.rest).subarray(recipe.from);
  if ('png' in recipe) return png(recipe.png);
  if ('jpeg' in recipe) return jpeg(recipe.jpeg);
  if ('gif' in recipe) return gif(recipe.gif);
  if ('webp' in recipe) return webp(recipe.webp);
  if ('avif' in recipe) return avif(recipe.avif);
  if ('iso' in recipe) return box('ftyp', Buffer.from(`${recipe.iso}\0\0\0\0${recipe.iso}`, 'latin1'));
  return zip(recipe.zip, recipe.comment);
}

const isList = (recipe: Recipe): recipe is readonly Recipe[] => Array.isArray(recipe);

/** A real one: black, and small because black packs well. */
function png({ width, height, frames, comment }: { width: number; height: number; frames?: number; comment?: string }): Buffer {
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([1, 0, 0, 0, 0])]);
  const rows = Buffer.alloc(Math.min(height, 4096) * (1 + Math.ceil(Math.min(width, 4096) / 8)));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    ...(frames === undefined ? [] : [chunk('acTL', Buffer.concat([u32(frames), u32(0)]))]),
    ...(comment === undefined ? [] : [chunk('tEXt', Buffer.from(`Comment\0${comment}`, 'latin1'))]),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const chunk = (name: string, data: Buffer) => Buffer.concat([u32(data.length), Buffer.from(name), data, u32(crc32(Buffer.concat([Buffer.from(name), data])))]);

/** Its headers and a scan of nothing: what says how large it is, and where it ends. */
function jpeg({ width, height, comment = '' }: { width: number; height: number; comment?: string }): Buffer {
  const segment = (marker: number, data: Buffer) => Buffer.concat([Buffer.from([0xff, marker]), u16(data.length + 2), data]);
  return Buffer.concat([
    Buffer.from('ffd8', 'hex'),
    segment(0xe0, Buffer.from('4a46494600010100000100010000', 'hex')),
    ...(comment === '' ? [] : [segment(0xfe, Buffer.from(comment, 'latin1'))]),
    segment(0xc0, Buffer.concat([Buffer.from([8]), u16(height), u16(width), Buffer.from('01011100', 'hex')])),
    segment(0xda, Buffer.from('0101003f00', 'hex')),
    Buffer.from('00ff00ffd07fffd9', 'hex'),
  ]);
}

function gif({ width, height, frames = 1, comment }: { width: number; height: number; frames?: number; comment?: string }): Buffer {
  const le = (value: number) => Buffer.from([value & 0xff, value >> 8]);
  const blocks = (text: string) => Buffer.concat([...text.matchAll(/[\s\S]{1,255}/g)].map(([part]) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part, 'latin1')])).concat(Buffer.from([0])));
  const frame = Buffer.concat([Buffer.from('2c00000000', 'hex'), le(width), le(height), Buffer.from('000202440100', 'hex')]);
  return Buffer.concat([Buffer.from('GIF89a'), le(width), le(height), Buffer.from('800000000000ffffff', 'hex'), ...(comment === undefined ? [] : [Buffer.from('21fe', 'hex'), blocks(comment)]), ...Array.from({ length: frames }, () => frame), Buffer.from('3b', 'hex')]);
}

function webp({ width, height }: { width: number; height: number }): Buffer {
  const data = Buffer.alloc(10);
  data[0] = 0x2f;
  data.writeUInt32LE(((width - 1) & 0x3fff) | (((height - 1) & 0x3fff) << 14), 1);
  const body = Buffer.concat([Buffer.from('WEBPVP8L'), Buffer.from([data.length, 0, 0, 0]), data]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.from('RIFF'), size, body]);
}

function avif({ width, height, brand = 'avif' }: { width: number; height: number; brand?: string }): Buffer {
  const ispe = box('ispe', Buffer.concat([u32(0), u32(width), u32(height)]));
  return Buffer.concat([box('ftyp', Buffer.from(`${brand}\0\0\0\0mif1${brand}`, 'latin1')), box('meta', Buffer.concat([u32(0), box('iprp', box('ipco', ispe))])), box('mdat', Buffer.alloc(16))]);
}

const box = (name: string, data: Buffer) => Buffer.concat([u32(data.length + 8), Buffer.from(name, 'latin1'), data]);

/** Stored, never packed. */
function zip(entries: readonly ZipEntry[], comment = ''): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content = '', packedBytes, unpackedBytes } of entries) {
    const data = Buffer.from(content, 'latin1');
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(20, 4);
    head.writeUInt32LE(crc32(data), 14);
    head.writeUInt32LE(data.length, 18);
    head.writeUInt32LE(data.length, 22);
    head.writeUInt16LE(Buffer.byteLength(name), 26);
    local.push(head, Buffer.from(name), data);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt32LE(crc32(data), 16);
    entry.writeUInt32LE(packedBytes ?? data.length, 20);
    entry.writeUInt32LE(unpackedBytes ?? data.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(offset, 42);
    central.push(entry, Buffer.from(name));
    offset += 30 + Buffer.byteLength(name) + data.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...local, directory, end, Buffer.from(comment, 'latin1')]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
