// Asks the channel which thread the answer goes to, where it has a say in that; elsewhere an answer goes where the question was asked. Once for a message, whatever the number of its replies.
import { askChannel } from '../channel-calls.ts';
import type { LaneContext } from '../context.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { PASS, type Stage } from '../stage.ts';

export interface PlaceParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
}

export function place({ calls, directory }: PlaceParts): Stage<LaneContext> {
  return {
    name: 'place',
    budgetMs: 500,
    onFailure: 'retry',
    concerns: ({ replies, row }) => replies.length > 0 && row.senderMessageId !== undefined && directory.channel(row.instance)?.can('threads') === true,
    async run(context) {
      const { instance, conversation, senderMessageId, thread } = context.row;
      const channel = directory.channel(instance);
      if (!channel || senderMessageId === undefined) return PASS;
      const input = { conversation, message: senderMessageId, ...(thread === undefined ? {} : { thread }) };
      const answer = await askChannel(calls, channel, 'threads', input, { attemptKey: context.messageId, hops: context.row.hops });
      if (answer.ok && answer.by === 'channel') {
        if (answer.scope.hasWrites) context.scopes.push(answer.scope);
        context.answerThread = answer.value.thread;
        context.stages.push({ stage: 'threads', decision: answer.value.thread === thread ? 'same' : 'placed', instance, durationMs: answer.wallMs, cpuUs: answer.cpuUs });
      } else if (!answer.ok) {
        // An answer in the wrong thread is better than none.
        context.stages.push({ stage: 'threads', decision: 'failed', reason: answer.code, instance, durationMs: 0 });
      }
      return PASS;
    },
  };
}
