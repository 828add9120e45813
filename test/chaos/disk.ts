// What the disk under a struck host does to the next commits. strike.ts sets it, faulty-store.ts obeys it.

export const disk = {
  /** So many commits are refused. */
  refuse: 0,
  /** So many commits are slow. */
  slow: 0,
  slowMs: 0,
  /** Whether they hang before anything is on disk, or when everything is and nobody has been told. */
  slowBefore: false,
};
