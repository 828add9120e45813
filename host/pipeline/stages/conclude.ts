// The commit that ends a message's turn: its outcome, its line in the conversation, the replies and their deliveries, the lane entry gone, what plugins wrote and sent — all or nothing.
import { toTimestamp, type Clock } from '../../clock.ts';
import type { Ids } from '../../ids.ts';
import { put, type Put, type Removal, type Store } from '../../store/store.ts';
import { lineOf, placed } from '../conversation-order.ts';
import { deliveries, lanes, messages, type MessageRow } from '../../store/tables.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { PASS, type Stage } from '../stage.ts';

export interface ConcludeParts {
  readonly store: Store;
  readonly writes: PluginWrites;
  readonly ids: Ids;
  readonly clock: Clock;
  /** Told after the commit, in order; starts the delivery. */
  readonly onReply: (row: MessageRow) => void;
  readonly onConcluded: (row: MessageRow) => void;
}

export function conclude(parts: ConcludeParts): Stage<LaneContext> {
  const { store, writes, ids, clock, onReply, onConcluded } = parts;
  return {
    name: 'conclude',
    budgetMs: 50,
    onFailure: 'retry',
    async run(context) {
      const carried = await writes.of(context.scopes, context.answeredBy);
      // From here to `commit` nothing awaits: ids of one conversation rise in the order of their commits, so a reader's cursor never skips one.
      const written = carried?.rows();
      const concluded = placed(concludedRow(context), ids);
      const replies = context.replies.map((draft) => replyRow(context, draft, parts, clock.now()));
      const rows: Put[] = [put(messages, messages.key(concluded.id), concluded), lineOf(concluded)];
      for (const reply of replies) {
        rows.push(
          put(messages, messages.key(reply.id), reply),
          lineOf(reply),
          put(deliveries, deliveries.key(reply.id), { instance: reply.instance, conversation: reply.conversation, attempts: 0 }),
        );
      }
      const remove: Removal[] = [{ table: lanes, key: lanes.key(context.place) }];
      let committed = false;
      try {
        const result = await store.commit({ put: written ? [...rows, ...written.put] : rows, remove: written ? [...remove, ...written.remove] : remove });
        committed = result === 'committed';
      } finally {
        carried?.done(committed);
      }
      for (const reply of replies) onReply(reply);
      onConcluded(concluded);
      return PASS;
    },
  };
}

function concludedRow(context: LaneContext): MessageRow {
  const outcome = context.replies.length > 0 ? 'answered' : 'unanswered';
  const refused = context.refused > 0 && context.replies.length === 0;
  return { ...context.row, outcome, stages: context.stages, ...(refused ? { code: 'REPLY_DENIED' } : {}) };
}

function replyRow(context: LaneContext, draft: DraftReply, { ids }: ConcludeParts, nowMs: number): MessageRow {
  const { row } = context;
  return {
    id: ids.next(),
    instance: row.instance,
    conversation: row.conversation,
    sessionKey: row.sessionKey,
    sender: { id: context.answeredBy ?? row.instance },
    direction: 'outbound',
    outcome: 'pending',
    text: draft.text,
    mentions: [],
    media: draft.media ?? [],
    ...(draft.replyTo === undefined ? {} : { replyTo: draft.replyTo }),
    ...(row.senderMessageId === undefined ? {} : { inReplyTo: row.senderMessageId }),
    answers: row.id,
    at: toTimestamp(nowMs),
    ...(row.hops === undefined ? {} : { hops: row.hops }),
    flags: draft.flags,
    stages: [],
  };
}
