// What `gatehouse dev` says while it runs: a line for people, one JSON object a line with --json, from the same value. Called by dev.ts.
import type { StageRecord } from '../../../schemas/message.ts';
import { plain, plainLine, type Io } from '../io.ts';
import { walkTable } from '../walk-lines.ts';

export type DevTold =
  | { readonly event: 'ready'; readonly plugin: string; readonly version: string; readonly kind: string; readonly instance: string; readonly address: string; readonly home: string; readonly ingress: readonly string[]; readonly secrets: Readonly<Record<string, string>> }
  | { readonly event: 'replaced'; readonly version: string; readonly ms: number; readonly state: string; readonly code?: string; readonly message?: string }
  | { readonly event: 'problem'; readonly code: string; readonly message: string; readonly fix: string }
  | { readonly event: 'warning'; readonly message: string }
  | { readonly event: 'reply'; readonly inReplyTo?: string; readonly text: string }
  | { readonly event: 'refused'; readonly status: string; readonly code?: string; readonly reason?: string }
  | { readonly event: 'outcome'; readonly direction: string; readonly instance: string; readonly messageId: string; readonly outcome: string; readonly code?: string; readonly stages: readonly StageRecord[] }
  | { readonly event: 'log'; readonly level: string; readonly text: string; readonly fields?: Readonly<Record<string, unknown>> };

/** The line or lines that say it. */
export function toldText(io: Io, told: DevTold): string {
  if (io.options.json) return JSON.stringify(told);
  switch (told.event) {
    case 'ready':
      return [
        `${io.tone('bold', `${told.plugin} ${told.version}`)}, a ${told.kind}, runs as '${told.instance}' on a host of its own.`,
        ...(told.kind === 'channel' ? told.ingress.map((route) => `  ${io.tone('cyan', route)}`) : [`  ${io.tone('cyan', `${told.address}/channels/webchat/`)}`]),
        ...Object.entries(told.secrets).map(([handle, file]) => `  secret ${handle}: made up, in ${plain(file)}`),
        `  home    ${plain(told.home)}`,
      ].join('\n');
    case 'replaced':
      return told.code === undefined ? io.tone('green', `${told.version} is ${told.state}, ${told.ms} ms after it was saved.`) : io.tone('yellow', plainLine(`It is ${told.state}: ${told.message ?? ''} (${told.code})`, 700));
    case 'problem':
      return io.tone('red', plain([told.message, told.fix].filter((line) => line !== '').join('\n')));
    case 'warning':
      return io.tone('yellow', plain(told.message));
    case 'reply':
      return plain(told.text);
    case 'refused':
      return io.tone('yellow', plainLine(`${told.status}${told.code === undefined ? '' : ` (${told.code})`}${told.reason === undefined ? '' : `: ${told.reason}`}`, 400));
    case 'outcome': {
      const head = `${told.direction === 'outbound' ? 'sent' : 'message'} ${told.messageId}: ${told.outcome}${told.code === undefined ? '' : ` (${told.code})`}`;
      return [io.tone('dim', plainLine(head, 300)), walkTable(io, told.stages.filter(({ instance, reason }) => instance !== undefined || reason !== undefined))].filter((part) => part !== '').join('\n');
    }
    case 'log':
      return plainLine(`${told.level.padEnd(5)} ${told.text}${told.fields === undefined ? '' : ` ${JSON.stringify(told.fields)}`}`, 600);
    default:
      return told satisfies never;
  }
}
