// Works the head of a delivery lane: takes an outbound message through the outbound stages and says whether it is done, tried again, or dead.
import { toTimestamp, type Clock } from '../clock.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Verdict as LaneVerdict } from '../store/lanes.ts';
import { put, type Store } from '../store/store.ts';
import { deadLetters, deliveries, messages, type DeadLetterRow, type MessageRow } from '../store/tables.ts';
import type { DeliveryContext } from './context.ts';
import { bounded, MOST_FAILURES, rememberTry } from './lane-work.ts';
import { runStages } from './run-stages.ts';
import type { Stage } from './stage.ts';

export interface DeliveryItem {
  readonly messageId: string;
  readonly instance: string;
  readonly conversation: string;
  readonly attempts: number;
  readonly failures?: number;
  /** The channel has taken it and only the settling failed. */
  readonly sent?: boolean;
  readonly row?: MessageRow;
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
    const scopes: CallScope[] = [];
    const context: DeliveryContext = { messageId: row.id, row, attempts: item.attempts, failures: item.failures ?? 0, sent: item.sent ?? false, stages: [...row.stages], scopes };
    const verdict = await runStages(this.#parts.stages, context, this.#parts);
    if (verdict.decision === 'pass') return 'done';
    for (const scope of scopes) scope.release();
    const attempts = item.attempts + 1;
    const failures = (item.failures ?? 0) + (verdict.decision === 'retry' && verdict.blame ? 1 : 0);
    if (verdict.decision === 'retry' && (context.sent || failures < MOST_FAILURES)) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: bounded(context.stages) };
      await rememberTry(this.#parts, [put(deliveries, key, { instance: row.instance, conversation: row.conversation, attempts, failures, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried)]);
      const { messageId, instance, conversation } = item;
      return { retryAtMs, item: { messageId, instance, conversation, attempts, failures, sent: context.sent } };
    }
    await this.#bury(row, context, attempts, verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict.problem : 'the delivery was refused');
    return 'done';
  }

  async #bury(row: MessageRow, context: DeliveryContext, attempts: number, problem: string): Promise<void> {
    const { store, ids, clock } = this.#parts;
    const letter: DeadLetterRow = {
      id: ids.next(),
      messageId: row.id,
      instance: row.instance,
      conversation: row.conversation,
      direction: 'outbound',
      work: { kind: 'deliver' },
      stage: context.stages.at(-1)?.stage ?? 'deliver',
      code: 'DELIVERY_FAILED',
      reason: problem.slice(0, 1000),
      attempts,
      at: toTimestamp(clock.now()),
    };
    const dead: MessageRow = { ...row, outcome: 'dead-lettered', code: 'DELIVERY_FAILED', reason: letter.reason.slice(0, 500), stages: bounded(context.stages) };
    await store.commit({
      put: [put(deadLetters, deadLetters.key(letter.id), letter), put(messages, messages.key(row.id), dead)],
      remove: [{ table: deliveries, key: deliveries.key(row.id) }],
    });
    publish('dead-letter.created', { id: letter.id, messageId: row.id, instance: row.instance, stage: letter.stage, code: letter.code });
    publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'outbound', outcome: 'dead-lettered', code: letter.code });
    this.#parts.onDead(dead);
  }
}
