// Whether a message is meant for this instance at all. admit.ts asks before anything is spent on it; the why is decision 0028.
import type { Store } from '../../store/store.ts';
import { askChannel } from '../channel-calls.ts';
import type { InboundContext } from '../context.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import type { Verdict } from '../stage.ts';
import { isOwnReply } from './own-replies.ts';

export interface ForUsParts {
  readonly store: Store;
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel'>;
}

/** Undefined when it is. What costs something is asked only where a mention is required, and only until one is found: a quote of ours, then the channel's own opinion. */
export async function notForUs(context: InboundContext, parts: ForUsParts): Promise<Verdict | undefined> {
  const { arrived, parsed, policy } = context;
  if (parsed.kind === 'text' && parsed.elsewhere) return ignored('it is a command for somebody else');
  if (!policy.admit.requireMention || arrived.room?.kind === 'direct' || context.wasMentioned) return undefined;
  context.repliesToBot = arrived.replyTo !== undefined && (await isOwnReply(parts.store, context.instance, arrived.conversation, arrived.replyTo));
  if (context.repliesToBot) return undefined;
  return (await channelSays(context, parts)) ?? (context.wasMentioned ? undefined : ignored('it mentions nobody here'));
}

/** Its handler `mentions`, where it has one. A channel that is not there just now has the source come again, or a mention would be lost; one that fails at it has no opinion, and what `receive` said stands. */
async function channelSays(context: InboundContext, { calls, directory }: ForUsParts): Promise<Verdict | undefined> {
  const { instance, arrived, text } = context;
  const channel = directory.channel(instance);
  if (!channel?.can('mentions')) return undefined;
  const { conversation, sender, mentions = [], replyTo } = arrived;
  const answer = await askChannel(calls, channel, 'mentions', { conversation, sender, text, mentions, ...(replyTo !== undefined && { replyTo }) }, { attemptKey: context.messageId, waitMs: channel.wallMs });
  if (!answer.ok) {
    context.stages.push({ stage: 'mentions', decision: 'failed', reason: answer.code, instance, durationMs: 0 });
    return !answer.away && answer.code !== 'SANDBOX_DIED' ? undefined : { decision: 'refuse', code: 'INSTANCE_UNAVAILABLE', fields: { instance, state: 'not active' } };
  }
  if (answer.by === 'host') return undefined;
  answer.scope.release();
  context.wasMentioned = answer.value.mentioned;
  context.stages.push({ stage: 'mentions', decision: answer.value.mentioned ? 'mentioned' : 'pass', instance, durationMs: answer.wallMs, cpuUs: answer.cpuUs });
  return undefined;
}

const ignored = (reason: string): Verdict => ({ decision: 'ignore', code: 'NOT_ADDRESSED', reason });
