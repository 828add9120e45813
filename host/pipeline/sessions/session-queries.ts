// What the control plane may see of sessions, and the one thing it may do to them.
import type { SessionView } from '../../../schemas/control.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { filteredPage, within, type Page, type PageQuery, type Span } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import { sessions, type SessionRow } from '../../store/tables.ts';
import type { Reach } from './reach.ts';
import type { Rooms } from './rooms.ts';
import { addressIn, isIn } from './session-keys.ts';
import { sessionOf, type SessionBook } from './sessions.ts';

/** By key; `since` and `until` are about the last message. */
export interface SessionFilter extends PageQuery, Span {
  readonly instance?: string;
  readonly conversation?: string;
  readonly sort?: 'key' | '-key';
}

export interface SessionQueryParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly book: SessionBook;
  readonly reach: Pick<Reach, 'of'>;
  readonly rooms: Pick<Rooms, 'viewOf'>;
  /** Messages of the session without an answer yet. */
  readonly laneDepth: (sessionKey: string) => number;
}

interface Place {
  readonly instance: string;
  readonly conversation: string;
}

/** Of a room, where one session is shown. */
const MOST_PEOPLE = 100;

export class SessionQueries {
  readonly #parts: SessionQueryParts;

  constructor(parts: SessionQueryParts) {
    this.#parts = parts;
  }

  list({ instance, conversation, since, until, sort, ...page }: SessionFilter): Promise<Page<SessionView>> {
    const isThere = (key: string): boolean => isIn(addressIn(key), { instance, conversation });
    return filteredPage(this.#parts.store, sessions, { ...page, newestFirst: sort === '-key' }, async (row, key) => (isThere(key) && within(row.lastAt, { since, until }) ? await this.#view(key, row) : undefined));
  }

  /** Throws SESSION_NOT_FOUND. */
  async show(key: string): Promise<SessionView> {
    const stored = await this.#parts.store.get(sessions, sessions.key(wellFormed(key)));
    if (!stored) throw unknown(key);
    const routes = (await this.#parts.reach.of(key)).map(({ atMs, ...place }) => ({ ...place, at: toTimestamp(atMs) }));
    const view = await this.#view(key, stored.value, { people: MOST_PEOPLE, places: routes });
    return { ...view, ...(routes.length > 0 ? { routes } : {}) };
  }

  /** The next message begins a new session under the same key; what waits is answered in the one it came to. Throws SESSION_NOT_FOUND, and what the store throws. */
  async reset(key: string): Promise<SessionView> {
    const row = await this.#parts.book.reset(wellFormed(key), this.#parts.clock.now());
    if (!row) throw unknown(key);
    return await this.#view(key, row);
  }

  async #view(key: string, row: SessionRow, { people = 0, places = [] }: { readonly people?: number; readonly places?: readonly Place[] } = {}): Promise<SessionView> {
    const address = addressIn(key);
    const rooms = (await Promise.all((address ? [address] : places).map(({ instance, conversation }) => this.#parts.rooms.viewOf(instance, conversation, { people })))).filter((each) => each !== undefined);
    return { ...sessionOf(key, row), lastAt: row.lastAt, waiting: this.#parts.laneDepth(key), ...(rooms.length > 0 ? { rooms } : {}) };
  }
}

const unknown = (key: string) => new GatehouseError('SESSION_NOT_FOUND', { key: key.slice(0, 100) });

/** No session has a key that a store could not hold. */
function wellFormed(key: string): string {
  if (!key.isWellFormed() || key.length > 400) throw unknown(key);
  return key;
}
