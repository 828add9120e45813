// Dead letters: work that ended without success, and what can be done about it.
import { DeadLetterDetail, DeadLetterView, Dropped, Marked, Replayed, ReplayBody, ReplayManyBody } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { Direction } from '../../../schemas/message.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const deadLetterRoutes = ({ deadLetters }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listDeadLetters', path: '/dead-letters', scope: 'dead-letters:read',
    summary: 'Dead letters, newest first.',
    item: DeadLetterView,
    query: {
      instance: text(64, { description: 'Only of this channel.' }),
      conversation: text(256, { description: 'Only of this conversation.' }),
      code: text(100, { description: 'Only with this code.' }),
      stage: text(40, { description: 'Only those that ended in this stage.' }),
      direction: { ...Direction, description: 'Only what came in, or what was to go out.' },
      ...SPAN,
      sort: sortBy('-at', 'at'),
    },
    run: (query) => deadLetters.list(query),
  }),
  {
    id: 'getDeadLetter', method: 'GET', path: '/dead-letters/:id', scope: 'dead-letters:read', errors: ['DEAD_LETTER_NOT_FOUND'], tagged: {},
    summary: 'One dead letter with its message.',
    answer: DeadLetterDetail,
    run: ({ params }) => deadLetters.show(params['id'] ?? ''),
  },
  withBody({
    id: 'replayDeadLetter', method: 'POST', path: '/dead-letters/:id/replay', scope: 'dead-letters:write', errors: ['DEAD_LETTER_NOT_FOUND', 'DEAD_LETTER_GUARDED', 'REPLAY_RATE'], guards: 'getDeadLetter',
    summary: 'Put the work back into its queue.',
    status: 202,
    body: ReplayBody,
    optionalBody: true,
    answer: Replayed,
    run: ({ params, body, actor }) => deadLetters.replay(params['id'] ?? '', actor, body.force),
  }),
  withBody({
    id: 'replayDeadLetters', method: 'POST', path: '/dead-letters/replay', scope: 'dead-letters:write',
    summary: 'Put back all work that fits, some twenty a second.',
    status: 202,
    body: ReplayManyBody,
    answer: Marked,
    run: ({ body, actor }) => deadLetters.replayMany(body, actor),
  }),
  {
    id: 'dropDeadLetter', method: 'DELETE', path: '/dead-letters/:id', scope: 'dead-letters:write', errors: ['DEAD_LETTER_NOT_FOUND', 'DEAD_LETTER_BUSY'], guards: 'getDeadLetter',
    summary: 'Give the work up for good.',
    answer: Dropped,
    run: ({ params, actor }) => deadLetters.drop(params['id'] ?? '', actor),
  },
];
