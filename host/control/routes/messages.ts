// Messages: what came, what went, what became of it; and a way to write one.
import { MessageDetail, MessageView, SendMessageBody } from '../../../schemas/control.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host, MessageQuery } from '../../host.ts';
import { PAGE_QUERY, asPage, pageOf, pageSchema, withBody, type ApiRoute } from './api.ts';

export const messageRoutes = ({ messages }: Host): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/messages', scope: 'messages:read',
    summary: 'Messages, newest first.',
    query: [...PAGE_QUERY, 'instance', 'conversation', 'outcome', 'direction'],
    answer: pageSchema(MessageView),
    run: async ({ query }) => asPage(await messages.list(filterOf(query))),
  },
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

function filterOf(query: Readonly<Record<string, string>>): MessageQuery {
  const { instance, conversation, outcome, direction } = query;
  if (direction !== undefined && direction !== 'inbound' && direction !== 'outbound') {
    throw new GatehouseError('REQUEST_INVALID', { path: '?direction', problem: 'must be inbound or outbound' });
  }
  return {
    ...pageOf(query),
    ...(instance === undefined ? {} : { instance }),
    ...(conversation === undefined ? {} : { conversation }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(direction === undefined ? {} : { direction }),
  };
}
