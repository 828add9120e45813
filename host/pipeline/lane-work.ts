// Works the head of a lane: takes an accepted message through the lane stages and says whether it is done, tried again, or dead.
import { toTimestamp, type Clock } from '../clock.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Verdict as LaneVerdict } from '../store/lanes.ts';
import { put, type Put, type Store } from '../store/store.ts';
import { deadLetters, lanes, messages, type DeadLetterRow, type MessageRow, type SessionRow } from '../store/tables.ts';
import { messageOf, type LaneContext } from './context.ts';
import { runStages } from './run-stages.ts';
import type { SessionBook } from './sessions.ts';
import type { Stage } from './stage.ts';

/** What waits in a lane. A fresh message brings its row; a recovered one is read when its turn comes. */
export interface LaneItem {
  /** Last part of its key in the table of lanes. */
  readonly place: string;
  readonly messageId: string;
  readonly attempts: number;
  readonly failures?: number;
  readonly row?: MessageRow;
  readonly session?: SessionRow;
}

export interface LaneWorkParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly book: SessionBook;
  readonly stages: readonly Stage<LaneContext>[];
}

export class LaneWork {
  readonly #parts: LaneWorkParts;

  constructor(parts: LaneWorkParts) {
    this.#parts = parts;
  }

  async work(item: LaneItem, sessionKey: string): Promise<LaneVerdict<LaneItem>> {
    const { store, clock, book } = this.#parts;
    const row = item.row ?? (await store.get(messages, messages.key(item.messageId)))?.value;
    if (!row) {
      this.#parts.log.error({ messageId: item.messageId }, 'a lane entry has no message');
      await store.commit({ remove: [{ table: lanes, key: lanes.key(item.place) }] });
      return 'done';
    }
    const scopes: CallScope[] = [];
    const context: LaneContext = {
      messageId: row.id,
      instance: row.instance,
      row,
      message: messageOf(row),
      session: item.session ?? (await book.get(sessionKey, clock.now())),
      sessionKey,
      place: item.place,
      attempts: item.attempts,
      failures: item.failures ?? 0,
      stages: [...row.stages],
      scopes,
      replies: [],
      refused: 0,
    };
    const verdict = await runStages(this.#parts.stages, context, this.#parts);
    if (verdict.decision === 'pass') return 'done';
    for (const scope of scopes) scope.release();
    const attempts = item.attempts + 1;
    const failures = (item.failures ?? 0) + (verdict.decision === 'retry' && verdict.blame ? 1 : 0);
    if (verdict.decision === 'retry' && failures < MOST_FAILURES) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: bounded(context.stages) };
      await rememberTry(this.#parts, [put(lanes, lanes.key(context.place), { sessionKey, messageId: row.id, attempts, failures, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried)]);
      return { retryAtMs, item: { place: item.place, messageId: item.messageId, attempts, failures } };
    }
    const code = verdict.decision === 'give-up' || verdict.decision === 'refuse' || verdict.decision === 'retry' ? verdict.code : 'INTERNAL';
    const reason = verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict.problem : new GatehouseError(code).message;
    await this.#bury(row, sessionKey, context, { code, reason, attempts });
    return 'done';
  }

  async #bury(row: MessageRow, sessionKey: string, context: LaneContext, { code, reason, attempts }: { code: string; reason: string; attempts: number }): Promise<void> {
    const { store, ids, clock } = this.#parts;
    const letter: DeadLetterRow = {
      id: ids.next(),
      messageId: row.id,
      instance: row.instance,
      conversation: row.conversation,
      direction: 'inbound',
      work: { kind: 'respond', sessionKey },
      stage: context.stages.at(-1)?.stage ?? 'respond',
      code,
      reason: reason.slice(0, 1000),
      attempts,
      at: toTimestamp(clock.now()),
    };
    await store.commit({
      put: [put(deadLetters, deadLetters.key(letter.id), letter), put(messages, messages.key(row.id), { ...row, outcome: 'dead-lettered', code, stages: bounded(context.stages) })],
      remove: [{ table: lanes, key: lanes.key(context.place) }],
    });
    publish('dead-letter.created', { id: letter.id, messageId: row.id, instance: row.instance, stage: letter.stage, code });
    publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'inbound', outcome: 'dead-lettered', code });
  }
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
export function bounded(stages: MessageRow['stages']): MessageRow['stages'] {
  return stages.length <= 150 ? stages : stages.slice(-150);
}
