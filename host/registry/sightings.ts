// When this host first saw each release: what `trust.minimumReleaseAgeHours` counts from. Opened by registry.ts, which writes it, and read by `check`.
import { put, type Store } from '../store/store.ts';
import { sightings } from '../store/tables.ts';

export interface Sightings {
  /** Epoch milliseconds; a release that was never seen is seen now. */
  see(packageDigest: string): number;
}

export interface KeptSightings extends Sightings {
  /** Writes what was new since. */
  save(): Promise<void>;
}

/** More than a home ever holds. Beyond it the oldest go; a release that comes back after that counts as new, which only makes it wait. */
const MOST = 10_000;

/** Nothing was ever seen: as a first start finds it. */
export const noSightings = (now: number): Sightings => ({ see: () => now });

export async function openSightings(store: Store, now: () => number): Promise<KeptSightings> {
  const known = new Map((await store.range(sightings, sightings.prefix())).map(({ key, value }) => [String(key[0]), value.firstSeenMs]));
  const unwritten = new Set<string>();
  return {
    see(packageDigest) {
      const firstSeenMs = known.get(packageDigest) ?? now();
      if (!known.has(packageDigest)) unwritten.add(packageDigest);
      known.set(packageDigest, firstSeenMs);
      return firstSeenMs;
    },
    async save() {
      if (unwritten.size === 0) return;
      const fresh = [...unwritten];
      const oldest = [...known].filter(([digest]) => !unwritten.has(digest)).sort(([, a], [, b]) => a - b).slice(0, Math.max(0, known.size - MOST));
      await store.commit({
        put: fresh.map((digest) => put(sightings, sightings.key(digest), { firstSeenMs: known.get(digest) ?? now() })),
        remove: oldest.map(([digest]) => ({ table: sightings, key: sightings.key(digest) })),
      });
      for (const digest of fresh) unwritten.delete(digest);
      for (const [digest] of oldest) known.delete(digest);
    },
  };
}
