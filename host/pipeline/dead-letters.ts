// Work that ended without success: buried, shown, put back to work, or dropped. Each change to a letter is one commit that expects it as it was read.
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError, type ErrorCode } from '../errors.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import { readMessage } from '../store/messages.ts';
import { put, type Put, type Removal, type Store } from '../store/store.ts';
import { deadLetters, deliveries, lanes, messages, type DeadLetterRow, type MessageRow } from '../store/tables.ts';
import { lineOf, placed } from './conversation-order.ts';
import type { DeliveryItem } from './delivery-work.ts';
import type { LaneItem } from './lane-work.ts';
import { boundedRecord } from './tries.ts';

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

/** Ends work without success in one commit: out of its queue, kept as a letter, the message marked. Resolves with the message as it is stored then; throws what the store throws. */
export async function bury({ store, ids, clock }: { readonly store: Store; readonly ids: Ids; readonly clock: Clock }, hopeless: Hopeless): Promise<MessageRow> {
  const { row, work, waiting, stages, code, problem, attempts } = hopeless;
  const { id: messageId, instance, conversation, direction } = row;
  const stage = stages.at(-1)?.stage ?? work.kind;
  const letter: DeadLetterRow = { id: ids.next(), messageId, instance, conversation, direction, work, stage, code, reason: problem.slice(0, 1000), attempts, at: toTimestamp(clock.now()) };
  const marked: MessageRow = { ...row, outcome: 'dead-lettered', code, reason: problem.slice(0, 500), stages: boundedRecord(stages) };
  // Its turn is over too: what is outbound has its line since it was stored.
  const dead = direction === 'inbound' ? placed(marked, ids) : marked;
  await store.commit({ put: [put(deadLetters, deadLetters.key(letter.id), letter), put(messages, messages.key(messageId), dead), ...(direction === 'inbound' ? [lineOf(dead)] : [])], remove: [waiting] });
  publish('dead-letter.created', { id: letter.id, messageId, instance, stage, code });
  publish('message.outcome', { messageId, instance, direction, outcome: 'dead-lettered', code });
  return dead;
}

export interface DeadLetterParts {
  readonly store: Store;
  readonly ids: Ids;
  enqueueLane(sessionKey: string, item: LaneItem): void;
  enqueueDelivery(item: DeliveryItem): void;
}

export class DeadLetters {
  readonly #parts: DeadLetterParts;

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
  }

  /** Oldest first; `cursor` is the last id of the page before. */
  async list(cursor: string | undefined, limit: number): Promise<{ readonly items: readonly DeadLetterRow[]; readonly cursor: string | null }> {
    const rows = await this.#parts.store.range(deadLetters, deadLetters.prefix(), { ...(cursor === undefined ? {} : { after: deadLetters.key(cursor) }), limit: limit + 1 });
    const items = rows.slice(0, limit).map((each) => each.value);
    return { items, cursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  async show(id: string): Promise<{ readonly letter: DeadLetterRow; readonly message: MessageRow | undefined }> {
    const { letter, message } = await this.#read(id);
    return { letter, message };
  }

  /** Puts the work back at the end of its queue with its tries counted afresh. */
  async replay(id: string): Promise<DeadLetterRow> {
    const { letter, version, message } = await this.#read(id);
    if (!message) throw new GatehouseError('MESSAGE_NOT_FOUND', { id: letter.messageId });
    const { code: _code, reason: _reason, ...rest } = message;
    const revived: MessageRow = { ...rest, outcome: letter.work.kind === 'respond' ? 'accepted' : 'pending' };
    const place = this.#parts.ids.next();
    await this.#change(id, version, [put(messages, messages.key(revived.id), revived), workRow(letter, place)]);
    if (letter.work.kind === 'respond') this.#parts.enqueueLane(letter.work.sessionKey, { place, messageId: letter.messageId, attempts: 0 });
    else this.#parts.enqueueDelivery({ messageId: letter.messageId, instance: letter.instance, conversation: letter.conversation, attempts: 0, ...progressOf(letter.work) });
    return letter;
  }

  /** Gives the work up for good; the message keeps its record and the outcome `dropped`. */
  async drop(id: string): Promise<DeadLetterRow> {
    const { letter, version, message } = await this.#read(id);
    await this.#change(id, version, message ? [put(messages, messages.key(message.id), { ...message, outcome: 'dropped' })] : []);
    return letter;
  }

  /** At most 1,000: what matters is whether there are any, and whether there are many. */
  async count(): Promise<number> {
    return (await this.#parts.store.range(deadLetters, deadLetters.prefix(), { limit: 1000 })).length;
  }

  async #read(id: string) {
    const stored = await this.#parts.store.get(deadLetters, deadLetters.key(id));
    if (!stored) throw new GatehouseError('DEAD_LETTER_NOT_FOUND', { id });
    const message = await readMessage(this.#parts.store, stored.value.messageId);
    return { letter: stored.value, version: stored.version, message };
  }

  /** Two operators at once: the second finds the letter gone. */
  async #change(id: string, version: number, rows: readonly Put[]): Promise<void> {
    const key = deadLetters.key(id);
    const result = await this.#parts.store.commit({ expect: [{ table: deadLetters, key, version }], put: rows, remove: [{ table: deadLetters, key }] });
    if (result === 'conflict') throw new GatehouseError('DEAD_LETTER_NOT_FOUND', { id });
  }
}

function workRow(letter: DeadLetterRow, place: string): Put {
  const { work } = letter;
  return work.kind === 'respond'
    ? put(lanes, lanes.key(place), { sessionKey: work.sessionKey, messageId: letter.messageId, attempts: 0 })
    : put(deliveries, deliveries.key(letter.messageId), { instance: letter.instance, conversation: letter.conversation, attempts: 0, ...progressOf(work) });
}

/** What a delivery had done before it was given up stays done. */
const progressOf = ({ done }: { readonly done?: readonly string[] }) => (done ? { progress: { done } } : {});
