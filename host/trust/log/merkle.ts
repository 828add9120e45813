// The Merkle tree of RFC 6962 §2.1: hashes, the frontier that grows, proofs of inclusion and consistency and how they are checked. Pure; used by everything in this folder.
import { hash } from 'node:crypto';

/** 32 bytes. */
export type Hash = Buffer;

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** MTH({}) */
export const EMPTY_ROOT: Hash = sha256(Buffer.alloc(0));

/** The prefixes keep leaves and nodes apart: without them, two hashes side by side could pass for an entry. */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(Buffer.concat([LEAF, entry]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Hash {
  return sha256(Buffer.concat([NODE, left, right]));
}

/** A complete subtree: at `level` it covers 2^level leaves, the `index`-th such run from the left. */
export interface Place {
  readonly level: number;
  readonly index: number;
}

export interface Subtree extends Place {
  readonly hash: Hash;
}

/** The complete subtrees that a tree of this size consists of, largest first: one for each bit that is set. */
export function subtreesOf(size: number): Place[] {
  const found: Place[] = [];
  let covered = 0;
  for (let level = Math.floor(Math.log2(Math.max(1, size))); level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - covered < width) continue;
    found.push({ level, index: covered / width });
    covered += width;
  }
  return found;
}

/** The right edge of a growing tree: all that is needed to append to it and to know its root. A value; `append` returns the next one. */
export class Frontier {
  readonly size: number;
  /** Complete subtrees, largest first. */
  readonly subtrees: readonly Subtree[];

  constructor(size = 0, subtrees: readonly Subtree[] = []) {
    this.size = size;
    this.subtrees = subtrees;
  }

  /** `onComplete` is told of every subtree of two or more leaves that this completes, smallest first. */
  append(leaf: Hash, onComplete?: (subtree: Subtree) => void): Frontier {
    const subtrees = [...this.subtrees];
    let added: Subtree = { level: 0, index: this.size, hash: leaf };
    for (let last = subtrees.at(-1); last?.level === added.level; last = subtrees.at(-1)) {
      subtrees.pop();
      added = { level: last.level + 1, index: last.index / 2, hash: nodeHash(last.hash, added.hash) };
      onComplete?.(added);
    }
    return new Frontier(this.size + 1, [...subtrees, added]);
  }

  root(): Hash {
    return joined(this.subtrees.map(({ hash }) => hash));
  }
}

/** The hash of a complete subtree; the caller promises that it is complete. */
export type ReadSubtree = (place: Place) => Promise<Hash>;

/** PATH(index, D[size]): the siblings on the way from the leaf to the root. Some two dozen reads in a million entries. */
export async function inclusionPath(index: number, size: number, read: ReadSubtree): Promise<Hash[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`there is no entry ${index} among ${size}`);
  const path: Hash[] = [];
  for (let begin = 0, end = size; end - begin > 1; ) {
    const middle = begin + largestPowerBelow(end - begin);
    if (index < middle) {
      path.push(await rangeHash(middle, end, read));
      end = middle;
    } else {
      path.push(await rangeHash(begin, middle, read));
      begin = middle;
    }
  }
  return path.reverse();
}

/** PROOF(first, D[second]): what shows that the first `first` of `second` entries are the ones that were there before. Empty when nothing needs showing. */
export async function consistencyPath(first: number, second: number, read: ReadSubtree): Promise<Hash[]> {
  if (!(first >= 0 && first <= second)) throw new RangeError(`${first} entries are not the beginning of ${second}`);
  if (first === 0 || first === second) return [];
  const path: Hash[] = [];
  let isWhole = true;
  let [begin, end] = [0, second];
  while (first !== end) {
    const middle = begin + largestPowerBelow(end - begin);
    if (first <= middle) {
      path.push(await rangeHash(middle, end, read));
      end = middle;
    } else {
      path.push(await rangeHash(begin, middle, read));
      begin = middle;
      isWhole = false;
    }
  }
  if (!isWhole) path.push(await rangeHash(begin, end, read));
  return path.reverse();
}

/** RFC 9162 §2.1.3.2: whether the path leads from this leaf, at this place in a tree of this size, to the root. */
export function provesInclusion({ leaf, index, size, path, root }: { readonly leaf: Hash; readonly index: number; readonly size: number; readonly path: readonly Hash[]; readonly root: Hash }): boolean {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

/** RFC 9162 §2.1.4.2: whether the tree of `first` entries is the beginning of the one of `second`. */
export function provesConsistency({ first, second, path, firstRoot, secondRoot }: { readonly first: number; readonly second: number; readonly path: readonly Hash[]; readonly firstRoot: Hash; readonly secondRoot: Hash }): boolean {
  if (!(Number.isSafeInteger(first) && Number.isSafeInteger(second) && first >= 0 && first <= second)) return false;
  if (first === 0) return path.length === 0 && firstRoot.equals(EMPTY_ROOT);
  if (first === second) return path.length === 0 && firstRoot.equals(secondRoot);
  const [seed, ...rest] = isPowerOfTwo(first) ? [firstRoot, ...path] : path;
  if (!seed) return false;
  let [at, last] = [first - 1, second - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  let [older, newer] = [seed, seed];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [older, newer] = [nodeHash(sibling, older), nodeHash(sibling, newer)];
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = nodeHash(newer, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && older.equals(firstRoot) && newer.equals(secondRoot);
}

/** MTH of the leaves from `begin` to before `end`, where `begin` is as RFC 6962 splits: only the right end may be ragged. */
async function rangeHash(begin: number, end: number, read: ReadSubtree): Promise<Hash> {
  const hashes: Hash[] = [];
  for (const { level, index } of subtreesOf(end - begin)) hashes.push(await read({ level, index: index + begin / 2 ** level }));
  return joined(hashes);
}

/** Subtrees side by side, largest first, as one tree. */
function joined(hashes: readonly Hash[]): Hash {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** k of RFC 6962: the largest power of two smaller than n, for n > 1. Numbers may be beyond 32 bits. */
function largestPowerBelow(count: number): number {
  const power = 2 ** Math.floor(Math.log2(count));
  return power === count ? power / 2 : power;
}

const isPowerOfTwo = (count: number) => 2 ** Math.floor(Math.log2(count)) === count;
const half = (count: number) => Math.floor(count / 2);

function sha256(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'buffer');
}
