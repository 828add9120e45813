// The greatest id that anything in the store is ordered by. host.ts gives it to the maker of ids: a clock that was set back, even over a restart, must not
// put what comes later before what is there, or a lane would be recovered in the wrong order and a reader's cursor would pass over its replies.
import type { Key, Store, Table } from './store.ts';
import { deadLetters, held, lanes, messages, transitions } from './tables.ts';

/** Each of these ends its keys with a time-ordered id. */
const ORDERED: readonly Table<unknown>[] = [messages, lanes, deadLetters, held, transitions];

/** Undefined in a store that holds none. A few reads, however much it holds. */
export async function newestId(store: Store): Promise<string | undefined> {
  const found = await Promise.all(ORDERED.map((table) => newestIn(store, table)));
  return found.flat().toSorted().at(-1);
}

/** Of each group that shares the parts before the id (a gate, an instance): from the last group to the one before. */
async function newestIn(store: Store, table: Table<unknown>): Promise<string[]> {
  const found: string[] = [];
  for (let below: Key | undefined; ; ) {
    const [last] = await store.range(table, [], { reverse: true, limit: 1, ...(below && { to: below }) });
    if (!last) return found;
    found.push(String(last.key.at(-1)));
    below = last.key.slice(0, -1);
  }
}
