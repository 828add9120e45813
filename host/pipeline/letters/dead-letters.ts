// Work that ended without success: buried, shown, put back to work, or dropped. Each change to a letter is one commit that expects it as it was read.
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError, type ErrorCode } from '../../errors.ts';
import { publish } from '../../events.ts';
import { epochMsOf, type Ids } from '../../ids.ts';
import { readMessage } from '../../store/messages.ts';
import { filteredPage, idsOf, type Page, type PageQuery } from '../../store/page.ts';
import { put, scan, type Put, type Removal, type Store } from '../../store/store.ts';
import { deadLetters, deliveries, lanes, messages, letterReplays, type DeadLetterRow, type DeliveryProgress, type MessageRow } from '../../store/tables.ts';
import { lineOf, placed } from '../conversation-order.ts';
import type { DeliveryItem } from '../delivery/delivery-work.ts';
import type { LaneItem } from '../lanes/lane-work.ts';
import { boundedRecord } from '../tries.ts';

/** Work on one message that is given up. */
export interface Hopeless {
  readonly row: MessageRow;
  readonly work: DeadLetterRow['work'];
  /** Its entry in the queue it leaves. */
  readonly waiting: Removal;
  readonly stages: MessageRow['stages'];
  readonly code: ErrorCode;
  readonly problem: string;
  readonly attempts: number;
}

/** What becomes of one piece of hopeless work. */
interface Grave {
  readonly letter: DeadLetterRow;
  readonly dead: MessageRow;
}

type GraveParts = { readonly store: Store; readonly ids: Ids; readonly clock: Clock };

/** Ends work without success in one commit: out of its queue, kept as a letter, the message marked. Several of one run end together, with what else rides along. Resolves with the messages as they are stored then; throws what the store throws. */
export async function bury(parts: GraveParts, hopeless: readonly Hopeless[], { put: rows = [], remove = [] }: { readonly put?: readonly Put[]; readonly remove?: readonly Removal[] } = {}): Promise<readonly MessageRow[]> {
  const graves: Grave[] = [];
  for (const each of hopeless) graves.push(await graveOf(parts, each));
  await parts.store.commit({
    put: [...rows, ...graves.flatMap(({ letter, dead }) => [put(deadLetters, deadLetters.key(letter.id), letter), put(messages, messages.key(dead.id), dead), ...(dead.direction === 'inbound' ? [lineOf(dead)] : [])])],
    remove: [...hopeless.map(({ waiting }) => waiting), ...remove],
  });
  for (const { letter: { id, messageId, instance, direction, stage, code } } of graves) {
    publish('dead-letter.created', { id, messageId, instance, stage, code });
    publish('message.outcome', { messageId, instance, direction, outcome: 'dead-lettered', code });
  }
  return graves.map(({ dead }) => dead);
}

async function graveOf({ store, ids, clock }: GraveParts, { row, work, stages, code, problem, attempts }: Hopeless): Promise<Grave> {
  const { id: messageId, instance, conversation, direction } = row;
  const stage = stages.at(-1)?.stage ?? work.kind;
  const by = stages.findLast((each) => each.instance !== undefined)?.instance;
  // Work that was put back comes back to its own letter, which knows how often.
  const { letter: earlierId, ...message } = row;
  const earlier = earlierId === undefined ? undefined : (await store.get(deadLetters, deadLetters.key(earlierId)))?.value;
  const letter: DeadLetterRow = { id: earlierId ?? ids.next(), messageId, instance, conversation, direction, work, stage, code, reason: problem.slice(0, 1000), attempts, at: toTimestamp(clock.now()), ...(by === undefined ? {} : { by }), ...(earlier?.replays === undefined ? {} : { replays: earlier.replays }) };
  const marked: MessageRow = { ...message, outcome: 'dead-lettered', code, reason: problem.slice(0, 500), stages: boundedRecord(stages) };
  // Its turn is over too: what is outbound has its line since it was stored.
  return { letter, dead: direction === 'inbound' ? placed(marked, ids) : marked };
}

/** Which letters; whatever is absent takes all. */
export interface LetterFilter {
  readonly instance?: string;
  readonly conversation?: string;
  readonly code?: string;
  readonly stage?: string;
  readonly direction?: 'inbound' | 'outbound';
  /** RFC 3339: those made at or after it, and those made before it. */
  readonly since?: string;
  readonly until?: string;
}

export interface DeadLetterParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  enqueueLane(sessionKey: string, item: LaneItem): void;
  enqueueDelivery(item: DeliveryItem): void;
}

/** Rows read at a time by what looks at all of them. */
const CHUNK = 500;
/** As many are read to be counted. */
const MANY = 1000;

export class DeadLetters {
  readonly #parts: DeadLetterParts;

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
  }

  /** Newest first unless said otherwise, without those whose work is under way again. */
  // A letter that came back keeps its id and has a later time: only the end of a span is one of ids.
  list(filter: LetterFilter, { oldestFirst = false, ...page }: PageQuery & { readonly oldestFirst?: boolean }): Promise<Page<DeadLetterRow>> {
    return filteredPage(this.#parts.store, deadLetters, { ...page, newestFirst: !oldestFirst, beyond: idsOf({ until: filter.until }).beyond }, (letter) => (fits(letter, filter) ? letter : undefined));
  }

  async show(id: string): Promise<{ readonly letter: DeadLetterRow; readonly message: MessageRow | undefined }> {
    const { letter, message } = await this.#read(id);
    return { letter, message };
  }

  /**
   * Puts the work back at the end of its queue with its tries counted afresh. The letter stays until the work ends well, and comes back as it was when the work fails
   * again; asked twice, the second time says `already`. Guards are `letter-replays.ts`'s.
   */
  async replay(id: string): Promise<{ readonly letter: DeadLetterRow; readonly already: boolean }> {
    const { letter, version, message } = await this.#read(id);
    if (letter.replayedAt !== undefined) return { letter, already: true };
    if (!message) throw new GatehouseError('MESSAGE_NOT_FOUND', { id: letter.messageId });
    const { code: _code, reason: _reason, ...rest } = message;
    const revived: MessageRow = { ...rest, outcome: letter.work.kind === 'respond' ? 'accepted' : 'pending', letter: id };
    const replayed: DeadLetterRow = { ...letter, replays: (letter.replays ?? 0) + 1, replayedAt: toTimestamp(this.#parts.clock.now()) };
    const place = this.#parts.ids.next();
    const key = deadLetters.key(id);
    const result = await this.#parts.store.commit({ expect: [{ table: deadLetters, key, version }], put: [put(deadLetters, key, replayed), put(messages, messages.key(revived.id), revived), workRow(letter, place)], remove: [{ table: letterReplays, key: letterReplays.key(id) }] });
    if (result === 'conflict') return this.replay(id); // somebody else did the same, or dropped it
    if (letter.work.kind === 'respond') this.#parts.enqueueLane(letter.work.sessionKey, { place, messageId: letter.messageId, attempts: 0, ...(letter.work.aside && { aside: true }) });
    else this.#parts.enqueueDelivery({ messageId: letter.messageId, instance: letter.instance, conversation: letter.conversation, attempts: 0, sinceMs: epochMsOf(place), ...progressOf(letter.work) });
    return { letter: replayed, already: false };
  }

  /** Gives the work up for good; the message keeps its record and the outcome `dropped`. Throws DEAD_LETTER_BUSY while the work is under way again. */
  async drop(id: string): Promise<DeadLetterRow> {
    const { letter, version, message } = await this.#read(id);
    if (letter.replayedAt !== undefined) throw new GatehouseError('DEAD_LETTER_BUSY', { id });
    const key = deadLetters.key(id);
    const result = await this.#parts.store.commit({
      expect: [{ table: deadLetters, key, version }],
      put: message ? [put(messages, messages.key(message.id), { ...message, outcome: 'dropped' })] : [],
      remove: [{ table: deadLetters, key }, { table: letterReplays, key: letterReplays.key(id) }],
    });
    if (result === 'conflict') throw new GatehouseError('DEAD_LETTER_NOT_FOUND', { id });
    return letter;
  }

  /** Drops what is older than `beforeMs`, and the oldest beyond `most`; resolves with how many. Safe to repeat. */
  async forget(beforeMs: number, most: number, signal: AbortSignal): Promise<number> {
    const { store } = this.#parts;
    let excess = (await store.count(deadLetters)) > most ? (await this.#kept()) - most : 0;
    let forgotten = 0;
    for await (const page of scan(store, deadLetters, deadLetters.prefix(), CHUNK, { passOver: true })) {
      for (const { value } of page) {
        if (signal.aborted) return forgotten;
        const isOld = Date.parse(value.at) < beforeMs;
        if (!isOld && excess <= 0) return forgotten; // oldest first: what follows is younger
        excess -= 1;
        if (value.replayedAt !== undefined) continue;
        await this.drop(value.id).catch((error: unknown) => {
          if (!(error instanceof GatehouseError) || (error.code !== 'DEAD_LETTER_NOT_FOUND' && error.code !== 'DEAD_LETTER_BUSY')) throw error;
        });
        forgotten += 1;
      }
    }
    return forgotten;
  }

  /** Those that are kept; beyond a thousand, where a few are nothing, with those whose work is under way again. Asked for every few seconds. */
  async count(): Promise<number> {
    const all = await this.#parts.store.count(deadLetters);
    return all > MANY ? all : await this.#kept();
  }

  async #kept(): Promise<number> {
    let count = 0;
    for await (const page of scan(this.#parts.store, deadLetters, deadLetters.prefix(), CHUNK, { passOver: true })) count += page.filter(({ value }) => value.replayedAt === undefined).length;
    return count;
  }

  async #read(id: string) {
    const stored = await this.#parts.store.get(deadLetters, deadLetters.key(id));
    if (!stored) throw new GatehouseError('DEAD_LETTER_NOT_FOUND', { id });
    const message = await readMessage(this.#parts.store, stored.value.messageId);
    return { letter: stored.value, version: stored.version, message };
  }
}

/** What the commit that ends work well removes with it. */
export function letterOf({ letter }: Pick<MessageRow, 'letter'>): readonly Removal[] {
  return letter === undefined ? NOTHING : [{ table: deadLetters, key: deadLetters.key(letter) }];
}

const NOTHING: readonly Removal[] = [];

function fits(letter: DeadLetterRow, { since, until, ...same }: LetterFilter): boolean {
  if (letter.replayedAt !== undefined || (since !== undefined && letter.at < since) || (until !== undefined && letter.at >= until)) return false;
  return (same.instance === undefined || letter.instance === same.instance) && (same.conversation === undefined || letter.conversation === same.conversation) && (same.code === undefined || letter.code === same.code) && (same.stage === undefined || letter.stage === same.stage) && (same.direction === undefined || letter.direction === same.direction);
}

function workRow(letter: DeadLetterRow, place: string): Put {
  const { work } = letter;
  return work.kind === 'respond'
    ? put(lanes, lanes.key(place), { sessionKey: work.sessionKey, ...(work.aside && { aside: true }), messageId: letter.messageId, attempts: 0 })
    : put(deliveries, deliveries.key(letter.messageId), { instance: letter.instance, conversation: letter.conversation, attempts: 0, sinceMs: epochMsOf(place), ...progressOf(work) });
}

/** What a delivery had done before it was given up stays done. */
function progressOf({ kind: _kind, ...progress }: Extract<DeadLetterRow['work'], { kind: 'deliver' }>): { readonly progress?: DeliveryProgress } {
  return Object.keys(progress).length > 0 ? { progress } : {};
}
