// What an export holds: for every kind of record its schema, its table, and the way from rows to records and back. write-export.ts and import-export.ts walk over these, in this order.
import type { Static, TObject } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { DeadLetterRecord, DedupeRecord, KvRecord, MessageRecord, PairingRecord, QueueModeRecord, RouteRecord, SessionRecord, type ExportKindName, type ExportPart } from '../../schemas/export.ts';
import { ConversationId, InstanceId, MessageId, SessionKey } from '../../schemas/ids.ts';
import { keyProblem } from '../capabilities/kv-key.ts';
import { epochMsOf } from '../ids.ts';
import { lineOf } from '../pipeline/conversation-order.ts';
import { compileSchema } from '../schema.ts';
import { readMessage } from '../store/messages.ts';
import { put, type Key, type Put, type Removal, type Store, type Table } from '../store/store.ts';
import { conversations, deadLetters, dedupe, endings, kv, messages, pairings, queueModes, routes, sessions, type DeadLetterRow, type KvRow, type MessageRow, type PairingRow } from '../store/tables.ts';

/** A record that was read and fits its schema. */
export interface ReadRecord {
  readonly kind: ExportKind;
  readonly key: Key;
  /** The line that an export would write of it. */
  readonly line: string;
  readonly put: readonly Put[];
  /** What it would replace, beside the row of its own key. */
  replaced(store: Store): Promise<readonly Removal[]>;
  /** Of kv: what the entry counts against the quota of which instance. */
  readonly usage?: { readonly instance: string; readonly bytes: number };
}

export interface ExportKind {
  readonly name: ExportKindName;
  readonly part: ExportPart;
  readonly table: Table<unknown>;
  readonly prefix: Key;
  /** The line of a row; undefined for one that stays behind: its work is not over, or it holds a secret. */
  readonly lineOf: (store: Store, key: Key, row: unknown) => Promise<string | undefined>;
  /** The problem as text where a value is no such record. */
  read(value: unknown, nowMs: number): ReadRecord | string;
}

interface KindParts<S extends TObject, Row> {
  readonly name: ExportKindName;
  readonly part: ExportPart;
  readonly schema: S;
  readonly table: Table<Row> & { prefix(): Key };
  /** Members that the schema does not name are left out. */
  record(row: Row, key: Key, store: Store): object | undefined | Promise<object | undefined>;
  key(record: Static<S>): Key;
  put(record: Static<S>): readonly Put[];
  /** What no schema can say. */
  problem?(record: Static<S>, nowMs: number): string | undefined;
  replaced?(record: Static<S>, store: Store): Promise<readonly Removal[]>;
  usage?(record: Static<S>): { readonly instance: string; readonly bytes: number };
}

function exportKind<const S extends TObject, Row>({ name, part, schema, table, ...parts }: KindParts<S, Row>): ExportKind {
  const checker = compileSchema<Static<S>>(schema);
  const members = Object.keys(schema.properties);
  const kind: ExportKind = {
    name, part, table,
    prefix: table.prefix(),
    async lineOf(store, key, row) {
      const record = await parts.record(row as Row, key, store); // oxlint-disable-line typescript/no-unsafe-type-assertion -- a row of its own table
      return record && written(members, { kind: name, ...record });
    },
    read(value, nowMs) {
      if (!checker.is(value)) {
        const { path, problem } = checker.explain(value) ?? { path: '/', problem: 'does not fit' };
        return `${path}: ${problem}`;
      }
      const problem = parts.problem?.(value, nowMs);
      if (problem !== undefined) return problem;
      const usage = parts.usage?.(value);
      return { kind, key: parts.key(value), line: written(members, value), put: parts.put(value), replaced: async (store) => (await parts.replaced?.(value, store)) ?? [], ...(usage && { usage }) };
    },
  };
  return kind;
}

/** Members in the order of the schema, so that one record has one line. Strict readers take no half of a surrogate pair. */
function written(members: readonly string[], record: object): string {
  const given: Readonly<Record<string, unknown>> = { ...record };
  const value = Object.fromEntries(members.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
  const line = JSON.stringify(value);
  return /\\ud[89a-f]/i.test(line) ? JSON.stringify(value, (_, each: unknown) => (typeof each === 'string' ? each.toWellFormed() : each)) : line;
}

const IN_WORK: ReadonlySet<MessageRow['outcome']> = new Set(['accepted', 'pending', 'held']);

const DAY_MS = 24 * 60 * 60_000;

/** New ids follow the greatest there is: one from far in the future would hold up time for good. */
const fromTheFuture = (ids: readonly (string | undefined)[], nowMs: number) => {
  const ahead = ids.find((id) => id !== undefined && epochMsOf(id) > nowMs + DAY_MS);
  return ahead === undefined ? undefined : `the id ${ahead} is from the future`;
};

/** Everything of a row but what its record leaves out on purpose; it does not compile while a member is forgotten. */
type Covers<Row, Named extends string> = [Exclude<keyof Row, Named>] extends [never] ? true : Exclude<keyof Row, Named>;
type AllOf<T extends readonly true[]> = T;
export type NothingForgotten = AllOf<[
  // `letter` and `trace` speak of work under way.
  Covers<MessageRow, keyof typeof MessageRecord.properties | 'letter' | 'trace'>,
  Covers<DeadLetterRow, keyof typeof DeadLetterRecord.properties | 'replayedAt'>,
  Covers<PairingRow, keyof typeof PairingRecord.properties | 'code'>,
]>;

/** Letters and keys before messages: what a message under way leaves while a running host is read, it has left when the messages' turn comes. */
export const EXPORT_KINDS: readonly ExportKind[] = [
  exportKind({
    name: 'dedupe', part: 'messages', schema: DedupeRecord, table: dedupe,
    async record(row, key, store) {
      if (row.outcome === 'held') return undefined;
      const message = row.messageId === null ? undefined : await readMessage(store, row.messageId);
      // Whoever sends again what was in work is answered: nobody else does it.
      return message && IN_WORK.has(message.outcome) ? undefined : { ...row, instance: key[1], keyHash: key[2] };
    },
    key: ({ instance, keyHash }) => dedupe.key(instance, keyHash),
    put: ({ kind: _kind, instance, keyHash, ...row }) => [put(dedupe, dedupe.key(instance, keyHash), row)],
  }),
  exportKind({
    name: 'dead-letter', part: 'dead-letters', schema: DeadLetterRecord, table: deadLetters,
    record: (row) => (row.replayedAt === undefined ? row : undefined),
    problem: ({ id }, nowMs) => fromTheFuture([id], nowMs),
    key: ({ id }) => deadLetters.key(id),
    put({ kind: _kind, ...letter }) {
      const { work } = letter;
      const row: DeadLetterRow = { ...letter, messageId: MessageId.of(letter.messageId), instance: InstanceId.of(letter.instance), conversation: ConversationId.of(letter.conversation), work: work.kind === 'respond' ? { ...work, sessionKey: SessionKey.of(work.sessionKey) } : work };
      return [put(deadLetters, deadLetters.key(row.id), row)];
    },
  }),
  exportKind({
    name: 'message', part: 'messages', schema: MessageRecord, table: messages,
    async record({ id }, _key, store) {
      const row = await readMessage(store, id);
      return row && !IN_WORK.has(row.outcome) ? row : undefined;
    },
    // Arguments are stored as a part of the text.
    problem: ({ id, place, text, command }, nowMs) => fromTheFuture([id, place], nowMs) ?? (command && !text.includes(command.arguments) ? '/command/arguments: is no part of the text' : undefined),
    key: ({ id }) => messages.key(id),
    put({ kind: _kind, ...message }) {
      const row: MessageRow = { ...message, id: MessageId.of(message.id), instance: InstanceId.of(message.instance), conversation: ConversationId.of(message.conversation), sessionKey: SessionKey.of(message.sessionKey) };
      return [put(messages, messages.key(row.id), row), lineOf(row)];
    },
    async replaced({ id }, store) {
      const before = await readMessage(store, id);
      return before ? [{ table: endings, key: endings.key(id) }, { table: conversations, key: conversations.key(before.instance, before.conversation, before.place ?? id) }] : [];
    },
  }),
  exportKind({
    name: 'session', part: 'sessions', schema: SessionRecord, table: sessions,
    record: (row, key) => ({ ...row, key: key[1] }),
    key: ({ key }) => sessions.key(key),
    put: ({ kind: _kind, key, ...row }) => [put(sessions, sessions.key(key), row)],
  }),
  exportKind({
    name: 'route', part: 'sessions', schema: RouteRecord, table: routes,
    record: (row, key) => ({ ...row, target: key[1] }),
    key: ({ target }) => routes.key(target),
    put: ({ target, routes: places }) => [put(routes, routes.key(target), { routes: places.map((place) => ({ ...place, instance: InstanceId.of(place.instance), conversation: ConversationId.of(place.conversation) })) })],
  }),
  exportKind({
    name: 'queue-mode', part: 'sessions', schema: QueueModeRecord, table: queueModes,
    record: (row, key) => ({ ...row, key: key[1] }),
    key: ({ key }) => queueModes.key(key),
    put: ({ key, mode }) => [put(queueModes, queueModes.key(key), { mode })],
  }),
  exportKind({
    name: 'kv', part: 'kv', schema: KvRecord, table: kv,
    record: ({ value }, key) => ({ instance: key[1], key: key[2], json: JSON.stringify(value) }),
    problem({ key, json }) {
      const problem = keyProblem(key);
      if (problem !== undefined) return `/key: ${problem}`;
      if (Buffer.byteLength(json) > BOUNDS.kvValueBytes) return `/json: a value has at most ${BOUNDS.kvValueBytes} bytes`;
      return isWrittenJson(json) ? undefined : '/json: is not what JSON.stringify writes';
    },
    key: ({ instance, key }) => kv.key(instance, key),
    put: ({ instance, key, json }) => [put(kv, kv.key(instance, key), entryOf(key, json))],
    usage: ({ instance, key, json }) => ({ instance, bytes: entryOf(key, json).sizeBytes }),
  }),
  exportKind({
    name: 'pairing', part: 'pairings', schema: PairingRecord, table: pairings,
    record: ({ code: _code, ...row }, key) => (row.state === 'pending' ? undefined : { ...row, id: key[1] }),
    key: ({ id }) => pairings.key(id),
    put: ({ kind: _kind, id, ...row }) => [put(pairings, pairings.key(id), row)],
  }),
];

/** As `ctx.kv` counts it. */
const entryOf = (key: string, json: string): KvRow => ({ value: JSON.parse(json), sizeBytes: Buffer.byteLength(key) + Buffer.byteLength(json) });

function isWrittenJson(json: string): boolean {
  try {
    return JSON.stringify(JSON.parse(json)) === json; // deep nesting ends in a RangeError
  } catch {
    return false;
  }
}
