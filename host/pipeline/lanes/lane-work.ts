// Works the head of a lane: takes an accepted message, or several as one, through the lane stages and says whether they are done, tried again, or dead.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { MessageId } from '../../../schemas/ids.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError, problemOf, type ErrorCode } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Ids } from '../../ids.ts';
import type { Log } from '../../log.ts';
import type { Turn } from '../../store/fair-turns.ts';
import type { Lanes, Verdict as LaneVerdict } from '../../store/lanes.ts';
import { endingOf } from '../../store/messages.ts';
import { put, type Store } from '../../store/store.ts';
import { lanes, messages, type MessageRow, type SessionRow } from '../../store/tables.ts';
import type { Tracing } from '../../tracing.ts';
import { messageOf, type Cancellation, type LaneContext } from '../context.ts';
import { lineOf, placed } from '../conversation-order.ts';
import { bury, letterOf, type Hopeless } from '../letters/dead-letters.ts';
import { expiry, isExpired } from '../expiry.ts';
import { countsOf, endGroup, entriesOf } from './lane-endings.ts';
import { isCommand, whereOf, type LaneGroups, type Run } from './lane-groups.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { QueueModes } from './queue-modes.ts';
import { runStages } from '../run-stages.ts';
import { onMessage } from '../message-span.ts';
import type { SessionBook } from '../sessions/sessions.ts';
import type { Stage, Verdict } from '../stage.ts';
import { turnOf } from './turns.ts';
import { boundedRecord, MOST_FAILURES, rememberTry } from '../tries.ts';

/** What waits in a lane. A fresh message brings its row; a recovered one is read when its turn comes. */
export interface LaneItem {
  /** Last part of its key in the table of lanes. */
  readonly place: string;
  readonly messageId: MessageId;
  readonly attempts: number;
  readonly failures?: number;
  /** A command of the host, beside the lane. */
  readonly aside?: true;
  readonly row?: MessageRow;
  readonly session?: SessionRow;
  /** Among whom its lane takes turns; of a recovered message nobody's in particular. */
  readonly turn?: Turn;
  /** How many messages its run takes, once a try of that run has failed. */
  readonly taken?: number;
  /** It was dropped while it waited, and the next run is told of it: how many messages it stands for. */
  readonly dropped?: number;
  /** It may be dropped by a commit under way; resolves when that is known. */
  readonly leaving?: Promise<void>;
  /** When this host found it in the store: epoch milliseconds, the same for all. */
  readonly recoveredAtMs?: number;
}

export interface LaneWorkParts {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly book: SessionBook;
  readonly calls: Pick<PluginCalls, 'cancel'>;
  readonly lanes: Pick<Lanes<LaneItem>, 'abandon' | 'swap' | 'take'>;
  readonly groups: LaneGroups;
  readonly modes: QueueModes;
  readonly stages: readonly Stage<LaneContext>[];
}

const PROBLEM: Readonly<Record<Cancellation, string>> = { newer: 'a newer message of the conversation came', stopped: 'an operator stopped it', stuck: 'its lane was stuck' };

export class LaneWork {
  readonly #parts: LaneWorkParts;
  readonly #running = new Map<string, LaneContext>();
  /** What each run took of its lane. */
  readonly #runs = new WeakMap<LaneContext, Run>();
  /** What becomes of runs that were given up, decided in their place. */
  readonly #givenUp = new WeakMap<LaneContext, Promise<LaneVerdict<LaneItem>>>();
  /** How often in a row newer messages have ended the run of a lane; only lanes where they have. */
  readonly #interruptions = new Map<string, number>();

  constructor(parts: LaneWorkParts) {
    this.#parts = parts;
  }

  /** Runs under way, by session. */
  get running(): ReadonlyMap<string, LaneContext> {
    return this.#running;
  }

  async work(item: LaneItem): Promise<LaneVerdict<LaneItem>> {
    const { store, clock, book, groups, modes } = this.#parts;
    const row = item.row ?? (await store.get(messages, messages.key(item.messageId)))?.value;
    if (!row) {
      this.#parts.log.error({ messageId: item.messageId }, 'a lane entry has no message');
      return await this.#remove([item.place]);
    }
    const { sessionKey } = row;
    const run = groups.isShared(item, row, sessionKey) ? await groups.gather(sessionKey) : { item, row, message: messageOf(row), lead: item, leadIndex: 0 };
    if ('over' in run) return await this.#remove(run.over);
    const { recoveredAtMs } = run.item;
    const context: LaneContext = {
      messageId: run.row.id,
      instance: run.row.instance,
      row: run.row,
      message: run.message,
      session: run.item.session ?? (await book.get(sessionKey, clock.now())),
      sessionKey,
      place: run.item.place,
      attempts: run.lead.attempts,
      failures: run.lead.failures ?? 0,
      stages: [...run.row.stages],
      scopes: [],
      replies: [],
      refused: 0,
      ...(run.group && { group: run.group }),
    };
    const { maxAgeMs } = recoveredAtMs === undefined ? { maxAgeMs: Infinity } : modes.policyFor(run.row);
    if (recoveredAtMs !== undefined && isExpired(recoveredAtMs, run.item.place, maxAgeMs)) {
      context.stages.push({ stage: 'lane', decision: 'expired', durationMs: 0 });
      return await this.#bury(context, { ...expiry(recoveredAtMs, run.item.place, maxAgeMs), attempts: run.lead.attempts });
    }
    this.#running.set(sessionKey, context);
    this.#runs.set(context, run);
    const verdict = await onMessage(this.#parts.tracing, 'process', context, () => runStages(this.#parts.stages, context, this.#parts));
    // Somebody who gave up on this run has ended it in its place.
    if (this.#running.get(sessionKey) !== context) return (await this.#givenUp.get(context)) ?? { retryAtMs: clock.now() };
    this.#running.delete(sessionKey);
    return await this.#end(run, context, verdict);
  }

  /**
   * Ends the run of a session, unless its answer is being stored or there is none. `newer`: the message is shaped anew, with those that came since. `stopped`: it is
   * dropped. `stuck`: it is tried again. Nothing that was written or sent for it is kept.
   */
  cancel(sessionKey: string, why: Cancellation): boolean {
    const context = this.#running.get(sessionKey);
    if (!context || context.isConcluding || context.cancelled) return false;
    context.cancelled = why;
    if (context.calling) this.#parts.calls.cancel(context.calling, PROBLEM[why]);
    publish('lane.interrupted', { instance: context.instance, messageId: context.messageId, why });
    return true;
  }

  /** A newer message is in the lane of a session whose mode is `interrupt`. A steady writer gets an answer all the same. */
  overtake(row: MessageRow): boolean {
    const { sessionKey } = row;
    const context = this.#running.get(sessionKey);
    const before = this.#interruptions.get(sessionKey) ?? 0;
    if (!context || before >= BOUNDS.interruptsInARow || whereOf(context.row) !== whereOf(row) || isCommand(context.row) || isCommand(row)) return false;
    const cancelled = this.cancel(sessionKey, 'newer');
    if (cancelled) this.#interruptions.set(sessionKey, before + 1);
    return cancelled;
  }

  /** Gives up on a run that was told to end and does not: it can commit nothing any more, and its work is tried again. False when it has ended. */
  async giveUp(context: LaneContext): Promise<boolean> {
    const { sessionKey } = context;
    if (this.#running.get(sessionKey) !== context || context.isConcluding) return false;
    const run = this.#runs.get(context);
    if (!run) return false;
    context.cancelled ??= 'stuck';
    this.#running.delete(sessionKey);
    // A store that refuses must not leave the lane to a run that nobody looks after any more.
    const ending = this.#end(run, context, stuck(context)).catch((error: unknown): LaneVerdict<LaneItem> => {
      this.#parts.log.warn({ messageId: context.messageId, err: problemOf(error) }, 'a run that was given up could not be written down; it is tried again');
      return { retryAtMs: this.#parts.clock.now() + STUCK_AGAIN_MS };
    });
    this.#givenUp.set(context, ending);
    // Whoever waits for `ending` as well, because the run has ended after all, is told after this and not heard any more.
    return this.#parts.lanes.abandon(sessionKey, await ending);
  }

  async #end(run: Run, context: LaneContext, verdict: Verdict): Promise<LaneVerdict<LaneItem>> {
    if (verdict.decision === 'pass') {
      if (this.#interruptions.size > 0) this.#interruptions.delete(context.sessionKey);
      return 'done';
    }
    for (const scope of context.scopes) scope.release();
    if (context.cancelled === 'newer') return { retryAtMs: this.#parts.clock.now() + this.#parts.modes.policyFor(context.row).debounceMs };
    if (context.cancelled === 'stopped') return await this.#stop(context);
    return await this.#again(run, context, context.cancelled === 'stuck' ? stuck(context) : verdict);
  }

  async #again({ item, row, lead, leadIndex }: Run, context: LaneContext, verdict: Exclude<Verdict, { decision: 'pass' }>): Promise<LaneVerdict<LaneItem>> {
    const { clock } = this.#parts;
    const { sessionKey, group } = context;
    const attempts = lead.attempts + 1;
    const failures = (lead.failures ?? 0) + (verdict.decision === 'retry' && verdict.blame ? 1 : 0);
    if (verdict.decision === 'retry' && failures < MOST_FAILURES) {
      const retryAtMs = clock.now() + verdict.afterMs;
      const retried: MessageRow = { ...row, stages: boundedRecord(context.stages) };
      const tried = { messageId: lead.messageId, attempts, failures, ...(group && group.collected > 1 && { taken: group.collected }) };
      await rememberTry(this.#parts, [put(lanes, lanes.key(lead.place), { sessionKey, ...tried, notBeforeMs: retryAtMs }), put(messages, messages.key(row.id), retried)]);
      // Its record is on disk, and read again with it.
      if (lead !== item) this.#parts.lanes.swap(sessionKey, item, { place: item.place, messageId: item.messageId, attempts: item.attempts });
      return { retryAtMs, item: { place: lead.place, turn: turnOf(row), ...tried }, index: leadIndex };
    }
    const code = verdict.decision === 'give-up' || verdict.decision === 'refuse' || verdict.decision === 'retry' ? verdict.code : 'INTERNAL';
    const problem = verdict.decision === 'give-up' || verdict.decision === 'retry' ? verdict.problem : new GatehouseError(code).message;
    return await this.#bury(context, { code, problem, attempts });
  }

  /** What was collected fails together, and each message has a letter of its own. What was overtaken stays that. */
  async #bury(context: LaneContext, { code, problem, attempts }: { readonly code: ErrorCode; readonly problem: string; readonly attempts: number }): Promise<LaneVerdict<LaneItem>> {
    const { row, group, sessionKey } = context;
    const hopeless = (each: MessageRow, place: string, stages: MessageRow['stages']): Hopeless => ({ row: each, work: { kind: 'respond', sessionKey }, waiting: { table: lanes, key: lanes.key(place) }, stages, code, problem, attempts });
    const collected = group?.fate === 'collected' ? group.others.map((other) => hopeless(other.row, other.place, [...other.row.stages, { stage: 'lane', decision: 'collected', durationMs: 0 }])) : [];
    const { put: rows, remove } = group?.fate === 'superseded' ? endGroup(context, { outcome: 'dropped' }, this.#parts.ids) : { put: [], remove: group ? entriesOf(group) : [] };
    await bury(this.#parts, [...collected, hopeless(row, context.place, context.stages)], { put: rows, remove });
    return 'done';
  }

  /** Somebody does not want the answer any more. */
  async #stop(context: LaneContext): Promise<LaneVerdict<LaneItem>> {
    const { store, ids } = this.#parts;
    const code = 'RUN_STOPPED';
    const others = endGroup(context, { outcome: 'dropped', code }, ids);
    const stopped = placed({ ...context.row, outcome: 'dropped', code, stages: boundedRecord(context.stages), ...countsOf(context) }, ids);
    await store.commit({ put: [...others.put, endingOf(stopped), lineOf(stopped)], remove: [...others.remove, { table: lanes, key: lanes.key(context.place) }, ...letterOf(context.row)] });
    for (const row of [...others.ended, stopped]) publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'inbound', outcome: 'dropped', code });
    return 'done';
  }

  async #remove(places: readonly string[]): Promise<LaneVerdict<LaneItem>> {
    await this.#parts.store.commit({ remove: places.map((place) => ({ table: lanes, key: lanes.key(place) })) });
    return 'done';
  }
}

/** A run without a step for too long, counted as a failure of its work: what wedges a lane again and again ends as a dead letter. */
function stuck({ failures, instance }: LaneContext): Exclude<Verdict, { decision: 'pass' }> {
  const problem = PROBLEM.stuck;
  return failures + 1 >= MOST_STUCK ? { decision: 'give-up', code: 'LANE_STUCK', fields: { instance, attempts: failures + 1 }, problem } : { decision: 'retry', afterMs: STUCK_AGAIN_MS, code: 'LANE_STUCK', problem, blame: true };
}

const MOST_STUCK = 3;
const STUCK_AGAIN_MS = 1000;
