// What one run of a lane takes, and the text it is given: pure, from the entries at the head of the lane and the mode. lane-groups.ts asks before each run; the cases are in test/fixtures/queue-modes/.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { MEDIA_PER_MESSAGE } from '../../../schemas/media.ts';
import type { QueueMode } from '../../../schemas/policy.ts';

/** What waits in a lane, in order. */
export interface Entry {
  /** Where it was said. A run answers in one place: what was said elsewhere waits for a run of its own. */
  readonly where: string;
  readonly text: string;
  /** Blocks it carries, default none. */
  readonly media?: number;
  /** It shares no run, such as a command. */
  readonly alone?: boolean;
  /** It was dropped while it waited, and the next run is told of it: how many dropped messages it stands for. */
  readonly dropped?: number;
  /** First of a run that failed: how many messages that run took. The next try takes the same. */
  readonly taken?: number;
}

export interface Group {
  /** So many entries from the head of the lane end with the run. */
  readonly take: number;
  /** Index of the message whose id, sender and time the run has. */
  readonly carrier: number;
  /** What becomes of the other messages: answered with it, or overtaken by it. */
  readonly fate: 'collected' | 'superseded';
  /** Messages the run stands for; 1 unless it collects. */
  readonly collected: number;
  /** Messages nobody answers: overtaken ones, and those dropped while they waited. */
  readonly dropped: number;
  /** What the run is given to read. */
  readonly text: string;
}

/** Undefined when there is nothing to run: every entry was dropped. */
export function shape(entries: readonly Entry[], mode: QueueMode): Group | undefined {
  const first = entries.findIndex(isMessage);
  const head = entries[first];
  if (!head) return undefined;
  const chosen = mode === 'followup' ? [first] : mode === 'collect' ? collectible(entries, first, head) : overtaken(entries, first, head);
  const carrier = chosen.at(-1) ?? first;
  const fate = mode === 'collect' ? 'collected' : 'superseded';
  const told = entries.slice(0, carrier).filter((each) => !isMessage(each));
  const toldOf = told.reduce((sum, { dropped = 0 }) => sum + dropped, 0);
  const text = fate === 'collected' ? chosen.map((index) => entries[index]?.text ?? '').join('\n') : (entries[carrier]?.text ?? '');
  return {
    take: carrier + 1,
    carrier,
    fate,
    collected: fate === 'collected' ? chosen.length : 1,
    dropped: toldOf + (fate === 'collected' ? 0 : chosen.length - 1),
    text: toldOf === 0 ? text : withSummary(text, toldOf, told.map((each) => each.text)),
  };
}

const isMessage = ({ dropped }: Entry) => dropped === undefined;

/** As many as fit into one message, and after a failed try no others than before: its tries are theirs. */
function collectible(entries: readonly Entry[], first: number, head: Entry): number[] {
  const chosen: number[] = [];
  const most = Math.min(head.taken ?? BOUNDS.collectMessages, BOUNDS.collectMessages);
  let bytes = 0;
  let media = 0;
  for (const index of together(entries, first, head)) {
    const entry = entries[index];
    if (!entry || chosen.length === most) break;
    bytes += Buffer.byteLength(entry.text) + (chosen.length > 0 ? 1 : 0);
    media += entry.media ?? 0;
    if (chosen.length > 0 && (bytes > BOUNDS.messageTextBytes || media > MEDIA_PER_MESSAGE)) break;
    chosen.push(index);
  }
  return chosen;
}

const overtaken = (entries: readonly Entry[], first: number, head: Entry): number[] => [...together(entries, first, head)];

/** Messages from the first on that may share its run; what is said elsewhere, or alone, ends them. */
function* together(entries: readonly Entry[], first: number, head: Entry): Generator<number> {
  yield first;
  if (head.alone) return;
  for (let index = first + 1; index < entries.length; index += 1) {
    const entry = entries[index];
    if (!entry || (isMessage(entry) && (entry.where !== head.where || entry.alone))) return;
    if (isMessage(entry)) yield index;
  }
}

/** The last line, so that a command or a prefix stays where skills look for it. As many quotes as fit. */
function withSummary(text: string, count: number, dropped: readonly string[]): string {
  const room = BOUNDS.messageTextBytes - Buffer.byteLength(text) - 1;
  const quotes = dropped.slice(-BOUNDS.summaryMessages).map(quote);
  for (let from = 0; from <= quotes.length; from += 1) {
    const line = summary(count, quotes.slice(from));
    if (Buffer.byteLength(line) <= room) return `${text}\n${line}`;
  }
  return text;
}

function summary(count: number, quotes: readonly string[]): string {
  const head = count === 1 ? '1 message before this one was dropped' : `${count} messages before this one were dropped`;
  if (quotes.length === 0) return `[${head}]`;
  return `[${head}${quotes.length < count ? ', the last of them' : ''}: ${quotes.join(', ')}]`;
}

/** By code points, so that no character is cut in two. */
function quote(text: string): string {
  const start = text.slice(0, BOUNDS.summaryCharacters * 4);
  const characters = Array.from(start.toWellFormed().replaceAll(/\s+/g, ' ').trim());
  const cut = characters.length > BOUNDS.summaryCharacters || start.length < text.length;
  return `“${cut ? `${characters.slice(0, BOUNDS.summaryCharacters).join('')}…` : characters.join('')}”`;
}
