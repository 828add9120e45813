// Concierge: the skill that answers when no other does (order 1000). Commands first, then a look behind the scenes.
import { defineSkill, type PluginContext } from '@gatehouse/plugin-sdk';
import { journeyOf } from './journey.ts';
import { timeReply } from './time-reply.ts';

const HELP = [
  'I am the concierge: I answer when no other skill does.',
  '',
  '/time <zone> tells the time, for example /time Europe/Berlin',
  '/help shows this',
  '',
  'To anything else I answer with what the host did with your message before it reached me.',
].join('\n');

type Command = (argument: string, ctx: PluginContext) => string | Promise<string>;

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['/help', () => HELP],
  ['/start', () => HELP],
  ['/time', timeReply],
]);

export default defineSkill({
  async respond({ message, session }, ctx) {
    const [, name = '', argument = ''] = /^(\/\S*)\s*([^]*)$/.exec(message.text.trim()) ?? [];
    if (name === '') return { replies: [{ text: journeyOf(message, session) }] };
    const command = COMMANDS.get(name.toLowerCase());
    return { replies: [{ text: command ? await command(argument.trim(), ctx) : unknown(name) }] };
  },
});

const unknown = (name: string) => `I do not know ${name.length > 40 ? `${name.slice(0, 40)}…` : name}. Send /help for what I can do.`;
