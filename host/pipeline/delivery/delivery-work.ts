// Works the head of a delivery lane: takes an outbound message, or the next piece of it, through the outbound stages and says whether it is done, goes on, is tried again, or is dead.
import type { ConversationId, InstanceId } from '../../../schemas/ids.ts';
import type { Clock } from '../../clock.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { problemOf, type ErrorCode } from '../../errors.ts';
import type { Ids } from '../../ids.ts';
import type { Log } from '../../log.ts';
import type { Gateway } from '../../outbound/gateway.ts';
import type { Verdict as LaneVerdict } from '../../store/lanes.ts';
import { put, type Store } from '../../store/store.ts';
import { deliveries, messages, type DeliveryProgress, type MessageRow } from '../../store/tables.ts';
import type { Tracing } from '../../tracing.ts';
import type { DeliveryContext, Offered } from '../context.ts';
import { bury } from '../letters/dead-letters.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { expiry, isExpired } from '../expiry.ts';
import type { QueueModes } from '../lanes/queue-modes.ts';
import { runStages } from '../run-stages.ts';
import { onMessage } from '../message-span.ts';
import type { Stage } from '../stage.ts';
import { boundedRecord, MOST_FAILURES, rememberTry } from '../tries.ts';

/** Why a delivery is given up. */
interface Hopeless {
  readonly code: ErrorCode;
  readonly problem: string;
}

/** How soon a burial that the store could not take is tried again. */
const BURY_AGAIN_MS = 5000;

export interface DeliveryItem {
  readonly messageId: string;
  readonly instance: InstanceId;
  readonly conversation: ConversationId;
  readonly attempts: number;
  readonly failures?: number;
  readonly progress?: DeliveryProgress;
  /** Epoch milliseconds since when it waits, where that is not the moment in its id. */
  readonly sinceMs?: number;
  /** When this host found it in the store: epoch milliseconds, the same for all. What the host before it did with it, nobody knows. */
  readonly recoveredAtMs?: number;
  /** The channel has taken it and only the settling failed: what the channel wrote then, still to be committed. */
  readonly sent?: readonly CallScope[];
  /** A piece of it is sent and `progress` says so, which is still to be written down, with what the channel wrote then. */
  readonly owed?: readonly CallScope[];
  /** It was given up, and the store could not take that yet. */
  readonly hopeless?: Hopeless;
  /** The turn it was given, in monotonic milliseconds. */
  readonly turnAtMs?: number;
  readonly row?: MessageRow;
  /** What the channel said to it before it was stored. */
  readonly offered?: Offered;
}

export interface DeliveryWorkParts {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly writes: Pick<PluginWrites, 'of' | 'withoutFrozen'>;
  readonly gateway: Pick<Gateway, 'notYet' | 'rest'>;
  readonly modes: Pick<QueueModes, 'policyFor'>;
  readonly stages: readonly Stage<DeliveryContext>[];
  /** Told when a delivery became a dead letter. */
  onDead(row: MessageRow): void;
}

export class DeliveryWork {
  readonly #parts: DeliveryWorkParts;

  constructor(parts: DeliveryWorkParts) {
    this.#parts = parts;
  }

  async work({ owed, ...item }: DeliveryItem): Promise<LaneVerdict<DeliveryItem>> {
    const { store, clock, gateway } = this.#parts;
    // Before anything else is sent: a host that dies now repeats nothing that is sent already.
    if (owed) await this.#keep(item, owed);
    const wait = item.sent ? undefined : gateway.notYet(item);
    if (wait) return { retryAtMs: clock.now() + wait.waitMs, item: { ...item, ...(wait.turnAtMs === undefined ? {} : { turnAtMs: wait.turnAtMs }) } };
    const key = deliveries.key(item.messageId);
    const row = item.row ?? (await store.get(messages, messages.key(item.messageId)))?.value;
    if (!row) {
      this.#parts.log.error({ messageId: item.messageId, instance: item.instance }, 'a delivery has no message');
      await store.commit({ remove: [{ table: deliveries, key }] });
      return 'done';
    }
    const scopes: CallScope[] = [...(item.sent ?? [])];
    const context = contextOf(item, row, scopes);
    if (item.recoveredAtMs !== undefined && item.sent === undefined) {
      const { maxAgeMs } = this.#parts.modes.policyFor(row);
      const since = item.sinceMs ?? item.messageId;
      if (isExpired(item.recoveredAtMs, since, maxAgeMs)) {
        context.stages.push({ stage: 'lane', decision: 'expired', durationMs: 0 });
        return await this.#bury(item, row, context, expiry(item.recoveredAtMs, since, maxAgeMs), item.attempts);
      }
    }
    if (item.hopeless) return await this.#bury(item, row, context, item.hopeless, item.attempts);
    const verdict = await onMessage(this.#parts.tracing, 'send', context, () => runStages(this.#parts.stages, context, this.#parts));
    if (verdict.decision === 'pass') return 'done';
    if (verdict.decision === 'more') return { retryAtMs: clock.now(), item: goingOn(item, row, context) };
    if (!context.sent) for (const scope of scopes) scope.release();
    const attempts = item.attempts + 1;
    const failures = (item.failures ?? 0) + (verdict.decision === 'retry' && verdict.blame ? 1 : 0);
    if (verdict.decision === 'retry' && (context.sent || failures < MOST_FAILURES)) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: boundedRecord(context.stages) };
      const { messageId, instance, conversation } = item;
      const tried = { instance, conversation, attempts, failures, ...(item.sinceMs !== undefined && { sinceMs: item.sinceMs }), ...progressOf(context) };
      const rest = context.restMs === undefined ? undefined : gateway.rest(instance, conversation, context.restMs);
      await rememberTry(this.#parts, [put(deliveries, key, { ...tried, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried), ...(rest ? [rest] : [])]);
      return { retryAtMs, item: { messageId, ...tried, ...(context.sent ? { sent: scopes } : {}) } };
    }
    const { code, problem } = verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict : { code: 'DELIVERY_FAILED' as const, problem: 'the delivery was refused' };
    return await this.#bury(item, row, context, { code, problem }, attempts);
  }

  /** What it has done stays done when the letter is replayed. `row` is the stored message: what shape made of it for this channel is not what was said. */
  async #bury({ messageId, instance, conversation, sinceMs }: DeliveryItem, row: MessageRow, context: DeliveryContext, hopeless: Hopeless, attempts: number): Promise<LaneVerdict<DeliveryItem>> {
    const { code, problem } = hopeless;
    const { stages } = context;
    const progress = progressOf(context);
    const { done, pieces, remoteIds, failed } = progress.progress ?? {};
    const work = { kind: 'deliver' as const, ...(done && { done }), ...(pieces && { pieces }), ...(remoteIds && { remoteIds }), ...(failed && { failed }) };
    try {
      const dead = await bury(this.#parts, [{ row, work, waiting: { table: deliveries, key: deliveries.key(row.id) }, stages, code, problem, attempts }]);
      for (const each of dead) this.#parts.onDead(each);
      return 'done';
    } catch (error) {
      // A store that cannot take it now: only the burial is tried again, for what was sent must not be sent because of it.
      this.#parts.log.warn({ messageId, code, err: problemOf(error) }, 'a delivery that is given up could not be written down');
      return { retryAtMs: this.#parts.clock.now() + BURY_AGAIN_MS, item: { messageId, instance, conversation, attempts, ...(sinceMs !== undefined && { sinceMs }), ...progress, row: { ...row, stages: boundedRecord(stages) }, hopeless } };
    }
  }

  async #keep({ messageId, instance, conversation, attempts, sinceMs, progress }: DeliveryItem, scopes: readonly CallScope[]): Promise<void> {
    const { store, writes } = this.#parts;
    const carried = await writes.of(writes.withoutFrozen(scopes));
    const written = carried?.rows();
    let committed = false;
    try {
      const row = put(deliveries, deliveries.key(messageId), { instance, conversation, attempts, ...(sinceMs !== undefined && { sinceMs }), ...(progress ? { progress } : {}) });
      const result = await store.commit({ put: [row, ...(written?.put ?? [])], remove: written?.remove ?? [] });
      committed = result === 'committed';
    } finally {
      carried?.done(committed);
    }
  }
}

function contextOf(item: DeliveryItem, row: MessageRow, scopes: CallScope[]): DeliveryContext {
  const { done = [], remote = 0, postponed = 0, limited = 0, doubtful, pieces, remoteIds = [], failed } = item.progress ?? {};
  return {
    messageId: row.id,
    row,
    attempts: item.attempts,
    failures: item.failures ?? 0,
    remote,
    postponed,
    limited,
    done: new Set(done),
    limits: pieces?.limits,
    piece: pieces?.sent ?? 0,
    remoteIds: [...remoteIds],
    isDoubtful: item.recoveredAtMs !== undefined || doubtful === true || failed?.class === 'unknown',
    offered: item.offered,
    sent: item.sent !== undefined || (pieces !== undefined && pieces.sent >= pieces.of),
    stages: [...row.stages],
    scopes,
  };
}

/** The next piece has all its tries before it, and nothing of it is done. The row is the one that is stored: what shape made of it for this channel is made again. */
function goingOn({ messageId, instance, conversation, sinceMs }: DeliveryItem, stored: MessageRow, context: DeliveryContext): DeliveryItem {
  const { pieces, remoteIds } = progressOf(context).progress ?? {};
  const row: MessageRow = { ...stored, stages: boundedRecord(context.stages) };
  return { messageId, instance, conversation, attempts: 0, ...(sinceMs !== undefined && { sinceMs }), progress: { ...(pieces && { pieces }), ...(remoteIds && { remoteIds }) }, owed: context.scopes, row };
}

/** Written with every try, so that a restart repeats nothing that a try has finished; only the actions of a try in which the host dies are performed again. */
function progressOf({ done, remote, postponed, limited, isDoubtful, pieces, piece, limits, remoteIds, failed }: DeliveryContext): { readonly progress?: DeliveryProgress } {
  const progress: DeliveryProgress = {
    ...(done.size > 0 ? { done: [...done] } : {}),
    ...(remote > 0 ? { remote } : {}),
    ...(postponed > 0 ? { postponed } : {}),
    ...(limited > 0 ? { limited } : {}),
    ...(isDoubtful || failed?.class === 'unknown' ? { doubtful: true as const } : {}),
    ...(piece > 0 && pieces && limits ? { pieces: { sent: piece, of: pieces.length, limits } } : {}),
    ...(remoteIds.length > 0 ? { remoteIds } : {}),
    ...(failed ? { failed } : {}),
  };
  return Object.keys(progress).length > 0 ? { progress } : {};
}
