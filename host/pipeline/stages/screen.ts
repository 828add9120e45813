// Outbound moderation of each reply before it is stored. A refused reply leaves a reason in the record and no content; an unavailable gate holds the lane, nothing slips past.
import { backoffMs } from '../../outbound/retry.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { askGates, tellObservers, type GateParts } from '../gates.ts';
import { PASS, type Stage } from '../stage.ts';

const MOST_ATTEMPTS = 20;

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
          const attempts = context.attempts - context.failures + 1;
          const code = outcome.effect === 'unavailable' ? outcome.code : 'GATE_UNAVAILABLE';
          const problem = `no answer from a gate on the way out`;
          return attempts >= MOST_ATTEMPTS ? { decision: 'give-up', code, fields: outcome.effect === 'unavailable' ? outcome.fields : { instance: outcome.gate }, problem } : { decision: 'retry', afterMs: backoffMs(attempts, 100, 30_000), code, problem, blame: false };
        }
      }
      context.replies = passed;
      return PASS;
    },
  };
}
