// One look at the running host.
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';

export const statusRoutes = (host: Host): readonly ApiRoute[] => [
  { method: 'GET', path: '/status', scope: 'status:read', summary: 'What the host is, what runs, what waits.', run: () => host.status() },
];
