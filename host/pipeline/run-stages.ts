// Runs the stages of one list in order, times each into the message's record, and turns a defect into the stage's declared failure.
import type { StageRecord } from '../../schemas/message.ts';
import type { Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import { hasListeners, publish } from '../events.ts';
import type { Log } from '../log.ts';
import { PASS, type Stage, type Verdict } from './stage.ts';

/** What every context carries for the runner. */
export interface Recorded {
  /** The message this is about; empty until it has an id. */
  readonly messageId: string;
  readonly stages: StageRecord[];
}

export interface RunParts {
  readonly clock: Clock;
  readonly log: Log;
}

const RETRY_AFTER_DEFECT_MS = 1000;

/** The first verdict that is not `pass`, or `pass` when all stages passed. */
export async function runStages<Context extends Recorded>(stages: readonly Stage<Context>[], context: Context, { clock, log }: RunParts): Promise<Verdict> {
  for (const stage of stages) {
    const startedAt = clock.monotonicMs();
    let verdict: Verdict;
    try {
      const running = stage.run(context);
      verdict = running instanceof Promise ? await running : running;
    } catch (error) {
      log.error({ stage: stage.name, messageId: context.messageId, err: problemOf(error) }, 'a stage failed');
      verdict = failureOf(stage, error);
    }
    const durationMs = Math.round((clock.monotonicMs() - startedAt) * 1000) / 1000;
    context.stages.push(recordOf(stage.name, verdict, durationMs));
    if (hasListeners('message.stage')) publish('message.stage', { messageId: context.messageId, stage: stage.name, decision: verdict.decision, durationMs });
    if (verdict.decision !== 'pass') return verdict;
  }
  return PASS;
}

function failureOf(stage: { readonly onFailure: 'refuse' | 'retry' }, error: unknown): Verdict {
  const problem = problemOf(error);
  if (stage.onFailure === 'retry') return { decision: 'retry', afterMs: RETRY_AFTER_DEFECT_MS, code: 'INTERNAL', problem };
  return { decision: 'refuse', code: 'INTERNAL', fields: { problem } };
}

function recordOf(stage: string, verdict: Verdict, durationMs: number): StageRecord {
  switch (verdict.decision) {
    case 'pass':
      return verdict.note === undefined ? { stage, decision: 'pass', durationMs } : { stage, decision: 'pass', reason: verdict.note, durationMs };
    case 'refuse':
      return { stage, decision: 'deny', reason: verdict.reason ?? verdict.code, durationMs };
    case 'retry':
    case 'give-up':
      return { stage, decision: verdict.decision, reason: verdict.code, durationMs };
    case 'duplicate':
    case 'held':
      return { stage, decision: verdict.decision, durationMs };
    default:
      return verdict satisfies never;
  }
}
