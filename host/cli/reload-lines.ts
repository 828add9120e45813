// What a look at the home came to, as lines for people. Called by `start`, `status` and `plugins reload`.
import type { ReloadChange, ReloadView } from '../../schemas/control.ts';
import { diagnosticLines } from './diagnostic-lines.ts';
import { plainLine, type Io } from './io.ts';

export function changeLine({ kind, instance, from, to, what = [] }: ReloadChange): string {
  return `${instance} ${kind}${from === undefined || to === undefined ? '' : ` from ${from} to ${to}`}${what.length === 0 ? '' : `: ${what.join(', ')}`}`;
}

export function reloadLines(io: Io, { changes, refused }: Pick<ReloadView, 'changes' | 'refused'>): string {
  const lines = changes.length === 0 ? ['Nothing changed.'] : changes.map((change) => plainLine(changeLine(change), 300));
  return [...lines, ...(refused.length === 0 ? [] : [diagnosticLines(io, refused)])].join('\n');
}
