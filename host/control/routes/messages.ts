// Messages: what came, what went, what became of it; and a way to write one.
import { MessageDetail, MessageView, SendMessageBody, Sent } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { Direction, Outcome } from '../../../schemas/message.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';
import { refuseUnclear } from './send-body.ts';

export const messageRoutes = ({ messages }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listMessages', path: '/messages', scope: 'messages:read',
    summary: 'Messages, newest first.',
    item: MessageView,
    query: {
      instance: text(64, { description: 'Only of this channel.' }),
      conversation: text(256, { description: 'Only of this conversation.' }),
      outcome: { ...Outcome, description: 'Only those that ended so.' },
      direction: { ...Direction, description: 'Only what came in, or what went out.' },
      ...SPAN,
      sort: sortBy('-at', 'at'),
    },
    run: (query) => messages.list(query),
  }),
  {
    id: 'getMessage', method: 'GET', path: '/messages/:id', scope: 'messages:read', errors: ['MESSAGE_NOT_FOUND'], tagged: {},
    summary: 'One message with its whole walk: stages, costs, replies.',
    answer: MessageDetail,
    run: ({ params }) => messages.show(params['id'] ?? ''),
  },
  readable(withBody({
    id: 'sendMessage', method: 'POST', path: '/messages', scope: 'messages:write', errors: ['PLUGIN_NOT_FOUND', 'CHANNEL_EXPECTED', 'CHANNEL_DOWN', 'SESSION_NOT_FOUND', 'ROUTE_NOT_FOUND', 'SEND_DENIED', 'INSTANCE_UNAVAILABLE', 'GATE_UNAVAILABLE'],
    summary: 'Send a message; answers with its outcome, a denial included.',
    body: SendMessageBody,
    answer: Sent,
    resume: (messageId) => messages.outcomeOf(messageId),
    run: ({ body, actor, bind }) => messages.send(body, actor, bind),
  })),
];

/** With words of its own for a body that does not fit. */
const readable = (route: ApiRoute): ApiRoute => ({
  ...route,
  run(call) {
    refuseUnclear(call.body);
    return route.run(call);
  },
});
