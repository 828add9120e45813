// Deliveries: what is on its way out, how far it is, and what stands in its way.
import { DeliveryView } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const deliveryRoutes = ({ deliveries }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listDeliveries', path: '/deliveries', scope: 'messages:read',
    summary: 'Deliveries that wait or are under way, oldest first.',
    item: DeliveryView,
    query: {
      instance: text(64, { description: 'Only by this channel.' }),
      conversation: text(256, { description: 'Only to this conversation.' }),
      state: { ...DeliveryView.properties.state, default: 'waiting', description: 'Those that wait or are under way, or those that ended so.' },
      ...SPAN,
      sort: sortBy('at', '-at'),
    },
    run: (query) => deliveries.list(query),
  }),
  {
    id: 'getDelivery', method: 'GET', path: '/deliveries/:id', scope: 'messages:read', errors: ['MESSAGE_NOT_FOUND'], tagged: {},
    summary: 'One delivery, by the id of its message, also when it is over.',
    answer: DeliveryView,
    run: ({ params }) => deliveries.show(params['id'] ?? ''),
  },
];
