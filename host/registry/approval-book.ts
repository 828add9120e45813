// What is known of approvals at a look, and what becomes of each. Built by review-look.ts, asked by the rule of admission, shown by `approvals list`.
import { relative } from 'node:path';
import type { ApprovalView, Diagnostic } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import { decisionsOn, problemWith, type ApprovalTarget, type PassedOver, type Standings, type StoredApproval } from '../trust/approvals.ts';
import { diagnosticOf } from './diagnostics.ts';

export interface ApprovalBook {
  readonly stored: readonly StoredApproval[];
  readonly standings: Standings;
}

/** What becomes of each, for whoever lists them. `targets` are what the files lead to and what runs; an instance has none while nothing genuine is known of it. */
export function approvalViews({ stored, standings }: ApprovalBook, home: string, targets: readonly ApprovalTarget[]): ApprovalView[] {
  const about = Map.groupBy(stored, ({ instance }) => instance);
  const judged = targets.map((target) => decisionsOn(about.get(target.instance) ?? [], target, standings));
  const effective = new Set(judged.flatMap(({ approvals, rejections }) => [...approvals, ...rejections].map(({ id }) => id)));
  const passedOver = Map.groupBy(judged.flatMap((each) => each.passedOver), ({ approval }) => approval.id);
  const known = new Set(targets.map(({ instance }) => instance));
  return stored.map((approval): ApprovalView => {
    const { id, subject, instance, reviewer, keyid, decision, note, packageDigest, grantsDigest, issuedAt, expiresAt, file } = approval;
    const counts = effective.has(id);
    const problem = counts ? undefined : (problemWith(approval, standings) ?? (known.has(instance) ? whyUnused(passedOver.get(id) ?? []) : `nothing genuine is enabled as '${instance}'`));
    return { id, subject, instance, reviewer, keyid, decision, note, packageDigest, grantsDigest, issuedAt, ...(expiresAt === undefined ? {} : { expiresAt }), file: relative(home, file), counts, ...(problem === undefined ? {} : { problem }) };
  });
}

/** Files that nobody needs, as warnings: whoever put them there meant something by it. Those that were taken back or followed by a newer word are where they belong. */
export function unusedApprovals(views: readonly ApprovalView[], { stored, standings }: ApprovalBook): Diagnostic[] {
  const question = ({ reviewer, packageDigest, instance }: Pick<ApprovalView, 'reviewer' | 'packageDigest' | 'instance'>) => `${reviewer} ${packageDigest} ${instance}`;
  const words = Map.groupBy(stored, question);
  const isOver = (view: ApprovalView) => standings.isRevoked(view.id) || words.get(question(view))?.some(({ id, issuedAt }) => id !== view.id && issuedAt >= view.issuedAt) === true;
  const fileless = new Set(stored.filter(({ isRemembered }) => isRemembered).map(({ id }) => id));
  return views.filter((view) => !view.counts && !fileless.has(view.id) && !isOver(view)).map(({ file, reviewer, problem = '', instance }) => diagnosticOf(new GatehouseError('APPROVAL_UNUSED', { source: file, reviewer, problem }), { severity: 'warning', stage: 'trust', rule: 'approval-file', manifest: file, instance }));
}

/** That it is about something else says least. */
function whyUnused(passedOver: readonly PassedOver[]): string {
  const problems = passedOver.map(({ problem }) => problem);
  return problems.find((problem) => !problem.startsWith('it is about')) ?? problems[0] ?? 'a newer word of the same reviewer counts';
}
