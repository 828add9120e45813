// Which envelopes the second signature implementation has confirmed before, so that it is asked once for each and not at every start. Used by registry.ts.
import { toTimestamp, type Clock } from '../clock.ts';
import { put, type Store } from '../store/store.ts';
import { verifications } from '../store/tables.ts';

export interface SecondOpinions {
  known(digest: string): boolean;
  remember(digest: string): void;
  /** Keeps what was asked for since opening, and forgets the rest. */
  save(): Promise<void>;
}

export async function openSecondOpinions(store: Store, clock: Clock): Promise<SecondOpinions> {
  const stored = new Set((await store.range(verifications, verifications.prefix())).map(({ key }) => String(key[0])));
  const asked = new Set<string>();
  return {
    known(digest) {
      if (stored.has(digest)) asked.add(digest);
      return stored.has(digest);
    },
    remember(digest) {
      asked.add(digest);
    },
    async save() {
      const verifiedAt = toTimestamp(clock.now());
      const added = [...asked].filter((digest) => !stored.has(digest));
      const dropped = [...stored].filter((digest) => !asked.has(digest));
      if (added.length + dropped.length === 0) return;
      await store.commit({ put: added.map((digest) => put(verifications, verifications.key(digest), { verifiedAt })), remove: dropped.map((digest) => ({ table: verifications, key: verifications.key(digest) })) });
    },
  };
}
