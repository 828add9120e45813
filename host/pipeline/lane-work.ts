// Works the head of a lane: takes an accepted message through the lane stages and says whether it is done, tried again, or dead.
import type { Clock } from '../clock.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { GatehouseError } from '../errors.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Turn } from '../store/fair-turns.ts';
import type { Verdict as LaneVerdict } from '../store/lanes.ts';
import { put, type Store } from '../store/store.ts';
import { lanes, messages, type MessageRow, type SessionRow } from '../store/tables.ts';
import { messageOf, type LaneContext } from './context.ts';
import { bury } from './dead-letters.ts';
import { runStages } from './run-stages.ts';
import type { SessionBook } from './sessions.ts';
import type { Stage } from './stage.ts';
import { turnOf } from './turns.ts';
import { boundedRecord, MOST_FAILURES, rememberTry } from './tries.ts';

/** What waits in a lane. A fresh message brings its row; a recovered one is read when its turn comes. */
export interface LaneItem {
  /** Last part of its key in the table of lanes. */
  readonly place: string;
  readonly messageId: string;
  readonly attempts: number;
  readonly failures?: number;
  /** A command of the host, beside the lane. */
  readonly aside?: true;
  readonly row?: MessageRow;
  readonly session?: SessionRow;
  /** Among whom its lane takes turns; of a recovered message nobody's in particular. */
  readonly turn?: Turn;
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
      const retried: MessageRow = { ...row, stages: boundedRecord(context.stages) };
      await rememberTry(this.#parts, [put(lanes, lanes.key(context.place), { sessionKey, messageId: row.id, attempts, failures, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried)]);
      return { retryAtMs, item: { place: item.place, messageId: item.messageId, attempts, failures, turn: turnOf(row) } };
    }
    const code = verdict.decision === 'give-up' || verdict.decision === 'refuse' || verdict.decision === 'retry' ? verdict.code : 'INTERNAL';
    const problem = verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict.problem : new GatehouseError(code).message;
    await bury(this.#parts, { row, work: { kind: 'respond', sessionKey }, waiting: { table: lanes, key: lanes.key(item.place) }, stages: context.stages, code, problem, attempts });
    return 'done';
  }
}
