// `/stop`: ends the answer that is under way, which then never comes. What else waits is answered as if nothing had been.
import type { HostCommand } from './host-commands.ts';

export const stop: HostCommand = {
  name: 'stop',
  description: 'Ends the answer that is under way.',
  permission: 'owners',
  run({ sessionKey, place }, { control }) {
    if (!control.stop(sessionKey, place)) return 'Nothing is being answered just now.';
    const waiting = control.depth(sessionKey) - 1;
    return waiting > 0 ? `Stopped. ${waiting === 1 ? 'One message waits' : `${waiting} messages wait`} and will be answered.` : 'Stopped.';
  },
};
