// What the scanner said of packages: the history, and another scan on demand.
import { text } from '../../../schemas/closed.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import { ScanOutcome, ScanView } from '../../../schemas/scan.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const scanRoutes = ({ scans }: Pick<Host, 'scans'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listScans', path: '/scans', scope: 'plugins:read',
    summary: 'Scans that are kept, newest first.',
    item: ScanView,
    query: {
      plugin: text(128, { description: 'Only of this plugin.' }),
      digest: text(71, { description: 'Only of this package.' }),
      outcome: { ...ScanOutcome, description: 'Only those that ended so.' },
      ...SPAN,
      sort: sortBy('-at', 'at'),
    },
    run: (query) => scans.list(query),
  }),
  {
    id: 'scanPlugin', method: 'POST', path: '/plugins/:instance/scan', scope: 'review', errors: ['PLUGIN_NOT_FOUND'], guards: 'getPlugin',
    summary: 'Look through the package of an instance again; what that leads to is taken up when this answers.',
    answer: ScanView,
    run: ({ params }) => scans.again(params['instance'] ?? ''),
  },
];
