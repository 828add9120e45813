// Has the gateway send one outbound message, or the next piece of it, and decides what follows from what became of it. Bounded tries; what fails for good becomes a dead letter.
import type { Gateway, Tried } from '../../outbound/gateway.ts';
import type { OutboundRules } from '../../outbound/rules.ts';
import { publish, hasListeners } from '../../events.ts';
import type { DeliveryContext } from '../context.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { policyOf } from '../policy.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A send that failed in the channel: 3 tries from 400 ms. A channel that is not there, or whose sandbox ended under the call: 15 tries over about a quarter of an hour, the first ones soon. */
const FAILED: TryPolicy = { attempts: 3, firstMs: 400, mostMs: 5000, blame: true };
const AWAY: TryPolicy = { attempts: 15, firstMs: 100, mostMs: 600_000, blame: false };
/** A remote that does not answer, or answers that it cannot: 12 tries over about half an hour, longer where it asks for it. The policy of a channel may say otherwise. */
const REMOTE: TryPolicy = { attempts: 12, firstMs: 1000, mostMs: 600_000, blame: true };
/** No quota, or no room: tried again until there is some, at most for some hours. */
const POSTPONED: TryPolicy = { attempts: 500, firstMs: 250, mostMs: 30_000, blame: false };
/** The remote's quota: it says when, or is asked less and less often, for some hours as well. */
const LIMITED: TryPolicy = { attempts: 60, firstMs: 1000, mostMs: 600_000, blame: false };

/** By what went wrong. */
export const DELIVERY_TRIES = { failed: FAILED, away: AWAY, remote: REMOTE, postponed: POSTPONED, limited: LIMITED } as const;

export interface DeliverParts {
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly gateway: Pick<Gateway, 'send'>;
}

export function deliver({ directory, gateway }: DeliverParts): Stage<DeliveryContext> {
  return {
    name: 'deliver',
    budgetMs: 2000,
    onFailure: 'retry',
    async run(context) {
      const { row } = context;
      if (context.sent) return PASS; // only its settling is still to do
      const channel = directory.channel(row.instance);
      if (!channel) return failed(context, { outcome: 'failed', class: 'retryable', whose: 'away', code: 'DELIVERY_FAILED', problem: `'${row.instance}' is not an enabled channel` }, undefined);

      const tried = await gateway.send(context, channel);
      if (hasListeners('delivery.tried')) publish('delivery.tried', { messageId: row.id, instance: row.instance, result: tried.outcome === 'sent' ? 'sent' : tried.class });
      if (tried.outcome === 'failed') return failed(context, tried, policyOf(channel.policy, row.conversation).outbound.retry);

      if (tried.scope?.hasWrites) context.scopes.push(tried.scope);
      if (tried.remoteId !== undefined) context.remoteIds.push(tried.remoteId);
      context.stages.push(tried.record);
      context.piece += 1;
      context.sent = context.piece >= (context.pieces?.length ?? 1);
      return context.sent ? PASS : { decision: 'more' };
    },
  };
}

function failed(context: DeliveryContext, tried: Extract<Tried, { outcome: 'failed' }>, knobs: OutboundRules['retry']): Verdict {
  const { code, problem } = tried;
  const { instance } = context.row;
  context.failed = { class: tried.class, problem };
  if (tried.class === 'terminal') return { decision: 'give-up', code, fields: { instance, attempts: context.attempts + 1, problem }, problem };
  // Neither done nor not done: who looks at the message afterwards must know that it may have arrived more than once.
  if (tried.class === 'unknown') context.stages.push({ stage: 'send', decision: 'unknown', reason: code, instance, durationMs: 0 });
  const verdict = again(context, tried, problem, knobs);
  if (verdict.decision !== 'retry' || tried.afterMs === undefined) return verdict;
  context.restMs = tried.afterMs;
  return { ...verdict, afterMs: Math.max(verdict.afterMs, tried.afterMs) };
}

/** Each kind of trouble has its own count: what one has used up, another has not. */
function again(context: DeliveryContext, tried: Extract<Tried, { outcome: 'failed' }>, problem: string, knobs: OutboundRules['retry']): Verdict {
  const count = (policy: TryPolicy, before: number) =>
    tryAgain({ attempts: before, failures: policy.blame ? before : 0 }, policy, { code: 'DELIVERY_FAILED', instance: context.row.instance, problem });
  switch (tried.whose) {
    case 'away':
      return count(AWAY, context.attempts - context.failures - context.postponed - context.limited);
    case 'channel':
      return count(FAILED, context.failures - context.remote);
    case 'host':
      return count(POSTPONED, context.postponed++);
    case 'remote':
      return tried.class === 'rate-limited' ? count(LIMITED, context.limited++) : count({ ...REMOTE, ...knobs }, context.remote++);
    default:
      return tried.whose satisfies never;
  }
}
