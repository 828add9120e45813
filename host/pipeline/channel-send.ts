// Asks a channel what is to be done to send one message. deliver.ts asks when its turn has come, offer.ts before a reply is stored.
import { Delivery, SendResult, type Action, type StageRecord } from '../../schemas/message.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { failureClassOf, isLost } from '../sandbox/sandbox.ts';
import { compileSchema } from '../schema.ts';
import type { MessageRow } from '../store/tables.ts';
import { isAway, type PluginCalls } from './plugin-calls.ts';
import { placeOf } from './whereabouts.ts';

/** The channel's answer: what the host is to do, and what the channel wrote. */
export interface ToDo {
  readonly ok: true;
  readonly actions: readonly Action[];
  readonly scope: CallScope;
  readonly record: StageRecord;
}

/** `away`: the channel was not there, which says nothing about the message. `terminal`: it would fail the same way again. */
export type Asked = ToDo | { readonly ok: false; readonly away: boolean; readonly terminal: boolean; readonly problem: string };

const sendResult = compileSchema<SendResult>(SendResult);

/** `attempts` counts those before this one; `waitMs` is how long a channel that restarts is waited for. The scope of an answer is the caller's to commit or release. */
export async function askToSend(calls: PluginCalls, row: MessageRow, { attempts, waitMs }: { readonly attempts: number; readonly waitMs: number }): Promise<Asked> {
  const { result, scope } = await calls.call(row.instance, 'send', deliveryOf(row, attempts), { attemptKey: row.id, waitMs, hops: row.hops });
  if (!result.ok) return { ok: false, away: isAway(result.code) || isLost(result), terminal: failureClassOf(result) === 'terminal', problem: result.message };
  if (!sendResult.is(result.value)) {
    scope.release();
    return { ok: false, away: false, terminal: false, problem: 'its result is not { actions: […] }' };
  }
  return { ok: true, actions: result.value.actions, scope, record: { stage: 'send', decision: 'sent', instance: row.instance, durationMs: result.wallMs, cpuUs: result.cpuUs } };
}

function deliveryOf(row: MessageRow, attempts: number): Delivery {
  return { id: row.id, conversation: row.conversation, inReplyTo: row.inReplyTo ?? null, ...placeOf(row), text: row.text, ...(row.media.length > 0 ? { media: [...row.media] } : {}), at: row.at, attempt: attempts + 1, ...(row.hops === undefined ? {} : { hops: row.hops }) };
}
