// A message's walk for people: its facts, its stages, its text, each reply with its delivery, and what plugins cost it. Used by `messages show` and `dead-letters show`.
import type { MessageDetail, MessageView } from '../../schemas/control.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import type { GateMark, StageRecord } from '../../schemas/message.ts';
import { plain, type Io } from './io.ts';
import { facts, table } from './table.ts';

export function walkLines(io: Io, { costs, replies, ...message }: MessageDetail): string {
  return [messageLines(io, message), ...(replies ?? []).map((reply, index) => `Reply ${index + 1}\n${messageLines(io, reply)}`), costTable(io, costs)].filter((part) => part !== '').join('\n\n');
}

function messageLines(io: Io, { stages = [], text, sender, ...rest }: MessageView): string {
  const { media = [], room, provenance = [], ...plainFacts } = rest;
  const shown = { ...plainFacts, sender: sender.name === undefined ? sender.id : `${sender.name} (${sender.id})`, ...(room === undefined ? {} : { room: room.name === undefined ? room.kind : `${room.kind} ${room.name}` }) };
  return [facts(io, shown), mediaTable(io, media), marksTable(io, provenance), walkTable(io, stages), plain(text ?? '')].filter((part) => part !== '').join('\n\n');
}

/** What it carries. A stored file shows the first half of its digest; `--json` has it whole. */
function mediaTable(io: Io, media: readonly MediaBlock[]): string {
  return table(io, media, {
    kind: ({ kind }) => kind,
    name: ({ name }) => name,
    type: (block) => ('mimeType' in block ? block.mimeType : undefined),
    bytes: (block) => ('sizeBytes' in block && block.sizeBytes !== undefined ? String(block.sizeBytes) : undefined),
    where: whereOf,
  }, '');
}

function whereOf(block: MediaBlock): string {
  if (block.kind === 'location') return `${block.latitude}, ${block.longitude}`;
  if (block.kind === 'contact') return [...(block.phones ?? []), ...(block.emails ?? [])].join(', ');
  return 'id' in block ? block.id.slice(0, 'sha256:'.length + 32) : block.url;
}

/** What gates did to it. Hashes are shown as far as one tells them apart; `--json` has them whole. */
function marksTable(io: Io, marks: readonly GateMark[]): string {
  return table(io, marks, {
    gate: ({ gate }) => gate,
    effect: ({ effect }) => effect,
    labels: ({ labels }) => labels?.join(', '),
    before: ({ before }) => before?.slice(0, 16),
    after: ({ after }) => after?.slice(0, 16),
  }, '');
}

export function walkTable(io: Io, stages: readonly StageRecord[]): string {
  return table(io, stages, {
    stage: ({ stage }) => stage,
    decision: ({ decision }) => decision,
    ms: ({ durationMs }) => durationMs.toFixed(1),
    'cpu ms': ({ cpuUs }) => (cpuUs === undefined ? undefined : (cpuUs / 1000).toFixed(1)),
    instance: ({ instance }) => instance,
    reason: ({ reason }) => reason,
  }, '');
}

function costTable(io: Io, costs: MessageDetail['costs']): string {
  return table(io, costs, { plugin: ({ instance }) => instance, calls: ({ calls }) => calls, 'wall ms': ({ wallMs }) => wallMs.toFixed(1), 'cpu ms': ({ cpuMs }) => cpuMs.toFixed(1) }, '');
}
