// The commit that ends a message's turn: its outcome, its line in the conversation, the replies and their deliveries, the lane entry gone, what plugins wrote and sent — all or nothing.
import type { Clock } from '../../clock.ts';
import type { Ids } from '../../ids.ts';
import { readersOf } from '../../media/media-store.ts';
import { endingOf } from '../../store/messages.ts';
import { put, type Put, type Removal, type Store } from '../../store/store.ts';
import { lineOf, placed } from '../conversation-order.ts';
import { deliveries, lanes, messages, type MessageRow } from '../../store/tables.ts';
import type { DraftReply, LaneContext, Offered } from '../context.ts';
import { letterOf } from '../letters/dead-letters.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { replyRow } from '../delivery/reply-row.ts';
import { countsOf, endGroup } from '../lanes/lane-endings.ts';
import { CANCELLED, PASS, type Stage } from '../stage.ts';

export interface ConcludeParts {
  readonly store: Store;
  readonly writes: PluginWrites;
  readonly ids: Ids;
  readonly clock: Clock;
  /** Told after the commit, in order; starts the delivery. */
  readonly onReply: (row: MessageRow, offered: Offered | undefined) => void;
  /** Told after the commit of a reply that needs no delivery. */
  readonly onDelivered: (row: MessageRow) => void;
  readonly onConcluded: (row: MessageRow) => void;
}

export function conclude(parts: ConcludeParts): Stage<LaneContext> {
  const { store, writes, ids, onReply, onDelivered, onConcluded } = parts;
  return {
    name: 'conclude',
    budgetMs: 50,
    onFailure: 'retry',
    async run(context) {
      const carried = await writes.of(context.scopes, context.answeredBy);
      if (context.cancelled) {
        carried?.done(false);
        return CANCELLED;
      }
      context.isConcluding = true;
      // From here to `commit` nothing awaits: ids of one conversation rise in the order of their commits, so a reader's cursor never skips one.
      const written = carried?.rows();
      const ending = concludedRow(context);
      const others = endGroup(context, ending, ids);
      const concluded = placed(ending, ids);
      const replies = context.replies.map((draft) => outboundRow(context, draft, parts));
      const rows: Put[] = [...others.put, endingOf(concluded), lineOf(concluded), ...readersOf(context.message.media, skillsIn(context), parts.clock.now())];
      for (const { row } of replies) {
        rows.push(put(messages, messages.key(row.id), row), lineOf(row));
        if (row.outcome === 'pending') rows.push(put(deliveries, deliveries.key(row.id), { instance: row.instance, conversation: row.conversation, attempts: 0 }));
      }
      const remove: Removal[] = [{ table: lanes, key: lanes.key(context.place) }, ...letterOf(context.row), ...others.remove];
      let committed = false;
      try {
        const result = await store.commit({ put: written ? [...rows, ...written.put] : rows, remove: written ? [...remove, ...written.remove] : remove });
        committed = result === 'committed';
      } finally {
        carried?.done(committed);
      }
      for (const { row, offered } of replies) {
        if (row.outcome === 'pending') onReply(row, offered);
        else onDelivered(row);
      }
      for (const row of others.ended) onConcluded(row);
      onConcluded(concluded);
      return PASS;
    },
  };
}

function concludedRow(context: LaneContext): MessageRow {
  const outcome = context.replies.length > 0 ? 'answered' : 'unanswered';
  const refused = context.refused > 0 && context.replies.length === 0;
  return { ...context.row, outcome, stages: context.stages, ...(refused ? { code: context.refusal ?? 'REPLY_DENIED' } : {}), ...(context.group && countsOf(context)) };
}

/** Who was asked about the message and did not fail. */
const skillsIn = ({ stages }: LaneContext) => stages.flatMap(({ stage, decision, instance }) => (stage === 'skill' && instance !== undefined && (decision === 'answered' || decision === 'not-mine') ? [instance] : []));

/** A reply that needs nothing done is delivered by being stored. One that had its id before this commit gets a place of its own in it. */
function outboundRow(context: LaneContext, draft: DraftReply, { ids, clock }: ConcludeParts): { readonly row: MessageRow; readonly offered?: Offered } {
  const { offered } = draft;
  if (!offered) return { row: draft.id === undefined ? replyRow(context, draft, ids.next(), clock.now()) : placed(replyRow(context, draft, draft.id, clock.now()), ids) };
  const row = placed(offered.row, ids);
  return offered.actions.length === 0 ? { row: { ...row, outcome: 'delivered', stages: [offered.record], ...(offered.remoteId !== undefined && { remoteIds: [offered.remoteId] }) } } : { row, offered };
}
