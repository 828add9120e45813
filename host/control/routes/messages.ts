// Messages: what came, what went, what became of it; and a way to write one.
import { MessageDetail, MessageView, SendMessageBody } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { Direction, Outcome } from '../../../schemas/message.ts';
import { PAGE } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { asPage, pageSchema, withBody, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const messageRoutes = ({ messages }: Host): readonly ApiRoute[] => [
  withQuery({
    method: 'GET', path: '/messages', scope: 'messages:read',
    summary: 'Messages, newest first.',
    query: {
      ...PAGE,
      instance: text(64, { description: 'Only of this channel.' }),
      conversation: text(256, { description: 'Only of this conversation.' }),
      outcome: { ...Outcome, description: 'Only those that ended so.' },
      direction: { ...Direction, description: 'Only what came in, or what went out.' },
    },
    answer: pageSchema(MessageView),
    run: async ({ query }) => asPage(await messages.list(query)),
  }),
  {
    method: 'GET', path: '/messages/:id', scope: 'messages:read',
    summary: 'One message with its whole walk: stages, costs, replies.',
    answer: MessageDetail,
    run: ({ params }) => messages.show(params['id'] ?? ''),
  },
  withBody({
    method: 'POST', path: '/messages', scope: 'messages:write',
    summary: 'Send a message; answers with its outcome, a denial included.',
    body: SendMessageBody,
    run: ({ body, actor }) => messages.send(body, actor),
  }),
];
