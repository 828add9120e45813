// Outbound moderation of each reply before it is stored. A refused reply leaves a reason in the record and no content; an unavailable gate holds the lane, nothing slips past.
import type { Message } from '../../../schemas/message.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import type { GateCode } from '../gating/gate-verdict.ts';
import { askGates, isModerated, type GateParts } from '../gating/gates.ts';
import { tellObservers, type ObserverParts } from '../gating/observers.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { judgedOf } from '../gating/provenance.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A gate that does not answer: 20 tries over about seven minutes. */
const AWAY: TryPolicy = { attempts: 20, firstMs: 100, mostMs: 30_000, blame: false };

export interface ScreenParts extends GateParts, ObserverParts {
  readonly directory: PluginDirectory;
}

export function screen(parts: ScreenParts): Stage<LaneContext> {
  return {
    name: 'screen',
    budgetMs: 2000,
    onFailure: 'retry',
    run: (context) => (isModerated('outbound', parts.directory) ? judge(context, parts) : PASS),
  };
}

async function judge(context: LaneContext, parts: ScreenParts): Promise<Verdict> {
  const passed: DraftReply[] = [];
  for (const [index, reply] of context.replies.entries()) {
    const attemptKey = `${context.messageId}/${index}`;
    const outcome = await askGates({ message: asMessage(reply, context), direction: 'outbound', attemptKey, stages: context.stages, scopes: context.scopes }, parts);
    switch (outcome.effect) {
      case 'pass':
        passed.push({ ...reply, ...judgedOf(outcome.message) });
        tellObservers('outbound', attemptKey, outcome.message, parts);
        break;
      case 'deny':
        context.refused += 1;
        break;
      case 'hold':
        return noAnswer(context, 'GATE_UNAVAILABLE', outcome.gate);
      case 'unavailable':
        return noAnswer(context, outcome.code, outcome.gate);
      default:
        return outcome satisfies never;
    }
  }
  context.replies = passed;
  return PASS;
}

/** A reply as gates see it. It has no id yet: ids are given inside the commit that stores it, so that their order is the order of commits. */
function asMessage(reply: DraftReply, { message, answeredBy, instance }: LaneContext): Message {
  const { provenance: _, originalSha256: __, senderVerified: ___, command: ____, wasMentioned: _____, repliesToBot: ______, ...answered } = message;
  return { ...answered, sender: { id: answeredBy ?? instance }, mentions: [], media: reply.media ?? [], ...judgedOf(reply) };
}

const noAnswer = (context: LaneContext, code: GateCode, instance: string): Verdict => tryAgain(context, AWAY, { code, instance, problem: 'no answer from a gate on the way out' });
