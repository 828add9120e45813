// Approvals through a running host: taken in, taken back, listed. They are the same files that an operator may put there; host.ts makes the desk, routes ask it.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApprovalView } from '../../schemas/control.ts';
import type { DsseEnvelope } from '../../schemas/release.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { pageSize, type Page, type PageQuery } from '../store/page.ts';
import { loadRevoked, putApprovalFile, revokedFile, withRevoked } from '../trust/approval-files.ts';
import { approvalFileName, readApproval } from '../trust/approval-statement.ts';
import { writeEnvelope } from '../trust/dsse.ts';
import type { OnWriting } from './enablement-file.ts';
import type { Registry } from './registry.ts';
import { approvalsFolder } from './review-look.ts';

export interface ApprovalDesk {
  /** Newest first; those of one instance, if it is named. */
  list(query: PageQuery & { readonly instance?: string }): Page<ApprovalView>;
  /** Throws APPROVAL_NOT_FOUND. */
  show(id: string): ApprovalView;
  /** Resolves once it counts, and what it lets run has started. The same one again changes nothing. Throws APPROVAL_REFUSED. */
  add(envelope: DsseEnvelope): Promise<ApprovalView>;
  /** For good: its file does not revive it. Resolves once what needed it has stopped. Throws APPROVAL_NOT_FOUND. */
  revoke(id: string, reason: string, actor: string): Promise<ApprovalView>;
}

export interface ApprovalDeskParts {
  readonly config: Pick<ResolvedConfig, 'manifestsDir'>;
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'approvals' | 'reviewers' | 'inTurn'>;
  readonly onWriting: OnWriting;
  /** Looks at the home; resolves once what that began has ended. */
  readonly look: () => Promise<unknown>;
}

export function openApprovalDesk({ config, clock, registry, onWriting, look }: ApprovalDeskParts): ApprovalDesk {
  const folder = approvalsFolder(config);
  const find = (id: string): ApprovalView => {
    const found = registry.approvals.find((each) => each.id === id);
    if (!found) throw new GatehouseError('APPROVAL_NOT_FOUND', { id });
    return found;
  };
  return {
    list({ cursor, limit, instance }) {
      const all = registry.approvals.filter((each) => instance === undefined || each.instance === instance).sort(newestFirst);
      const from = cursor === undefined ? 0 : all.findIndex(({ id }) => id === cursor) + 1;
      const items = cursor !== undefined && from === 0 ? [] : all.slice(from, from + pageSize(limit));
      return { items, cursor: items.length > 0 && from + items.length < all.length ? (items.at(-1)?.id ?? null) : null };
    },
    show: find,
    async add(given) {
      const { approval, envelope } = readApproval(Buffer.from(JSON.stringify(given)), 'that was sent', registry.reviewers);
      await registry.inTurn(async () => {
        await mkdir(folder, { recursive: true });
        await putApprovalFile(join(folder, approvalFileName(approval)), writeEnvelope(envelope).toString(), onWriting);
      });
      await look();
      return find(approval.id);
    },
    async revoke(id, reason, actor) {
      find(id);
      await registry.inTurn(async () => {
        const revoked = await loadRevoked(folder);
        if (revoked.some((each) => each.id === id)) return;
        await putApprovalFile(revokedFile(folder), withRevoked(revoked, { id, at: toTimestamp(clock.now()), actor, reason }), onWriting);
      });
      await look();
      return find(id);
    },
  };
}

const newestFirst = (a: ApprovalView, b: ApprovalView) => (a.issuedAt === b.issuedAt ? (a.id < b.id ? -1 : 1) : a.issuedAt < b.issuedAt ? 1 : -1);
