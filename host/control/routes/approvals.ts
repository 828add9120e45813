// Approvals and rejections by reviewers: what was decided, a new decision, one that is taken back.
import { ApprovalView, PluginActionBody } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { Type } from 'typebox';
import { ApprovalDecision } from '../../../schemas/approval.ts';
import { SPAN, sortBy } from '../../../schemas/query.ts';
import { DsseEnvelope } from '../../../schemas/release.ts';
import type { Host } from '../../host.ts';
import { requireScope } from '../auth.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const approvalRoutes = ({ approvals }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listApprovals', path: '/approvals', scope: 'plugins:read',
    summary: 'Approvals and rejections, newest first, and whether each counts.',
    item: ApprovalView,
    query: {
      instance: text(64, { description: 'Only those for this instance.' }),
      reviewer: text(100, { description: 'Only those of this reviewer.' }),
      decision: { ...ApprovalDecision, description: 'Only approvals, or only rejections.' },
      counts: Type.Boolean({ description: 'Only those that count now, or only those that do not.' }),
      ...SPAN,
      sort: sortBy('-issuedAt', 'issuedAt', 'reviewer', '-reviewer'),
    },
    run: (query) => approvals.list(query),
  }),
  {
    id: 'getApproval', method: 'GET', path: '/approvals/:id', scope: 'plugins:read', errors: ['APPROVAL_NOT_FOUND'], tagged: {},
    summary: 'One approval.',
    answer: ApprovalView,
    run: ({ params }) => approvals.show(params['id'] ?? ''),
  },
  withBody({
    id: 'addApproval', method: 'POST', path: '/approvals', scope: 'review', errors: ['APPROVAL_REFUSED'],
    summary: 'Add an approval or rejection that a reviewer signed; what it lets run starts.',
    status: 201,
    body: DsseEnvelope,
    answer: ApprovalView,
    run: ({ body }) => approvals.add(body),
  }),
  withBody({
    id: 'revokeApproval', method: 'POST', path: '/approvals/:id/revoke', scope: 'review', errors: ['APPROVAL_NOT_FOUND'], guards: 'getApproval',
    summary: 'Take an approval back for good; what needed it stops. A rejection only with scope `*`.',
    body: PluginActionBody,
    answer: ApprovalView,
    run: ({ params, body, actor, principal }) => {
      const id = params['id'] ?? '';
      // Without an approval less runs, without a veto more: that takes its reviewer's signature, or the operator.
      if (approvals.show(id).decision === 'reject') requireScope(principal, '*');
      return approvals.revoke(id, body.reason, actor);
    },
  }),
];
