// What the server says to the page, as the text of frames. `ack` is written by the host itself, once it knows what became of a message.
import type { Action, MediaBlock } from '@gatehouse/plugin-sdk';

interface Said {
  readonly id: string;
  readonly inReplyTo?: string | null;
  readonly text: string;
  readonly media?: readonly MediaBlock[];
}

export const messageFrame = ({ id, inReplyTo, text, media }: Said): string => JSON.stringify({ type: 'message', id, inReplyTo: inReplyTo ?? null, text, ...(media && media.length > 0 && { media }) });

/** A reply while it is being written: what came since the frame before. */
export const deltaFrame = (id: string, inReplyTo: string | null, text: string): string => JSON.stringify({ type: 'delta', id, inReplyTo, text });

/** What was shown under this id is no reply after all. */
export const withdrawnFrame = (id: string): string => JSON.stringify({ type: 'withdrawn', id });

export const typingFrame = JSON.stringify({ type: 'typing' });

/** An earlier reply says something else now. The same edit may come twice. */
export const editFrame = (id: string, text: string): string => JSON.stringify({ type: 'edit', id, text });

/** An emoji on a message of the page's own; `to` is the id the page gave it. */
export const reactionFrame = (to: string, emoji: string): string => JSON.stringify({ type: 'reaction', to, emoji });

/** There is more than fits at once: connect again with this `after`. Nothing of what follows it has been sent. */
export const moreFrame = (after: string): string => JSON.stringify({ type: 'more', after });

/** `id` is that of the message in question, where it could be read. */
export const errorFrame = (code: string, message: string, id?: string): string => JSON.stringify({ type: 'error', code, message, id });

export const toConversation = (conversation: string, text: string): Action => ({ frame: { conversation }, text });

export const toConnection = (connection: string, text: string): Action => ({ frame: { connection }, text });
