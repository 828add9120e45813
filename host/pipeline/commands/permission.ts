// Whether a sender may use what it asked for: the operator's word about the command, else that of who offers it. admit.ts asks, and moderate.ts when a gate has changed the text; `/help` shows by it.
import type { Policy } from '../policy.ts';
import type { Verdict } from '../stage.ts';
import { ruleOf } from './address.ts';
import type { Malformed, Parsed } from './parse.ts';
import type { CommandTable } from './registry.ts';

const PROBLEMS: Readonly<Record<Malformed, string>> = {
  'name-too-long': 'its name has more than 40 characters',
  'name-look-alike': 'its name holds letters or invisible characters that only look like those of a command',
  'arguments-too-long': 'more than 16,384 characters follow its name',
};

/** Of the message or of its context: who speaks, and whether the host knows. */
export interface Speaker {
  readonly sender: { readonly id: string };
  readonly senderVerified?: true;
}

/** Undefined when nothing speaks against it: a text, or a command this sender may use. */
export function refusalOf(parsed: Parsed, speaker: Speaker, policy: Policy, table: CommandTable): Verdict | undefined {
  switch (parsed.kind) {
    case 'text':
      return undefined;
    case 'malformed':
      return { decision: 'refuse', code: 'COMMAND_INVALID', fields: { problem: PROBLEMS[parsed.reason], reason: parsed.reason }, reason: parsed.reason };
    case 'command':
      if (mayUse(parsed.name, speaker, policy, table)) return undefined;
      return { decision: 'refuse', code: 'COMMAND_DENIED', fields: { command: parsed.name, problem: speaker.senderVerified ? 'it is for others' : 'it is for some only, and nobody has verified who this sender is' }, reason: `/${parsed.name} is not for you here` };
    default:
      return parsed satisfies never;
  }
}

/** Owners may use every command. Where nobody is an owner, nobody may use what is for owners; and a name that anybody may claim makes nobody an owner. */
export function mayUse(name: string, { sender, senderVerified }: Speaker, { admit, commands }: Policy, table: CommandTable): boolean {
  const allow = ruleOf(commands, name)?.allow ?? table.find(name)?.permission ?? 'everyone';
  if (allow === 'everyone') return true;
  return senderVerified === true && (admit.owners?.includes(sender.id) === true || (allow !== 'owners' && allow.includes(sender.id)));
}
