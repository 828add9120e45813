// Where the broker and the calls of plugins ask whether there is budget left, and say what was spent. host/costs/meter.ts answers.
import type { Resource } from '../../schemas/costs.ts';
import type { GatehouseError } from '../errors.ts';
import type { CallFailure } from '../sandbox/sandbox.ts';

export interface Spending {
  readonly calls?: number;
  readonly cpuUs?: number;
  readonly wallMs?: number;
  readonly hostCalls?: number;
  readonly egressBytes?: number;
  readonly kvBytes?: number;
}

/** What a call may spend, and what it has. */
export interface Account {
  /** Throws BUDGET_EXCEEDED, as `Meter.hold`. */
  hold(...resources: readonly Resource[]): void;
  spend(spending: Spending): void;
}

/** How a call ended, and what it took. */
export interface Ended {
  readonly ok: boolean;
  /** Of one that failed. */
  readonly code?: CallFailure | 'INTERNAL';
  readonly cpuUs: number;
  readonly wallMs: number;
}

/** `subject` is the message that something is spent for; empty where there is none. */
export interface Meter {
  /** A call is to be made: BUDGET_EXCEEDED when it may not. Every other one is followed by `end`. */
  begin(instance: string, subject: string): GatehouseError | undefined;
  end(instance: string, subject: string, ended: Ended): void;
  /** Throws BUDGET_EXCEEDED when the instance has spent what it may of one of these. */
  hold(instance: string, subject: string, resources: readonly Resource[]): void;
  /** What code of the instance spent in the middle of a call. */
  spend(instance: string, subject: string, spending: Spending): void;
  /** A call of a tool ended. */
  tool(address: string, ended: Ended): void;
}

/** Where nobody counts. */
export const NO_METER: Meter = { begin: () => undefined, end: () => undefined, hold: () => undefined, spend: () => undefined, tool: () => undefined };
