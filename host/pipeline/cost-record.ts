// What a call cost, as the record of a message carries it: the call's own figures, and a line for each plugin whose tools were called within. Stages push both.
import type { StageRecord } from '../../schemas/message.ts';
import type { ScopedResult } from './plugin-calls.ts';

export type Cost = Pick<StageRecord, 'durationMs' | 'cpuUs' | 'hostCalls' | 'egressBytes' | 'kvBytes'>;

/** What is zero is left out: most calls ask nothing of the host. */
export function costOf({ result, scope }: ScopedResult): Cost {
  return { durationMs: result.wallMs, cpuUs: result.cpuUs, ...spentOf({ hostCalls: scope.hostCalls, egressBytes: scope.egressBytes, kvBytes: scope.kvBytes }) };
}

/** One record for each instance whose tools were called, by this call or by tools it called. */
export function toolRecords({ scope }: Pick<ScopedResult, 'scope'>): StageRecord[] {
  return [...scope.tools].map(([instance, { calls, wallMs, cpuUs, ...spent }]) => ({ stage: 'tool', decision: 'called', instance, durationMs: wallMs, cpuUs, ...(calls > 1 && { calls }), ...spentOf(spent) }));
}

function spentOf({ hostCalls, egressBytes, kvBytes }: { readonly hostCalls: number; readonly egressBytes: number; readonly kvBytes: number }): Pick<StageRecord, 'hostCalls' | 'egressBytes' | 'kvBytes'> {
  return { ...(hostCalls > 0 && { hostCalls }), ...(egressBytes > 0 && { egressBytes }), ...(kvBytes > 0 && { kvBytes }) };
}
