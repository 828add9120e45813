// Asks a channel what is to be done to send one message. deliver.ts asks when its turn has come, offer.ts before a reply is stored.
import { Delivery, SendResult, type Action, type StageRecord } from '../../../schemas/message.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { failureClassOf, isAway, isLost } from '../../sandbox/sandbox.ts';
import { compileSchema } from '../../schema.ts';
import type { MessageRow } from '../../store/tables.ts';
import { costOf } from '../cost-record.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import { placeOf } from '../sessions/whereabouts.ts';

/** The channel's answer: what the host is to do, and what the channel wrote. */
export interface ToDo {
  readonly ok: true;
  readonly actions: readonly Action[];
  readonly remoteId?: string;
  readonly scope: CallScope;
  readonly record: StageRecord;
}

/** `away`: the channel was not there, which says nothing about the message. `terminal`: it would fail the same way again. */
export type Asked = ToDo | { readonly ok: false; readonly away: boolean; readonly terminal: boolean; readonly problem: string };

const sendResult = compileSchema<SendResult>(SendResult);

/** One of the pieces that a long message leaves in; `index` counts from 1. */
export interface PieceToSend {
  readonly text: string;
  readonly index: number;
  readonly count: number;
}

export interface AskToSend {
  readonly attempts: number;
  readonly waitMs: number;
  readonly piece?: PieceToSend;
}

/** `attempts` counts those before this one; `waitMs` is how long a channel that restarts is waited for. The scope of an answer is the caller's to commit or release. */
export async function askToSend(calls: PluginCalls, row: MessageRow, { attempts, waitMs, piece }: AskToSend): Promise<Asked> {
  const delivery = piece ? pieceOf(deliveryOf(row, attempts), piece) : deliveryOf(row, attempts);
  const called = await calls.call(row.instance, 'send', delivery, { attemptKey: delivery.id, waitMs, hops: row.hops, turn: { party: row.instance, member: row.conversation } });
  const { result, scope } = called;
  if (!result.ok) return { ok: false, away: isAway(result.code) || isLost(result), terminal: failureClassOf(result) === 'terminal', problem: result.message };
  if (!sendResult.is(result.value)) {
    scope.release();
    return { ok: false, away: false, terminal: false, problem: 'its result is not { actions: […] }' };
  }
  const { actions, remoteId } = result.value;
  return { ok: true, actions, ...(remoteId === undefined ? {} : { remoteId }), scope, record: { stage: 'send', decision: 'sent', instance: row.instance, ...costOf(called) } };
}

function deliveryOf(row: MessageRow, attempts: number): Delivery {
  return { id: row.id, conversation: row.conversation, inReplyTo: row.inReplyTo ?? null, ...placeOf(row), text: row.text, ...(row.media.length > 0 ? { media: [...row.media] } : {}), at: row.at, attempt: attempts + 1, ...(row.hops === undefined ? {} : { hops: row.hops }) };
}

/** Each piece is a send of its own, under a key of its own; what belongs to the message and is not text goes with the first. */
function pieceOf({ media, ...delivery }: Delivery, { text, index, count }: PieceToSend): Delivery {
  return { ...delivery, id: `${delivery.id}/${index}`, part: { of: delivery.id, index, count }, text, ...(index === 1 && media ? { media } : {}) };
}
