// Inbound moderation: every gate in order, fail closed; observers are told of what passed.
import type { Clock } from '../../clock.ts';
import { toTimestamp } from '../../clock.ts';
import type { Store } from '../../store/store.ts';
import { dedupe } from '../../store/tables.ts';
import { asMessage, type InboundContext } from '../context.ts';
import type { Held } from '../held.ts';
import { askGates, tellObservers, type GateParts } from '../gates.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';

export interface ModerateParts extends GateParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly held: Pick<Held, 'hold' | 'heldFor'>;
}

export function moderate(parts: ModerateParts): Stage<InboundContext> {
  return {
    name: 'moderate',
    budgetMs: 2000,
    onFailure: 'refuse',
    async run(context) {
      // Behind what is held of the same session, or it would be answered first.
      const ahead = context.heldBy === undefined ? parts.held.heldFor(context.sessionKey) : undefined;
      if (ahead !== undefined) return await hold(context, ahead, parts);
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
          return await hold(context, outcome.gate, parts);
        case 'unavailable':
          return { decision: 'refuse', code: outcome.code, fields: outcome.fields };
        default:
          return outcome satisfies never;
      }
    },
  };
}

async function hold(context: InboundContext, gate: string, { held, store }: ModerateParts): Promise<Verdict> {
  const outcome = await held.hold(context, gate);
  if (outcome === 'held') return { decision: 'held', messageId: context.messageId };
  if (outcome === 'full') return { decision: 'refuse', code: 'HELD_FULL', fields: { instance: gate } };
  return { decision: 'duplicate', messageId: (await store.get(dedupe, context.dedupeKey))?.value.messageId ?? '' };
}
