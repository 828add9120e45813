// Lets go of messages and sessions that are over for as long as host.json says, or more than it wants: in small commits beside the traffic, once an hour. wiring.ts starts it, `status` shows it.
//
// What is in work stays whatever its age: a message without an ending, and one whose work ended as a dead letter, for as long as the letter is there. Dedupe keys are
// the other sweeper's: a message that is forgotten within their week is a duplicate all the same. The newest message stays, for the order of ids rests on it.
import { setTimeout } from 'node:timers/promises';
import type { RetentionSettings, RetentionView } from '../../schemas/retention.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { publish } from '../events.ts';
import { epochMsOf } from '../ids.ts';
import { withEnding } from '../store/messages.ts';
import { isUnreadable } from '../store/page.ts';
import { readablePage, type Entry, type Key, type Removal, type Store } from '../store/store.ts';
import { conversations, endings, messages, type MessageRow } from '../store/tables.ts';
import type { WorkerSpec } from '../supervisor/worker.ts';
import type { SessionBook } from './sessions/sessions.ts';
import type { WallClock } from './wall-clock.ts';

const DAY_MS = 24 * 60 * 60_000;
const EVERY_MS = 60 * 60_000;
/** Longer than that no pass takes, and of it messages have the first part: sessions are reached every hour, whatever there is to forget. The rest is left for the next pass. */
export const SWEEP_MS: SweepTimes = { messages: 25 * 60_000, all: 40 * 60_000 };
/** One commit: some hundred rows, a few milliseconds of the writer's time. */
const BATCH = 100;
/** Between two batches it rests so many times as long as one took: on a busy store it is slow, on an idle one fast. */
const REST = 4;

const FINAL: ReadonlySet<MessageRow['outcome']> = new Set(['answered', 'unanswered', 'delivered', 'dropped', 'denied']);

export interface SweepTimes {
  readonly messages: number;
  readonly all: number;
}

export interface RetentionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly wallClock: Pick<WallClock, 'isBelieved'>;
  readonly book: Pick<SessionBook, 'forget'>;
  readonly settings: RetentionSettings;
  readonly times?: SweepTimes;
}

export class Retention {
  readonly #parts: RetentionParts;
  #last: RetentionView['last'];

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  get view(): RetentionView {
    return { settings: this.#parts.settings, ...(this.#last && { last: this.#last }) };
  }

  worker(): WorkerSpec {
    return { name: 'retention', everyMs: EVERY_MS, deadlineMs: 45 * 60_000, run: (signal) => this.sweep(signal) };
  }

  /** One pass; what it does not get to is left for the next. While the clock is doubted nothing counts as old: there is time to set it right before years of messages do. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, wallClock, book, settings, store, times = SWEEP_MS } = this.#parts;
    const all = AbortSignal.any([signal, AbortSignal.timeout(times.all)]);
    const first = AbortSignal.any([all, AbortSignal.timeout(times.messages)]);
    const nowMs = clock.now();
    const startedMs = clock.monotonicMs();
    const isBelieved = await wallClock.isBelieved();
    const before = (days: number) => (days === 0 || !isBelieved ? Number.NEGATIVE_INFINITY : nowMs - days * DAY_MS);
    const removed = { messages: 0, sessions: 0 };
    removed.messages = await forgetMessages({ store, clock, beforeMs: before(settings.messages.days), most: settings.messages.most === 0 ? Infinity : settings.messages.most, signal: first });
    removed.sessions = await book.forget({ clock, beforeMs: before(settings.sessions.days), signal: all });
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    this.#last = { at: toTimestamp(nowMs), ...removed, durationMs, ...(isBelieved ? {} : { skipped: 'clock-set' as const }), complete: !first.aborted && !all.aborted };
    publish('retention.swept', { ...removed, durationMs });
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
  const { rows: [newest] } = await readablePage(store, messages, messages.prefix(), { reverse: true, limit: 1 });
  let excess = Math.max(0, (await store.count(messages)) - most);
  let forgotten = 0;
  let after: Key | undefined;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    const { rows: page, last, isEnd } = await readablePage(store, messages, messages.prefix(), { limit: BATCH, ...(after && { after }) });
    after = last;
    // Oldest first: what follows one that is young is younger.
    const due = page.filter(({ value: { id } }, index) => (epochMsOf(id) < beforeMs || index < excess) && id !== newest?.value.id);
    const over = (await Promise.all(due.map((each) => ended(store, each)))).filter((each) => each !== undefined);
    excess -= page.length;
    if (over.length > 0) {
      const expect = over.map(({ key, version }) => ({ table: messages, key, version }));
      const result = await store.commit({ expect, remove: over.flatMap(({ value }) => rowsOf(value)) });
      if (result === 'committed') forgotten += over.length; // else one of them was just put to work again: the next pass looks anew
      await setTimeout(REST * (clock.monotonicMs() - startedMs), undefined, { signal }).catch(() => undefined);
    }
    if (isEnd || due.length < page.length) break;
  }
  return forgotten;
}

/** Undefined for one that is in work, or whose ending cannot be read: it stays. */
async function ended(store: Store, each: Entry<MessageRow>): Promise<Entry<MessageRow> | undefined> {
  try {
    const value = await withEnding(store, each.value);
    return FINAL.has(value.outcome) ? { ...each, value } : undefined;
  } catch (thrown) {
    if (isUnreadable(thrown)) return undefined;
    throw thrown;
  }
}

/** All that is stored of a message, and of nothing else. */
function rowsOf({ id, instance, conversation, place }: MessageRow): Removal[] {
  return [
    { table: messages, key: messages.key(id) },
    { table: endings, key: endings.key(id) },
    { table: conversations, key: conversations.key(instance, conversation, place ?? id) },
  ];
}
