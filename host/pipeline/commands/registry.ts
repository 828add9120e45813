// The commands there are: the host's own, then those of skills, each name once. respond.ts asks who answers, permission.ts who may, `/help` what there is.
import type { CommandDeclaration, SkillSection } from '../../../schemas/plugin-manifest.ts';
import type { SkillEntry } from '../plugin-directory.ts';
import { HOST_COMMANDS } from './host-commands.ts';

export interface KnownCommand {
  readonly name: string;
  /** Empty for a command that its skill only names. */
  readonly description: string;
  readonly usage?: string;
  readonly permission: 'everyone' | 'owners';
  /** The instance of the skill that answers; undefined for the host. */
  readonly skill?: string;
}

export interface CommandTable {
  find(name: string): KnownCommand | undefined;
  /** The host's first, then by name. */
  readonly all: readonly KnownCommand[];
}

/** One table for each list of skills: the directory makes a new list only when somebody comes or goes. */
const tables = new WeakMap<readonly SkillEntry[], CommandTable>();

export function commandsOf(skills: readonly SkillEntry[]): CommandTable {
  let table = tables.get(skills);
  if (!table) tables.set(skills, (table = tableOf(skills)));
  return table;
}

/** Names are taken in the order in which skills are asked, the host's first; whoever comes later goes without, and is told by the diagnostic COMMAND_COLLISION. */
function tableOf(skills: readonly SkillEntry[]): CommandTable {
  const known = new Map<string, KnownCommand>(HOST_COMMANDS.map(({ name, description, usage, permission }) => [name, { name, description, permission, ...(usage === undefined ? {} : { usage }) }]));
  const own = known.size;
  for (const { instance, triggers } of skills) {
    for (const { name, description, usage, permission } of declaredIn(triggers)) {
      if (!known.has(name)) known.set(name, { name, description, permission, skill: instance, ...(usage === undefined ? {} : { usage }) });
    }
  }
  const all = [...known.values()];
  return { find: (name) => known.get(name), all: [...all.slice(0, own), ...all.slice(own).sort((a, b) => (a.name < b.name ? -1 : 1))] };
}

interface Declared extends Omit<CommandDeclaration, 'permission'> {
  readonly permission: 'everyone' | 'owners';
}

/** A name alone is for everyone and says nothing about itself. */
function declaredIn(triggers: SkillSection['triggers']): readonly Declared[] {
  return (triggers?.commands ?? []).map((each) => (typeof each === 'string' ? { name: each, description: '', permission: 'everyone' } : { ...each, permission: each.permission ?? 'everyone' }));
}
