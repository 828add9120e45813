// Row versions that are never used twice: a durable epoch in the upper bits, a counter in memory below. `lmdb.ts` draws one per commit.

/** How many versions one epoch holds; 2^21 epochs then fit into a safe integer. */
export const VERSIONS_PER_EPOCH = 2 ** 32;

/** `claimEpoch` must make a greater number durable than it ever returned before; called at once, and again whenever an epoch is used up. */
export function createVersions(claimEpoch: () => number, perEpoch = VERSIONS_PER_EPOCH): () => number {
  let next = claimEpoch() * perEpoch;
  let end = next + perEpoch;
  return () => {
    if (next === end) {
      next = claimEpoch() * perEpoch;
      end = next + perEpoch;
    }
    return next++;
  };
}
