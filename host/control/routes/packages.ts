// Packages: what runs and what was scanned here, by digest.
import { Type } from 'typebox';
import { text } from '../../../schemas/closed.ts';
import { PackageDetail, PackageView } from '../../../schemas/package.ts';
import { sortBy } from '../../../schemas/query.ts';
import { ScanOutcome } from '../../../schemas/scan.ts';
import type { Host } from '../../host.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import { listPackages, showPackage } from '../packages.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

const BY_PLUGIN: Sorting<PackageView> = { keyOf: (view) => view.digest, fields: { plugin: (view) => view.plugin, scannedAt: (view) => view.scan?.at } };

export const packageRoutes = (host: Pick<Host, 'plugins' | 'scans' | 'approvals'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listPackages', path: '/packages', scope: 'plugins:read',
    summary: 'Every package that an instance runs, or whose scan is kept.',
    item: PackageView,
    query: {
      plugin: text(128, { description: 'Only of this plugin.' }),
      outcome: { ...ScanOutcome, description: 'Only those whose newest scan ended so.' },
      used: Type.Boolean({ description: 'Only those that an instance has now, or only the others.' }),
      sort: sortBy('plugin', '-plugin', 'scannedAt', '-scannedAt'),
    },
    run: async ({ plugin, outcome, used, sort = 'plugin', ...page }) => {
      const fitting = (await listPackages(host)).filter((each) => (plugin === undefined || each.plugin === plugin) && (outcome === undefined || each.scan?.outcome === outcome) && (used === undefined || each.instances.length > 0 === used));
      return sortedPage(fitting, { ...page, sort }, BY_PLUGIN);
    },
  }),
  {
    id: 'getPackage', method: 'GET', path: '/packages/:digest', scope: 'plugins:read', errors: ['PACKAGE_UNKNOWN'],
    summary: 'One package with its scans, and the approvals and rejections of it.',
    answer: PackageDetail,
    run: async ({ params }) => await showPackage(host, params['digest'] ?? ''),
  },
];
