// What the scanner said of packages: the history, and another scan on demand.
import { ScanView } from '../../../schemas/scan.ts';
import type { Host } from '../../host.ts';
import { asPage, PAGE_QUERY, pageOf, pageSchema, type ApiRoute } from './api.ts';

export const scanRoutes = ({ scans }: Pick<Host, 'scans'>): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/scans', scope: 'plugins:read',
    summary: 'Scans that are kept, newest first.',
    query: [...PAGE_QUERY, 'plugin', 'digest', 'outcome'],
    answer: pageSchema(ScanView),
    run: async ({ query }) => {
      const { plugin, digest, outcome } = query;
      return asPage(await scans.list({ ...pageOf(query), plugin, digest, outcome }));
    },
  },
  {
    method: 'POST', path: '/plugins/:instance/scan', scope: 'review',
    summary: 'Look through the package of an instance again; what that leads to is taken up when this answers.',
    answer: ScanView,
    run: ({ params }) => scans.again(params['instance'] ?? ''),
  },
];
