// Works a command of the host: answers it beside the lane of its session, one command of a session after the other. `/stop` must not be answered after what it is to stop, nor `/status` after what it is to speak of.
import type { Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import type { Ids } from '../../ids.ts';
import type { Log } from '../../log.ts';
import type { Verdict as LaneVerdict } from '../../store/lanes.ts';
import { put, type Store } from '../../store/store.ts';
import { lanes, messages, type MessageRow } from '../../store/tables.ts';
import type { Tracing } from '../../tracing.ts';
import { messageOf, type LaneContext } from '../context.ts';
import { bury } from '../letters/dead-letters.ts';
import type { LaneItem } from '../lanes/lane-work.ts';
import { runStages } from '../run-stages.ts';
import { onMessage } from '../message-span.ts';
import type { SessionBook } from '../sessions/sessions.ts';
import type { Stage } from '../stage.ts';
import { boundedRecord, MOST_FAILURES, rememberTry } from '../tries.ts';

export interface CommandWorkParts {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly book: SessionBook;
  readonly stages: readonly Stage<LaneContext>[];
}

export class CommandWork {
  readonly #parts: CommandWorkParts;

  constructor(parts: CommandWorkParts) {
    this.#parts = parts;
  }

  async work(item: LaneItem): Promise<LaneVerdict<LaneItem>> {
    const { store, clock, book, log, stages } = this.#parts;
    const { place, messageId, attempts, failures = 0 } = item;
    const row = item.row ?? (await store.get(messages, messages.key(messageId)))?.value;
    if (!row) {
      log.error({ messageId }, 'a lane entry has no message');
      await store.commit({ remove: [{ table: lanes, key: lanes.key(place) }] });
      return 'done';
    }
    const { sessionKey } = row;
    const session = item.session ?? (await book.get(sessionKey, clock.now()));
    const context: LaneContext = { messageId, instance: row.instance, row, message: messageOf(row), session, sessionKey, place, attempts, failures, stages: [...row.stages], scopes: [], replies: [], refused: 0 };
    const verdict = await onMessage(this.#parts.tracing, 'process', context, () => runStages(stages, context, this.#parts));
    if (verdict.decision === 'pass') return 'done';
    for (const scope of context.scopes) scope.release();
    const tried = { messageId, attempts: attempts + 1, failures: failures + (verdict.decision === 'retry' && verdict.blame ? 1 : 0) };
    if (verdict.decision === 'retry' && tried.failures < MOST_FAILURES) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: boundedRecord(context.stages) };
      await rememberTry(this.#parts, [put(lanes, lanes.key(place), { sessionKey, aside: true, ...tried, notBeforeMs: retryAtMs }), put(messages, messages.key(messageId), retried)]);
      return { retryAtMs, item: { place, ...tried } };
    }
    const code = 'code' in verdict ? verdict.code : 'INTERNAL';
    const problem = 'problem' in verdict ? verdict.problem : new GatehouseError(code).message;
    await bury(this.#parts, [{ row, work: { kind: 'respond', sessionKey, aside: true }, waiting: { table: lanes, key: lanes.key(place) }, stages: context.stages, code, problem, attempts: tried.attempts }]);
    return 'done';
  }
}
