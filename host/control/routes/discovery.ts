// GET /api/v1/config/discovery: how others find the host, as it is now.
import { DiscoveryView } from '../../../schemas/discovery.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { ApiRoute } from './api.ts';

export const discoveryRoutes = (discovery: () => Pick<Discovery, 'view'>): readonly ApiRoute[] => [
  {
    id: 'getDiscovery', method: 'GET', path: '/config/discovery', scope: 'config:read',
    summary: 'Whether the host is announced to its network, and what the tailnet calls this machine.',
    answer: DiscoveryView,
    run: async () => await discovery().view(),
  },
];
