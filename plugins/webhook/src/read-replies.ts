// `GET /conversations/<id>/messages?after=<cursor>`: one page of the replies in a conversation, oldest first.
import { utf8Length, type PluginContext } from '@gatehouse/plugin-sdk';

export interface Reply {
  readonly id: string;
  /** The sender's own id of the message it answers; null for what was sent on its own. */
  readonly inReplyTo: string | null;
  readonly text: string;
  readonly at: string;
}

export interface RepliesPage {
  readonly items: readonly Reply[];
  /** The last id read, to be passed as `after`; null while there is none. */
  readonly cursor: string | null;
}

const MOST_ITEMS = 100;
/** What the host takes as a result is 512 KiB of JSON; this leaves room for the rest of it. */
const MOST_JSON_BYTES = 384 * 1024;
/** A stretch of thousands of messages without a reply is read on by the next request. */
const MOST_PAGES = 20;

export async function readReplies(conversation: string, after: string, ctx: Pick<PluginContext, 'message'>): Promise<RepliesPage> {
  const items: Reply[] = [];
  let bytes = 0;
  let position = after;
  const page = () => ({ items, cursor: items.at(-1)?.id ?? (after === '' ? null : after) });

  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const read = await ctx.message.list(conversation, position === '' ? {} : { after: position });
    for (const { id, direction, inReplyTo, text, at } of read.items) {
      if (direction !== 'outbound') continue;
      bytes += utf8Length(JSON.stringify(text));
      if (items.length === MOST_ITEMS || (items.length > 0 && bytes > MOST_JSON_BYTES)) return page();
      items.push({ id, inReplyTo: inReplyTo ?? null, text, at });
    }
    if (read.cursor === null) return page();
    position = read.cursor;
  }
  return { items, cursor: position };
}
