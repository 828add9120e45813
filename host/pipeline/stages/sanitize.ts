// Replies as they may leave: the same normal form as inbound text, without characters that reorder or hide text.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { publicBlocks, tidyBlock } from '../../media/blocks.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { PASS, type Stage } from '../stage.ts';
import { normalizeText } from './normalize.ts';

/** Bidirectional overrides and isolates (UAX #9), zero-width space and byte order mark; joiners stay, scripts and emoji need them. */
const HIDING = /[\u202a-\u202e\u2066-\u2069\u200b\ufeff]/g;

export const sanitize: Stage<LaneContext> = {
  name: 'sanitize',
  budgetMs: 5,
  onFailure: 'retry',
  run(context) {
    context.replies = context.replies.map(sanitizeReply).filter((reply) => reply.text.trim() !== '' || reply.media?.length);
    return PASS;
  },
};

/** Blocks that are none are left out. */
function sanitizeReply(reply: DraftReply): DraftReply {
  const text = sanitizeText(reply.text);
  if (!reply.media?.length) return { ...reply, text };
  const media = publicBlocks(reply.media.map(tidyBlock).flatMap((tidied) => ('block' in tidied ? [tidied.block] : [])));
  return { ...reply, text, media: [...media] };
}

export function sanitizeText(text: string): string {
  const clean = normalizeText(text).replaceAll(HIDING, '');
  return Buffer.byteLength(clean) <= BOUNDS.messageTextBytes ? clean : Buffer.from(clean).subarray(0, BOUNDS.messageTextBytes).toString('utf8').replace(/\ufffd+$/, '');
}
