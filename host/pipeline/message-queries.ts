// What the control plane may see of messages: newest first, filtered, page by page.
import type { MessageDetail, MessageView, PluginCost } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import { unpackEnding, unpackMessage, type StoredMessage } from '../store/message-record.ts';
import { companyOf, readMessage } from '../store/messages.ts';
import { filteredPage, idsOf, type Page, type PageQuery } from '../store/page.ts';
import type { Store } from '../store/store.ts';
import { conversations, packedEndings, packedMessages, type MessageRow } from '../store/tables.ts';
import { judgedOf } from './gating/provenance.ts';
import { speakerOf } from './verifying/speaker.ts';
import { whereaboutsOf } from './sessions/whereabouts.ts';

export interface MessageFilter extends PageQuery {
  /** Newest first unless said otherwise. */
  readonly sort?: 'at' | '-at';
  readonly instance?: string;
  readonly conversation?: string;
  readonly outcome?: string;
  readonly direction?: 'inbound' | 'outbound';
  /** RFC 3339 in UTC with milliseconds: those of then and later, and those before. */
  readonly since?: string;
  readonly until?: string;
}

export function listMessages(store: Store, { cursor, limit, sort, ...filter }: MessageFilter): Promise<Page<MessageView>> {
  return filteredPage(store, packedMessages, { cursor, limit, newestFirst: sort !== 'at', ...idsOf(filter) }, async (stored) => {
    if (!concerns(stored, filter)) return undefined;
    const ending = (await store.get(packedEndings, packedEndings.key(stored.id)))?.value;
    if (filter.outcome !== undefined && filter.outcome !== (ending ?? stored).outcome) return undefined;
    return messageView({ ...unpackMessage(stored), ...(ending && unpackEnding(ending)) });
  });
}

/** Lines of its conversation behind a message that are looked through for its replies: they follow it at once, those of runs beside it in between. */
const MOST_LINES = 200;

/** Throws MESSAGE_NOT_FOUND. */
export async function showMessage(store: Store, id: string): Promise<MessageDetail> {
  const row = await readMessage(store, id);
  if (!row) throw new GatehouseError('MESSAGE_NOT_FOUND', { id: id.slice(0, 100) });
  if (row.direction === 'outbound') return { ...messageView(row), costs: costsOf([row]) };
  const replies = await repliesTo(store, row);
  return { ...messageView(row), costs: costsOf([row, ...replies]), replies: replies.map(messageView) };
}

/** What was said because of a message, in order. */
export async function repliesTo(store: Store, { id, instance, conversation, place }: MessageRow): Promise<MessageRow[]> {
  const after = conversations.key(instance, conversation, place ?? id);
  const lines = await store.range(conversations, conversations.prefix(instance, conversation), { after, limit: MOST_LINES });
  const outbound = lines.filter(({ value }) => value.direction === 'outbound');
  const rows = await Promise.all(outbound.map(({ key, value }) => readMessage(store, value.messageId ?? String(key.at(-1)))));
  return rows.filter((row): row is MessageRow => row?.answers === id);
}

function costsOf(rows: readonly MessageRow[]): PluginCost[] {
  const costs = new Map<string, PluginCost>();
  for (const { instance, durationMs, cpuUs, calls = 1, hostCalls = 0, egressBytes = 0, kvBytes = 0 } of rows.flatMap(({ stages }) => stages)) {
    if (instance === undefined || cpuUs === undefined) continue;
    const sum = costs.get(instance) ?? { instance, calls: 0, wallMs: 0, cpuMs: 0, hostCalls: 0, egressBytes: 0, kvBytes: 0 };
    costs.set(instance, {
      instance,
      calls: sum.calls + calls,
      wallMs: Math.round((sum.wallMs + durationMs) * 1000) / 1000,
      cpuMs: Math.round(sum.cpuMs * 1000 + cpuUs) / 1000,
      hostCalls: sum.hostCalls + hostCalls,
      egressBytes: sum.egressBytes + egressBytes,
      kvBytes: sum.kvBytes + kvBytes,
    });
  }
  return [...costs.values()].toSorted((a, b) => b.cpuMs - a.cpuMs);
}

function concerns(row: StoredMessage, { instance, conversation, direction, since, until }: MessageFilter): boolean {
  return (
    (instance === undefined || row.instance === instance) &&
    (conversation === undefined || row.conversation === conversation) &&
    (direction === undefined || row.direction === direction) &&
    (since === undefined || row.at >= since) &&
    (until === undefined || row.at < until)
  );
}

export function messageView(row: MessageRow): MessageView {
  return {
    id: row.id,
    instance: row.instance,
    conversation: row.conversation,
    sender: row.sender,
    direction: row.direction,
    outcome: row.outcome,
    ...judgedOf(row),
    ...(row.media.length === 0 ? {} : { media: [...row.media] }),
    ...(row.senderMessageId === undefined ? {} : { senderMessageId: row.senderMessageId }),
    ...(row.inReplyTo === undefined ? {} : { inReplyTo: row.inReplyTo }),
    ...whereaboutsOf(row),
    ...speakerOf(row),
    at: row.at,
    ...(row.hops === undefined ? {} : { hops: row.hops }),
    ...(row.remoteIds ? { remoteIds: [...row.remoteIds] } : {}),
    ...companyOf(row),
    ...(row.code === undefined ? {} : { code: row.code }),
    stages: [...row.stages],
  };
}
