// Approvals by reviewers: as many people as the operator asks for agree to exactly this package with exactly these grants, and none rejects it. Also asked of what runs, at every look.
import type { Decisions, StoredApproval } from '../../trust/approvals.ts';
import { decisionsOn } from '../../trust/approvals.ts';
import { GatehouseError } from '../../errors.ts';
import type { ApprovalBook } from '../approval-book.ts';
import { NO_OBJECTION, type AdmissionRule } from './rule.ts';
import type { VerifiedRelease } from '../../trust/verify.ts';

export const approvals: AdmissionRule = ({ release, loaded: { enablement }, settings: { grantsDigest }, context }) => {
  const refusal = refusalByApprovals({ instance: enablement.instance, release, grantsDigest }, approvalsNeeded(enablement, context.config.trust), context.approvals);
  return refusal ? { refusals: [refusal] } : NO_OBJECTION;
};

export interface Approvable {
  readonly instance: string;
  readonly release: Pick<VerifiedRelease, 'manifest' | 'packageDigest' | 'keyid' | 'publisher'>;
  readonly grantsDigest: string;
}

/** An enablement may only ask for more than the host does. */
export function approvalsNeeded({ approvals: own }: { readonly approvals: number }, { approvals: everywhere = 0 }: { readonly approvals?: number | undefined }): number {
  return Math.max(own, everywhere);
}

/** Who agreed and who objects, for rules that may be overcome by a reviewer's word. */
export function decisionsFor({ instance, release: { manifest, packageDigest, keyid, publisher }, grantsDigest }: Approvable, { stored, standings }: ApprovalBook): Decisions {
  return decisionsOn(stored, { instance, subject: subjectOf(manifest), packageDigest, grantsDigest, keyid, publisher }, standings);
}

export const subjectOf = ({ id, version }: { readonly id: string; readonly version: string }): string => `${id}-${version}`;

/** A rejection is told before what is missing: it says why. */
export function refusalByApprovals(what: Approvable, needed: number, book: ApprovalBook): GatehouseError | undefined {
  const { approvals: found, rejections, passedOver } = decisionsFor(what, book);
  const { instance } = what;
  const [veto] = rejections;
  if (veto) return new GatehouseError('APPROVAL_REJECTED', { instance, id: veto.id, reviewer: rejections.map(({ reviewer }) => `'${reviewer}'`).join(' and '), note: veto.note });
  if (found.length >= needed) return undefined;
  return new GatehouseError('APPROVAL_MISSING', { instance, approvals: needed === 1 ? '1 approval' : `${needed} approvals`, found: found.length, detail: detailOf(found, passedOver) });
}

/** Why not more: the newest few of those that do not count. */
const MOST_TOLD = 3;

function detailOf(found: readonly StoredApproval[], passedOver: Decisions['passedOver']): string {
  const by = found.length === 0 ? '' : ` (${found.map(({ reviewer }) => reviewer).join(', ')})`;
  const newest = passedOver.toSorted((a, b) => (a.approval.issuedAt < b.approval.issuedAt ? 1 : -1)).slice(0, MOST_TOLD);
  return by + newest.map(({ approval: { reviewer, decision }, problem }) => `; the ${decision === 'approve' ? 'approval' : 'rejection'} of ${reviewer} does not count: ${problem}`).join('');
}
