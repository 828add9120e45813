// Replies as they may leave: in the markup of their channel, without what hides, deceives or calls everybody, and no longer than a message is. Before the gates, because they judge what leaves.
import { setImmediate } from 'node:timers/promises';
import { tidyBlock } from '../../media/blocks.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { leaving, polished, type Polished } from '../delivery/leaving.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';
import { PLAIN_RULES, sanitizeFor } from '../sanitizing/sanitizing.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

export interface SanitizeParts {
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel'>;
}

/** A channel whose `sanitize` fails: 5 tries over about 4 seconds. One that was not there: 20 over about seven minutes. */
const FAILED: TryPolicy = { attempts: 5, firstMs: 250, mostMs: 5000, blame: true };
const AWAY: TryPolicy = { attempts: 20, firstMs: 100, mostMs: 30_000, blame: false };

/** A text of this size takes the host long enough that others should have their turn before the next. */
const LONG_CHARACTERS = 8192;

export function sanitize({ calls, directory }: SanitizeParts): Stage<LaneContext> {
  return {
    name: 'sanitize',
    budgetMs: 250,
    onFailure: 'retry',
    run(context) {
      const channel = directory.channel(context.instance);
      if (channel?.can('sanitize')) return withChannel(context, channel, calls);
      return channel?.section.text === undefined || context.replies.every(({ text }) => text.length < LONG_CHARACTERS) ? atOnce(context, channel) : inTurns(context, channel);
    },
  };
}

/** What is kept of each reply gathers here, and what there is to say about it. */
function gather(context: LaneContext, channel: ChannelEntry | undefined) {
  const refusesLinks = channel !== undefined && policyOf(channel.policy, context.row.conversation).outbound.links === 'refuse';
  const replies: DraftReply[] = [];
  const changes = new Set<string>();
  return {
    take(draft: DraftReply, left: Exclude<Polished, { failure: unknown }>): void {
      if (!left.ok) {
        context.refused += 1;
        context.stages.push({ stage: 'links', decision: 'deny', reason: left.reason, durationMs: 0 });
        return;
      }
      for (const change of left.changes) changes.add(change);
      if ('record' in left && left.record) context.stages.push(left.record);
      const { text, originalSha256 } = left;
      const reply = withMedia({ ...(refusesLinks ? withoutAddresses(draft, context) : draft), text, ...(originalSha256 !== undefined && { originalSha256 }) });
      if (reply.text.trim() !== '' || reply.media?.length) replies.push(reply);
    },
    done(): Verdict {
      context.replies = replies;
      return changes.size === 0 ? PASS : { decision: 'pass', note: [...changes].join(', ') };
    },
  };
}

function atOnce(context: LaneContext, channel: ChannelEntry | undefined): Verdict {
  const kept = gather(context, channel);
  for (const draft of context.replies) kept.take(draft, leaving(channel, context.row.conversation, draft.text));
  return kept.done();
}

async function inTurns(context: LaneContext, channel: ChannelEntry): Promise<Verdict> {
  const kept = gather(context, channel);
  for (const draft of context.replies) {
    kept.take(draft, leaving(channel, context.row.conversation, draft.text));
    await setImmediate();
  }
  return kept.done();
}

async function withChannel(context: LaneContext, channel: ChannelEntry, calls: PluginCalls): Promise<Verdict> {
  const kept = gather(context, channel);
  for (const [index, draft] of context.replies.entries()) {
    const left = await polished(calls, channel, context.row.conversation, draft.text, `${context.messageId}/${index}`);
    if ('failure' in left) {
      const { away, code, problem } = left.failure;
      context.stages.push({ stage: 'sanitize', decision: 'failed', reason: code, instance: channel.instance, durationMs: 0 });
      return tryAgain(context, away ? AWAY : FAILED, { code, instance: channel.instance, problem });
    }
    kept.take(draft, left);
  }
  return kept.done();
}

/** A block that is an address leads there as a link would. */
function withoutAddresses(draft: DraftReply, context: LaneContext): DraftReply {
  const media = draft.media?.filter((block) => !('url' in block && block.url !== undefined && !('id' in block)));
  if (media && media.length < (draft.media?.length ?? 0)) context.stages.push({ stage: 'links', decision: 'deny', reason: 'a file by its address, and links may not leave', durationMs: 0 });
  return { ...draft, ...(media && { media }) };
}

/** Blocks that are none are left out. */
function withMedia(reply: DraftReply): DraftReply {
  if (!reply.media?.length) return reply;
  return { ...reply, media: reply.media.map(tidyBlock).flatMap((tidied) => ('block' in tidied ? [tidied.block] : [])) };
}

/** A text without markup, for what comes in. */
export function sanitizeText(text: string): string {
  const plain = sanitizeFor('plain', text, PLAIN_RULES);
  return plain.ok ? plain.text : '';
}
