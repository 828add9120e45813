// Looks through the pages of a store before LMDB maps them. `lmdb.ts` asks at every opening, `doctor` when somebody wants to know.
//
// LMDB believes its file. On one that was cut short, overwritten or damaged by a disk it ends the whole process (SIGBUS, SIGSEGV, an assertion), or takes a file of
// no bytes for a new store and begins again, empty. So the tree is walked here first, in JavaScript, where a wrong number is a message. What cannot be seen
// this way is a changed byte inside a key or a row: pages carry no checksum. Rows that no longer read are told by `rows.ts`, decisions by the audit log.
//
// The layout is that of lmdb-js 3.5.6, data version 2 (dependencies/lmdb/libraries/liblmdb/mdb.c: MDB_page_header, MDB_meta, MDB_db, MDB_node), little-endian.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER_BYTES = 24;
const META_BYTES = 168;
const DB_BYTES = 48;
const NODE_BYTES = 8;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
/** Of a node: its data lies on overflow pages, or is the record of a named database. */
const BIG_DATA = 0x01;
const SUB_DATA = 0x02;

/** `branches`: which pages there are, some milliseconds a gigabyte. `leaves`: every page and entry, about a second a gigabyte. */
export type Depth = 'branches' | 'leaves';

export interface Walked {
  readonly pages: number;
  readonly entries: number;
}

interface Tree {
  readonly name: string;
  readonly depth: number;
  readonly entries: number;
  readonly root: number | undefined;
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly txn: number;
  readonly trees: readonly [free: Tree, main: Tree];
}

/** What is wrong with a store's file, in words that end a sentence; undefined when it holds together. Throws what the system says when it cannot be read. */
export function damageOf(path: string, depth: Depth): string | undefined {
  try {
    walkStoreFile(path, depth);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Damage) return thrown.message;
    throw thrown;
  }
}

class Damage extends Error {}

/** Throws Damage at the first thing that is wrong. A file that is shorter than its pages is always walked to the leaves: the last of them may be what is missing. */
function walkStoreFile(path: string, depth: Depth): Walked {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const meta = newestMeta(file, size);
    const isShort = size < (meta.lastPage + 1) * meta.pageBytes;
    return new Walk(file, size, meta, isShort ? 'leaves' : depth).all();
  } finally {
    closeSync(file);
  }
}

/** The two pages a store begins with take turns: the newer one is where it stands, and both are whole, or one of them was damaged after it was written. */
function newestMeta(file: number, size: number): Meta {
  if (size === 0) throw new Damage('its file is empty');
  const first = readMeta(file, 0, 0);
  const second = readMeta(file, 1, first.pageBytes);
  if (second.pageBytes !== first.pageBytes) throw new Damage(`its two first pages speak of pages of ${first.pageBytes} and of ${second.pageBytes} bytes`);
  const [newer, older] = first.txn > second.txn ? [first, second] : [second, first];
  // 0 until it has been written once: in a new store, and in a copy.
  if (older.txn !== 0 && newer.txn - older.txn !== 1) throw new Damage(`its two first pages speak of the commits ${first.txn} and ${second.txn}, which never followed one another`);
  return newer;
}

function readMeta(file: number, page: number, at: number): Meta {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(file, bytes, 0, META_BYTES, at) < META_BYTES) throw new Damage(`it ends within page ${page}`);
  if ((bytes.readUInt16LE(18) & META) === 0 || bytes.readUInt32LE(24) !== MAGIC) throw new Damage(`page ${page} is not the first page of a store`);
  if ((bytes.readUInt32LE(28) & 0xffff) !== DATA_VERSION) throw new Damage(`page ${page} speaks of format ${bytes.readUInt32LE(28)}, and ${DATA_VERSION} is known`);
  const pageBytes = bytes.readUInt32LE(48);
  if (pageBytes < 256 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) throw new Damage(`page ${page} speaks of pages of ${pageBytes} bytes`);
  return { pageBytes, trees: [treeAt(bytes, 48, 'the list of free pages'), treeAt(bytes, 96, 'the list of tables')], lastPage: wordAt(bytes, 144), txn: wordAt(bytes, 152) };
}

function treeAt(bytes: Buffer, at: number, name: string): Tree {
  const hasNone = bytes.readUInt32LE(at + 40) === 0xffff_ffff && bytes.readUInt32LE(at + 44) === 0xffff_ffff;
  return { name, depth: bytes.readUInt16LE(at + 6), entries: wordAt(bytes, at + 32), root: hasNone ? undefined : wordAt(bytes, at + 40) };
}

/** 64 bits; what a double cannot hold is no number a store has. */
const wordAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;

class Walk {
  readonly #file: number;
  readonly #meta: Meta;
  readonly #depth: Depth;
  /** Pages the file has room for. */
  readonly #most: number;
  /** A bit for each page that was met: one that is met twice belongs to two owners, and the next write would break one of them. */
  readonly #seen: Uint8Array;
  #pages = 0;
  #entries = 0;

  constructor(file: number, size: number, meta: Meta, depth: Depth) {
    this.#file = file;
    this.#meta = meta;
    this.#depth = depth;
    this.#most = Math.min(Math.floor(size / meta.pageBytes), meta.lastPage + 1);
    this.#seen = new Uint8Array(Math.ceil(this.#most / 8));
  }

  all(): Walked {
    const [free, main] = this.#meta.trees;
    this.#tree(free);
    this.#tree(main, (name, bytes) => this.#tree(treeAt(bytes, 0, `the table '${name}'`)));
    return { pages: this.#pages, entries: this.#entries };
  }

  #tree(tree: Tree, onTable?: (name: string, bytes: Buffer) => void): void {
    if (tree.root === undefined) return;
    const before = this.#entries;
    this.#page(tree, tree.root, tree.depth, onTable);
    const found = this.#entries - before;
    // The tables within the list of tables count for themselves.
    if (this.#depth === 'leaves' && !onTable && found !== tree.entries) throw new Damage(`${tree.name} has ${found} entries, and should have ${tree.entries}`);
  }

  #page(tree: Tree, number: number, level: number, onTable?: (name: string, bytes: Buffer) => void): void {
    const say = (problem: string) => new Damage(`page ${number} of ${tree.name} ${problem}`);
    if (level < 1) throw say('lies too deep');
    this.#meet(tree, number, 1);
    // The list of tables is small, and leads to all the others.
    if (level === 1 && this.#depth === 'branches' && !onTable) return;
    const { pageBytes, txn } = this.#meta;
    const page = Buffer.allocUnsafe(pageBytes);
    if (readSync(this.#file, page, 0, pageBytes, number * pageBytes) < pageBytes) throw say('is cut short');
    if (wordAt(page, 0) !== number) throw say('is another page');
    if (wordAt(page, 8) > txn) throw say('is newer than the last commit');
    const isLeaf = level === 1;
    if ((page.readUInt16LE(18) & (BRANCH | LEAF | OVERFLOW | META)) !== (isLeaf ? LEAF : BRANCH)) throw say(`is no ${isLeaf ? 'leaf' : 'branch'}`);
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
    if (lower > upper || upper + HEADER_BYTES > pageBytes || lower % 2 !== 0 || lower === 0) throw say('has no order');
    for (let at = HEADER_BYTES; at < HEADER_BYTES + lower; at += 2) {
      const node = page.readUInt16LE(at) + HEADER_BYTES;
      if (node < HEADER_BYTES + upper || node + NODE_BYTES > pageBytes) throw say('has an entry outside of it');
      const [low, high, flags, keyBytes] = [page.readUInt16LE(node), page.readUInt16LE(node + 2), page.readUInt16LE(node + 4), page.readUInt16LE(node + 6)];
      const data = node + NODE_BYTES + keyBytes;
      if (!isLeaf) {
        if (data > pageBytes) throw say('has an entry that is too long');
        this.#page(tree, low + high * 2 ** 16 + flags * 2 ** 32, level - 1, onTable);
        continue;
      }
      this.#entries += 1;
      if (data + ((flags & BIG_DATA) !== 0 ? 24 : low + high * 2 ** 16) > pageBytes) throw say('has an entry that is too long');
      if ((flags & BIG_DATA) !== 0) this.#overflow(tree, wordAt(page, data), wordAt(page, data + 16), low + high * 2 ** 16);
      else if (onTable && (flags & SUB_DATA) !== 0) {
        if (low + high * 2 ** 16 !== DB_BYTES) throw say('has a table that is none');
        onTable(page.toString('latin1', node + NODE_BYTES, data).replaceAll('\0', ''), page.subarray(data, data + DB_BYTES));
      }
    }
  }

  #overflow(tree: Tree, number: number, pages: number, bytes: number): void {
    const { pageBytes } = this.#meta;
    if (pages * pageBytes - HEADER_BYTES < bytes) throw new Damage(`page ${number} of ${tree.name} is too small for what it holds`);
    this.#meet(tree, number, pages);
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    readSync(this.#file, header, 0, HEADER_BYTES, number * pageBytes);
    if (wordAt(header, 0) !== number || (header.readUInt16LE(18) & OVERFLOW) === 0) throw new Damage(`page ${number} of ${tree.name} is another page`);
  }

  #meet(tree: Tree, number: number, pages: number): void {
    if (number < 2 || number + pages > this.#most || pages < 1) throw new Damage(`page ${number} of ${tree.name} is missing: the file has ${this.#most}`);
    for (let page = number; page < number + pages; page += 1) {
      const [byte, bit] = [page >> 3, 1 << (page & 7)];
      if (((this.#seen[byte] ?? 0) & bit) !== 0) throw new Damage(`page ${page} of ${tree.name} is in use twice`);
      this.#seen[byte] = (this.#seen[byte] ?? 0) | bit;
    }
    this.#pages += pages;
  }
}
