// Runs one command of the host for an accepted message, in place of skills. respond.ts calls it; what it answers goes the way of every reply.
import type { LaneContext } from '../context.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { NO_POLICY, policyOf } from '../policy.ts';
import { PASS, type Verdict } from '../stage.ts';
import type { CommandParts, HostCommand } from './host-commands.ts';

/** The sender's permission was judged when the message came in. */
export async function answerCommand(command: HostCommand, context: LaneContext, { directory, ...parts }: CommandParts & { readonly directory: Pick<PluginDirectory, 'channel'> }): Promise<Verdict> {
  const { message, session, sessionKey } = context;
  const channel = directory.channel(message.instance);
  const policy = channel ? policyOf(channel.policy, message.conversation) : NO_POLICY;
  const text = await command.run({ message, arguments: message.command?.arguments ?? '', sessionKey, session, policy }, parts);
  context.stages.push({ stage: 'command', decision: 'answered', reason: command.name, durationMs: 0 });
  context.replies = [{ text, flags: [] }];
  return PASS;
}
