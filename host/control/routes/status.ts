// One look at the running host.
import { StatusView } from '../../../schemas/status.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';

export const statusRoutes = (host: Host): readonly ApiRoute[] => [
  { id: 'getStatus', method: 'GET', path: '/status', scope: 'status:read', summary: 'What the host is, what runs, what waits.', answer: StatusView, run: () => host.status() },
];
