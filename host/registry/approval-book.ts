// What is known of approvals at a look, and what becomes of each. Built by review-look.ts, asked by the rule of admission, shown by `approvals list`.
import { relative } from 'node:path';
import type { ApprovalView, Diagnostic } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import { decisionsOn, problemWith, type ApprovalTarget, type Standings, type StoredApproval } from '../trust/approvals.ts';
import { diagnosticOf } from './diagnostics.ts';

export interface ApprovalBook {
  readonly stored: readonly StoredApproval[];
  readonly standings: Standings;
}

/** What becomes of each, for whoever lists them. `targets` are what the files lead to and what runs; an instance has none while nothing genuine is known of it. */
export function approvalViews({ stored, standings }: ApprovalBook, home: string, targets: readonly ApprovalTarget[]): ApprovalView[] {
  const effective = new Set(targets.flatMap((target) => {
    const { approvals, rejections } = decisionsOn(stored, target, standings);
    return [...approvals, ...rejections].map(({ id }) => id);
  }));
  return stored.map((approval): ApprovalView => {
    const { id, subject, instance, reviewer, keyid, decision, note, packageDigest, grantsDigest, issuedAt, expiresAt, file } = approval;
    const counts = effective.has(id);
    const problem = counts ? undefined : (problemWith(approval, standings) ?? whyUnused(approval, stored, standings, targets));
    return { id, subject, instance, reviewer, keyid, decision, note, packageDigest, grantsDigest, issuedAt, ...(expiresAt === undefined ? {} : { expiresAt }), file: relative(home, file), counts, ...(problem === undefined ? {} : { problem }) };
  });
}

/** Approvals that nobody needs, as warnings: whoever put them there meant something by it. Those that were taken back or followed by a newer word are where they belong. */
export function unusedApprovals(views: readonly ApprovalView[], { stored, standings }: ApprovalBook): Diagnostic[] {
  const isOver = ({ id, reviewer, packageDigest, instance, issuedAt }: ApprovalView) =>
    standings.isRevoked(id) || stored.some((each) => each.id !== id && each.reviewer === reviewer && each.packageDigest === packageDigest && each.instance === instance && each.issuedAt >= issuedAt);
  return views.filter((view) => !view.counts && !isOver(view)).map(({ file, reviewer, problem = '', instance }) => diagnosticOf(new GatehouseError('APPROVAL_UNUSED', { source: file, reviewer, problem }), { severity: 'warning', stage: 'trust', rule: 'approval-file', manifest: file, instance }));
}

function whyUnused(approval: StoredApproval, stored: readonly StoredApproval[], standings: Standings, targets: readonly ApprovalTarget[]): string {
  const about = targets.filter(({ instance }) => instance === approval.instance);
  if (about.length === 0) return `nothing genuine is enabled as '${approval.instance}'`;
  const problems = about.map((target) => decisionsOn(stored, target, standings).passedOver.find((each) => each.approval.id === approval.id)?.problem);
  return problems.find((problem) => problem !== undefined && !problem.startsWith('it is about')) ?? problems.find((problem) => problem !== undefined) ?? 'a newer word of the same reviewer counts';
}
