// Gathers what a run takes where that may be more than the head of its lane: holds what waits, reads it, and lets shaping.ts decide. Asked by lane-work.ts; a lane that answers one message after the other never comes here.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { MEDIA_PER_MESSAGE } from '../../../schemas/media.ts';
import type { Message } from '../../../schemas/message.ts';
import type { QueueMode } from '../../../schemas/policy.ts';
import type { Log } from '../../log.ts';
import type { Lanes } from '../../store/lanes.ts';
import type { Store } from '../../store/store.ts';
import { messages, type MessageRow } from '../../store/tables.ts';
import { messageOf, type LaneGroup } from '../context.ts';
import { isExpired } from '../expiry.ts';
import type { LaneItem } from './lane-work.ts';
import type { QueueModes } from './queue-modes.ts';
import { shape, type Entry, type Group } from './shaping.ts';

export interface LaneGroupsParts {
  readonly store: Store;
  readonly log: Log;
  readonly lanes: Pick<Lanes<LaneItem>, 'behind' | 'items' | 'take'>;
  readonly modes: QueueModes;
}

/** What a run works on. */
export interface Run {
  /** The message whose id and sender it has. */
  readonly item: LaneItem;
  readonly row: MessageRow;
  readonly message: Message;
  /** The entry that remembers tries, and where it stands in the lane. */
  readonly lead: LaneItem;
  readonly leadIndex: number;
  readonly group?: LaneGroup;
}

/** `over`: nothing is left to answer, and these entries go. */
export type Gathered = Run | { readonly over: readonly string[] };

interface Read {
  readonly item: LaneItem;
  readonly row: MessageRow | undefined;
  readonly entry: Entry;
}

export class LaneGroups {
  readonly #parts: LaneGroupsParts;

  constructor(parts: LaneGroupsParts) {
    this.#parts = parts;
  }

  /** Whether more than the head may be concerned. */
  isShared(item: LaneItem, row: MessageRow, sessionKey: string): boolean {
    if (item.leaving !== undefined || item.dropped !== undefined) return true;
    return this.#parts.lanes.behind(sessionKey) > 0 && this.#modeOf(row, sessionKey) !== 'followup';
  }

  async gather(sessionKey: string): Promise<Gathered> {
    const { lanes } = this.#parts;
    // What a run has, nobody drops: all of it is held until it is known what is taken.
    const held = lanes.behind(sessionKey) + 1;
    lanes.take(sessionKey, held);
    for (const { leaving } of lanes.items(sessionKey).slice(0, held)) await leaving;
    const read = await this.#read(lanes.items(sessionKey).slice(0, held), sessionKey);
    const first = read.reads.find(({ entry }) => entry.dropped === undefined);
    const group = first && shape(read.reads.map(({ entry }) => entry), read.mode);
    lanes.take(sessionKey, group?.take ?? read.reads.length);
    const run = group && runOf(read.reads.slice(0, group.take), group);
    return run ?? { over: read.reads.map(({ item }) => item.place) };
  }

  #modeOf(row: MessageRow, sessionKey: string): QueueMode {
    return this.#parts.modes.of(sessionKey, this.#parts.modes.policyFor(row).mode);
  }

  /** No further than a run could take. What has expired is taken alone, and ends everything before it. */
  async #read(items: readonly LaneItem[], sessionKey: string): Promise<{ readonly mode: QueueMode; readonly reads: readonly Read[] }> {
    const reads: Read[] = [];
    let mode: QueueMode | undefined;
    let count = 0;
    for (const item of items) {
      const row = item.row ?? (await this.#parts.store.get(messages, messages.key(item.messageId)))?.value;
      if (!row) this.#parts.log.error({ messageId: item.messageId }, 'a lane entry has no message');
      if (!row || item.dropped !== undefined) {
        reads.push({ item, row, entry: { where: '', text: row?.text ?? '', dropped: item.dropped ?? 0 } });
        continue;
      }
      const expired = isExpired(item.recoveredAtMs, item.place, this.#parts.modes.policyFor(row).maxAgeMs);
      if (expired && count > 0) break;
      mode ??= this.#modeOf(row, sessionKey);
      reads.push({ item, row, entry: entryOf(item, row) });
      count += 1;
      if (expired || mode === 'followup' || (mode === 'collect' && count === BOUNDS.collectMessages)) break;
    }
    return { mode: mode ?? 'followup', reads };
  }
}

/** What was put back from a dead letter is old, or poisonous: it neither overtakes what is newer nor takes it along. */
function entryOf({ taken }: LaneItem, row: MessageRow): Entry {
  return { where: whereOf(row), text: row.text, media: row.media.length, ...((isCommand(row) || row.letter !== undefined) && { alone: true }), ...(taken !== undefined && { taken }) };
}

/** A run answers in one place. */
export function whereOf({ instance, conversation, thread = '', account = '' }: Pick<MessageRow, 'instance' | 'conversation' | 'thread' | 'account'>): string {
  return JSON.stringify([instance, conversation, thread, account]);
}

/** Commands are recognised by how a text begins: among other texts nobody would find them. */
export const isCommand = ({ text, command }: Pick<MessageRow, 'text' | 'command'>): boolean => command !== undefined || text.startsWith('/');

function runOf(taken: readonly Read[], group: Group): Run | undefined {
  const carrier = taken[group.carrier];
  if (!carrier?.row) return undefined;
  const { item, row } = carrier;
  const others: { place: string; row: MessageRow }[] = [];
  const told: string[] = [];
  for (const each of taken.slice(0, group.carrier)) {
    if (each.row && each.entry.dropped === undefined) others.push({ place: each.item.place, row: each.row });
    else told.push(each.item.place);
  }
  const leadIndex = group.fate === 'collected' ? taken.findIndex(({ entry }) => entry.dropped === undefined) : group.carrier;
  const lead = taken[leadIndex]?.item ?? item;
  const { fate, collected, dropped } = group;
  return { item, row, message: messageFor(row, others, group), lead, leadIndex, group: { fate, collected, dropped, others, told } };
}

/** What is collected is one message with everything that the others carried; what is overtaken leaves nothing in it. */
function messageFor(row: MessageRow, others: readonly { readonly row: MessageRow }[], { fate, collected, dropped, text }: Group): Message {
  const message = { ...messageOf(row), text, ...(dropped > 0 && { dropped }) };
  if (fate !== 'collected' || collected === 1) return message;
  const all = [...others.map((each) => messageOf(each.row)), messageOf(row)];
  const hops = Math.max(...all.map((each) => each.hops ?? 0));
  const provenance = all.flatMap((each) => each.provenance ?? []);
  // The words of many are as good as the least of them.
  const { senderVerified, ...said } = message;
  return {
    ...said,
    ...(senderVerified && all.every((each) => each.senderVerified) && { senderVerified }),
    mentions: [...new Set(all.flatMap(({ mentions }) => mentions))].slice(0, 100),
    media: all.flatMap((each) => each.media).slice(0, MEDIA_PER_MESSAGE),
    flags: [...new Set(all.flatMap(({ flags }) => flags))],
    ...(provenance.length > 0 && { provenance }),
    ...(hops > 0 && { hops }),
    collected,
  };
}
