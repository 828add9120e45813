// The transparency log: look at it, take it along, and prove what is in it. Nothing here changes it.
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { AuditConsistency, AuditEntry, AuditHead, AuditProof } from '../../../schemas/audit.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { exportLines } from '../../trust/log/export.ts';
import { consistencyOf, listEntries, proofOf, type AuditQuery } from '../../trust/log/log-reads.ts';
import { PAGE_QUERY, asPage, pageOf, pageSchema, type ApiRoute } from './api.ts';

export const auditRoutes = (host: Host): readonly ApiRoute[] => [
  {
    method: 'GET', path: '/audit', scope: 'audit:read',
    summary: 'Entries of the transparency log, newest first.',
    query: [...PAGE_QUERY, 'action', 'actor', 'resource', 'since'],
    answer: pageSchema(AuditEntry),
    run: async ({ query }) => asPage(await listEntries(host.store, queryOf(query))),
  },
  {
    method: 'GET', path: '/audit/head', scope: 'audit:read',
    summary: 'The newest signed tree head: whoever keeps it will see a rewritten log.',
    answer: AuditHead,
    run: () => host.audit.publicHead,
  },
  {
    method: 'GET', path: '/audit/entries/:index/proof', scope: 'audit:read',
    summary: 'One entry, with the proof that it is in the log of the newest head.',
    answer: AuditProof,
    run: ({ params }) => proofOf(host.store, host.audit.publicHead, wholeNumber('/index', params['index'])),
  },
  {
    method: 'GET', path: '/audit/consistency', scope: 'audit:read',
    summary: 'The proof that the log of so many entries is the beginning of the newest one.',
    query: ['first'],
    answer: AuditConsistency,
    run: ({ query }) => consistencyOf(host.store, host.audit.publicHead, wholeNumber('?first', query['first'])),
  },
  {
    method: 'GET', path: '/audit/export', scope: 'audit:read',
    summary: 'The whole log as lines of JSON that anybody can check.',
    answer: Type.String(),
    media: 'application/x-ndjson',
    run: () => Readable.from(exportLines({ store: host.store, key: host.audit.key, head: host.audit.head }), { objectMode: false }),
  },
];

function queryOf(query: Readonly<Record<string, string>>): AuditQuery {
  const { action, actor, resource, since } = query;
  if (since !== undefined && Number.isNaN(Date.parse(since))) throw new GatehouseError('REQUEST_INVALID', { path: '?since', problem: 'must be a time, as 2026-11-21T08:00:00Z' });
  return {
    ...pageOf(query),
    ...(action === undefined ? {} : { action }),
    ...(actor === undefined ? {} : { actor }),
    ...(resource === undefined ? {} : { resource }),
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
  };
}

function wholeNumber(path: string, text = ''): number {
  if (!/^\d{1,15}$/.test(text)) throw new GatehouseError('REQUEST_INVALID', { path, problem: 'must be a whole number' });
  return Number(text);
}
