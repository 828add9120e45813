// Cuts a marked-up text into pieces that are each whole in their markup: what a cut leaves open is closed or becomes text. Called by shape.ts.
import type { Dialect } from '../../../schemas/dialects.ts';
import type { TextLimits } from '../../../schemas/text-limits.ts';
import { chunk, fits } from '../../outbound/chunk.ts';
import { sanitizeFor } from './sanitizing.ts';

/** Whether texts of this markup mean the same wherever they are cut. */
export const isUnmarked = (dialect: Dialect): boolean => dialect === 'plain' || dialect === 'whatsapp';

/** Room for what a cut adds: escapes, closing tags. Tried in turn. */
const SHARES = [1, 0.95, 0.8, 0.5];

/** The text was judged when it was stored; here it is made whole again, and what only a cut makes a call to everybody is quieted. Links are for whoever calls to judge: see shape.ts. */
export function wholePieces(text: string, limits: TextLimits, dialect: Dialect, mentions: 'keep' | 'escape'): readonly string[] {
  if (isUnmarked(dialect) || fits(text, limits)) return chunk(text, limits);
  for (const share of SHARES) {
    const pieces = chunk(text, scaled(limits, share)).map((piece) => whole(piece, dialect, mentions));
    if (pieces.every((piece) => fits(piece, limits))) return pieces;
  }
  return chunk(text, limits);
}

function whole(piece: string, dialect: Dialect, mentions: 'keep' | 'escape'): string {
  const sanitized = sanitizeFor(dialect, piece, { links: 'keep', mentions });
  return sanitized.ok ? sanitized.text : piece;
}

/** Lines are not made more by making a piece whole. */
function scaled({ characters, bytes, lines }: TextLimits, share: number): TextLimits {
  const of = (most: number) => Math.max(1, Math.floor(most * share));
  return { ...(characters !== undefined && { characters: of(characters) }), ...(bytes !== undefined && { bytes: of(bytes) }), ...(lines !== undefined && { lines }) };
}
