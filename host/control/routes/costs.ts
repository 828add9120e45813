// What plugins cost today and what they may, and how they, their tools and the channels have done over months.
import { Type } from 'typebox';
import { CostView, Grain, StatKind, StatView } from '../../../schemas/costs.ts';
import { PAGE, SPAN } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { asPage, pageSchema, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const costRoutes = ({ costs }: Pick<Host, 'costs'>): readonly ApiRoute[] => [
  {
    id: 'listCosts', method: 'GET', path: '/costs', scope: 'costs:read',
    summary: 'What each instance has spent today, and its budgets.',
    answer: pageSchema(CostView),
    run: async () => ({ items: await costs.list(), cursor: null }),
  },
  {
    id: 'getCosts', method: 'GET', path: '/costs/:instance', scope: 'costs:read', errors: ['PLUGIN_NOT_FOUND'],
    summary: 'The costs and budgets of one instance.',
    answer: CostView,
    run: ({ params }) => costs.show(params['instance'] ?? ''),
  },
  withQuery({
    id: 'getStats', method: 'GET', path: '/stats', scope: 'costs:read',
    summary: 'Success, failure and cost by plugin, tool and channel, hour by hour or day by day, newest first.',
    query: {
      ...PAGE,
      ...SPAN,
      grain: { ...Grain, default: 'day', description: 'Hours or UTC days.' },
      by: { ...StatKind, description: 'Only of these.' },
      name: Type.String({ minLength: 1, maxLength: 200, description: 'Only of this instance, or of this tool as `<plugin id>/<tool>`.' }),
    },
    answer: pageSchema(StatView),
    run: async ({ query: { grain = 'day', ...query } }) => asPage(await costs.history({ grain, ...query })),
  }),
];
