// What an operator sees of costs: today with its budgets, and history page by page. The control plane asks.
import { setImmediate } from 'node:timers/promises';
import type { Budgets, CostView, Grain, Resource, StatKind, StatView } from '../../schemas/costs.ts';
import { RESOURCES } from '../../schemas/costs.ts';
import { GatehouseError } from '../errors.ts';
import { pageSize, type Page, type PageQuery } from '../store/page.ts';
import { sortedPage, type Sorting } from '../store/sorted-page.ts';
import type { Key, Store } from '../store/store.ts';
import { rollups, type RollupRow } from '../store/tables.ts';
import type { CostLedger } from './ledger.ts';
import { purseOf } from './meter.ts';

export interface CostQuery extends PageQuery {
  readonly state?: CostView['state'] | undefined;
  /** A field of ORDERS, with '-' in front the greatest first. */
  readonly sort?: string | undefined;
}

const ORDERS: Sorting<CostView> = {
  keyOf: ({ instance }) => instance,
  fields: { instance: ({ instance }) => instance, cpuMs: ({ spent }) => spent.cpuMs, calls: ({ spent }) => spent.calls, egressBytes: ({ spent }) => spent.egressBytes },
};

export interface StatQuery extends PageQuery {
  readonly grain: Grain;
  readonly by?: StatKind | undefined;
  readonly name?: string | undefined;
  /** RFC 3339: hours or days that begin at this moment or later. */
  readonly since?: string | undefined;
  /** RFC 3339: and before this one. */
  readonly until?: string | undefined;
}

export interface CostDesk {
  /** Every instance that is enabled, and those that are not any more and cost something today. Throws CURSOR_INVALID. */
  list(query?: CostQuery): Promise<Page<CostView>>;
  /** Throws PLUGIN_NOT_FOUND. */
  show(instance: string): Promise<CostView>;
  /** Newest first. Throws CURSOR_INVALID. */
  history(query: StatQuery): Promise<Page<StatView>>;
}

export interface CostDeskParts {
  readonly store: Store;
  readonly ledger: CostLedger;
  /** All there are, whether they are enabled or not. */
  readonly instances: () => readonly { readonly instance: string; readonly isEnabled: boolean }[];
  readonly budgetsOf: (instance: string) => Budgets;
  readonly kvHeldBytes: (instance: string) => Promise<number>;
}

/** Rows looked at for one page: a year of hours of one instance among many takes several. */
const MOST_SCANNED = 20_000;
const CHUNK = 500;

export function costDesk({ store, ledger, instances, budgetsOf, kvHeldBytes }: CostDeskParts): CostDesk {
  const view = async (instance: string): Promise<CostView> => {
    const { date, endsAt } = ledger.day;
    const row = ledger.today('plugin', instance);
    const budgets = budgetsOf(instance);
    const used = sharesOf(budgets, row);
    return { instance, day: date, spent: spentOf(row), kvHeldBytes: await kvHeldBytes(instance), budgets, state: stateOf(budgets, used), used, resetsAt: endsAt };
  };
  return {
    async list({ state, sort = 'instance', ...page } = {}) {
      const listed = instances().filter(({ instance, isEnabled }) => isEnabled || ledger.today('plugin', instance));
      const views = await Promise.all(listed.map(({ instance }) => view(instance)));
      return sortedPage(views.filter((each) => state === undefined || each.state === state), { ...page, sort }, ORDERS);
    },
    async show(instance) {
      if (!instances().some((each) => each.instance === instance)) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
      return await view(instance);
    },
    async history({ grain, by, name, since, until, cursor, limit }) {
      await ledger.flush();
      const most = pageSize(limit);
      const items: StatView[] = [];
      const chunk = Math.min(CHUNK, most * 4);
      const from = since === undefined ? {} : { from: rollups.key(grain, since, 'channel', '') };
      let to: Key | undefined = cursor === undefined ? (until === undefined ? undefined : rollups.key(grain, until, 'channel', '')) : readCursor(grain, cursor);
      for (let scanned = 0; scanned < MOST_SCANNED; scanned += chunk) {
        const rows = await store.range(rollups, rollups.prefix(grain), { reverse: true, limit: chunk, ...from, ...(to && { to }) });
        for (const { key, value } of rows) {
          to = key;
          const [, , start, kind, owner] = key;
          if ((by !== undefined && kind !== by) || (name !== undefined && owner !== name)) continue;
          if (kind === 'plugin' || kind === 'tool' || kind === 'channel') items.push(statOf(grain, String(start), kind, String(owner), value));
          if (items.length === most) return { items, cursor: placeOf(key) };
        }
        if (rows.length < chunk) return { items, cursor: null };
        await setImmediate(); // a rare filter reads many pages, and others want to run
      }
      return { items, cursor: to ? placeOf(to) : null };
    },
  };
}

function spentOf(row: RollupRow | undefined): CostView['spent'] {
  const { calls, failed, cpuUs, wallUs, hostCalls, egressBytes, kvBytes } = row ?? { calls: 0, failed: 0, cpuUs: 0, wallUs: 0, hostCalls: 0, egressBytes: 0, kvBytes: 0 };
  return { calls, failed, cpuMs: cpuUs / 1000, wallMs: wallUs / 1000, hostCalls, egressBytes, kvBytes };
}

function sharesOf({ perDay = {} }: Budgets, row: RollupRow | undefined): Partial<Record<Resource, number>> {
  const spent = row && purseOf(row);
  return Object.fromEntries(RESOURCES.flatMap((each) => {
    const most = perDay[each];
    return most === undefined ? [] : [[each, Math.round(((spent?.[each] ?? 0) / most) * 10_000) / 10_000]];
  }));
}

function stateOf({ perDay = {}, warnAt = 0.8 }: Budgets, used: Partial<Record<Resource, number>>): CostView['state'] {
  if (Object.keys(perDay).length === 0) return 'unbounded';
  const most = Math.max(0, ...Object.values(used));
  return most >= 1 ? 'exceeded' : most >= warnAt ? 'warned' : 'within';
}

const statOf = (grain: Grain, at: string, by: StatKind, name: string, { ok, failed, denied, codes, wallUs, cpuUs, hostCalls, egressBytes, kvBytes }: RollupRow): StatView => ({ grain, at, by, name, ok, failed, denied, codes, hostCalls, egressBytes, kvBytes, cpuMs: cpuUs / 1000, wallMs: wallUs / 1000 });

/** `<grain> <start> <kind> <name>`: none of them holds a space. */
const placeOf = ([, ...parts]: Key) => parts.map(String).join(' ');

function readCursor(grain: Grain, cursor: string): Key {
  const [itsGrain, start = '', kind, name = '', ...rest] = cursor.split(' ');
  if (itsGrain !== grain || Number.isNaN(Date.parse(start)) || (kind !== 'plugin' && kind !== 'tool' && kind !== 'channel') || name === '' || rest.length > 0) throw new GatehouseError('CURSOR_INVALID');
  return rollups.key(grain, start, kind, name);
}
