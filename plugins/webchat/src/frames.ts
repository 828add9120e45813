// What the server says to the page, as the text of frames. `ack` is written by the host itself, once it knows what became of a message.
import type { Action, MediaBlock } from '@gatehouse/plugin-sdk';

interface Said {
  readonly id: string;
  readonly inReplyTo?: string | null;
  readonly text: string;
  readonly media?: readonly MediaBlock[];
}

export const messageFrame = ({ id, inReplyTo, text, media }: Said): string => JSON.stringify({ type: 'message', id, inReplyTo: inReplyTo ?? null, text, ...(media && media.length > 0 && { media }) });

/** There is more than fits at once: connect again with this `after`. Nothing of what follows it has been sent. */
export const moreFrame = (after: string): string => JSON.stringify({ type: 'more', after });

/** `id` is that of the message in question, where it could be read. */
export const errorFrame = (code: string, message: string, id?: string): string => JSON.stringify({ type: 'error', code, message, id });

export const toConnection = (connection: string, text: string): Action => ({ frame: { connection }, text });
