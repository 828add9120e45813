// Makes room in a full lane by ending its oldest messages, in the commit that accepts a new one. accept.ts asks where the policy says `old` or `summarize`; inbound.ts tells how it went.
//
// A message that is about to end stays where it is, marked as leaving: a run that comes to it waits for the commit, so that the order holds even when that fails.
import type { QueuePolicy } from '../../../schemas/policy.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { SessionKey } from '../../../schemas/ids.ts';
import { GatehouseError } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Ids } from '../../ids.ts';
import type { Lanes } from '../../store/lanes.ts';
import { endingOf } from '../../store/messages.ts';
import { put, type Put, type Removal, type Store } from '../../store/store.ts';
import { lanes as laneTable, messages, type MessageRow } from '../../store/tables.ts';
import { lineOf, placed } from '../conversation-order.ts';
import { letterOf } from '../letters/dead-letters.ts';
import type { LaneItem } from './lane-work.ts';

export interface LaneRoomParts {
  readonly store: Store;
  readonly ids: Ids;
  readonly lanes: Pick<Lanes<LaneItem>, 'behind' | 'depth' | 'items' | 'swap'>;
}

/** What rides in the accept commit. */
export interface Room {
  readonly put: readonly Put[];
  readonly remove: readonly Removal[];
  /** Once, when it is known whether the commit was made, and after the new message is in the lane. */
  settle(committed: boolean): void;
}

interface Leaver {
  readonly item: LaneItem;
  /** As it stands in the lane until it is known. */
  readonly leaving: LaneItem;
  /** What stands there afterwards, if anything does. */
  readonly marker: LaneItem | undefined;
}

export class LaneRoom {
  readonly #parts: LaneRoomParts;

  constructor(parts: LaneRoomParts) {
    this.#parts = parts;
  }

  /** Undefined when there is room. Places are claimed before anything is awaited. */
  async make(sessionKey: SessionKey, { cap, drop }: Required<QueuePolicy>): Promise<Room | undefined> {
    const { lanes, store, ids } = this.#parts;
    if (drop === 'new' || lanes.behind(sessionKey) < cap) return undefined;
    const waiting = lanes.items(sessionKey).slice(-lanes.behind(sessionKey));
    const staying = waiting.filter(({ leaving, dropped }) => leaving === undefined && dropped === undefined);
    const excess = staying.slice(0, Math.max(0, staying.length + 1 - cap));
    if (excess.length === 0) return undefined;

    const known = Promise.withResolvers<void>();
    const folded = drop === 'summarize' ? this.#fold(waiting, excess.length) : [];
    const leavers = excess.map((item, index): Leaver => {
      const stoodFor = index === 0 ? folded.reduce((sum, { dropped = 0 }) => sum + dropped, 0) : 0;
      const marker = drop === 'summarize' ? { ...item, dropped: 1 + stoodFor } : undefined;
      return { item, leaving: { ...item, leaving: known.promise }, marker };
    });
    for (const { item, leaving } of leavers) lanes.swap(sessionKey, item, leaving);
    const settle = (committed: boolean) => {
      for (const { item, leaving, marker } of leavers) {
        if (!committed) lanes.swap(sessionKey, leaving, item);
        else if (marker) lanes.swap(sessionKey, leaving, marker);
        // A run that has it takes it along as one that stands for nothing.
        else if (!lanes.swap(sessionKey, leaving)) lanes.swap(sessionKey, leaving, { ...item, dropped: 0 });
      }
      if (committed) for (const item of folded) lanes.swap(sessionKey, item);
      if (committed) for (const row of ended) publish('message.outcome', { messageId: row.id, instance: row.instance, direction: 'inbound', outcome: 'dropped', code: 'LANE_OVERFLOW' });
      known.resolve();
    };

    let ended: MessageRow[] = [];
    try {
      const rows = await Promise.all(leavers.map(async ({ item }) => item.row ?? (await store.get(messages, messages.key(item.messageId)))?.value));
      const depth = lanes.depth(sessionKey);
      ended = rows.flatMap((row) => (row ? [dropped(row, depth, ids)] : []));
    } catch (error) {
      settle(false);
      throw error;
    }
    return {
      put: [...ended.flatMap((row) => [endingOf(row), lineOf(row)]), ...leavers.flatMap(({ marker }) => (marker ? [markerRow(sessionKey, marker)] : []))],
      remove: [...[...folded, ...(drop === 'old' ? excess : [])].map(({ place }) => ({ table: laneTable, key: laneTable.key(place) })), ...ended.flatMap(letterOf)],
      settle,
    };
  }

  /** The oldest of those told of in the next run, where there would be too many: the new ones stand for them as well. */
  #fold(waiting: readonly LaneItem[], more: number): LaneItem[] {
    const markers = waiting.filter((item) => item.dropped !== undefined);
    return markers.slice(0, Math.max(0, markers.length + more - BOUNDS.summaryMessages));
  }
}

function dropped(row: MessageRow, depth: number, ids: Ids): MessageRow {
  const { message: reason } = new GatehouseError('LANE_OVERFLOW', { depth });
  return placed({ ...row, outcome: 'dropped', code: 'LANE_OVERFLOW', stages: [...row.stages, { stage: 'lane', decision: 'dropped', reason, durationMs: 0 }] }, ids);
}

function markerRow(sessionKey: SessionKey, { place, messageId, attempts, dropped: count }: LaneItem): Put {
  return put(laneTable, laneTable.key(place), { sessionKey, messageId, attempts, ...(count !== undefined && { dropped: count }) });
}
