// Dead letters: work that ended without success, and what can be done about it.
import { DeadLetterView } from '../../../schemas/control.ts';
import type { Host } from '../../host.ts';
import { PAGE_QUERY, asPage, pageOf, pageSchema, type ApiRoute } from './api.ts';

export const deadLetterRoutes = ({ deadLetters }: Host): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/dead-letters', scope: 'dead-letters:read',
    summary: 'Dead letters, newest first.',
    query: PAGE_QUERY,
    answer: pageSchema(DeadLetterView),
    run: async ({ query }) => asPage(await deadLetters.list(pageOf(query))),
  },
  {
    method: 'GET', path: '/dead-letters/:id', scope: 'dead-letters:read',
    summary: 'One dead letter.',
    run: ({ params }) => deadLetters.show(params['id'] ?? ''),
  },
  {
    method: 'POST', path: '/dead-letters/:id/replay', scope: 'dead-letters:write',
    summary: 'Put the work back into its queue.',
    status: 202,
    run: ({ params, actor }) => deadLetters.replay(params['id'] ?? '', actor),
  },
  {
    method: 'DELETE', path: '/dead-letters/:id', scope: 'dead-letters:write',
    summary: 'Give the work up for good.',
    run: ({ params, actor }) => deadLetters.drop(params['id'] ?? '', actor),
  },
];
