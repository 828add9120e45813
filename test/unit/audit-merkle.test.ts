// The Merkle tree of the log against the vectors of RFC 6962's own implementation, and against the recursive definition for every small tree.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_ROOT, Frontier, consistencyPath, inclusionPath, leafHash, nodeHash, provesConsistency, provesInclusion, subtreesOf, type Hash, type ReadSubtree } from '../../host/trust/log/merkle.ts';

/** https://github.com/google/certificate-transparency/blob/master/cpp/merkletree/merkle_tree_test.cc */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => leafHash(Buffer.from(hex, 'hex')));
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d', 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4', '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c', '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const A = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7';
const B = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e';
const C = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4';
const D = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b';
const E = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0';
const F = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a';
const root = (size: number) => ROOTS[size - 1] ?? '';

/** MTH(D[begin:end]) as RFC 6962 §2.1 writes it: nothing shared with the code under test but the two hashes. */
function mth(leaves: readonly Hash[]): Hash {
  const [only] = leaves;
  if (!only) return EMPTY_ROOT;
  if (leaves.length === 1) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

const readerOf = (leaves: readonly Hash[]): ReadSubtree => async ({ level, index }) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
const grown = (leaves: readonly Hash[]) => leaves.reduce((frontier, leaf) => frontier.append(leaf), new Frontier());
const hex = (hashes: readonly Hash[]) => hashes.map((each) => each.toString('hex'));
const some = (count: number) => Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));

describe('RFC 6962 vectors', () => {
  it('the empty tree and the eight standard leaves have the known roots', () => {
    expect(EMPTY_ROOT.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(ROOTS.map((_, at) => grown(LEAVES.slice(0, at + 1)).root().toString('hex'))).toEqual(ROOTS);
  });

  it.each([
    { index: 0, size: 1, path: [] },
    { index: 0, size: 8, path: [A, B, C] },
    { index: 5, size: 8, path: [D, E, root(4)] },
    { index: 2, size: 3, path: [root(2)] },
    { index: 1, size: 5, path: [root(1), B, D] },
  ])('entry $index of $size has the known inclusion proof', async ({ index, size, path }) => {
    expect(hex(await inclusionPath(index, size, readerOf(LEAVES)))).toEqual(path);
  });

  it.each([
    { first: 1, second: 1, path: [] },
    { first: 1, second: 8, path: [A, B, C] },
    { first: 6, second: 8, path: [F, E, root(4)] },
    { first: 2, second: 5, path: [B, D] },
  ])('$first of $second have the known consistency proof', async ({ first, second, path }) => {
    expect(hex(await consistencyPath(first, second, readerOf(LEAVES)))).toEqual(path);
  });
});

describe('the tree', () => {
  const leaves = some(70);

  it('grows to the root that the definition gives, and completes each subtree once', () => {
    const completed = new Map<string, Hash>();
    let frontier = new Frontier();
    for (const [at, leaf] of leaves.entries()) {
      frontier = frontier.append(leaf, ({ level, index, hash }) => {
        expect(completed.has(`${level}/${index}`)).toBe(false);
        completed.set(`${level}/${index}`, hash);
      });
      expect(frontier.root()).toEqual(mth(leaves.slice(0, at + 1)));
      expect(frontier.subtrees.map(({ level, index }) => ({ level, index }))).toEqual(subtreesOf(at + 1));
    }
    for (const [place, hash] of completed) {
      const [level = 0, index = 0] = place.split('/').map(Number);
      expect(hash).toEqual(mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));
    }
  });

  it('proves every entry of every tree, and with some two dozen reads in a tree of a million', async () => {
    for (const size of [1, 2, 3, 5, 8, 13, 31, 64, 70]) {
      for (let index = 0; index < size; index += 1) {
        const path = await inclusionPath(index, size, readerOf(leaves));
        expect(provesInclusion({ leaf: leaves[index] ?? EMPTY_ROOT, index, size, path, root: mth(leaves.slice(0, size)) })).toBe(true);
      }
    }
    let reads = 0;
    await inclusionPath(765_432, 1_000_000, async () => ((reads += 1), EMPTY_ROOT));
    expect(reads).toBeLessThanOrEqual(26);
  });

  it('proves that each tree is the beginning of each later one, and of no other', async () => {
    for (const second of [1, 2, 7, 8, 33, 70]) {
      for (let first = 1; first <= second; first += 1) {
        const proof = { first, second, path: await consistencyPath(first, second, readerOf(leaves)), firstRoot: mth(leaves.slice(0, first)), secondRoot: mth(leaves.slice(0, second)) };
        expect(provesConsistency(proof)).toBe(true);
        expect(provesConsistency({ ...proof, firstRoot: EMPTY_ROOT })).toBe(false);
        expect(provesConsistency({ ...proof, secondRoot: EMPTY_ROOT })).toBe(false);
        expect(provesConsistency({ ...proof, first: first === 1 ? second + 1 : first - 1 })).toBe(false);
      }
    }
  });

  it('believes no proof that was changed: other entry, other place, other size, other path', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 70 }), fc.nat(), fc.nat(), async (size, pick, change) => {
        const index = pick % size;
        const path = await inclusionPath(index, size, readerOf(leaves));
        const proof = { leaf: leaves[index] ?? EMPTY_ROOT, index, size, path, root: mth(leaves.slice(0, size)) };
        const damaged = path.map((each, at) => (at === change % path.length ? Buffer.from(each.map((byte, place) => (place === change % 32 ? byte ^ 1 : byte))) : each));
        const others = [{ ...proof, leaf: nodeHash(proof.leaf, proof.leaf) }, { ...proof, index: (index + 1) % size }, { ...proof, path: damaged }, { ...proof, path: path.slice(1) }, { ...proof, path: [...path, EMPTY_ROOT] }, { ...proof, index: size }, { ...proof, index: -1 }];
        expect(others.map(provesInclusion)).toEqual(others.map(() => false));
      }),
      { numRuns: 60 },
    );
  });

  it('never takes an entry for a node: the entry that spells two hashes has another leaf', () => {
    const [left, right] = some(2);
    expect(leafHash(Buffer.concat([left ?? EMPTY_ROOT, right ?? EMPTY_ROOT]))).not.toEqual(nodeHash(left ?? EMPTY_ROOT, right ?? EMPTY_ROOT));
  });
});
