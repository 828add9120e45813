// How the other messages of a run end: with its answer, or overtaken by it. Written by whichever commit ends the run, all or nothing.
import type { Ids } from '../../ids.ts';
import { endingOf } from '../../store/messages.ts';
import type { Put, Removal } from '../../store/store.ts';
import { lanes, type MessageRow } from '../../store/tables.ts';
import { lineOf, placed } from '../conversation-order.ts';
import { letterOf } from '../letters/dead-letters.ts';
import type { LaneContext, LaneGroup } from '../context.ts';

export interface GroupEnding {
  /** In their order. */
  readonly ended: readonly MessageRow[];
  readonly put: readonly Put[];
  readonly remove: readonly Removal[];
}

const NOTHING: GroupEnding = { ended: [], put: [], remove: [] };

/** `outcome` and `code` are those of the message that ran; collected ones share them, overtaken ones are dropped. */
export function endGroup({ group, messageId }: Pick<LaneContext, 'group' | 'messageId'>, { outcome, code }: { readonly outcome: MessageRow['outcome']; readonly code?: string | undefined }, ids: Ids): GroupEnding {
  if (!group) return NOTHING;
  const ended = group.others.map(({ row }) => {
    const stages = [...row.stages, { stage: 'lane', decision: group.fate, durationMs: 0 }];
    const how = group.fate === 'collected' ? { outcome, ...(code !== undefined && { code }) } : { outcome: 'dropped' as const, code: 'SUPERSEDED' as const };
    return placed({ ...row, ...how, stages, ranWith: messageId }, ids);
  });
  return { ended, put: ended.flatMap((row) => [endingOf(row), lineOf(row)]), remove: [...entriesOf(group), ...ended.flatMap(letterOf)] };
}

/** The lane entries of everything but the message that ran. */
export function entriesOf({ others, told }: LaneGroup): readonly Removal[] {
  return [...others.map(({ place }) => place), ...told].map((place) => ({ table: lanes, key: lanes.key(place) }));
}

/** What the message that ran says of the others. */
export function countsOf({ group }: Pick<LaneContext, 'group'>): Pick<MessageRow, 'collected' | 'dropped'> {
  return group ? { ...(group.collected > 1 && { collected: group.collected }), ...(group.dropped > 0 && { dropped: group.dropped }) } : {};
}
