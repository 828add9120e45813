// What a look found of approvals, kept in the store and told to the transparency log with one commit. Called by registry.ts after every look.
import { relative } from 'node:path';
import { put, type Put } from '../store/store.ts';
import { approvals, type ApprovalRow, type RejectionRow } from '../store/tables.ts';
import { toTimestamp } from '../clock.ts';
import type { StoredApproval } from '../trust/approvals.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';
import type { History } from './history.ts';
import type { Survey } from './survey.ts';

export interface MemoryParts {
  readonly home: string;
  readonly history: History;
  readonly audit: Pick<AuditLog, 'commit'>;
  readonly now: number;
}

/** One look tells of no more, so that a full folder does not fill the log's queue; the next look goes on. */
const MOST_AT_ONCE = 200;

/** An approval is told when it is first seen, and when it is first seen to be taken back; from then on it is taken back whatever the files say. A rejection is kept whole, and told first: nothing that happens to its file ends it. Throws what the log throws. */
export async function rememberApprovals({ approvals: { stored }, understood }: Survey, { home, history, audit, now }: MemoryParts): Promise<void> {
  const seenAt = toTimestamp(now);
  const drafts: AuditDraft[] = [];
  const rows = new Map<string, ApprovalRow>();
  const unseen = stored.filter(({ id }) => !history.approval(id)).sort(rejectionsFirst).slice(0, MOST_AT_ONCE);
  const unheard = understood.reviews.revoked.filter(({ id }) => !history.approval(id)?.revoked).slice(0, MOST_AT_ONCE);
  for (const approval of unseen) {
    const { id, instance, reviewer, keyid, decision, note, subject, packageDigest, grantsDigest, issuedAt } = approval;
    rows.set(id, { seenAt, ...(decision === 'reject' ? { rejection: rejectionOf(approval, home) } : {}) });
    drafts.push({ actor: `reviewer:${reviewer}`, action: decision === 'approve' ? 'approval.add' : 'approval.reject', resource: instance, outcome: 'done', detail: { id, keyid, subject, packageDigest, grantsDigest, issuedAt, note } });
  }
  for (const { id, at, actor, reason } of unheard) {
    rows.set(id, { ...(rows.get(id) ?? history.approval(id) ?? { seenAt }), revoked: { at, actor, reason } });
    drafts.push({ actor, action: 'approval.revoke', resource: id, outcome: 'done', detail: { at, reason } });
  }
  if (drafts.length > 0) await audit.commit(drafts, { put: Array.from(rows, ([id, row]): Put => put(approvals, approvals.key(id), row)) });
}

const rejectionsFirst = (a: StoredApproval, b: StoredApproval) => Number(b.decision === 'reject') - Number(a.decision === 'reject');

function rejectionOf({ packageDigest, grantsDigest, signedBy, instance, reviewer, decision, note, issuedAt, expiresAt, subject, keyid, file, key: { notBefore, notAfter } }: StoredApproval, home: string): RejectionRow {
  return {
    packageDigest, grantsDigest, instance, reviewer, decision, note, issuedAt, subject, keyid,
    ...(signedBy === undefined ? {} : { signedBy }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    file: relative(home, file),
    key: { ...(notBefore === undefined ? {} : { notBefore }), ...(notAfter === undefined ? {} : { notAfter }) },
  };
}
