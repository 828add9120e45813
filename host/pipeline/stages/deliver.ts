// Hands one outbound message to its channel and performs the actions it answers with. Bounded tries; what fails for good becomes a dead letter.
import { problemOf } from '../../errors.ts';
import type { Actions, Performed } from '../../outbound/actions.ts';
import type { SocketHub } from '../../outbound/sockets.ts';
import { askToSend } from '../channel-send.ts';
import type { DeliveryContext } from '../context.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A send that failed in the channel: 3 tries from 400 ms. A channel that is not there, or whose sandbox ended under the call: 15 tries over about a quarter of an hour, the first ones soon. */
const FAILED: TryPolicy = { attempts: 3, firstMs: 400, mostMs: 5000, blame: true };
const AWAY: TryPolicy = { attempts: 15, firstMs: 100, mostMs: 600_000, blame: false };
/** A remote that does not answer, or answers that it cannot: 12 tries over about half an hour, longer where it asks for it. */
const REMOTE: TryPolicy = { attempts: 12, firstMs: 1000, mostMs: 600_000, blame: true };
/** No quota, or no room: tried again until there is some, at most for some hours. */
const POSTPONED: TryPolicy = { attempts: 500, firstMs: 250, mostMs: 30_000, blame: false };

export interface DeliverParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  readonly sockets: SocketHub;
  readonly actions: Actions;
}

export function deliver({ calls, directory, sockets, actions }: DeliverParts): Stage<DeliveryContext> {
  return {
    name: 'deliver',
    budgetMs: 2000,
    onFailure: 'retry',
    async run(context) {
      const { row } = context;
      if (context.sent) return PASS; // only its settling is still to do
      const channel = directory.channel(row.instance);
      if (!channel) return away(context, `'${row.instance}' is not an enabled channel`);
      await sockets.opened(row.instance, row.conversation);

      const asked = context.offered ?? (await askToSend(calls, row, { attempts: context.attempts, waitMs: channel.wallMs }));
      context.offered = undefined;
      if ('ok' in asked && !asked.ok) return asked.away ? away(context, asked.problem) : asked.terminal ? refusedBy(context, asked.problem) : failed(context, asked.problem);
      const { actions: wanted, record } = asked;
      const scope = 'scope' in asked ? asked.scope : undefined;
      let performed: Performed;
      try {
        performed = await actions.perform(row.instance, wanted, context.done);
      } catch (error) {
        scope?.release();
        return failed(context, problemOf(error));
      }
      if (performed.outcome !== 'done') {
        scope?.release();
        return undone(context, performed);
      }
      context.sent = true;
      if (scope?.hasWrites) context.scopes.push(scope);
      context.stages.push(record);
      return PASS;
    },
  };
}

/** The channel says that no other try will do better. */
function refusedBy({ row: { instance }, attempts }: DeliveryContext, problem: string): Verdict {
  return { decision: 'give-up', code: 'DELIVERY_REFUSED', fields: { instance, attempts: attempts + 1, problem }, problem };
}

function undone(context: DeliveryContext, performed: Exclude<Performed, { outcome: 'done' }>): Verdict {
  const { code, problem } = performed;
  const { instance } = context.row;
  if (performed.outcome === 'refused') return { decision: 'give-up', code, fields: { instance, attempts: context.attempts + 1, problem }, problem };
  // Neither done nor not done: who looks at the message afterwards must know that it may have arrived more than once.
  if (performed.unknown) context.stages.push({ stage: 'send', decision: 'unknown', reason: code, instance, durationMs: 0 });
  const verdict = performed.whose === 'remote' ? unreached(context, problem) : postponed(context, problem);
  return verdict.decision === 'retry' ? { ...verdict, afterMs: Math.max(verdict.afterMs, performed.afterMs ?? 0) } : verdict;
}

/** Each kind of trouble has its own count: what one has used up, another has not. */
const away = (context: DeliveryContext, problem: string) => again(context, problem, AWAY, context.attempts - context.failures - context.postponed);
const failed = (context: DeliveryContext, problem: string) => again(context, problem, FAILED, context.failures - context.remote);
const unreached = (context: DeliveryContext, problem: string) => again(context, problem, REMOTE, context.remote++);
const postponed = (context: DeliveryContext, problem: string) => again(context, problem, POSTPONED, context.postponed++);

function again({ row: { instance } }: DeliveryContext, problem: string, policy: TryPolicy, before: number): Verdict {
  return tryAgain({ attempts: before, failures: policy.blame ? before : 0 }, policy, { code: 'DELIVERY_FAILED', instance, problem });
}
