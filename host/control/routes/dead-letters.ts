// Dead letters: work that ended without success, and what can be done about it.
import { DeadLetterDetail, DeadLetterView, ReplayBody, ReplayManyBody } from '../../../schemas/control.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import type { LetterQuery } from '../../pipeline/letters/dead-letter-desk.ts';
import { PAGE_QUERY, asPage, pageOf, pageSchema, withBody, type ApiRoute } from './api.ts';

export const deadLetterRoutes = ({ deadLetters }: Host): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/dead-letters', scope: 'dead-letters:read',
    summary: 'Dead letters, newest first.',
    query: [...PAGE_QUERY, 'instance', 'conversation', 'code', 'stage', 'direction', 'since', 'until'],
    answer: pageSchema(DeadLetterView),
    run: async ({ query }) => asPage(await deadLetters.list(filterOf(query))),
  },
  {
    method: 'GET', path: '/dead-letters/:id', scope: 'dead-letters:read',
    summary: 'One dead letter with its message.',
    answer: DeadLetterDetail,
    run: ({ params }) => deadLetters.show(params['id'] ?? ''),
  },
  withBody({
    method: 'POST', path: '/dead-letters/:id/replay', scope: 'dead-letters:write',
    summary: 'Put the work back into its queue.',
    status: 202,
    body: ReplayBody,
    optionalBody: true,
    run: ({ params, body, actor }) => deadLetters.replay(params['id'] ?? '', actor, body.force),
  }),
  withBody({
    method: 'POST', path: '/dead-letters/replay', scope: 'dead-letters:write',
    summary: 'Put back all work that fits, some twenty a second.',
    status: 202,
    body: ReplayManyBody,
    run: ({ body, actor }) => deadLetters.replayMany(body, actor),
  }),
  {
    method: 'DELETE', path: '/dead-letters/:id', scope: 'dead-letters:write',
    summary: 'Give the work up for good.',
    run: ({ params, actor }) => deadLetters.drop(params['id'] ?? '', actor),
  },
];

function filterOf(query: Readonly<Record<string, string>>): LetterQuery {
  const { direction, cursor: _cursor, limit: _limit, ...rest } = query;
  if (direction !== undefined && direction !== 'inbound' && direction !== 'outbound') throw new GatehouseError('REQUEST_INVALID', { path: '?direction', problem: 'must be inbound or outbound' });
  return { ...pageOf(query), ...rest, ...(direction === undefined ? {} : { direction }) };
}
