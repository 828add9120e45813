// What is remembered of trust beyond the files: what was ever revoked, the newest list of each issuer, and which key introduced which. Kept by registry/remembered-trust.ts, asked at every look.
import type { RememberedList, SignedList } from './revocation-lists.ts';
import type { Revocation } from './revocation.ts';
import type { RememberedSuccession, Succession } from './successions.ts';

export type RememberedRevocation = Revocation & {
  readonly at: string;
  /** `file`, `list:<issuer>`, or who asked. */
  readonly by: string;
};

export interface TrustMemory {
  /** By `revocationId`. */
  readonly revocations: ReadonlyMap<string, RememberedRevocation>;
  list(issuer: string): RememberedList | undefined;
  succession(oldKeyid: string): RememberedSuccession | undefined;
}

/** What a look found that is to be remembered before anything of it is taken up. */
export interface Learned {
  readonly revocations: readonly RememberedRevocation[];
  readonly lists: readonly SignedList[];
  readonly successions: readonly Succession[];
}

/** Where no store is at hand: files alone. */
export const NO_MEMORY: TrustMemory = { revocations: new Map(), list: () => undefined, succession: () => undefined };
