// Budgets: what each instance has spent today and for a message, held against what its operator allows. The broker and every call of a plugin ask here first.
import { RESOURCES, type Budget, type Budgets, type Resource } from '../../schemas/costs.ts';
import type { Ended, Meter, Spending } from '../broker/meter.ts';
import { GatehouseError } from '../errors.ts';
import { publish } from '../events.ts';
import { isAway } from '../sandbox/sandbox.ts';
import type { RollupRow } from '../store/tables.ts';
import type { CostLedger } from './ledger.ts';

/** Messages whose spending is remembered; the longest untouched is forgotten first, and may then spend its budget once more. */
const MOST_MESSAGES = 20_000;

export interface MeterParts {
  readonly ledger: CostLedger;
  /** What the operator allows an instance, asked whenever it counts. */
  readonly budgetsOf: (instance: string) => Budgets;
}

type Purse = Record<Resource, number>;

/** What refuses a call; the others refuse requests of its code. */
const AT_A_CALL: readonly Resource[] = ['calls', 'cpuMs'];

const UNSPENT: Readonly<Purse> = { calls: 0, cpuMs: 0, hostCalls: 0, egressBytes: 0, kvBytes: 0 };

export class BudgetMeter implements Meter {
  readonly #parts: MeterParts;
  /** By instance and message, only where such a budget is set; in the order of their last use. */
  readonly #messages = new Map<string, Purse>();
  /** Calls of an instance that have begun and not ended. */
  readonly #underWay = new Map<string, number>();
  /** What was told today, so that it is told once: `instance resource level`. */
  #told = new Set<string>();
  #toldDay = '';

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  begin(instance: string, subject: string): GatehouseError | undefined {
    const { perDay, perMessage } = this.#parts.budgetsOf(instance);
    const underWay = this.#underWay.get(instance) ?? 0;
    const refusal = (perMessage && this.#refusal(instance, 'message', AT_A_CALL, perMessage, this.#purseOf(instance, subject))) ?? (perDay && this.#refusal(instance, 'day', AT_A_CALL, perDay, this.#withUnderWay(instance, underWay)));
    if (refusal) return refusal;
    this.#underWay.set(instance, underWay + 1);
    // A message's calls count when they begin, so that those side by side see each other.
    if (perMessage) this.#note(instance, subject, { calls: 1 });
    return undefined;
  }

  end(instance: string, subject: string, { ok, code, cpuUs, wallMs }: Ended): void {
    this.#underWay.set(instance, Math.max(0, (this.#underWay.get(instance) ?? 0) - 1));
    // A call that found no sandbox, or no place in its queue, is a failure and has cost nothing: a flood must not spend what it never used.
    const ran = ok || cpuUs > 0 || code === undefined || code === 'INTERNAL' || !isAway(code);
    this.#parts.ledger.charge('plugin', instance, { ok: ok ? 1 : 0, failed: ok ? 0 : 1, calls: ran ? 1 : 0, code, cpuUs, wallUs: wallMs * 1000 });
    this.#account(instance, subject, { cpuUs, calls: ran ? 0 : -1 });
  }

  hold(instance: string, subject: string, resources: readonly Resource[]): void {
    const { perDay, perMessage } = this.#parts.budgetsOf(instance);
    const refusal = (perMessage && this.#refusal(instance, 'message', resources, perMessage, this.#purseOf(instance, subject))) ?? (perDay && this.#refusal(instance, 'day', resources, perDay, this.spentToday(instance)));
    if (refusal) throw refusal;
  }

  spend(instance: string, subject: string, spending: Spending): void {
    this.#parts.ledger.charge('plugin', instance, { hostCalls: spending.hostCalls ?? 0, egressBytes: spending.egressBytes ?? 0, kvBytes: spending.kvBytes ?? 0 });
    this.#account(instance, subject, spending);
  }

  tool(address: string, { ok, code, cpuUs, wallMs }: Ended): void {
    this.#parts.ledger.charge('tool', address, { ok: ok ? 1 : 0, failed: ok ? 0 : 1, code, cpuUs, wallUs: wallMs * 1000 });
  }

  spentToday(instance: string): Readonly<Purse> {
    const row = this.#parts.ledger.today('plugin', instance);
    return row ? purseOf(row) : UNSPENT;
  }

  #account(instance: string, subject: string, spending: Spending): void {
    const { perDay, perMessage, warnAt = 0.8 } = this.#parts.budgetsOf(instance);
    if (perMessage) this.#note(instance, subject, spending);
    if (perDay) this.#tell(instance, perDay, warnAt);
  }

  #refusal(instance: string, period: 'day' | 'message', resources: readonly Resource[], budget: Budget, spent: Readonly<Purse>): GatehouseError | undefined {
    for (const resource of resources) {
      const most = budget[resource];
      if (most === undefined || spent[resource] < most) continue;
      publish('budget.refused', { instance, period, resource });
      return new GatehouseError('BUDGET_EXCEEDED', { instance, resource: NAMES[resource], most, period: period === 'day' ? 'a day' : 'for a message', spent: Math.round(spent[resource]) });
    }
    return undefined;
  }

  #withUnderWay(instance: string, underWay: number): Readonly<Purse> {
    const spent = this.spentToday(instance);
    return underWay === 0 ? spent : { ...spent, calls: spent.calls + underWay };
  }

  #purseOf(instance: string, subject: string): Readonly<Purse> {
    return this.#messages.get(`${instance} ${subject}`) ?? UNSPENT;
  }

  #note(instance: string, subject: string, { calls = 0, cpuUs = 0, hostCalls = 0, egressBytes = 0, kvBytes = 0 }: Spending): void {
    if (subject === '') return;
    const key = `${instance} ${subject}`;
    const purse = this.#messages.get(key) ?? { ...UNSPENT };
    this.#messages.delete(key);
    this.#messages.set(key, purse);
    purse.calls += calls;
    purse.cpuMs += cpuUs / 1000;
    purse.hostCalls += hostCalls;
    purse.egressBytes += egressBytes;
    purse.kvBytes += kvBytes;
    if (this.#messages.size <= MOST_MESSAGES) return;
    const oldest = this.#messages.keys().next();
    if (!oldest.done) this.#messages.delete(oldest.value);
  }

  /** Once a day for each budget that is nearly spent, and once more when it is. */
  #tell(instance: string, perDay: Budget, warnAt: number): void {
    const { date } = this.#parts.ledger.day;
    if (date !== this.#toldDay) {
      this.#toldDay = date;
      this.#told = new Set();
    }
    const spent = this.spentToday(instance);
    for (const resource of RESOURCES) {
      const most = perDay[resource];
      if (most === undefined) continue;
      const share = spent[resource] / most;
      const level = share >= 1 ? 'exceeded' : share >= warnAt ? 'warned' : undefined;
      const key = `${instance} ${resource} ${level}`;
      if (level === undefined || this.#told.has(key)) continue;
      this.#told.add(key);
      publish('budget.reached', { instance, resource, level, spent: Math.round(spent[resource]), most });
    }
  }
}

const NAMES: Readonly<Record<Resource, string>> = { calls: 'calls', cpuMs: 'ms of CPU', hostCalls: 'host calls', egressBytes: 'bytes of egress', kvBytes: 'bytes written to kv' };

export const purseOf = ({ calls, cpuUs, hostCalls, egressBytes, kvBytes }: RollupRow): Purse => ({ calls, cpuMs: cpuUs / 1000, hostCalls, egressBytes, kvBytes });
