// The last hour, for whoever has no Prometheus to ask.
import { LastHourView } from '../../../schemas/last-hour.ts';
import type { LastHour } from '../last-hour.ts';
import type { ApiRoute } from './api.ts';

export const lastHourRoutes = (hour: LastHour): readonly ApiRoute[] => [
  { id: 'getLastHour', method: 'GET', path: '/status/last-hour', scope: 'status:read', summary: 'Throughput, latency, depth of queues and errors of the last hour, in steps of ten seconds.', answer: LastHourView, run: () => hour.view() },
];
