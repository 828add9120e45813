// Fits an outbound message to its channel before it is sent: what may not leave is given up, blocks the channel cannot send become text, what is too long for one message becomes pieces.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { maySend, textLimits } from '../../outbound/rules.ts';
import type { DeliveryContext } from '../context.ts';
import type { FitMedia } from '../delivery/outbound-media.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import { leaving } from '../delivery/leaving.ts';
import { policyOf } from '../policy.ts';
import { hasAddress } from '../sanitizing/links.ts';
import { PLAIN_RULES } from '../sanitizing/sanitizing.ts';
import { wholePieces } from '../sanitizing/whole-pieces.ts';
import { PASS, type Stage, type Verdict } from '../stage.ts';

export interface ShapeParts {
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly fitMedia: FitMedia;
}

export function shape({ directory, fitMedia }: ShapeParts): Stage<DeliveryContext> {
  return {
    name: 'shape',
    budgetMs: 20,
    onFailure: 'retry',
    async run(context) {
      if (context.row.media.length > 0 && !context.sent) {
        const fitted = await fitMedia(context.row);
        if ('unsupported' in fitted) return { decision: 'give-up', code: 'MEDIA_UNSUPPORTED', fields: { instance: context.row.instance, problem: fitted.unsupported }, problem: fitted.unsupported };
        // Words in place of a file are text like any other, in the markup of the channel.
        const left = leaving(directory.channel(context.row.instance), context.row.conversation, fitted.row.text);
        if (!left.ok) return { decision: 'give-up', code: 'MEDIA_UNSUPPORTED', fields: { instance: context.row.instance, problem: left.reason }, problem: left.reason };
        context.row = { ...fitted.row, text: left.text };
      }
      const { row } = context;
      if (Buffer.byteLength(row.text) > BOUNDS.messageTextBytes) return tooLong(context, `the text has more than ${BOUNDS.messageTextBytes} bytes`);
      const channel = directory.channel(row.instance);
      if (!channel || context.sent) return PASS;
      const { outbound } = policyOf(channel.policy, row.conversation);
      // Kinds of rooms were looked at when it was stored; an operator who shuts the whole conversation means what waits as well.
      if (outbound.send === 'deny' && !maySend(outbound, undefined)) return { decision: 'give-up', code: 'SEND_DENIED', fields: { instance: row.instance }, problem: 'the policy of the channel lets nothing leave' };
      // Limits that some pieces were cut by hold for the others, or the cuts would not meet.
      const limits = context.limits ?? textLimits(channel.section.limits, outbound.chunk);
      if (!limits || context.offered || row.edits !== undefined || row.reacts !== undefined) return PASS;
      const pieces = wholePieces(row.text, limits, channel.section.text ?? 'plain', outbound.mentions ?? PLAIN_RULES.mentions);
      // Where a text is cut is up to whoever wrote it: an address that only a cut makes one is one all the same.
      if (outbound.links === 'refuse' && pieces.length > 1 && pieces.some(hasAddress)) return { decision: 'give-up', code: 'SEND_DENIED', fields: { instance: row.instance }, problem: 'a piece of it would hold an address, and links may not leave' };
      if (pieces.length > BOUNDS.piecesPerDelivery) return tooLong(context, `it would leave in ${pieces.length} pieces, and ${BOUNDS.piecesPerDelivery} are the most`);
      context.limits = limits;
      context.pieces = pieces;
      return PASS;
    },
  };
}

function tooLong({ row: { instance }, attempts }: DeliveryContext, problem: string): Verdict {
  return { decision: 'give-up', code: 'DELIVERY_FAILED', fields: { instance, attempts: attempts + 1, problem }, problem };
}
