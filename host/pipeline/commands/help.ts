// `/help`: the commands that who asks may use here, the host's and those of skills, a line each.
import { grammarOf } from './grammar.ts';
import type { HostCommand } from './host-commands.ts';
import { ruleOf } from './address.ts';
import { mayUse } from './permission.ts';

/** As much as one message of most services takes; what is left out is counted. */
const MOST_CHARACTERS = 3500;

export const help: HostCommand = {
  name: 'help',
  description: 'The commands you may use here.',
  permission: 'everyone',
  run({ message, policy }, { table }) {
    const { prefix } = grammarOf(policy.admit);
    const usable = table.all.filter(({ name }) => ruleOf(policy.commands, name)?.enabled !== false && mayUse(name, message, policy, table));
    const lines = usable.map(({ name, usage, description }) => `${prefix}${name}${usage === undefined ? '' : ` ${usage}`}${description === '' ? '' : `: ${description}`}`);
    return withinBounds(lines).join('\n');
  },
};

function withinBounds(lines: readonly string[]): readonly string[] {
  let room = MOST_CHARACTERS;
  const fitting = lines.findIndex((line) => (room -= line.length + 1) < 0);
  return fitting === -1 ? lines : [...lines.slice(0, fitting), `and ${lines.length - fitting} more`];
}
