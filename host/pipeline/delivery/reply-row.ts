// A skill's reply as a message of its own. offer.ts and conclude.ts make it, whichever comes first.
import type { MessageId } from '../../../schemas/ids.ts';
import { toTimestamp } from '../../clock.ts';
import type { MessageRow } from '../../store/tables.ts';
import { traced } from '../../tracing.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { judgedOf } from '../gating/provenance.ts';
import { placeOf } from '../sessions/whereabouts.ts';

export function replyRow({ row, answeredBy, answerThread }: LaneContext, draft: DraftReply, id: MessageId, nowMs: number): MessageRow {
  return {
    id,
    instance: row.instance,
    conversation: row.conversation,
    sessionKey: row.sessionKey,
    sender: { id: answeredBy ?? row.instance },
    direction: 'outbound',
    outcome: 'pending',
    ...judgedOf(draft),
    mentions: [],
    media: draft.media ?? [],
    ...(draft.replyTo === undefined ? {} : { replyTo: draft.replyTo }),
    ...(row.senderMessageId === undefined ? {} : { inReplyTo: row.senderMessageId }),
    ...placeOf(answerThread === undefined ? row : { ...row, thread: answerThread ?? undefined }),
    ...(draft.edits === undefined ? {} : { edits: draft.edits }),
    ...(draft.reacts === undefined ? {} : { reacts: draft.reacts }),
    answers: row.id,
    at: toTimestamp(nowMs),
    ...(row.hops === undefined ? {} : { hops: row.hops }),
    stages: [],
    ...traced(),
  };
}
