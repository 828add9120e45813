// Works the head of a delivery lane: takes an outbound message through the outbound stages and says whether it is done, tried again, or dead.
import type { Clock } from '../clock.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Verdict as LaneVerdict } from '../store/lanes.ts';
import { put, type Store } from '../store/store.ts';
import { deliveries, messages, type DeliveryProgress, type MessageRow } from '../store/tables.ts';
import type { DeliveryContext, Offered } from './context.ts';
import { bury } from './dead-letters.ts';
import { runStages } from './run-stages.ts';
import type { Stage } from './stage.ts';
import { boundedRecord, MOST_FAILURES, rememberTry } from './tries.ts';

export interface DeliveryItem {
  readonly messageId: string;
  readonly instance: string;
  readonly conversation: string;
  readonly attempts: number;
  readonly failures?: number;
  readonly progress?: DeliveryProgress;
  /** The channel has taken it and only the settling failed: what the channel wrote then, still to be committed. */
  readonly sent?: readonly CallScope[];
  readonly row?: MessageRow;
  /** What the channel said to it before it was stored. */
  readonly offered?: Offered;
}

export interface DeliveryWorkParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly stages: readonly Stage<DeliveryContext>[];
  /** Told when a delivery became a dead letter. */
  onDead(row: MessageRow): void;
}

export class DeliveryWork {
  readonly #parts: DeliveryWorkParts;

  constructor(parts: DeliveryWorkParts) {
    this.#parts = parts;
  }

  async work(item: DeliveryItem): Promise<LaneVerdict<DeliveryItem>> {
    const { store, clock } = this.#parts;
    const key = deliveries.key(item.messageId);
    const row = item.row ?? (await store.get(messages, messages.key(item.messageId)))?.value;
    if (!row) {
      this.#parts.log.error({ messageId: item.messageId, instance: item.instance }, 'a delivery has no message');
      await store.commit({ remove: [{ table: deliveries, key }] });
      return 'done';
    }
    const scopes: CallScope[] = [...(item.sent ?? [])];
    const { done = [], remote = 0, postponed = 0 } = item.progress ?? {};
    const context: DeliveryContext = { messageId: row.id, row, attempts: item.attempts, failures: item.failures ?? 0, remote, postponed, done: new Set(done), offered: item.offered, sent: item.sent !== undefined, stages: [...row.stages], scopes };
    const verdict = await runStages(this.#parts.stages, context, this.#parts);
    if (verdict.decision === 'pass') return 'done';
    if (!context.sent) for (const scope of scopes) scope.release();
    const attempts = item.attempts + 1;
    const failures = (item.failures ?? 0) + (verdict.decision === 'retry' && verdict.blame ? 1 : 0);
    if (verdict.decision === 'retry' && (context.sent || failures < MOST_FAILURES)) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: boundedRecord(context.stages) };
      const { messageId, instance, conversation } = item;
      const tried = { instance, conversation, attempts, failures, ...progressOf(context) };
      await rememberTry(this.#parts, [put(deliveries, key, { ...tried, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried)]);
      return { retryAtMs, item: { messageId, ...tried, ...(context.sent ? { sent: scopes } : {}) } };
    }
    const { code, problem } = verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict : { code: 'DELIVERY_FAILED' as const, problem: 'the delivery was refused' };
    const work = { kind: 'deliver' as const, ...(context.done.size > 0 ? { done: [...context.done] } : {}) };
    this.#parts.onDead(await bury(this.#parts, { row, work, waiting: { table: deliveries, key }, stages: context.stages, code, problem, attempts }));
    return 'done';
  }
}

/** Written with every try, so that a restart repeats nothing that a try has finished; only the actions of a try in which the host dies are performed again. */
function progressOf({ done, remote, postponed }: DeliveryContext): { readonly progress?: DeliveryProgress } {
  if (done.size === 0 && remote === 0 && postponed === 0) return {};
  return { progress: { ...(done.size > 0 ? { done: [...done] } : {}), ...(remote > 0 ? { remote } : {}), ...(postponed > 0 ? { postponed } : {}) } };
}
