// What plugins cost today and what they may, and how they, their tools and the channels have done over months.
import { Type } from 'typebox';
import { CostView, Grain, StatKind, StatView } from '../../../schemas/costs.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const costRoutes = ({ costs }: Pick<Host, 'costs'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listCosts', path: '/costs', scope: 'costs:read',
    summary: 'What each instance has spent today, and its budgets.',
    item: CostView,
    query: {
      state: { ...CostView.properties.state, description: 'Only those that stand so with their daily budgets.' },
      sort: sortBy('instance', '-instance', 'cpuMs', '-cpuMs', 'calls', '-calls', 'egressBytes', '-egressBytes'),
    },
    run: (query) => costs.list(query),
  }),
  {
    id: 'getCosts', method: 'GET', path: '/costs/:instance', scope: 'costs:read', errors: ['PLUGIN_NOT_FOUND'],
    summary: 'The costs and budgets of one instance.',
    answer: CostView,
    run: ({ params }) => costs.show(params['instance'] ?? ''),
  },
  listRoute({
    id: 'getStats', path: '/stats', scope: 'costs:read',
    summary: 'Success, failure and cost by plugin, tool and channel, hour by hour or day by day, newest first.',
    item: StatView,
    query: {
      ...SPAN,
      grain: { ...Grain, default: 'day', description: 'Hours or UTC days.' },
      by: { ...StatKind, description: 'Only of these.' },
      name: Type.String({ minLength: 1, maxLength: 200, description: 'Only of this instance, or of this tool as `<plugin id>/<tool>`.' }),
    },
    run: ({ grain = 'day', ...query }) => costs.history({ grain, ...query }),
  }),
];
