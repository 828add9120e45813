// Sessions: what belongs together, since when; and a new beginning.
import { SessionView } from '../../../schemas/control.ts';
import { PAGE } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { asPage, pageSchema, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const sessionRoutes = ({ sessions }: Host): readonly ApiRoute[] => [
  withQuery({
    id: 'listSessions', method: 'GET', path: '/sessions', scope: 'messages:read',
    summary: 'Sessions, by key.',
    query: PAGE,
    answer: pageSchema(SessionView),
    run: async ({ query }) => asPage(await sessions.list(query)),
  }),
  {
    id: 'getSession', method: 'GET', path: '/sessions/:key', scope: 'messages:read', errors: ['SESSION_NOT_FOUND'],
    summary: 'One session.',
    answer: SessionView,
    run: ({ params }) => sessions.show(params['key'] ?? ''),
  },
  {
    id: 'resetSession', method: 'POST', path: '/sessions/:key/reset', scope: 'messages:write', errors: ['SESSION_NOT_FOUND'],
    summary: 'Begin the session anew: the next message is its first.',
    answer: SessionView,
    run: ({ params, actor }) => sessions.reset(params['key'] ?? '', actor),
  },
];
