// Sessions: what belongs together, since when; and a new beginning.
import { SessionView } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { moment, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const sessionRoutes = ({ sessions }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listSessions', path: '/sessions', scope: 'messages:read',
    summary: 'Sessions, by key.',
    item: SessionView,
    query: {
      instance: text(64, { description: 'Only in places of this channel; a session of a person over several channels is in none.' }),
      conversation: text(256, { description: 'Only in this conversation.' }),
      since: moment('Only those where somebody wrote then or later.'),
      until: moment('Only those where nobody has written since.'),
      sort: sortBy('key', '-key'),
    },
    run: (query) => sessions.list(query),
  }),
  {
    id: 'getSession', method: 'GET', path: '/sessions/:key', scope: 'messages:read', errors: ['SESSION_NOT_FOUND'], tagged: { aside: ['waiting', 'routes', 'rooms'] },
    summary: 'One session.',
    answer: SessionView,
    run: ({ params }) => sessions.show(params['key'] ?? ''),
  },
  {
    id: 'resetSession', method: 'POST', path: '/sessions/:key/reset', scope: 'messages:write', errors: ['SESSION_NOT_FOUND'], guards: 'getSession',
    summary: 'Begin the session anew: the next message is its first.',
    answer: SessionView,
    run: ({ params, actor }) => sessions.reset(params['key'] ?? '', actor),
  },
];
