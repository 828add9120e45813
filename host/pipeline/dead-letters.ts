// Work that ended without success: shown, put back to work, or dropped. Each change is one commit that expects the letter as it was read.
import { GatehouseError } from '../errors.ts';
import type { Ids } from '../ids.ts';
import { put, type Put, type Store } from '../store/store.ts';
import { deadLetters, deliveries, lanes, messages, type DeadLetterRow, type MessageRow } from '../store/tables.ts';
import type { DeliveryItem } from './delivery-work.ts';
import type { LaneItem } from './lane-work.ts';

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
    else this.#parts.enqueueDelivery({ messageId: letter.messageId, instance: letter.instance, conversation: letter.conversation, attempts: 0 });
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
    const message = (await this.#parts.store.get(messages, messages.key(stored.value.messageId)))?.value;
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
    : put(deliveries, deliveries.key(letter.messageId), { instance: letter.instance, conversation: letter.conversation, attempts: 0 });
}
