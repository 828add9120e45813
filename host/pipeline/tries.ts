// How often work is tried again, and when it is given up. Stages that call plugins decide by it.
import type { ErrorCode } from '../errors.ts';
import { backoffMs } from '../outbound/retry.ts';
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
