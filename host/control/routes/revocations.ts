// What is revoked: look, revoke, and lift again.
import { RevocationBody, RevocationResult, RevocationView } from '../../../schemas/revocation.ts';
import { text } from '../../../schemas/closed.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const revocationRoutes = ({ revocations }: Pick<Host, 'revocations'>): readonly ApiRoute[] => [
  listRoute({
    id: 'listRevocations', path: '/revocations', scope: 'plugins:read',
    summary: 'Everything that is revoked, with who said so first and where it stands now.',
    item: RevocationView,
    query: {
      kind: { ...RevocationView.properties.kind, description: 'Only of this kind.' },
      plugin: text(128, { description: 'Only ranges of versions of this plugin.' }),
      ...SPAN,
      sort: sortBy('id', '-id', 'at', '-at'),
    },
    run: (query) => revocations.list(query),
  }),
  withBody({
    id: 'revoke', method: 'POST', path: '/revocations', scope: 'review',
    summary: 'Revoke a key, a package digest or a range of versions. What runs by it is stopped when this answers.',
    status: 201,
    body: RevocationBody,
    answer: RevocationResult,
    run: ({ actor, body }) => revocations.revoke(body, actor),
  }),
  withBody({
    id: 'liftRevocation', method: 'POST', path: '/revocations/lift', scope: '*', errors: ['REVOCATION_NOT_FOUND', 'REVOCATION_SIGNED'],
    summary: 'Take a revocation back; nothing else does. For the operator: whoever may revoke takes power away, and this gives it.',
    body: RevocationBody,
    answer: RevocationResult,
    run: ({ actor, body }) => revocations.lift(body, actor),
  }),
];
