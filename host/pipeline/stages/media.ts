// Files, places and people in a message: let through, fetched and kept, or refused, as policy says. After moderation, so that nothing is fetched for what is denied, and before accept, so that what is accepted has its files.
import type { Intake } from '../../media/intake.ts';
import type { InboundContext } from '../context.ts';
import { PASS, type Stage } from '../stage.ts';

export interface MediaParts {
  readonly intake: Intake;
}

export function media({ intake }: MediaParts): Stage<InboundContext> {
  return {
    name: 'media',
    budgetMs: 5000,
    onFailure: 'refuse',
    /** Links are what channels gave, and most messages carry nothing: neither costs a record. */
    concerns: ({ media: blocks, policy }) => blocks.length > 0 && (policy.media.inbound !== 'link' || blocks.length > policy.media.maxCount),
    async run(context) {
      const { instance, media: blocks, policy: { media: policy } } = context;
      const refuse = (problem: string) => ({ decision: 'refuse', code: 'MEDIA_REFUSED', fields: { instance, problem }, reason: problem }) as const;
      if (policy.inbound === 'refuse') return refuse('it takes none');
      if (blocks.length > policy.maxCount) return refuse(`it takes ${policy.maxCount} in one message, and these are ${blocks.length}`);
      const taken = await intake.take({ instance, conversation: context.arrived.conversation, blocks, policy, isWaitedFor: context.heldBy === undefined });
      if (taken.outcome === 'refused') {
        const { code, fields, isVerdict } = taken;
        // A verdict is remembered like a denial, or every redelivery would have it fetched and looked through again.
        return { decision: 'refuse', code, fields, reason: `${code}: ${String(fields['problem'] ?? fields['limit'] ?? '')}`, tombstone: isVerdict && context.heldBy === undefined };
      }
      context.media = taken.blocks;
      if (taken.kept) context.kept = taken.kept;
      return { ...PASS, note: taken.note };
    },
  };
}
