// Where a session or a person was last seen, and so where they can be written to: noted with the messages they send, asked when an operator names them instead of a conversation.
//
// A conversation is its own address and needs no row. Only sessions of a wider scope and linked people have routes, one row each with the few places they used last,
// written when the latest place changes or its time is older than a tenth of the time a route is good for. A group is no way to reach a person.
import type { InboundMessage } from '../../../schemas/message.ts';
import type { SessionScope } from '../../../schemas/policy.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Log } from '../../log.ts';
import { BoundedTable } from '../../store/bounded-table.ts';
import { OpenRows, type OpenRow } from '../../store/open-rows.ts';
import { put, type Store } from '../../store/store.ts';
import { routes, sessions, type Route, type RouteRow } from '../../store/tables.ts';
import type { Noting } from '../noting.ts';
import { addressIn, identityKey } from './session-keys.ts';

/** Rows kept in memory beside those in use. */
const MOST_CACHED = 10_000;
const NOBODY: readonly string[] = [];

/** Whose routes a message tells of: its session unless that is the conversation itself, and the person who wrote it. */
export function reachedBy(scope: SessionScope, sessionKey: string, identity: string | undefined, { room }: Pick<InboundMessage, 'room'>): readonly string[] {
  if (room !== undefined && room.kind !== 'direct') return NOBODY;
  if (scope === 'conversation') return identity === undefined ? NOBODY : [identityKey(identity)];
  if (identity === undefined || sessionKey === identityKey(identity)) return [sessionKey];
  return [sessionKey, identityKey(identity)];
}

export interface ReachParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a channel of that name is there and can send. */
  readonly maySendTo: (instance: string) => boolean;
}

export class Reach implements AsyncDisposable {
  readonly #parts: ReachParts;
  readonly #rows: OpenRows<RouteRow>;
  readonly #bounded: BoundedTable<RouteRow>;

  constructor(parts: ReachParts) {
    const { store, clock, log } = parts;
    this.#parts = parts;
    this.#rows = new OpenRows(store, routes, MOST_CACHED);
    this.#bounded = new BoundedTable({
      store, table: routes, prefix: routes.prefix(), most: BOUNDS.routeTargets,
      seenAtMs: (row) => row.routes[0]?.atMs ?? 0,
      forgetBefore: () => clock.now() - BOUNDS.routeMs,
      onGone: (key) => this.#rows.forget(key),
      onFault: (thrown) => log.warn({ err: problemOf(thrown) }, 'old routes could not be forgotten; it is tried again'),
    });
  }

  /** That these sessions and people are at this place now. Throws what the store throws. */
  async open(targets: readonly string[], route: Route): Promise<Noting> {
    const held: { readonly target: string; readonly of: OpenRow<RouteRow> }[] = [];
    const letGo = () => {
      for (const { of } of held) of[Symbol.dispose]();
    };
    try {
      for (const target of targets) held.push({ target, of: await this.#rows.open(routes.key(target)) });
    } catch (error) {
      letGo();
      throw error;
    }
    const written: { readonly of: OpenRow<RouteRow>; readonly row: RouteRow; readonly isNew: boolean }[] = [];
    return {
      rows: () => held.flatMap(({ target, of }) => {
        const row = noted(of.row, route);
        if (!row) return [];
        written.push({ of, row, isNew: of.row === undefined });
        return [put(routes, routes.key(target), of.become(row))];
      }),
      done: (committed) => {
        for (const { of, row, isNew } of written) {
          if (!committed) of.takeBack(row);
          else if (isNew) this.#bounded.grew();
        }
      },
      [Symbol.dispose]: letGo,
    };
  }

  /** Where to write to a session or, by `@identity:<name>`, to a person: the latest place that is young enough and whose channel is there. Throws SESSION_NOT_FOUND, ROUTE_NOT_FOUND. */
  async find(target: string): Promise<Route> {
    const { store, clock } = this.#parts;
    const address = addressIn(target);
    if (address) return await this.#conversation(target, address);
    const known = await this.of(target);
    if (known.length === 0) {
      publish('route.resolved', { result: 'unknown' });
      const isSession = (await store.get(sessions, sessions.key(target))) !== undefined;
      throw isSession || target.startsWith(identityKey('')) ? unreachable(target, 'nobody has written from anywhere that is known') : new GatehouseError('SESSION_NOT_FOUND', { key: target.slice(0, 100) });
    }
    const usable = known.find((each) => this.#problemOf(each, clock.now()) === undefined);
    publish('route.resolved', { result: usable === undefined ? 'stale' : usable === known[0] ? 'hit' : 'fallback' });
    if (usable) return usable;
    const [latest] = known;
    throw unreachable(target, latest ? (this.#problemOf(latest, clock.now()) ?? '') : '');
  }

  /** Every place that is known of a session or a person, the latest first. */
  async of(target: string): Promise<readonly Route[]> {
    using open = await this.#rows.open(routes.key(target));
    return open.row?.routes ?? [];
  }

  /** Forgets what is too old or too much. */
  trim(): Promise<number> {
    return this.#bounded.trim();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bounded[Symbol.asyncDispose]();
  }

  /** A conversation that has been: its key says where it is, and only its channel may be gone. */
  async #conversation(target: string, address: Omit<Route, 'atMs'>): Promise<Route> {
    const { store, clock } = this.#parts;
    if (!(await store.get(sessions, sessions.key(target)))) throw new GatehouseError('SESSION_NOT_FOUND', { key: target.slice(0, 100) });
    const route = { ...address, atMs: clock.now() };
    const problem = this.#problemOf(route, clock.now());
    publish('route.resolved', { result: problem === undefined ? 'hit' : 'stale' });
    if (problem !== undefined) throw unreachable(target, problem);
    return route;
  }

  #problemOf({ instance, atMs }: Route, nowMs: number): string | undefined {
    if (nowMs - atMs > BOUNDS.routeMs) return `the latest place, on '${instance}', is from ${Math.floor((nowMs - atMs) / 86_400_000)} days ago`;
    return this.#parts.maySendTo(instance) ? undefined : `'${instance}' is no channel that can send`;
  }
}

const unreachable = (target: string, problem: string) => new GatehouseError('ROUTE_NOT_FOUND', { target: target.slice(0, 100), problem });

/** The row with this place first; undefined when it is first already and young. A clock that was set back makes a route no younger than it is. */
export function noted(row: RouteRow | undefined, route: Route): RouteRow | undefined {
  const known = row?.routes ?? [];
  const [latest] = known;
  if (latest && isSamePlace(latest, route) && Math.abs(route.atMs - latest.atMs) < BOUNDS.routeMs / 10) return undefined;
  const others = known.filter((each) => !isSamePlace(each, route) && route.atMs - each.atMs <= BOUNDS.routeMs);
  return { routes: [route, ...others].slice(0, BOUNDS.routesPerTarget) };
}

function isSamePlace(one: Route, other: Route): boolean {
  return one.instance === other.instance && one.conversation === other.conversation && one.thread === other.thread && one.account === other.account;
}
