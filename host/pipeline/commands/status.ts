// `/status`: what the session of this conversation is doing, in a few lines that anybody in it may read. Nothing of it is about others.
import type { CommandUse, HostCommand } from './host-commands.ts';

export const status: HostCommand = {
  name: 'status',
  description: 'What this conversation is doing.',
  permission: 'everyone',
  async run({ message, session, sessionKey, policy }: CommandUse, { control }) {
    const depth = control.depth(sessionKey);
    const mode = control.mode(sessionKey, policy.queue.mode);
    const latest = await control.latest(message.instance, message.conversation);
    return [
      depth === 0 ? 'Nothing is waiting for an answer.' : `${counted(depth, 'message')} waiting for an answer, or being answered.`,
      `Queue: ${mode}.`,
      `Session: ${counted(session.messages, 'message')} since ${inWords(session.startedAt)}.`,
      latest ? `Last: ${latest.direction === 'outbound' ? `a reply at ${inWords(latest.at)} (${latest.outcome})` : `a message of ${inWords(latest.at)} (${latest.outcome})`}.` : 'Last: nothing yet.',
    ].join('\n');
  },
};

const counted = (count: number, thing: string) => `${count} ${thing}${count === 1 ? '' : 's'}`;

/** `2026-11-21 08:00:05 UTC`: RFC 3339 as people read it. */
const inWords = (timestamp: string) => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)} UTC`;
