// Outbound moderation of each reply before it is stored. A refused reply leaves a reason in the record and no content; an unavailable gate holds the lane, nothing slips past.
import type { DraftReply, LaneContext } from '../context.ts';
import { askGates, tellObservers, type GateParts } from '../gates.ts';
import { PASS, type Stage } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A gate that does not answer: 20 tries over about seven minutes. */
const AWAY: TryPolicy = { attempts: 20, firstMs: 100, mostMs: 30_000, blame: false };

export function screen(parts: GateParts): Stage<LaneContext> {
  return {
    name: 'screen',
    budgetMs: 2000,
    onFailure: 'retry',
    async run(context) {
      const passed: DraftReply[] = [];
      for (const [index, reply] of context.replies.entries()) {
        // The reply has no id yet: ids are given inside the commit that stores it, so that their order is the order of commits.
        const message = { ...context.message, sender: { id: context.answeredBy ?? context.instance }, text: reply.text, mentions: [], media: reply.media ?? [], flags: [] as string[] };
        const subject = { message, direction: 'outbound' as const, attemptKey: `${context.messageId}/${index}` };
        const outcome = await askGates({ ...subject, stages: context.stages, scopes: context.scopes }, parts);
        if (outcome.effect === 'pass') {
          passed.push({ ...reply, text: outcome.text, flags: outcome.flags });
          tellObservers('outbound', subject.attemptKey, () => ({ ...message, text: outcome.text }), parts);
        } else if (outcome.effect === 'deny') {
          context.refused += 1;
        } else {
          const { code, instance } = outcome.effect === 'unavailable' ? { code: outcome.code, instance: String(outcome.fields['instance']) } : { code: 'GATE_UNAVAILABLE' as const, instance: outcome.gate };
          return tryAgain(context, AWAY, { code, instance, problem: 'no answer from a gate on the way out' });
        }
      }
      context.replies = passed;
      return PASS;
    },
  };
}
