// Quarantine for reviewers: who is in it, why, and the evidence. Taking somebody in or out is the plugins' routes.
import { EvidenceView, QuarantineDetail, QuarantineView } from '../../../schemas/quarantine.ts';
import type { Host } from '../../host.ts';
import { pageSchema, type ApiRoute } from './api.ts';

export const quarantineRoutes = ({ quarantine }: Pick<Host, 'quarantine'>): readonly ApiRoute[] => [
  {
    id: 'listQuarantine', method: 'GET', path: '/quarantine', scope: 'review',
    summary: 'Every instance that is quarantined or revoked, with whether its evidence is as it was written.',
    answer: pageSchema(QuarantineView),
    run: async () => ({ items: await quarantine.list(), cursor: null }),
  },
  {
    id: 'getQuarantine', method: 'GET', path: '/quarantine/:instance', scope: 'review', errors: ['PLUGIN_NOT_FOUND', 'NOT_IN_QUARANTINE'],
    summary: 'One of them, with its last states.',
    answer: QuarantineDetail,
    run: ({ params }) => quarantine.show(params['instance'] ?? ''),
  },
  {
    id: 'getEvidence', method: 'GET', path: '/quarantine/:instance/evidence', scope: 'review', errors: ['PLUGIN_NOT_FOUND', 'EVIDENCE_MISSING', 'EVIDENCE_CHANGED'],
    summary: 'The evidence of the last time an instance was stopped, held against the digest that was recorded then.',
    answer: EvidenceView,
    run: ({ params }) => quarantine.evidence(params['instance'] ?? ''),
  },
];
