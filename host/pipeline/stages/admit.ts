// Who may speak, and how fast: redeliveries are recognised first, then allow-lists, then whether the message is for us, its sender was let in and its command is for him, then the sender's rate, then room in the lane.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { QueuePolicy } from '../../../schemas/policy.ts';
import type { SenderRates } from '../../broker/quota.ts';
import type { Store } from '../../store/store.ts';
import { dedupe, type DedupeRow } from '../../store/tables.ts';
import { isErrorCode } from '../../errors.ts';
import type { InboundContext } from '../context.ts';
import { isHostCommand } from '../commands/host-commands.ts';
import { notForUs, type ForUsParts } from '../commands/for-us.ts';
import { refusalOf } from '../commands/permission.ts';
import { commandsOf } from '../commands/registry.ts';
import type { Echoes } from '../echoes.ts';
import type { Strangers } from '../pairing/strangers.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { speakerOf } from '../verifying/speaker.ts';

export interface AdmitParts extends ForUsParts {
  readonly directory: Pick<PluginDirectory, 'skills' | 'channel'>;
  readonly store: Store;
  readonly rates: SenderRates;
  readonly echoes: Echoes;
  readonly strangers: Strangers;
  /** Takes a place in the lane; whoever ends the message gives it back or fills it. */
  readonly reserve: (sessionKey: string, queue: Required<QueuePolicy>) => 'reserved' | 'full';
  /** The same beside the lane, for commands of the host. */
  readonly reserveAside: (sessionKey: string) => 'reserved' | 'full';
  readonly laneDepth: (sessionKey: string, aside: boolean) => number;
}

export function admit(parts: AdmitParts): Stage<InboundContext> {
  const { directory, store, rates, echoes, strangers, reserve, reserveAside, laneDepth } = parts;
  return {
    name: 'admit',
    budgetMs: 5,
    onFailure: 'refuse',
    async run(context) {
      const seen = await store.get(dedupe, context.dedupeKey);
      if (seen) return redelivery(seen.value);

      const { sender, conversation } = context.arrived;
      context.hops = echoes.hopsOf(context.instance, conversation, context.text);
      const policy = context.policy.admit;
      if (policy.denySenders?.includes(sender.id)) return denied(context.instance, 'the sender is on its deny list');
      if (policy.requireVerifiedSender && !context.senderVerified) return denied(context.instance, 'its sender is not verified');
      const isPaired = policy.access === 'pairing';
      // Where strangers are kept out one by one, a name that anybody may write lets nobody in.
      const isListed = (policy.allowSenders?.includes(sender.id) ?? false) && !(isPaired && context.standing === 'unproven');
      if (policy.allowSenders && !isListed && !isPaired) return denied(context.instance, 'the sender is not on its allow list');
      if (policy.allowConversations && !policy.allowConversations.includes(conversation)) return denied(context.instance, 'the conversation is not on its allow list');

      const ignored = await notForUs(context, parts);
      if (ignored) return ignored;
      const unknown = isPaired && !isListed ? await strangers.refuse(context) : undefined;
      if (unknown) return unknown;
      const refusal = refusalOf(context.parsed, { sender, ...speakerOf(context) }, context.policy, commandsOf(directory.skills()));
      if (refusal) return refusal;

      const perSecond = policy.senderPerSecond ?? BOUNDS.senderPerSecond;
      const burst = policy.senderBurst ?? Math.max(perSecond, policy.senderPerSecond === undefined ? BOUNDS.senderBurst : perSecond * 2);
      if (!rates.take(`${context.instance}\n${sender.id}`, perSecond, burst)) return { decision: 'refuse', code: 'SENDER_RATE', fields: { instance: context.instance } };

      const aside = isHostCommand(context.parsed);
      const place = aside ? reserveAside(context.sessionKey) : reserve(context.sessionKey, context.policy.queue);
      if (place === 'reserved') context.reserved = aside ? 'aside' : 'lane';
      else return { decision: 'refuse', code: 'LANE_FULL', fields: { queue: 'lane', depth: laneDepth(context.sessionKey, aside), instance: context.instance } };
      return PASS;
    },
  };
}

function redelivery(seen: DedupeRow): Verdict {
  if (seen.outcome === 'denied') return { decision: 'refuse', code: seen.code !== undefined && isErrorCode(seen.code) ? seen.code : 'MODERATION_DENIED', fields: { reason: seen.reason ?? '' }, ...(seen.reason === undefined ? {} : { reason: seen.reason }) };
  return { decision: 'duplicate', messageId: seen.messageId ?? '' };
}

function denied(instance: string, problem: string): Verdict {
  return { decision: 'refuse', code: 'SENDER_DENIED', fields: { instance, problem }, reason: problem };
}
