// Approvals through a running host: taken in, taken back, listed. They are the same files that an operator may put there; host.ts makes the desk, routes ask it.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ApprovalView } from '../../schemas/control.ts';
import type { DsseEnvelope } from '../../schemas/release.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { fits, within, type Page, type PageQuery, type Span } from '../store/page.ts';
import { sortedPage, type Sorting } from '../store/sorted-page.ts';
import { loadRevoked, putApprovalFile, revokedFile, withRevoked } from '../trust/approval-files.ts';
import { approvalFileName, readApproval, type Approval } from '../trust/approval-statement.ts';
import { writeEnvelope } from '../trust/dsse.ts';
import type { OnWriting } from './enablement-file.ts';
import type { Registry } from './registry.ts';
import { approvalsFolder } from './review-look.ts';

/** `since` and `until` are about when they were issued. */
export interface ApprovalFilter extends PageQuery, Span {
  readonly instance?: string;
  readonly reviewer?: string;
  readonly decision?: ApprovalView['decision'];
  readonly counts?: boolean;
  readonly sort?: 'issuedAt' | '-issuedAt' | 'reviewer' | '-reviewer';
}

const BY_TIME: Sorting<ApprovalView> = { keyOf: ({ id }) => id, fields: { issuedAt: ({ issuedAt }) => issuedAt, reviewer: ({ reviewer }) => reviewer } };

export interface ApprovalDesk {
  /** Newest first unless said otherwise. */
  list(query: ApprovalFilter): Page<ApprovalView>;
  /** Throws APPROVAL_NOT_FOUND. */
  show(id: string): ApprovalView;
  /** Resolves once it counts, and what it lets run has started. The same one again changes nothing. Throws APPROVAL_REFUSED, also for one more than a reviewer may have here. */
  add(envelope: DsseEnvelope): Promise<ApprovalView>;
  /** For good: its file does not revive it. Resolves once what needed it has stopped. Throws APPROVAL_NOT_FOUND. */
  revoke(id: string, reason: string, actor: string): Promise<ApprovalView>;
}

export interface ApprovalDeskParts {
  readonly config: Pick<ResolvedConfig, 'home' | 'manifestsDir'>;
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'approvals' | 'reviewers' | 'inTurn'>;
  readonly onWriting: OnWriting;
  /** Looks at the home; resolves once what that began has ended. */
  readonly look: () => Promise<unknown>;
}

/** Approvals of one reviewer that the desk keeps, and as many rejections: only so many files are read at a look, and nobody may crowd out another's veto. */
export const MOST_BY_ONE = 400;

export function openApprovalDesk({ config, clock, registry, onWriting, look }: ApprovalDeskParts): ApprovalDesk {
  const folder = approvalsFolder(config);
  const find = (id: string): ApprovalView => {
    const found = registry.approvals.find((each) => each.id === id);
    if (!found) throw new GatehouseError('APPROVAL_NOT_FOUND', { id });
    return found;
  };
  /** On their way into the folder. */
  const adding = new Map<string, Approval>();
  const refuseCrowd = ({ id, reviewer, decision }: Approval): void => {
    const isAnother = (each: Pick<Approval, 'id' | 'reviewer' | 'decision'>) => each.id !== id && each.reviewer === reviewer && each.decision === decision;
    const there = registry.approvals.filter((each) => isAnother(each) && existsSync(resolve(config.home, each.file)));
    const others = new Set([...there, ...[...adding.values()].filter(isAnother)].map((each) => each.id));
    if (others.size >= MOST_BY_ONE) throw new GatehouseError('APPROVAL_REFUSED', { source: 'that was sent', problem: `'${reviewer}' has ${others.size} such files here, and ${MOST_BY_ONE} are the most; remove those that nobody needs from manifests/approvals/` });
  };
  return {
    list: ({ instance, reviewer, decision, counts, since, until, sort = '-issuedAt', ...page }) =>
      sortedPage(registry.approvals.filter((each) => fits(each, { instance, reviewer, decision, counts }) && within(each.issuedAt, { since, until })), { ...page, sort }, BY_TIME),
    show: find,
    async add(given) {
      const { approval, envelope } = readApproval(Buffer.from(JSON.stringify(given)), 'that was sent', registry.reviewers);
      refuseCrowd(approval);
      adding.set(approval.id, approval);
      try {
        await registry.inTurn(async () => {
          await mkdir(folder, { recursive: true });
          await putApprovalFile(join(folder, approvalFileName(approval)), writeEnvelope(envelope).toString(), onWriting);
        });
        await look();
      } finally {
        adding.delete(approval.id);
      }
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
