// Web chat: turns socket frames into messages and replies into frames. The page in assets/ is its other half; README.md has the protocol.
import { defineChannel } from '@gatehouse/plugin-sdk';
import { deltaFrame, editFrame, errorFrame, messageFrame, reactionFrame, toConnection, toConversation, typingFrame, withdrawnFrame } from './frames.ts';
import { missedReplies } from './missed-replies.ts';
import { parseFrame } from './parse-frame.ts';
import { isConversation, visitorOf } from './visitor.ts';

export default defineChannel({
  async receive(request, ctx) {
    if (request.kind === 'http' || request.kind === 'close') return {};
    const { connection, conversation, query, text = '' } = request;
    if (!isConversation(conversation)) {
      return { actions: [toConnection(connection, errorFrame('CONVERSATION_INVALID', 'A conversation id has 22 to 128 characters of A-Z, a-z, 0-9, _ and -.'))] };
    }
    if (request.kind === 'open') return { actions: await missedReplies(conversation, connection, query['after'] ?? '', ctx) };

    const frame = parseFrame(text);
    if (!frame.ok) return { actions: [toConnection(connection, errorFrame(frame.code, frame.problem, frame.id))] };
    return { messages: [{ id: frame.id, conversation, sender: { id: visitorOf(conversation), name: 'visitor' }, text: frame.text }] };
  },

  /** What the page shows of files is the host's to fetch; this only says that the page can show them. */
  media: ({ media }) => ({ request: { url: media.url } }),

  send: (delivery) => ({ actions: [toConversation(delivery.conversation, messageFrame(delivery))] }),
  typing: ({ conversation, on }) => ({ actions: on ? [toConversation(conversation, typingFrame)] : [] }),
  stream: ({ conversation, id, inReplyTo, delta, withdrawn }) => ({
    actions: withdrawn ? [toConversation(conversation, withdrawnFrame(id))] : delta === '' ? [] : [toConversation(conversation, deltaFrame(id, inReplyTo, delta))],
  }),
  edit: ({ conversation, id, text }) => ({ actions: [toConversation(conversation, editFrame(id, text))] }),
  react: ({ conversation, message, emoji, remove }) => ({ actions: remove ? [] : [toConversation(conversation, reactionFrame(message, emoji))] }),
});
