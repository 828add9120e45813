// What a stage is, and what it may decide. Decisions are values; a stage that throws is a defect and fails by its declared policy.
import type { ErrorCode, Fields } from '../errors.ts';

/** What `run` decided. `pass` goes on to the next stage, everything else ends the run. */
export type Verdict =
  | { readonly decision: 'pass'; readonly note?: string }
  | { readonly decision: 'refuse'; readonly code: ErrorCode; readonly fields: Fields; readonly reason?: string; readonly tombstone?: boolean }
  /** Not for us: nothing is stored, and the source need not send it again. */
  | { readonly decision: 'ignore'; readonly code: ErrorCode; readonly reason: string }
  | { readonly decision: 'duplicate'; readonly messageId: string }
  | { readonly decision: 'held'; readonly messageId: string }
  /** A part of the work is done for good; the rest of it follows. */
  | { readonly decision: 'more' }
  /** `blame`: this try counts as a failure of the work itself, not of something that was merely away. */
  | { readonly decision: 'retry'; readonly afterMs: number; readonly code: ErrorCode; readonly problem: string; readonly blame: boolean }
  | { readonly decision: 'give-up'; readonly code: ErrorCode; readonly fields: Fields; readonly problem: string };

export const PASS: Verdict = { decision: 'pass' };

/** Somebody ended the run; lane-work.ts knows who, and what becomes of the message. */
export const CANCELLED: Verdict = { decision: 'retry', afterMs: 0, code: 'CALL_CANCELLED', problem: 'the run was ended', blame: false };

/** One step of the story in `pipeline.ts`. */
export interface Stage<Context> {
  readonly name: string;
  /** Time this stage normally stays within; slower runs are logged, at most once in ten seconds. Plugin deadlines inside it are the plugin's own limits. */
  readonly budgetMs: number;
  /** What an unexpected exception means: the source is told to come back (`refuse`), the work is tried again (`retry`). */
  readonly onFailure: 'refuse' | 'retry';
  /** Whether there is anything for it to do; what it has nothing to do with leaves no record. Default: always. */
  concerns?(context: Context): boolean;
  run(context: Context): Verdict | Promise<Verdict>;
}
