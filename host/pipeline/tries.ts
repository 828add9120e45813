// How often work is tried again, and when it is given up. Stages that call plugins decide by it; lane-work.ts and delivery-work.ts keep the count.
import { problemOf, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { backoffMs } from '../outbound/retry.ts';
import type { Put, Store } from '../store/store.ts';
import type { MessageRow } from '../store/tables.ts';
import type { Verdict } from './stage.ts';

/** So many tries, with waits that double from `firstMs` to `mostMs`. `blame`: a try that ends under this policy failed in the work itself. */
export interface TryPolicy {
  readonly attempts: number;
  readonly firstMs: number;
  readonly mostMs: number;
  readonly blame: boolean;
}

/** Tries before this one, and those of them that were blamed on the work. */
export interface Tried {
  readonly attempts: number;
  readonly failures: number;
}

/** Each kind of trouble counts its own tries: time spent waiting for a plugin leaves a message all its chances. */
export function tryAgain({ attempts, failures }: Tried, policy: TryPolicy, { code, instance, problem }: { readonly code: ErrorCode; readonly instance: string; readonly problem: string }): Verdict {
  const tries = (policy.blame ? failures : attempts - failures) + 1;
  if (tries >= policy.attempts) return { decision: 'give-up', code, fields: { instance, attempts: tries, problem }, problem };
  return { decision: 'retry', afterMs: backoffMs(tries, policy.firstMs, policy.mostMs), code, problem, blame: policy.blame };
}

/** No work is tried more often than this, whatever a stage says: a defect must not wedge a lane for good. */
export const MOST_FAILURES = 20;

/** Writes down that a try was made. A store that cannot take it forgets the count with a restart, and the work goes on. */
export async function rememberTry({ store, log }: { readonly store: Store; readonly log: Log }, rows: readonly Put[]): Promise<void> {
  try {
    await store.commit({ put: rows });
  } catch (error) {
    log.warn({ err: problemOf(error) }, 'a try could not be written down');
  }
}

/** Tries leave records; the oldest go when there are too many for the row. */
export function boundedRecord(stages: MessageRow['stages']): MessageRow['stages'] {
  return stages.length <= 150 ? stages : stages.slice(-150);
}
