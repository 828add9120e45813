// What the host has stored of messages, sessions, letters, plugins' entries and pairings, as lines of JSON for another host. Nothing here changes it; taking it in is a command for a host that does not run.
import { Readable } from 'node:stream';
import { EXPORT_PARTS, ExportLine } from '../../../schemas/export.ts';
import { text } from '../../../schemas/closed.ts';
import { exportData, exportParts } from '../../backup/write-export.ts';
import type { Host } from '../../host.ts';
import type { ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const exportRoutes = ({ store, clock }: Pick<Host, 'store' | 'clock'>): readonly ApiRoute[] => [
  withQuery({
    id: 'exportData', method: 'GET', path: '/export', scope: 'export:read',
    summary: 'What is stored, as lines of JSON that `gatehouse import` takes in elsewhere.',
    query: { what: text(200, { description: `Parts, joined by commas, of ${EXPORT_PARTS.join(', ')}; without it, all.` }) },
    answer: ExportLine,
    media: 'application/x-ndjson',
    run: ({ query }) => Readable.from(exportData(store, exportParts(query.what), clock), { objectMode: false }),
  }),
];
