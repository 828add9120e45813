// Runs the stages of one list in order, times each into the message's record, and turns a defect into the stage's declared failure.
import type { StageRecord } from '../../schemas/message.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { hasListeners, publish } from '../events.ts';
import type { Log } from '../log.ts';
import { doing, spanned } from '../tracing.ts';
import { failedBy } from './message-span.ts';
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

const RETRY_AFTER_FAULT_MS = 1000;
const REPORT_SLOW_EVERY_MS = 10_000;

const slowReportedAt = new WeakMap<Stage<never>, number>();

/** The first verdict that is not `pass`, or `pass` when all stages passed. */
export async function runStages<Context extends Recorded>(stages: readonly Stage<Context>[], context: Context, { clock, log }: RunParts): Promise<Verdict> {
  for (const stage of stages) {
    if (stage.concerns && !stage.concerns(context)) continue;
    const startedAt = clock.monotonicMs();
    let verdict: Verdict;
    try {
      const running = doing()?.span ? inSpan(stage, context) : stage.run(context);
      verdict = running instanceof Promise ? await running : running;
    } catch (error) {
      log.error({ stage: stage.name, messageId: context.messageId, err: problemOf(error) }, 'a stage failed');
      verdict = failureOf(stage.onFailure, error);
    }
    const durationMs = Math.round((clock.monotonicMs() - startedAt) * 1000) / 1000;
    context.stages.push(recordOf(stage.name, verdict, durationMs));
    if (durationMs > stage.budgetMs) reportSlow(stage, durationMs, startedAt, log);
    if (hasListeners('message.stage')) publish('message.stage', { messageId: context.messageId, stage: stage.name, decision: verdict.decision, durationMs });
    if (verdict.decision !== 'pass') return verdict;
  }
  return PASS;
}

const inSpan = <Context>(stage: Stage<Context>, context: Context) => spanned(`stage ${stage.name}`, 'internal', () => ({ 'gatehouse.stage': stage.name }), () => stage.run(context), failedBy);

/** A store that cannot commit is nobody's fault and passes; everything else here is a defect. What it says stays in the log. */
function failureOf(onFailure: 'refuse' | 'retry', error: unknown): Verdict {
  const code = error instanceof GatehouseError && error.row.retryable ? error.code : 'INTERNAL';
  if (onFailure === 'retry') return { decision: 'retry', afterMs: RETRY_AFTER_FAULT_MS, code, problem: problemOf(error), blame: code === 'INTERNAL' };
  return { decision: 'refuse', code, fields: {} };
}

function reportSlow(stage: Stage<never>, durationMs: number, nowMs: number, log: Log): void {
  if (nowMs - (slowReportedAt.get(stage) ?? Number.NEGATIVE_INFINITY) < REPORT_SLOW_EVERY_MS) return;
  slowReportedAt.set(stage, nowMs);
  log.warn({ stage: stage.name, durationMs, budgetMs: stage.budgetMs }, 'a stage took longer than its budget');
}

function recordOf(stage: string, verdict: Verdict, durationMs: number): StageRecord {
  switch (verdict.decision) {
    case 'pass':
      return verdict.note === undefined ? { stage, decision: 'pass', durationMs } : { stage, decision: 'pass', reason: verdict.note, durationMs };
    case 'ignore':
      return { stage, decision: 'ignore', reason: verdict.code, durationMs };
    case 'refuse':
      return { stage, decision: 'deny', reason: verdict.reason ?? verdict.code, durationMs };
    case 'retry':
    case 'give-up':
      return { stage, decision: verdict.decision, reason: verdict.code, durationMs };
    case 'more':
    case 'duplicate':
    case 'held':
      return { stage, decision: verdict.decision, durationMs };
    default:
      return verdict satisfies never;
  }
}
