// `/queue [mode]`: how the messages of this session wait for their answers, and what it is to be from now on. Kept over restarts, until `/queue default` takes it back.
import { QueueMode } from '../../../schemas/policy.ts';
import { compileSchema } from '../../schema.ts';
import type { HostCommand } from './host-commands.ts';

const DEFAULT = 'default';
const queueMode = compileSchema<QueueMode>(QueueMode);

/** Beside each mode what it means to who writes. */
const MEANING: Readonly<Record<QueueMode, string>> = {
  followup: 'every message is answered, one after the other',
  collect: 'what is written while an answer is under way is answered together',
  steer: 'of what is written while an answer is under way, the newest is answered',
  interrupt: 'a new message ends the answer that is under way',
};

export const queue: HostCommand = {
  name: 'queue',
  description: 'How messages wait for their answers.',
  usage: `[${[...Object.keys(MEANING), DEFAULT].join('|')}]`,
  permission: 'owners',
  async run({ arguments: asked, sessionKey, policy }, { control }) {
    const mode = asked.toLowerCase();
    if (mode === '') return inWords(control.mode(sessionKey, policy.queue.mode));
    if (mode === DEFAULT) await control.setMode(sessionKey, null);
    else if (queueMode.is(mode)) await control.setMode(sessionKey, mode);
    else return `There is no such mode. The modes are: ${Object.keys(MEANING).join(', ')}, and ${DEFAULT}.`;
    return inWords(control.mode(sessionKey, policy.queue.mode));
  },
};

const inWords = (mode: QueueMode) => `Queue: ${mode}: ${MEANING[mode]}.`;
