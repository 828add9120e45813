// Backups of the running host: begin one, see how far it is, remove one. They lie in the data directory, and nothing of them leaves by this way.
import { BackupView } from '../../../schemas/backup.ts';
import type { Host } from '../../host.ts';
import { pageSchema, type ApiRoute } from './api.ts';

export const backupRoutes = (host: Pick<Host, 'backups'>): readonly ApiRoute[] => [
  {
    id: 'listBackups', method: 'GET', path: '/backups', scope: 'backups:read',
    summary: 'Every backup in the data directory, newest first.',
    answer: pageSchema(BackupView),
    run: async () => ({ items: await host.backups.list(), cursor: null }),
  },
  {
    id: 'getBackup', method: 'GET', path: '/backups/:name', scope: 'backups:read', errors: ['BACKUP_NOT_FOUND'],
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
    id: 'deleteBackup', method: 'DELETE', path: '/backups/:name', scope: 'backups:write', errors: ['BACKUP_NOT_FOUND', 'BACKUP_RUNNING'],
    summary: 'Remove a backup from the data directory.',
    answer: BackupView,
    run: ({ params }) => host.backups.remove(params['name'] ?? ''),
  },
];
