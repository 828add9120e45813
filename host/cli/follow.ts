// Following the event stream of a host over its restarts, and lists whose items events tell of. Called by `events --follow` and `… list --follow`.
import { setTimeout as pause } from 'node:timers/promises';
import type { EventEnvelope } from '../../schemas/event.ts';
import { GatehouseError } from '../errors.ts';
import type { Page } from '../host.ts';
import { connect, HostSaidNo, type HostClient } from './client.ts';
import { readEvents } from './event-stream.ts';
import { plainLine, type Io } from './io.ts';
import { pageOf, type Columns, type ListOptions, type ListPath } from './listing.ts';
import { queryString } from './query.ts';

export interface Followed {
  /** As the route takes them. */
  readonly filter: { readonly types?: string; readonly instance?: string };
  /** The id to go on behind; '' begins with everything that is kept. */
  readonly after: string;
  /** Ends with what is kept, when false. */
  readonly follow: boolean;
  readonly event: (event: EventEnvelope) => Promise<void> | void;
  /** Everything from before has been told. */
  readonly caughtUp?: () => Promise<void>;
}

/** Between two tries to reach a host that went away. */
const AGAIN_MS = 1000;
/** So many in a row, and it is not coming back. */
const TRIES = 120;

/** Tells one event after the other. Throws HOST_UNREACHABLE and REMOTE_UNREACHABLE: at once where there was no host, later when it does not come back. */
export async function followEvents(io: Io, { filter, after, follow, event, caughtUp }: Followed): Promise<void> {
  let last = after;
  let wasThere = false;
  let isTold = false;
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const told of eventsOf(connect(io), filter, last)) {
        failures = 0;
        wasThere = true;
        isTold = false;
        if (told !== 'caught up') {
          await event(told.event);
          last = told.event.id; // only now: what could not be shown comes again
        } else if (follow) await caughtUp?.();
        else return;
      }
      if (!follow) throw new GatehouseError('REMOTE_UNREACHABLE', { address: connect(io).address, problem: 'it ended the stream' });
    } catch (thrown) {
      const isAway = thrown instanceof GatehouseError && (thrown.code === 'HOST_UNREACHABLE' || thrown.code === 'REMOTE_UNREACHABLE');
      if (!follow || !isAway || !wasThere || failures >= TRIES) throw thrown;
      if (!isTold) io.say('The host is not there; waiting for it.');
      isTold = true;
    }
    await pause(AGAIN_MS);
  }
}

async function* eventsOf(host: HostClient, filter: Followed['filter'], last: string) {
  yield* readEvents(await host.stream(`/events${queryString({ ...filter })}`, { accept: 'text/event-stream', 'last-event-id': last }));
}

export interface FollowedList<Item, Detail extends Item = Item> {
  readonly path: ListPath;
  readonly options: ListOptions;
  /** The events that tell of its items, joined by commas. */
  readonly types: string;
  /** The id of the item that an event tells of; undefined for one that tells of none. */
  readonly idOf: (data: EventEnvelope['data']) => unknown;
  /** An item as the list has it, of what its own address answers. */
  readonly viewOf: (detail: Detail) => Item;
  /** An item as it was last shown: an event that changes nothing of it shows nothing. */
  readonly faceOf: (item: Item) => string;
  readonly columns: Columns<Item>;
}

/** Items remembered, so that none is shown twice: more than a page, and than a host has under way. */
const MOST_REMEMBERED = 20_000;

/** One page of what is there, oldest first, then each item as it comes or changes, one line each; until interrupted. Throws what `followEvents` throws, and USAGE. */
export async function followList<Item extends object, Detail extends Item = Item>(io: Io, { path, options, types, idOf, viewOf, faceOf, columns }: FollowedList<Item, Detail>): Promise<void> {
  const { cursor, sort, since, until, limit, ...filter } = options;
  const given = Object.entries({ cursor, sort, until }).find(([, value]) => value !== undefined)?.[0];
  if (given !== undefined) throw new GatehouseError('USAGE', { problem: `--${given} does not go with --follow, which tells in the order of what happens` });
  const shown = new Map<string, string>();
  let hasBegun = false;

  const show = (item: Item) => {
    const id = String(Reflect.get(item, 'id'));
    if (shown.get(id) === faceOf(item) || !isMeant(item, filter)) return;
    shown.delete(id);
    shown.set(id, faceOf(item));
    if (shown.size > MOST_REMEMBERED) shown.delete(shown.keys().next().value ?? '');
    io.line(io.options.json ? JSON.stringify(item) : Object.values(columns).map((cell) => plainLine(wordOf(cell(item)), 80)).join('  '));
  };
  const look = async (id: string) => {
    try {
      show(viewOf(await connect(io).get<Detail>(`${path}/${encodeURIComponent(id)}`)));
    } catch (thrown) {
      if (!(thrown instanceof HostSaidNo && thrown.code.endsWith('_NOT_FOUND'))) throw thrown; // gone again: nothing to show
    }
  };

  await followEvents(io, {
    filter: { types, ...(options['instance'] === undefined ? {} : { instance: options['instance'] }) },
    after: '',
    follow: true,
    async event({ type, data }) {
      if (type === 'gap') io.say(`Some of it was missed (${String(data['reason'])}): \`gatehouse ${path.slice(1)} list\` shows what is there.`);
      const id = idOf(data);
      if (hasBegun && type !== 'gap' && typeof id === 'string') await look(id);
    },
    async caughtUp() {
      if (hasBegun) return;
      // What happened while the page was on its way comes behind it, by its event.
      const { items }: Page<Item> = await pageOf<Item>(connect(io), path, { ...filter, since, limit, sort: '-at' });
      items.toReversed().forEach(show);
      hasBegun = true;
    },
  });
}

/** Whether an item has what every filter names; those that are no member of it were asked of the host. */
const isMeant = (item: object, filter: ListOptions): boolean => Object.entries(filter).every(([name, value]) => value === undefined || !(name in item) || String(Reflect.get(item, name)) === value);

const wordOf = (value: unknown): string => (value === undefined || value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value));
