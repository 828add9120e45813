// Concierge: the skill that answers when no other does (order 1000). Commands first, then a look behind the scenes.
import { defineSkill, type PluginContext } from '@gatehouse/plugin-sdk';
import { journeyOf } from './journey.ts';
import { timeReply } from './time-reply.ts';

const HELP = [
  'I am the concierge: I answer when no other skill does.',
  '',
  '/time <zone> tells the time, for example /time Europe/Berlin',
  '/help lists all commands there are',
  '',
  'To anything else I answer with what the host did with your message before it reached me.',
].join('\n');

type Answer = (argument: string, ctx: PluginContext) => string | Promise<string>;

const COMMANDS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['start', () => HELP],
  ['time', timeReply],
]);

export default defineSkill({
  async respond({ message, session }, ctx) {
    const { command } = message; // as the host has read it
    if (!command) return { replies: [{ text: journeyOf(message, session) }] };
    const answer = COMMANDS.get(command.name);
    return { replies: [{ text: answer ? await answer(command.arguments, ctx) : `I do not know /${command.name}. Send /help for what there is.` }] };
  },
});
