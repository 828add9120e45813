// What is learned of a message besides itself, and rides in the commit that accepts it: where people can be reached, and which places there are.
import type { Put } from '../store/store.ts';

/** Rows about to be written, held until their commit has ended. */
export interface Noting extends Disposable {
  /** Right before the commit, without awaiting in between. Empty when nothing new is known. */
  rows(): readonly Put[];
  /** Once the commit has ended: whether it was made. */
  done(committed: boolean): void;
}
