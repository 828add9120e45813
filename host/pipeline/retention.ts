// Lets go of messages and sessions that are over for as long as host.json says, or more than it wants: in small commits beside the traffic, once an hour. wiring.ts starts it, `status` shows it.
//
// What is in work stays whatever its age: a message without an ending, and one whose work ended as a dead letter, for as long as the letter is there. Dedupe keys are
// the other sweeper's: a message that is forgotten within their week is a duplicate all the same. The newest message stays, for the order of ids rests on it.
import { setTimeout } from 'node:timers/promises';
import type { RetentionSettings, RetentionView } from '../../schemas/retention.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { publish } from '../events.ts';
import { epochMsOf } from '../ids.ts';
import type { Log } from '../log.ts';
import { withEnding } from '../store/messages.ts';
import type { Entry, Removal, Store } from '../store/store.ts';
import { conversations, endings, messages, type MessageRow } from '../store/tables.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { SessionBook } from './sessions/sessions.ts';

const DAY_MS = 24 * 60 * 60_000;
const EVERY_MS = 60 * 60_000;
/** One commit: some hundred rows, a few milliseconds of the writer's time. */
const BATCH = 100;
/** Between two batches it rests so many times as long as one took: on a busy store it is slow, on an idle one fast. */
const REST = 4;
/** A clock that moves so far beside the time that passed was set, rightly or wrongly. */
const JUMP_MS = 10 * 60_000;

const FINAL: ReadonlySet<MessageRow['outcome']> = new Set(['answered', 'unanswered', 'delivered', 'dropped', 'denied']);

export interface RetentionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly book: Pick<SessionBook, 'forget'>;
  readonly settings: RetentionSettings;
}

export class Retention {
  readonly #parts: RetentionParts;
  /** Wall clock beside monotonic time, as of the last pass. */
  #offsetMs: number;
  #last: RetentionView['last'];

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#offsetMs = this.#offset();
  }

  get view(): RetentionView {
    return { settings: this.#parts.settings, ...(this.#last && { last: this.#last }) };
  }

  worker(): WorkerSpec {
    return { name: 'retention', everyMs: EVERY_MS, deadlineMs: 45 * 60_000, run: (signal) => this.sweep(signal) };
  }

  /** One pass; what it does not get to is left for the next. A pass after the clock was set does nothing: there is an hour to set it right before years of messages count as old. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, log, book, settings, store } = this.#parts;
    const nowMs = clock.now();
    const startedMs = clock.monotonicMs();
    const offsetMs = this.#offset();
    const jumpedMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    const isSet = Math.abs(jumpedMs) > JUMP_MS;
    if (isSet) log.warn({ jumpedMs: Math.round(jumpedMs) }, 'the clock was set: nothing is forgotten by its age before the next hour');
    const before = (days: number) => (days === 0 ? Number.NEGATIVE_INFINITY : nowMs - days * DAY_MS);
    const removed = { messages: 0, sessions: 0 };
    if (!isSet) {
      removed.messages = await forgetMessages({ store, clock, beforeMs: before(settings.messages.days), most: settings.messages.most === 0 ? Infinity : settings.messages.most, signal });
      removed.sessions = await book.forget(before(settings.sessions.days), signal);
    }
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    this.#last = { at: toTimestamp(nowMs), ...removed, durationMs, ...(isSet ? { skipped: 'clock-set' as const } : {}), complete: !signal.aborted };
    publish('retention.swept', { ...removed, durationMs });
  }

  #offset(): number {
    const { clock } = this.#parts;
    return clock.now() - clock.monotonicMs();
  }
}

export interface Forgetting {
  readonly store: Store;
  readonly clock: Clock;
  /** Epoch milliseconds: what came before is old. */
  readonly beforeMs: number;
  /** Beyond so many the oldest go, whatever their age. */
  readonly most: number;
  readonly signal: AbortSignal;
}

/** Each message with its ending and its line of the conversation, in one commit that expects it as it was read; resolves with how many went. Safe to repeat, and to be killed in. */
export async function forgetMessages({ store, clock, beforeMs, most, signal }: Forgetting): Promise<number> {
  const [newest] = await store.range(messages, messages.prefix(), { reverse: true, limit: 1 });
  let excess = Math.max(0, (await store.count(messages)) - most);
  let forgotten = 0;
  let after: Entry<MessageRow>['key'] | undefined;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    const page = await store.range(messages, messages.prefix(), { limit: BATCH, ...(after && { after }) });
    after = page.at(-1)?.key;
    // Oldest first: what follows one that is young is younger.
    const due = page.filter(({ value: { id } }, index) => (epochMsOf(id) < beforeMs || index < excess) && id !== newest?.value.id);
    const over = (await Promise.all(due.map(async (each) => ({ ...each, value: await withEnding(store, each.value) })))).filter(({ value }) => FINAL.has(value.outcome));
    excess -= page.length;
    if (over.length > 0) {
      const expect = over.map(({ key, version }) => ({ table: messages, key, version }));
      const result = await store.commit({ expect, remove: over.flatMap(({ value }) => rowsOf(value)) });
      if (result === 'committed') forgotten += over.length; // else one of them was just put to work again: the next pass looks anew
      await setTimeout(REST * (clock.monotonicMs() - startedMs), undefined, { signal }).catch(() => undefined);
    }
    if (page.length < BATCH || due.length < page.length) break;
  }
  return forgotten;
}

/** All that is stored of a message, and of nothing else. */
function rowsOf({ id, instance, conversation, place }: MessageRow): Removal[] {
  return [
    { table: messages, key: messages.key(id) },
    { table: endings, key: endings.key(id) },
    { table: conversations, key: conversations.key(instance, conversation, place ?? id) },
  ];
}
