// Replies as they may leave: the same normal form as inbound text, without characters that reorder or hide text.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { tidyBlock } from '../../media/blocks.ts';
import type { DraftReply, LaneContext } from '../context.ts';
import { hashOf } from '../provenance.ts';
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
function sanitizeReply(draft: DraftReply): DraftReply {
  const reply = { ...draft, ...sanitized(draft.text) };
  if (!reply.media?.length) return reply;
  return { ...reply, media: reply.media.map(tidyBlock).flatMap((tidied) => ('block' in tidied ? [tidied.block] : [])) };
}

/** The text as it may leave; with the hash of what it was, when that is something else. */
export function sanitized(raw: string): { readonly text: string; readonly originalSha256?: string } {
  const text = sanitizeText(raw);
  return text === raw ? { text } : { text, originalSha256: hashOf(raw) };
}

export function sanitizeText(text: string): string {
  const clean = normalizeText(text).replaceAll(HIDING, '');
  return Buffer.byteLength(clean) <= BOUNDS.messageTextBytes ? clean : Buffer.from(clean).subarray(0, BOUNDS.messageTextBytes).toString('utf8').replace(/\ufffd+$/, '');
}
