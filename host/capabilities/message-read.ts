// `ctx.message.list(conversation, { after, limit })`: reads the caller's own conversations, oldest first, page by page.
import { Type } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed } from '../../schemas/closed.ts';
import type { ConversationItem } from '../../schemas/message.ts';
import { GatehouseError } from '../errors.ts';
import type { MediaLinks } from '../media/links.ts';
import { compileSchema } from '../schema.ts';
import { readMessage } from '../store/messages.ts';
import type { Store } from '../store/store.ts';
import { conversations, messages } from '../store/tables.ts';
import { operation } from './capability.ts';

interface Request {
  conversation: string;
  after?: string | null;
  limit?: number;
}

const request = compileSchema<Request>(
  closed({
    conversation: Type.String({ minLength: 1, maxLength: 256 }),
    after: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: BOUNDS.messageListItems })),
  }),
);

/** A page holds at most 100 items or 128 KiB of text and blocks; `cursor` is the last id, or null when nothing follows `after`. */
export function messageList(store: Store, links: Pick<MediaLinks, 'addressed'>) {
  return operation<Request, 'message.read'>({
    op: 'message.list',
    capability: 'message.read',
    request,
    authorize: () => undefined,
    async perform({ conversation, after, limit = BOUNDS.messageListItems }, caller) {
      if (!conversation.isWellFormed() || after?.isWellFormed() === false) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'message.list', path: '/conversation', problem: 'it holds half of a surrogate pair' });
      const prefix = conversations.prefix(caller.instance, conversation);
      const last = after ? await readMessage(store, after) : undefined;
      const place = last?.instance === caller.instance && last.conversation === conversation ? (last.place ?? after) : after;
      const rows = await store.range(conversations, prefix, { ...(place ? { after: conversations.key(caller.instance, conversation, place) } : {}), limit });
      const items: ConversationItem[] = [];
      let bytes = 0;
      for (const row of rows) {
        const id = row.value.messageId ?? String(row.key[3]);
        const message = (await store.get(messages, messages.key(id)))?.value;
        if (!message) continue;
        const media = message.media.length === 0 ? {} : { media: links.addressed(message.media, Date.parse(message.at)) };
        bytes += Buffer.byteLength(message.text) + (message.media.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(media)));
        if (items.length > 0 && bytes > BOUNDS.messageListBytes) break;
        const about = message.reacts === undefined ? undefined : (await store.get(messages, messages.key(message.reacts)))?.value.senderMessageId;
        items.push({ id, direction: message.direction, text: message.text, ...media, ...(message.inReplyTo === undefined ? {} : { inReplyTo: message.inReplyTo }), at: message.at, ...(message.edits === undefined ? {} : { edits: message.edits }), ...(about === undefined ? {} : { reacts: about }) });
      }
      return { items, cursor: items.at(-1)?.id ?? null };
    },
  });
}
