// A page connects (again): the replies it has not seen, oldest first. The host holds back new ones until these are out.
import { BOUNDS, utf8Length, type Action, type ConversationItem, type PluginContext } from '@gatehouse/plugin-sdk';
import { editFrame, errorFrame, messageFrame, moreFrame, reactionFrame, toConnection } from './frames.ts';

const MESSAGE_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** One place is kept for the `more` frame. */
const MOST_REPLIES = BOUNDS.actionsPerCall - 1;
/** As JSON inside JSON; the rest of what a result may have is for the frames around it. */
const MOST_BYTES = 384 * 1024;
/** A stretch of messages without replies is read on by the next connection. */
const MOST_PAGES = 50;

/** `after` is the id of the last reply seen, or empty for all. */
export async function missedReplies(conversation: string, connection: string, after: string, ctx: Pick<PluginContext, 'message'>): Promise<Action[]> {
  if (after !== '' && !MESSAGE_ID.test(after)) return [toConnection(connection, errorFrame('AFTER_INVALID', 'after is the id of the last reply seen.'))];
  const actions: Action[] = [];
  let bytes = 0;
  let seen = after;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await ctx.message.list(conversation, seen === '' ? {} : { after: seen });
    for (const item of page.items) {
      if (item.direction === 'outbound') {
        const frame = frameOf(item);
        bytes += utf8Length(JSON.stringify(frame));
        if (actions.length === MOST_REPLIES || (actions.length > 0 && bytes > MOST_BYTES)) return [...actions, toConnection(connection, moreFrame(seen))];
        actions.push(toConnection(connection, frame));
      }
      seen = item.id;
    }
    if (page.cursor === null) return actions;
  }
  return [...actions, toConnection(connection, moreFrame(seen))];
}

function frameOf(item: ConversationItem): string {
  if (item.edits !== undefined) return editFrame(item.edits, item.text);
  return item.reacts === undefined ? messageFrame(item) : reactionFrame(item.reacts, item.text);
}
