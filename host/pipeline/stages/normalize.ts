// Same text for the same input on every channel: NFC, one kind of line end, no control characters, bounded.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { MediaBlock } from '../../../schemas/media.ts';
import { tidyBlock } from '../../media/blocks.ts';
import { addressOf } from '../commands/address.ts';
import type { InboundContext } from '../context.ts';
import { hashOf } from '../gating/provenance.ts';
import { PASS, type Stage } from '../stage.ts';

export const normalize: Stage<InboundContext> = {
  name: 'normalize',
  budgetMs: 5,
  onFailure: 'refuse',
  run(context) {
    const { arrived, instance } = context;
    // Ids are kept as they are: changed, they would no longer be the sender's. What no store key and no UTF-8 can hold is refused.
    const { thread = '', account = '' } = arrived;
    for (const id of [arrived.id, arrived.conversation, arrived.sender.id, thread, account]) if (!id.isWellFormed()) return { decision: 'refuse', code: 'INGRESS_BODY', fields: { instance, problem: 'an id holds half of a surrogate pair' } };
    const text = normalizeText(arrived.text);
    if (Buffer.byteLength(text) > BOUNDS.messageTextBytes) return { decision: 'refuse', code: 'INGRESS_BODY', fields: { instance, problem: `the text has more than ${BOUNDS.messageTextBytes} bytes` } };
    if (text.trim() === '' && !arrived.media?.length) return { decision: 'refuse', code: 'INGRESS_BODY', fields: { instance, problem: 'the message is empty' } };
    const blocks: MediaBlock[] = [];
    for (const [index, each] of (arrived.media ?? []).entries()) {
      const tidied = tidyBlock(each);
      if ('problem' in tidied) return { decision: 'refuse', code: 'INGRESS_BODY', fields: { instance, problem: `media ${index + 1}: ${tidied.problem}` } };
      blocks.push(tidied.block);
    }
    context.media = blocks;
    context.text = text;
    if (text !== arrived.text) context.originalSha256 = hashOf(arrived.text);
    Object.assign(context, addressOf({ text, mentions: arrived.mentions ?? [] }, context.policy));
    return PASS;
  },
};

const PLAIN = /^[\x20-\x7e\n]*$/;
/** C0 and C1 controls but tab and line feed; they carry no text and confuse terminals, logs and matchers. */
// oxlint-disable-next-line no-control-regex -- the control characters are the point
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Unicode Normalization Form C (UAX #15), `\n` line ends, lone surrogates replaced. */
export function normalizeText(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.toWellFormed().replaceAll(/\r\n?/g, '\n').replaceAll(CONTROLS, '').normalize('NFC');
}
