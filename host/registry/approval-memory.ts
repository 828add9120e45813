// What a look found of approvals, kept in the store and told to the transparency log with one commit. Called by registry.ts after every look.
import { put, type Put } from '../store/store.ts';
import { approvals, type ApprovalRow } from '../store/tables.ts';
import { toTimestamp } from '../clock.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';
import type { History } from './history.ts';
import type { Survey } from './survey.ts';

export interface MemoryParts {
  readonly history: History;
  readonly audit: Pick<AuditLog, 'commit'>;
  readonly now: number;
}

/** One look tells of no more, so that a full folder does not fill the log's queue; the next look goes on. */
const MOST_AT_ONCE = 200;

/** An approval is told when it is first seen, and when it is first seen to be taken back; from then on it is taken back whatever the files say. Throws what the log throws. */
export async function rememberApprovals({ approvals: { stored }, understood }: Survey, { history, audit, now }: MemoryParts): Promise<void> {
  const seenAt = toTimestamp(now);
  const drafts: AuditDraft[] = [];
  const rows = new Map<string, ApprovalRow>();
  const unseen = stored.filter(({ id }) => !history.approval(id)).slice(0, MOST_AT_ONCE);
  const unheard = understood.reviews.files.revoked.filter(({ id }) => !history.approval(id)?.revoked).slice(0, MOST_AT_ONCE);
  for (const { id, instance, reviewer, keyid, decision, note, subject, packageDigest, grantsDigest, issuedAt } of unseen) {
    rows.set(id, { seenAt });
    drafts.push({ actor: `reviewer:${reviewer}`, action: decision === 'approve' ? 'approval.add' : 'approval.reject', resource: instance, outcome: 'done', detail: { id, keyid, subject, packageDigest, grantsDigest, issuedAt, note } });
  }
  for (const { id, at, actor, reason } of unheard) {
    rows.set(id, { ...(history.approval(id) ?? { seenAt }), revoked: { at, actor, reason } });
    drafts.push({ actor, action: 'approval.revoke', resource: id, outcome: 'done', detail: { at, reason } });
  }
  if (drafts.length > 0) await audit.commit(drafts, { put: Array.from(rows, ([id, row]): Put => put(approvals, approvals.key(id), row)) });
}
