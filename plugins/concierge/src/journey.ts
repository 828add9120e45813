// The friendly default answer: what the host did with the message before a skill saw it, from the record that every message carries.
import type { Message, Session, StageRecord } from '@gatehouse/plugin-sdk';

const MOST_QUOTED = 80;

export function journeyOf(message: Message, session: Session): string {
  return [
    `You said ${quoted(message.text)}. On its way to me the message passed through:`,
    ...linesOf(message.stages),
    '',
    `${totalOf(message.stages)} It is number ${session.messages} of this conversation.${flagsOf(message.flags)}`,
    'Send /help to see what I can do.',
  ].join('\n');
}

/** What a single gate said is recorded before the stage that asked it, and its time is part of that stage's. */
const isPart = ({ stage }: StageRecord) => stage === 'gate';

function linesOf(stages: readonly StageRecord[]): string[] {
  const lines: string[] = [];
  let parts: string[] = [];
  for (const record of stages) {
    const { stage, instance, decision, reason, durationMs } = record;
    const outcome = `${decision}${reason === undefined ? '' : ` (${reason})`}, ${inWords(durationMs)}`;
    if (isPart(record)) parts.push(`   ◦ ${instance ?? stage}: ${outcome}`);
    else {
      lines.push(`• ${stage}${instance === undefined ? '' : ` by ${instance}`}: ${outcome}`, ...parts);
      parts = [];
    }
  }
  return [...lines, ...parts];
}

const totalOf = (stages: readonly StageRecord[]) =>
  `All that took ${inWords(stages.reduce((total, record) => total + (isPart(record) ? 0 : record.durationMs), 0))}, and the message is safe on disk.`;

const flagsOf = (flags: readonly string[]) => (flags.length === 0 ? '' : ` It carries the flag${flags.length > 1 ? 's' : ''} ${flags.join(', ')}.`);

const inWords = (ms: number) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** The beginning of the text on one line. */
function quoted(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (line === '') return 'nothing';
  const characters = Array.from(line);
  return `“${characters.length > MOST_QUOTED ? `${characters.slice(0, MOST_QUOTED).join('')}…` : line}”`;
}
