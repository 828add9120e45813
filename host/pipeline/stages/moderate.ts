// Inbound moderation: every gate in order, fail closed; observers are told of what passed.
import type { Clock } from '../../clock.ts';
import { toTimestamp } from '../../clock.ts';
import type { Store } from '../../store/store.ts';
import { dedupe } from '../../store/tables.ts';
import { addressOf } from '../commands/address.ts';
import { refusalOf } from '../commands/permission.ts';
import { commandsOf } from '../commands/registry.ts';
import { asMessage, type InboundContext } from '../context.ts';
import type { Held } from '../gating/held.ts';
import { askGates, isModerated, type GateParts } from '../gating/gates.ts';
import { tellObservers, type ObserverParts } from '../gating/observers.ts';
import { judgedOf } from '../gating/provenance.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { speakerOf } from '../verifying/speaker.ts';

export interface ModerateParts extends GateParts, ObserverParts {
  readonly directory: PluginDirectory;
  readonly clock: Clock;
  readonly store: Store;
  readonly held: Pick<Held, 'hold' | 'heldFor'>;
}

export function moderate(parts: ModerateParts): Stage<InboundContext> {
  return {
    name: 'moderate',
    budgetMs: 2000,
    onFailure: 'refuse',
    run(context) {
      // Behind what is held of the same session, or it would be answered first.
      const ahead = context.heldBy === undefined ? parts.held.heldFor(context.sessionKey) : undefined;
      if (ahead !== undefined) return hold(context, ahead, parts);
      return isModerated('inbound', parts.directory) ? judge(context, parts) : PASS;
    },
  };
}

async function judge(context: InboundContext, parts: ModerateParts): Promise<Verdict> {
  const message = asMessage(context, toTimestamp(context.receivedAtMs));
  const outcome = await askGates({ message, direction: 'inbound', attemptKey: context.messageId, stages: context.stages, scopes: context.scopes }, parts);
  switch (outcome.effect) {
    case 'pass': {
      const isChanged = outcome.message.text !== context.text;
      Object.assign(context, judgedOf(outcome.message));
      const refusal = isChanged ? readAgain(context, parts) : undefined;
      if (refusal) return refusal;
      tellObservers('inbound', context.messageId, isChanged ? asMessage(context, message.at) : outcome.message, parts);
      return PASS;
    }
    case 'deny':
      return { decision: 'refuse', code: 'MODERATION_DENIED', fields: { reason: outcome.reason, instance: outcome.gate }, reason: outcome.reason, tombstone: context.heldBy === undefined };
    case 'hold':
      if (context.heldBy !== undefined) return { decision: 'refuse', code: 'GATE_UNAVAILABLE', fields: { instance: outcome.gate } };
      return await hold(context, outcome.gate, parts);
    case 'unavailable':
      return { decision: 'refuse', code: outcome.code, fields: { instance: outcome.gate } };
    default:
      return outcome satisfies never;
  }
}

/** What a gate has made of the text is a command only if it reads as one, and runs only if its sender may. */
function readAgain(context: InboundContext, { directory }: ModerateParts): Verdict | undefined {
  const { arrived, policy, text } = context;
  Object.assign(context, addressOf({ text, mentions: arrived.mentions ?? [] }, policy));
  return refusalOf(context.parsed, { sender: arrived.sender, ...speakerOf(context) }, policy, commandsOf(directory.skills()));
}

async function hold(context: InboundContext, gate: string, { held, store }: ModerateParts): Promise<Verdict> {
  const outcome = await held.hold(context, gate);
  if (outcome === 'held') return { decision: 'held', messageId: context.messageId };
  if (outcome === 'full') return { decision: 'refuse', code: 'HELD_FULL', fields: { instance: gate } };
  return { decision: 'duplicate', messageId: (await store.get(dedupe, context.dedupeKey))?.value.messageId ?? '' };
}
