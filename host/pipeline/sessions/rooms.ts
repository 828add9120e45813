// Places and who speaks in them, as far as channels tell: kept for operators to look at, noted with the messages that tell something new. accept.ts asks for every message that says where it was said.
//
// A row is written when a place or a person in it is new, is called otherwise now, or was last seen an hour ago; never for each message. Channels that tell of no
// place have no rows here.
import type { RoomView } from '../../../schemas/control.ts';
import type { InboundMessage } from '../../../schemas/message.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { BoundedTable } from '../../store/bounded-table.ts';
import { OpenRows } from '../../store/open-rows.ts';
import { put, type Store } from '../../store/store.ts';
import { participants, rooms, type ParticipantRow, type RoomRow } from '../../store/tables.ts';
import type { Noting } from '../noting.ts';

/** Rows kept in memory beside those in use. */
const MOST_CACHED = 10_000;

export interface RoomParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class Rooms implements AsyncDisposable {
  readonly #parts: RoomParts;
  readonly #rooms: OpenRows<RoomRow>;
  readonly #people: OpenRows<ParticipantRow>;
  readonly #bounded: BoundedTable<RoomRow>;

  constructor(parts: RoomParts) {
    const { store, clock, log } = parts;
    this.#parts = parts;
    this.#rooms = new OpenRows(store, rooms, MOST_CACHED);
    this.#people = new OpenRows(store, participants, MOST_CACHED);
    this.#bounded = new BoundedTable({
      store, table: rooms, prefix: rooms.prefix(), most: BOUNDS.rooms,
      seenAtMs: ({ lastAtMs }) => lastAtMs,
      forgetBefore: () => clock.now() - BOUNDS.roomMs,
      alongWith: async ([, instance = '', conversation = '']) => {
        const people = await store.range(participants, participants.prefix(String(instance), String(conversation)));
        for (const { key } of people) this.#people.forget(key);
        return people.map(({ key }) => ({ table: participants, key }));
      },
      onGone: (key) => this.#rooms.forget(key),
      onFault: (thrown) => log.warn({ err: problemOf(thrown) }, 'old rooms could not be forgotten; it is tried again'),
    });
  }

  /** As the last message that came from there told; undefined where none did. Throws what the store throws. */
  async kindOf(instance: string, conversation: string): Promise<RoomRow['kind'] | undefined> {
    using room = await this.#rooms.open(rooms.key(instance, conversation));
    return room.row?.kind;
  }

  /** What a message tells of its place and its sender. Throws what the store throws. */
  async open(instance: string, { room: told, conversation, sender }: InboundMessage & Required<Pick<InboundMessage, 'room'>>, atMs: number): Promise<Noting> {
    const roomKey = rooms.key(instance, conversation);
    const personKey = participants.key(instance, conversation, sender.id);
    const room = await this.#rooms.open(roomKey);
    const person = await this.#people.open(personKey).catch((error: unknown) => {
      room[Symbol.dispose]();
      throw error;
    });
    let written: { readonly room: RoomRow | undefined; readonly person: ParticipantRow | undefined; readonly isNewRoom: boolean } | undefined;
    return {
      rows() {
        // Somebody of whom a new room knows is a leftover of one that was forgotten: counted again with it.
        const known = room.row === undefined ? undefined : person.row;
        const joins = known === undefined && (room.row?.participants ?? 0) < BOUNDS.participantsPerRoom;
        const nextPerson = joins || (known && isWorthNoting(known, sender.name, atMs)) ? person.become({ ...nameIn(sender), firstAtMs: known?.firstAtMs ?? atMs, lastAtMs: atMs }) : undefined;
        const isNewRoom = room.row === undefined;
        const { firstAtMs = atMs, participants: before = 0 } = room.row ?? {};
        const isOtherwise = isNewRoom || joins || room.row?.kind !== told.kind || isWorthNoting(room.row, told.name, atMs);
        const nextRoom = isOtherwise ? room.become({ kind: told.kind, ...nameIn(told), firstAtMs, lastAtMs: atMs, participants: before + (joins ? 1 : 0) }) : undefined;
        written = { room: nextRoom, person: nextPerson, isNewRoom };
        return [...(nextRoom ? [put(rooms, roomKey, nextRoom)] : []), ...(nextPerson ? [put(participants, personKey, nextPerson)] : [])];
      },
      done: (committed) => {
        if (committed && written?.isNewRoom) this.#bounded.grew();
        if (committed || !written) return;
        if (written.room) room.takeBack(written.room);
        if (written.person) person.takeBack(written.person);
      },
      [Symbol.dispose]() {
        room[Symbol.dispose]();
        person[Symbol.dispose]();
      },
    };
  }

  /** What is known of a conversation; with `people`, those of its participants with the lowest ids. */
  async viewOf(instance: string, conversation: string, { people = 0 }: { readonly people?: number } = {}): Promise<RoomView | undefined> {
    const { store } = this.#parts;
    const row = (await store.get(rooms, rooms.key(instance, conversation)))?.value;
    if (!row) return undefined;
    const { firstAtMs, lastAtMs, ...rest } = row;
    const view: RoomView = { instance, conversation, ...rest, firstAt: toTimestamp(firstAtMs), lastAt: toTimestamp(lastAtMs) };
    if (people === 0) return view;
    const rows = await store.range(participants, participants.prefix(instance, conversation), { limit: people });
    return { ...view, people: rows.map(({ key, value }) => ({ id: String(key.at(-1)), ...(value.name !== undefined && { name: value.name }), lastAt: toTimestamp(value.lastAtMs) })) };
  }

  /** Forgets what is too old or too much. */
  trim(): Promise<number> {
    return this.#bounded.trim();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bounded[Symbol.asyncDispose]();
  }
}

function isWorthNoting(row: { readonly name?: string; readonly lastAtMs: number }, name: string | undefined, atMs: number): boolean {
  return row.name !== name || Math.abs(atMs - row.lastAtMs) >= BOUNDS.seenEveryMs;
}

const nameIn = ({ name }: { readonly name?: string }) => (name === undefined ? {} : { name });
