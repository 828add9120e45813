// The host's events in the order they came, for as long as the host runs. Readers take at their own pace from what is kept, so none of them costs memory. Fed by events.ts, read by routes/events.ts.
import { EVENT_SCHEMA_VERSION, EVENT_TYPES, type EventEnvelope, type EventType } from '../../../schemas/event.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { subscribe, type Events } from '../../events.ts';

/** Kept of each type, the newest: a flood of messages pushes no quarantine out. About 300 bytes each. */
const KEPT = 1000;

/** Handed out at once. */
const BATCH = 200;

interface Kept {
  readonly place: number;
  readonly type: EventType;
  readonly atMs: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Which events somebody wants; undefined is all. */
export interface EventFilter {
  readonly types?: ReadonlySet<EventType>;
  /** Events about one instance, and none that are about no instance. */
  readonly instance?: string;
}

/** Where a reader is: it has had everything up to this place. */
export interface Cursor {
  readonly place: number;
  /** Why what came before is not what the reader had, to be told first. */
  readonly gap?: 'restarted' | 'unknown';
  /** It asked for whatever is kept: what is not is no gap. */
  readonly isFresh?: true;
}

export interface Batch {
  readonly events: readonly EventEnvelope[];
  readonly cursor: Cursor;
}

export class EventFeed {
  readonly #clock: Clock;
  /** Names this run of the host: a place in another run means nothing here. */
  readonly #epoch: string;
  readonly #kept = new Map<EventType, Ring>(EVENT_TYPES.map((type) => [type, new Ring()]));
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: readonly (() => void)[];
  #place = 0;

  constructor(clock: Clock, epochMs: number) {
    this.#clock = clock;
    this.#epoch = epochMs.toString(36);
    this.#unsubscribe = [...this.#kept].map(([type, ring]) => subscribe(type, (data) => this.#take(type, ring, data)));
  }

  /** Where a reader begins: behind the event of this id; `''` before all that is kept; undefined behind all of it. */
  cursorAt(id: string | undefined): Cursor {
    if (id === undefined) return { place: this.#place };
    if (id === '') return { place: 0, isFresh: true };
    const [, epoch, digits] = /^([0-9a-z]{1,16})\.(\d{1,16})$/.exec(id) ?? [];
    if (epoch === this.#epoch && Number(digits) <= this.#place) return { place: Number(digits) };
    return { place: 0, gap: epoch === undefined || epoch === this.#epoch ? 'unknown' : 'restarted' };
  }

  /** The next events behind the cursor, and the cursor behind them; no events when there are none. What is no longer kept is told by an event of type `gap` in its place. */
  next({ place, gap, isFresh }: Cursor, filter: EventFilter): Batch {
    const wanted = [...this.#kept].filter(([type]) => filter.types?.has(type) ?? true).map(([, ring]) => ring);
    const reason = gap ?? (!isFresh && wanted.some(({ forgotten }) => forgotten > place) ? 'overflow' : undefined);
    const newer = wanted.flatMap((ring) => ring.after(place)).sort((a, b) => a.place - b.place);
    const taken = newer.slice(0, BATCH);
    const events = taken.filter((event) => isAbout(event, filter.instance)).map((event) => this.#envelope(event));
    const next = (newer.length > BATCH ? taken.at(-1)?.place : undefined) ?? this.#place;
    return { events: reason === undefined ? events : [this.#gap(place, reason), ...events], cursor: { place: next, ...(isFresh && newer.length > BATCH ? { isFresh } : {}) } };
  }

  /** Whether the cursor has had everything. */
  isBehind({ place, gap }: Cursor): boolean {
    return gap !== undefined || place < this.#place;
  }

  /** Told of each event, until the returned function is called; must not throw. */
  onEvent(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#listeners.clear();
  }

  #take(type: EventType, ring: Ring, data: Events[EventType]): void {
    ring.push({ place: ++this.#place, type, atMs: this.#clock.now(), data: { ...data } });
    for (const listener of this.#listeners) listener();
  }

  #gap(place: number, reason: string): EventEnvelope {
    return { v: EVENT_SCHEMA_VERSION, id: this.#id(place), type: 'gap', at: toTimestamp(this.#clock.now()), data: { reason } };
  }

  #envelope({ place, type, atMs, data }: Kept): EventEnvelope {
    return { v: EVENT_SCHEMA_VERSION, id: this.#id(place), type, at: toTimestamp(atMs), data };
  }

  #id(place: number): string {
    return `${this.#epoch}.${place}`;
  }
}

/** A diagnostic names its instance inside. */
function isAbout({ data: { instance, diagnostic } }: Kept, wanted: string | undefined): boolean {
  const about = instance ?? (diagnostic instanceof Object && 'instance' in diagnostic ? diagnostic.instance : undefined);
  return wanted === undefined || about === wanted;
}

/** The newest events of one type. */
class Ring {
  readonly #events: Kept[] = [];
  #next = 0;
  /** The place of the newest event that is no longer here; 0 when all are. */
  forgotten = 0;

  push(event: Kept): void {
    this.forgotten = this.#events[this.#next]?.place ?? this.forgotten;
    this.#events[this.#next] = event;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Newest first; costs as much as there is behind the place, not as much as is kept. */
  after(place: number): Kept[] {
    const found: Kept[] = [];
    for (let back = 1; back <= this.#events.length; back += 1) {
      const event = this.#events[(this.#next - back + KEPT) % KEPT];
      if (!event || event.place <= place) break;
      found.push(event);
    }
    return found;
  }
}
