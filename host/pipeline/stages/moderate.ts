// Inbound moderation: every gate in order, fail closed; observers are told of what passed.
import type { Clock } from '../../clock.ts';
import { toTimestamp } from '../../clock.ts';
import { asMessage, type InboundContext } from '../context.ts';
import { askGates, tellObservers, type GateParts } from '../gates.ts';
import { PASS, type Stage } from '../stage.ts';

export interface ModerateParts extends GateParts {
  readonly clock: Clock;
  /** Commits the message to `held` for a quarantined gate; refuses when the hold is full. */
  hold(context: InboundContext, gate: string): Promise<boolean>;
}

export function moderate(parts: ModerateParts): Stage<InboundContext> {
  return {
    name: 'moderate',
    budgetMs: 2000,
    onFailure: 'refuse',
    async run(context) {
      const message = asMessage(context, toTimestamp(context.receivedAtMs));
      const outcome = await askGates({ message, direction: 'inbound', attemptKey: context.messageId, stages: context.stages, scopes: context.scopes }, parts);
      switch (outcome.effect) {
        case 'pass':
          context.text = outcome.text;
          context.flags.splice(0, context.flags.length, ...outcome.flags);
          if (outcome.originalSha256 !== undefined) context.originalSha256 = outcome.originalSha256;
          tellObservers('inbound', context.messageId, () => asMessage(context, message.at), parts);
          return PASS;
        case 'deny':
          return { decision: 'refuse', code: 'MODERATION_DENIED', fields: { reason: outcome.reason, instance: outcome.gate }, reason: outcome.reason, tombstone: context.heldBy === undefined };
        case 'hold':
          if (context.heldBy !== undefined) return { decision: 'refuse', code: 'GATE_UNAVAILABLE', fields: { instance: outcome.gate } };
          return (await parts.hold(context, outcome.gate)) ? { decision: 'held', messageId: context.messageId } : { decision: 'refuse', code: 'HELD_FULL', fields: { instance: outcome.gate } };
        case 'unavailable':
          return { decision: 'refuse', code: outcome.code, fields: outcome.fields };
        default:
          return outcome satisfies never;
      }
    },
  };
}
