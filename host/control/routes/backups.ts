// Backups of the running host: begin one, see how far it is, remove one. They lie in the data directory, and nothing of them leaves by this way.
import { BackupView } from '../../../schemas/backup.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { fits, within } from '../../store/page.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

const BY_NAME: Sorting<BackupView> = { keyOf: (view) => view.name, fields: { name: (view) => view.name, bytes: (view) => view.bytes ?? 0 } };

export const backupRoutes = (host: Pick<Host, 'backups'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listBackups', path: '/backups', scope: 'backups:read',
    summary: 'Every backup in the data directory, newest first.',
    item: BackupView,
    query: {
      state: { ...BackupView.properties.state, description: 'Only those in this state.' },
      ...SPAN,
      sort: sortBy('-name', 'name', '-bytes', 'bytes'),
    },
    run: async ({ state, since, until, sort = '-name', ...page }) => sortedPage((await host.backups.list()).filter((each) => fits(each, { state }) && within(each.at, { since, until })), { ...page, sort }, BY_NAME),
  }),
  {
    id: 'getBackup', method: 'GET', path: '/backups/:name', scope: 'backups:read', errors: ['BACKUP_NOT_FOUND'], tagged: {},
    summary: 'One backup: running, done, or why it failed.',
    answer: BackupView,
    run: ({ params }) => host.backups.show(params['name'] ?? ''),
  },
  {
    id: 'createBackup', method: 'POST', path: '/backups', scope: 'backups:write', errors: ['BACKUP_RUNNING'],
    summary: 'Begin a backup of home and data directory, while the host goes on.',
    status: 202,
    answer: BackupView,
    run: ({ actor }) => host.backups.begin(actor),
  },
  {
    id: 'deleteBackup', method: 'DELETE', path: '/backups/:name', scope: 'backups:write', errors: ['BACKUP_NOT_FOUND', 'BACKUP_RUNNING'], guards: 'getBackup',
    summary: 'Remove a backup from the data directory.',
    answer: BackupView,
    run: ({ params }) => host.backups.remove(params['name'] ?? ''),
  },
];
