// Answers a command of the host, without a plugin; what it answers goes the way of every reply. The sender's permission was judged when the message came in.
import { hostCommand } from '../commands/host-commands.ts';
import { commandsOf } from '../commands/registry.ts';
import type { SessionControl } from '../commands/session-control.ts';
import type { LaneContext } from '../context.ts';
import { mayAnswer } from '../gating/permit.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { NO_POLICY, policyOf } from '../policy.ts';
import type { Stage } from '../stage.ts';

export interface CommandParts {
  readonly directory: Pick<PluginDirectory, 'channel' | 'skills'>;
  readonly control: SessionControl;
}

export function command({ directory, control }: CommandParts): Stage<LaneContext> {
  return {
    name: 'command',
    budgetMs: 50,
    onFailure: 'retry',
    async run(context) {
      const { message, session, sessionKey } = context;
      const asked = hostCommand(message.command?.name);
      if (!asked) return { decision: 'give-up', code: 'INTERNAL', fields: {}, problem: 'it is no command of this host' };
      const channel = directory.channel(message.instance);
      const policy = channel ? policyOf(channel.policy, message.conversation) : NO_POLICY;
      const text = await asked.run({ message, arguments: message.command?.arguments ?? '', sessionKey, place: context.place, session, policy }, { table: commandsOf(directory.skills()), control });
      if (mayAnswer(1, context, { directory })) context.replies = [{ text, flags: [] }];
      return { decision: 'pass', note: asked.name };
    },
  };
}
