// The spans of a message: one as it arrives, one for each try at answering it, one for each try at delivering what came of it. Used by inbound.ts and by whoever works a lane.
import type { MessageRow } from '../store/tables.ts';
import { worked, type Attributes, type SpanKind, type Tracing } from '../tracing.ts';
import type { Verdict } from './stage.ts';

/** As OpenTelemetry's conventions for messaging name them. */
export type MessageWork = 'receive' | 'process' | 'send';

const NAMES: Readonly<Record<MessageWork, string>> = { receive: 'accept message', process: 'answer message', send: 'deliver message' };

export const kindOf = (work: MessageWork): SpanKind => (work === 'receive' ? 'internal' : 'consumer');
export const nameOf = (work: MessageWork): string => NAMES[work];

export function attributesOf(work: MessageWork, { messageId, instance, attempts }: { readonly messageId: string; readonly instance: string; readonly attempts?: number }): Attributes {
  return { 'messaging.system': 'gatehouse', 'messaging.operation.type': work, 'messaging.message.id': messageId, 'gatehouse.instance': instance, ...(attempts !== undefined && { 'gatehouse.attempt': attempts + 1 }) };
}

/** One try at a stored message, as a part of the trace that it was stored with. Whoever moves a lane on may be at work on something else: that is not what this belongs to. */
export async function onMessage(tracing: Tracing, work: 'process' | 'send', { row, attempts }: { readonly row: MessageRow; readonly attempts: number }, run: () => Promise<Verdict>): Promise<Verdict> {
  const about = { messageId: row.id, instance: row.instance };
  const { trace } = row;
  const begin = () => (trace === undefined || !tracing.on ? undefined : tracing.resume(nameOf(work), kindOf(work), attributesOf(work, { ...about, attempts }), trace));
  return await worked(about, begin, run, failedBy);
}

/** A denial is an outcome; what is tried again or given up has failed. */
export const failedBy = (verdict: Verdict): string | undefined => (verdict.decision === 'retry' || verdict.decision === 'give-up' ? verdict.code : undefined);
