// What a text says about whom it is for and what it asks: read by normalize.ts when a message arrives, and again by moderate.ts when a gate has changed it.
import type { Message } from '../../../schemas/message.ts';
import type { Policy } from '../policy.ts';
import { grammarOf } from './grammar.ts';
import { isMentioned, type Spoken } from './mentions.ts';
import { parseCommand, type Parsed } from './parse.ts';

export interface Address {
  readonly parsed: Parsed;
  readonly wasMentioned: boolean;
}

/** Most texts, told apart without a look at them: shared, so that they cost nothing. */
const PLAIN: Address = { parsed: { kind: 'text' }, wasMentioned: false };

export function addressOf(spoken: Spoken, { admit, commands }: Pick<Policy, 'admit' | 'commands'>): Address {
  const grammar = grammarOf(admit);
  const parsed = parseCommand(spoken.text, grammar);
  const wasMentioned = (parsed.kind === 'command' && parsed.addressed) || isMentioned(spoken, grammar);
  if (parsed.kind === 'command' && ruleOf(commands, parsed.name)?.enabled === false) return { parsed: PLAIN.parsed, wasMentioned };
  return parsed.kind === 'text' && !parsed.elsewhere && !wasMentioned ? PLAIN : { parsed, wasMentioned };
}

/** What a message carries of it, from form to form: only what says something. */
export type Addressing = Pick<Message, 'command' | 'wasMentioned' | 'repliesToBot'>;

/** Most messages say nothing of it, and then cost nothing for it. */
const NOTHING: Addressing = {};

export function addressingOf({ command, wasMentioned, repliesToBot }: Addressing): Addressing {
  if (!command && !wasMentioned && !repliesToBot) return NOTHING;
  return { ...(command && { command }), ...(wasMentioned && { wasMentioned }), ...(repliesToBot && { repliesToBot }) };
}

/** The same, of a message on its way in. */
export function addressingIn({ parsed, wasMentioned, repliesToBot }: Address & { readonly repliesToBot: boolean }): Addressing {
  if (parsed.kind !== 'command' && !wasMentioned && !repliesToBot) return NOTHING;
  return { ...(parsed.kind === 'command' && { command: { name: parsed.name, arguments: parsed.arguments } }), ...(wasMentioned && { wasMentioned }), ...(repliesToBot && { repliesToBot }) };
}

/** The exact name and nothing like it: senders choose names, and `constructor` is one that every object has. */
export function ruleOf(commands: Policy['commands'], name: string): Policy['commands'][string] | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}
