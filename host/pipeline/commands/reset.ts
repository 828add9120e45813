// `/reset`: the session begins anew. What is said after it belongs to the new one, because accept.ts begins it with the commit that takes the command in; here it is only said.
import type { HostCommand } from './host-commands.ts';

export const reset: HostCommand = {
  name: 'reset',
  description: 'Begins a new session: what was said before is over.',
  permission: 'owners',
  beginsSession: true,
  run: () => 'A new session begins here.',
};
