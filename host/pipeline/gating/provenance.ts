// Who did what to a message between its arrival and here: marks of gates, flags, and the hash of the text that arrived. Everybody who copies a message from one form into another takes them along with `judgedOf`.
import { hash } from 'node:crypto';
import { HOST_MARKS, type GateMark, type Message } from '../../../schemas/message.ts';
import type { Remark } from './gate-verdict.ts';

/** What moderation decides of a message; the rest of it is what arrived. */
export interface Judged {
  readonly text: string;
  readonly flags: readonly string[];
  readonly originalSha256?: string;
  readonly provenance?: readonly GateMark[];
}

export const hashOf = (text: string): string => hash('sha256', text, 'hex');

/** Only what is there: rows and messages have no member that says nothing. */
export function judgedOf({ text, flags, originalSha256, provenance }: Judged): { text: string; flags: string[] } & Pick<Message, 'originalSha256' | 'provenance'> {
  return { text, flags: [...flags], ...(originalSha256 !== undefined && { originalSha256 }), ...(provenance && { provenance: [...provenance] }) };
}

/** The message after a gate's remark: labels as flags, and a mark that only the host can make. */
export function marked(message: Message, gate: string, remark: Remark): Message {
  const { effect, labels = [] } = remark;
  const own = isHostMark(effect) ? [`${effect}:${gate}`] : [];
  const flags = [...new Set([...message.flags, ...own, ...labels])];
  const mark: GateMark = { gate, effect, ...(labels.length > 0 && { labels: [...labels] }) };
  const before = message.provenance ?? [];
  if (remark.effect !== 'modify') return { ...message, flags, provenance: [...before, mark] };
  const textHash = hashOf(message.text);
  const { command: _, ...rest } = message; // it was read from the text that was
  return { ...rest, text: remark.text, flags, originalSha256: message.originalSha256 ?? textHash, provenance: [...before, { ...mark, before: textHash, after: hashOf(remark.text) }] };
}

/** For plugins that judge nothing: who did what, without the hashes of texts they were not to see. A masked number is soon guessed from its hash. */
export function withoutOriginals(message: Message): Message {
  const { originalSha256: _, ...said } = message;
  return said.provenance ? { ...said, provenance: said.provenance.map(({ before: __, ...mark }) => mark) } : said;
}

const HOST_MARK_NAMES: ReadonlySet<string> = new Set(HOST_MARKS);
const isHostMark = (effect: string) => HOST_MARK_NAMES.has(effect);
