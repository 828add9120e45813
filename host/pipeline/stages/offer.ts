// Asks the channel what is to be done to send each reply, before the reply is stored. One that needs nothing done is delivered by the commit that stores it; what the channel said of another is kept for its delivery.
//
// A webhook whose replies are read, a page that is not open: their `send` answers `{ actions: [] }`, and a message takes two durable commits instead of three.
// Only a channel whose `send` can reach nobody by itself is asked so early: what it says may come to nothing, if the commit does.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { Clock } from '../../clock.ts';
import type { Ids } from '../../ids.ts';
import type { SocketHub } from '../../outbound/sockets.ts';
import { fits } from '../../outbound/chunk.ts';
import { textLimits } from '../../outbound/rules.ts';
import { askToSend } from '../delivery/channel-send.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';
import { replyRow } from '../delivery/reply-row.ts';
import { PASS, type Stage } from '../stage.ts';

export interface OfferParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  readonly sockets: Pick<SocketHub, 'opened'>;
  readonly ids: Ids;
  readonly clock: Clock;
  /** Messages that wait in the delivery lane of a conversation; a reply goes behind them. */
  readonly deliveryDepth: (instance: string, conversation: string) => number;
}

export function offer({ calls, directory, sockets, ids, clock, deliveryDepth }: OfferParts): Stage<LaneContext> {
  /** A slow channel must not hold the lanes of all others: so many of its replies are offered at a time, the rest is asked for at delivery. */
  const offering = new Map<string, number>();

  return {
    name: 'offer',
    budgetMs: 2000,
    onFailure: 'retry',
    async run(context) {
      const { instance, conversation } = context.row;
      const channel = directory.channel(instance);
      const others = offering.get(instance) ?? 0;
      if (!channel || channel.reachesOut || mustWait(channel, conversation) || others >= BOUNDS.offersPerInstance || deliveryDepth(instance, conversation) > 0 || sockets.opened(instance, conversation)) return PASS;
      offering.set(instance, others + 1);
      const replies: DraftReply[] = [];
      let inTurn = true;
      for (const draft of context.replies) {
        const reply: DraftReply = inTurn && fitsWhole(channel, conversation, draft) ? await offerOne(draft) : draft;
        // Behind one that still has to be sent, the others wait.
        inTurn &&= reply.offered?.actions.length === 0;
        replies.push(reply);
      }
      offering.set(instance, (offering.get(instance) ?? 1) - 1);
      context.replies = replies;
      return PASS;

      async function offerOne(draft: DraftReply): Promise<DraftReply> {
        const row = replyRow(context, draft, draft.id ?? ids.next(), clock.now());
        const asked = await askToSend(calls, row, { attempts: 0, waitMs: 0 });
        if (!asked.ok) return draft;
        const { actions, remoteId, scope, record } = asked;
        if (actions.length > 0 && scope.hasWrites) {
          // What it wrote belongs to the commit that settles a delivery; it is asked again then.
          scope.release();
          return draft;
        }
        if (scope.hasWrites) context.scopes.push(scope);
        return { ...draft, offered: { row, actions, ...(remoteId !== undefined && { remoteId }), record } };
      }
    },
  };
}

/** Where tries are counted, each is the gateway's to allow. */
const mustWait = (channel: ChannelEntry, conversation: string) => policyOf(channel.policy, conversation).outbound.rates.length > 0;

/** What carries files, leaves in pieces, or is no message of its own, is made ready when its turn has come. */
function fitsWhole({ section, policy }: ChannelEntry, conversation: string, { text, media, edits, reacts }: DraftReply): boolean {
  const limits = textLimits(section.limits, policyOf(policy, conversation).outbound.chunk);
  return edits === undefined && reacts === undefined && !media?.length && (!limits || fits(text, limits));
}
