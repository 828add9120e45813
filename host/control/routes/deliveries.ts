// Deliveries: what is on its way out, how far it is, and what stands in its way.
import { DeliveryView } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { PAGE } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { asPage, pageSchema, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const deliveryRoutes = ({ deliveries }: Host): readonly ApiRoute[] => [
  withQuery({
    id: 'listDeliveries', method: 'GET', path: '/deliveries', scope: 'messages:read',
    summary: 'Deliveries that wait or are under way, oldest first.',
    query: { ...PAGE, instance: text(64, { description: 'Only by this channel.' }), conversation: text(256, { description: 'Only to this conversation.' }) },
    answer: pageSchema(DeliveryView),
    run: async ({ query }) => asPage(await deliveries.list(query)),
  }),
  {
    id: 'getDelivery', method: 'GET', path: '/deliveries/:id', scope: 'messages:read', errors: ['MESSAGE_NOT_FOUND'],
    summary: 'One delivery, by the id of its message, also when it is over.',
    answer: DeliveryView,
    run: ({ params }) => deliveries.show(params['id'] ?? ''),
  },
];
