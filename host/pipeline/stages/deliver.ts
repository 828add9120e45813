// Hands one outbound message to its channel and performs the actions it answers with. Bounded tries; what fails for good becomes a dead letter.
import { Delivery, SendResult } from '../../../schemas/message.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import { compileSchema } from '../../schema.ts';
import { performActions } from '../../outbound/actions.ts';
import type { SocketHub } from '../../outbound/sockets.ts';
import type { DeliveryContext } from '../context.ts';
import { isAway, type PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { PASS, type Stage } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A send that failed in the channel: 3 tries from 400 ms. A channel that is not there: 5 tries over about 13 minutes. */
const FAILED: TryPolicy = { attempts: 3, firstMs: 400, mostMs: 5000, blame: true };
const AWAY: TryPolicy = { attempts: 5, firstMs: 5000, mostMs: 600_000, blame: false };

const sendResult = compileSchema<SendResult>(SendResult);

export interface DeliverParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  readonly sockets: SocketHub;
}

export function deliver({ calls, directory, sockets }: DeliverParts): Stage<DeliveryContext> {
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

      const { result, scope } = await calls.call(row.instance, 'send', deliveryOf(context), { attemptKey: row.id, waitMs: channel.wallMs, hops: row.hops });
      if (!result.ok) return isAway(result.code) ? away(context, result.message) : failed(context, result.message);
      if (!sendResult.is(result.value)) {
        scope.release();
        return failed(context, 'its result is not { actions: […] }');
      }
      try {
        performActions(row.instance, result.value.actions, sockets);
      } catch (error) {
        scope.release();
        if (error instanceof GatehouseError && !error.row.retryable) return { decision: 'give-up', code: 'DELIVERY_FAILED', fields: { instance: row.instance, attempts: context.attempts + 1, problem: error.message }, problem: error.message };
        return failed(context, problemOf(error));
      }
      context.sent = true;
      if (scope.hasWrites) context.scopes.push(scope);
      context.stages.push({ stage: 'send', decision: 'sent', instance: row.instance, durationMs: result.wallMs, cpuUs: result.cpuUs });
      return PASS;
    },
  };
}

function deliveryOf({ row, attempts }: DeliveryContext): Delivery {
  return { id: row.id, conversation: row.conversation, inReplyTo: row.inReplyTo ?? null, text: row.text, ...(row.media.length > 0 ? { media: [...row.media] } : {}), at: row.at, attempt: attempts + 1, ...(row.hops === undefined ? {} : { hops: row.hops }) };
}

const away = (context: DeliveryContext, problem: string) => again(context, problem, AWAY);
const failed = (context: DeliveryContext, problem: string) => again(context, problem, FAILED);
const again = (context: DeliveryContext, problem: string, policy: TryPolicy) => tryAgain(context, policy, { code: 'DELIVERY_FAILED', instance: context.row.instance, problem });
