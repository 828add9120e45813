// A message's walk for people: its facts, its stages, its text, each reply with its delivery, and what plugins cost it. Used by `messages show` and `dead-letters show`.
import type { MessageDetail, MessageView } from '../../schemas/control.ts';
import type { GateMark, StageRecord } from '../../schemas/message.ts';
import { plain, type Io } from './io.ts';
import { facts, table } from './table.ts';

export function walkLines(io: Io, { costs, replies, ...message }: MessageDetail): string {
  return [messageLines(io, message), ...(replies ?? []).map((reply, index) => `Reply ${index + 1}\n${messageLines(io, reply)}`), costTable(io, costs)].filter((part) => part !== '').join('\n\n');
}

function messageLines(io: Io, { stages = [], text, sender, ...rest }: MessageView): string {
  const { media, room, provenance = [], ...plainFacts } = rest;
  const shown = { ...plainFacts, sender: sender.name === undefined ? sender.id : `${sender.name} (${sender.id})`, ...(room === undefined ? {} : { room: room.name === undefined ? room.kind : `${room.kind} ${room.name}` }), ...(media === undefined ? {} : { media: media.map(({ kind }) => kind).join(', ') }) };
  return [facts(io, shown), marksTable(io, provenance), walkTable(io, stages), plain(text ?? '')].filter((part) => part !== '').join('\n\n');
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
