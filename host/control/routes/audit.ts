// The transparency log: look at it, take it along, and prove what is in it. Nothing here changes it.
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { AuditConsistency, AuditEntry, AuditHead, AuditOutcome, AuditProof, ExportCheckpoint, ExportEnd, ExportHeader } from '../../../schemas/audit.ts';
import { text, whole } from '../../../schemas/closed.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { exportLines } from '../../trust/log/export.ts';
import { consistencyOf, listEntries, proofOf } from '../../trust/log/log-reads.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';
import { withQuery } from './query.ts';

export const auditRoutes = (host: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listAuditEntries', path: '/audit', scope: 'audit:read',
    summary: 'Entries of the transparency log, newest first.',
    item: AuditEntry,
    query: {
      action: text(200, { description: "Only this action; with a dot at the end everything that begins with it, as 'api.plugins.'." }),
      actor: text(200, { description: 'Only what this one did, as `token:<id>`.' }),
      resource: text(512, { description: 'Only what was done to this.' }),
      outcome: { ...AuditOutcome, description: 'Only what ended so.' },
      ...SPAN,
      sort: sortBy('-at', 'at'),
    },
    run: (query) => listEntries(host.store, query),
  }),
  {
    id: 'getAuditHead', method: 'GET', path: '/audit/head', scope: 'audit:read',
    summary: 'The newest signed tree head: whoever keeps it will see a rewritten log.',
    answer: AuditHead,
    run: () => host.audit.publicHead,
  },
  {
    id: 'proveAuditEntry', method: 'GET', path: '/audit/entries/:index/proof', scope: 'audit:read', errors: ['AUDIT_ENTRY_NOT_FOUND'],
    summary: 'One entry, with the proof that it is in the log of the newest head.',
    answer: AuditProof,
    run: ({ params }) => proofOf(host.store, host.audit.publicHead, wholeNumber('/index', params['index'])),
  },
  withQuery({
    id: 'proveAuditConsistency', method: 'GET', path: '/audit/consistency', scope: 'audit:read',
    summary: 'The proof that the log of so many entries is the beginning of the newest one.',
    query: { first: whole(0, 1e15, { description: 'Entries of the older log.' }) },
    answer: AuditConsistency,
    run: ({ query: { first } }) => {
      if (first === undefined) throw new GatehouseError('REQUEST_INVALID', { path: '?first', problem: 'must be a whole number' });
      return consistencyOf(host.store, host.audit.publicHead, first);
    },
  }),
  {
    id: 'exportAudit', method: 'GET', path: '/audit/export', scope: 'audit:read',
    summary: 'The whole log as lines of JSON that anybody can check.',
    answer: Type.Union([ExportHeader, AuditEntry, ExportCheckpoint, ExportEnd], { description: 'One line.' }),
    media: 'application/x-ndjson',
    run: () => Readable.from(exportLines({ store: host.store, key: host.audit.key, head: host.audit.head }), { objectMode: false }),
  },
];

function wholeNumber(path: string, text = ''): number {
  if (!/^\d{1,15}$/.test(text)) throw new GatehouseError('REQUEST_INVALID', { path, problem: 'must be a whole number' });
  return Number(text);
}
