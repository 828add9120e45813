// A message as it is stored: its record of stages as one line of text, and nothing for lists that are empty. tables.ts declares it as the packing of `messages` and `endings`.
//
// The record is most of a short message, and each of a message's three commits writes it. As objects it takes some ninety bytes a stage, as text fifteen; at
// 64 messages in flight the store commits 1.4 times as many rows of that size a second.
import type { StageRecord } from '../../schemas/message.ts';
import type { EndingRow, MessageRow } from './tables.ts';

/** What of a row is packed; everything else is stored as it is. */
type Packed = 'stages' | 'mentions' | 'media' | 'flags' | 'command';

export interface StoredMessage extends Omit<MessageRow, Packed>, Partial<Pick<MessageRow, Exclude<Packed, 'stages' | 'command'>>> {
  readonly stages: string | readonly StageRecord[];
  readonly command?: StoredCommand;
}

/** Arguments are a part of the text, and may be most of it: where they begin, and how long they are. */
type StoredCommand = readonly [name: string, from: number, length: number];

export function packMessage(row: MessageRow): StoredMessage {
  const { stages, mentions, media, flags, command, ...rest } = row;
  return {
    ...rest,
    stages: packStages(stages),
    ...(mentions.length > 0 && { mentions }),
    ...(media.length > 0 && { media }),
    ...(flags.length > 0 && { flags }),
    ...(command && { command: [command.name, row.text.lastIndexOf(command.arguments), command.arguments.length] }),
  };
}

/** Rows of earlier versions hold their record as objects; they are read as well. */
export function unpackMessage({ stages, mentions = [], media = [], flags = [], command, ...rest }: StoredMessage): MessageRow {
  const [name = '', from = 0, length = 0] = command ?? [];
  return { ...rest, stages: typeof stages === 'string' ? unpackStages(stages) : stages, mentions, media, flags, ...(command && { command: { name, arguments: rest.text.slice(from, from + length) } }) };
}

export type StoredEnding = Omit<EndingRow, 'stages'> & { readonly stages: string };

export function packEnding(row: EndingRow): StoredEnding {
  return { ...row, stages: packStages(row.stages) };
}

export function unpackEnding(stored: StoredEnding): EndingRow {
  return { ...stored, stages: unpackStages(stored.stages) };
}

/** `stage[@instance][:decision] durationUs[ cpuUs[ c<calls>][ h<host calls>][ e<egress bytes>][ k<kv bytes>]][#reason]`, joined by `;`. A decision of `pass` is left out; a reason is percent-encoded. Whole microseconds: writing out a fraction takes ten times as long. */
export function packStages(stages: readonly StageRecord[]): string {
  let text = '';
  for (const { stage, decision, reason, durationMs, instance, cpuUs, calls, hostCalls, egressBytes, kvBytes } of stages) {
    if (text !== '') text += ';';
    text += stage;
    if (instance !== undefined) text += `@${instance}`;
    if (decision !== 'pass') text += `:${decision}`;
    text += ` ${Math.round(durationMs * 1000)}`;
    if (cpuUs !== undefined) {
      text += ` ${cpuUs}`;
      if (calls !== undefined) text += ` c${calls}`;
      if (hostCalls !== undefined) text += ` h${hostCalls}`;
      if (egressBytes !== undefined) text += ` e${egressBytes}`;
      if (kvBytes !== undefined) text += ` k${kvBytes}`;
    }
    if (reason !== undefined) text += `#${encodeURIComponent(reason.toWellFormed())}`;
  }
  return text;
}

const RECORD = /^([^@: ]*)(?:@([^: ]*))?(?::([^ ]*))? (\d+)(?: (\d+)(?: c(\d+))?(?: h(\d+))?(?: e(\d+))?(?: k(\d+))?)?(?:#(.*))?$/;

export function unpackStages(text: string): StageRecord[] {
  if (text === '') return [];
  return text.split(';').map((record) => {
    const [, stage = record, instance, decision = 'pass', durationUs = '0', cpuUs, calls, hostCalls, egressBytes, kvBytes, reason] = RECORD.exec(record) ?? [];
    return {
      stage,
      decision,
      ...(reason === undefined ? {} : { reason: decodeURIComponent(reason) }),
      durationMs: Number(durationUs) / 1000,
      ...(instance === undefined ? {} : { instance }),
      ...(cpuUs === undefined ? {} : { cpuUs: Number(cpuUs) }),
      ...(calls === undefined ? {} : { calls: Number(calls) }),
      ...(hostCalls === undefined ? {} : { hostCalls: Number(hostCalls) }),
      ...(egressBytes === undefined ? {} : { egressBytes: Number(egressBytes) }),
      ...(kvBytes === undefined ? {} : { kvBytes: Number(kvBytes) }),
    };
  });
}
