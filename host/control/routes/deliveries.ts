// Deliveries: what is on its way out, how far it is, and what stands in its way.
import { DeliveryView } from '../../../schemas/control.ts';
import type { Host } from '../../host.ts';
import { PAGE_QUERY, asPage, pageOf, pageSchema, type ApiRoute } from './api.ts';

export const deliveryRoutes = ({ deliveries }: Host): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/deliveries', scope: 'messages:read',
    summary: 'Deliveries that wait or are under way, oldest first.',
    query: [...PAGE_QUERY, 'instance', 'conversation'],
    answer: pageSchema(DeliveryView),
    run: async ({ query }) => {
      const { instance, conversation } = query;
      return asPage(await deliveries.list({ ...pageOf(query), ...(instance === undefined ? {} : { instance }), ...(conversation === undefined ? {} : { conversation }) }));
    },
  },
  {
    method: 'GET', path: '/deliveries/:id', scope: 'messages:read',
    summary: 'One delivery, by the id of its message, also when it is over.',
    answer: DeliveryView,
    run: ({ params }) => deliveries.show(params['id'] ?? ''),
  },
];
