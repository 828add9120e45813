// Quarantine for reviewers: who is in it, why, and the evidence. Taking somebody in or out is the plugins' routes.
import { text } from '../../../schemas/closed.ts';
import { SPAN, sortBy, wordOf } from '../../../schemas/query.ts';
import { EvidenceView, QuarantineDetail, QuarantineView, Trigger } from '../../../schemas/quarantine.ts';
import type { Host } from '../../host.ts';
import { fits, within } from '../../store/page.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import type { ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

const BY_INSTANCE: Sorting<QuarantineView> = { keyOf: (view) => view.instance, fields: { instance: (view) => view.instance, since: (view) => view.since } };

export const quarantineRoutes = ({ quarantine }: Pick<Host, 'quarantine'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listQuarantine', path: '/quarantine', scope: 'review',
    summary: 'Every instance that is quarantined or revoked, with whether its evidence is as it was written.',
    item: QuarantineView,
    query: {
      plugin: text(128, { description: 'Only instances of this plugin.' }),
      trigger: { ...Trigger, description: 'Only those stopped by this.' },
      state: wordOf(['quarantined', 'revoked'], 'Only those in this state.'),
      ...SPAN,
      sort: sortBy('instance', '-instance', 'since', '-since'),
    },
    run: async ({ plugin, trigger, state, since, until, sort = 'instance', ...page }) => sortedPage((await quarantine.list()).filter((each) => fits(each, { plugin, trigger, state }) && within(each.since, { since, until })), { ...page, sort }, BY_INSTANCE),
  }),
  {
    id: 'getQuarantine', method: 'GET', path: '/quarantine/:instance', scope: 'review', errors: ['PLUGIN_NOT_FOUND', 'NOT_IN_QUARANTINE'], tagged: {},
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
