// Whether the tables of a store agree with each other: what one says of another is there. `gatehouse doctor` asks it of a store that nobody else has open.
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { withEnding } from './messages.ts';
import type { Entry, Key, Store, Table } from './store.ts';
import { conversations, deadLetters, deliveries, endings, lanes, messages, type MessageRow } from './tables.ts';

/** One way in which tables disagree. */
export interface Disagreement {
  /** `conversations → messages`: who speaks of whom. */
  readonly between: string;
  /** What that means, as `a line of a conversation has no message`. */
  readonly what: string;
  readonly count: number;
  /** The key or id of the first. */
  readonly first: string;
}

export interface Consistency {
  readonly disagreements: readonly Disagreement[];
  /** Rows that were looked at, of how many. */
  readonly looked: number;
  readonly of: number;
}

export interface Looking {
  readonly clock: Clock;
  /** Every row, however long it takes; else the oldest and the newest of each table, for at most five seconds. */
  readonly deep: boolean;
}

const SAMPLE = 1000;
const CHUNK = 500;
const MOST_MS = 5000;

/** Of these a turn is over, and so a line of their conversation stands. */
const OVER: ReadonlySet<MessageRow['outcome']> = new Set(['answered', 'unanswered', 'delivered', 'dropped', 'dead-lettered']);

/** Reads only. The store must not be written meanwhile. */
export async function checkConsistency(store: Store, { clock, deep }: Looking): Promise<Consistency> {
  const endMs = deep ? Infinity : clock.monotonicMs() + MOST_MS;
  const found = new Map<string, Disagreement>();
  let looked = 0;
  const note = (between: string, what: string, key: string) => {
    const known = found.get(between);
    found.set(between, { between, what, count: (known?.count ?? 0) + 1, first: known?.first ?? key });
  };
  const isMessage = async (id: string) => (await store.get(messages, messages.key(id))) !== undefined;

  async function each<Row>(table: AnyTable<Row>, look: (row: Row, key: readonly (string | number)[]) => Promise<void>): Promise<void> {
    for await (const page of pages(store, table, deep)) {
      if (clock.monotonicMs() > endMs) return;
      for (const { key, value } of page) await look(value, key.map(keyPart));
      looked += page.length;
    }
  }

  // All of them: there are never more than the host takes on, and a message in work that no lane holds is work that is lost.
  const inLanes = new Set<string>();
  for await (const page of pages(store, lanes, true)) {
    looked += page.length;
    for (const { value: { messageId } } of page) {
      inLanes.add(messageId);
      if (!(await isMessage(messageId))) note('lanes → messages', 'work waits for a message that is not there', messageId);
    }
  }
  await each(deliveries, async (_row, key) => {
    const id = String(key.at(-1));
    if (!(await isMessage(id))) note('deliveries → messages', 'a delivery waits for a message that is not there', id);
  });
  await each(deadLetters, async ({ id, messageId }) => {
    if (!(await isMessage(messageId))) note('deadLetters → messages', 'a dead letter is about a message that is not there', id);
  });
  await each(conversations, async ({ messageId }, key) => {
    const id = messageId ?? String(key.at(-1));
    if (!(await isMessage(id))) note('conversations → messages', 'a line of a conversation has no message', key.slice(1).join(' '));
  });
  await each(endings, async (_row, key) => {
    const id = String(key.at(-1));
    if (!(await isMessage(id))) note('endings → messages', 'an ending has no message', id);
  });
  await each(messages, async (stored) => {
    const row = await withEnding(store, stored);
    const { id, instance, conversation, place, outcome } = row;
    if (outcome === 'accepted' && !inLanes.has(id)) note('messages → lanes', 'a message that was accepted waits in no lane, and nobody will answer it', id);
    if (outcome === 'pending' && !(await store.get(deliveries, deliveries.key(id)))) note('messages → deliveries', 'a reply that was not sent waits for no delivery', id);
    if (OVER.has(outcome) && !(await store.get(conversations, conversations.key(instance, conversation, place ?? id)))) note('messages → conversations', 'a message is missing from its conversation, and who reads that will not see it', id);
  });
  const counts = await Promise.all([lanes, deliveries, deadLetters, conversations, endings, messages].map(async (table) => await store.count(table)));
  return { disagreements: [...found.values()], looked, of: counts.reduce((sum, count) => sum + count, 0) };
}

/** Whatever its key is made of. */
type AnyTable<Row> = Table<Row> & { prefix(): Key };

const keyPart = (part: unknown): string | number => (typeof part === 'number' ? part : String(part));

/** The whole table, or its two ends. */
async function* pages<Row>(store: Store, table: AnyTable<Row>, whole: boolean): AsyncGenerator<readonly Entry<Row>[], void, void> {
  const most = whole || (await store.count(table)) <= 2 * SAMPLE ? Infinity : SAMPLE;
  let after: Entry<Row>['key'] | undefined;
  for (let read = 0; read < most; read += CHUNK) {
    const page = await store.range(table, table.prefix(), { limit: CHUNK, ...(after && { after }) });
    if (page.length > 0) yield page;
    if (page.length < CHUNK) return;
    after = page.at(-1)?.key;
    await setImmediate();
  }
  yield await store.range(table, table.prefix(), { limit: SAMPLE, reverse: true });
}
