// Who reviews here at a look, and what they decided: reviewers' records, approvals, and what was taken back, held together with what the store remembers. Called by the survey.
import { join, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { loadApprovals, NO_APPROVALS, revokedFile, type ApprovalFiles } from '../trust/approval-files.ts';
import { SKEW_MS, type StoredApproval } from '../trust/approvals.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { loadReviewers, type Reviewers } from '../trust/reviewers.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import type { VerifyOptions } from '../trust/verify.ts';
import type { ApprovalBook } from './approval-book.ts';
import { diagnosticOf } from './diagnostics.ts';
import type { History } from './history.ts';

type Folders = Pick<ResolvedConfig, 'manifestsDir'>;

/** Beside the other files that an operator edits. */
export const approvalsFolder = ({ manifestsDir }: Folders): string => join(manifestsDir, 'approvals');
export const reviewersFolder = ({ manifestsDir }: Folders): string => join(manifestsDir, 'trust', 'reviewers');

/** What counts, and goes on counting at the next look where something cannot be read. */
export interface UnderstoodReviews {
  readonly reviewers: { readonly store: Reviewers; readonly diagnostics: readonly Diagnostic[] };
  readonly files: ApprovalFiles;
}

export interface ReviewContext {
  readonly config: Pick<ResolvedConfig, 'home' | 'manifestsDir'>;
  readonly publishers: TrustStore;
  readonly revocations: RevocationList;
  readonly history: Pick<History, 'approval'>;
  readonly secondOpinion: VerifyOptions['secondOpinion'];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of a running host. */
  readonly last?: { readonly understood: UnderstoodReviews; readonly isUnsettled: (path: string) => boolean } | undefined;
}

export interface ReviewLook {
  readonly understood: UnderstoodReviews;
  readonly book: ApprovalBook;
  readonly diagnostics: readonly Diagnostic[];
  /** Moments at which time alone changes what counts. */
  readonly instants: readonly number[];
}

export async function lookAtReviews({ config, publishers, revocations, history, secondOpinion, now, last }: ReviewContext): Promise<ReviewLook> {
  const reviewers = await readReviewers(config, publishers, last);
  const { files, diagnostics } = await readApprovals(config, reviewers.counts.store, secondOpinion, last);
  const revoked = new Set(files.revoked.map(({ id }) => id));
  // What was read by an earlier look is by a reviewer who may be none any more.
  const stored = files.stored.filter(({ keyid }) => reviewers.counts.store.find(keyid) !== undefined);
  const isRevoked = (id: string) => revoked.has(id) || history.approval(id)?.revoked !== undefined;
  return {
    understood: { reviewers: reviewers.counts, files },
    book: { stored, standings: { revocations, isRevoked, now } },
    diagnostics: [...reviewers.diagnostics, ...diagnostics],
    instants: stored.flatMap(instantsOf),
  };
}

/** When it begins and ends to count, and its key. */
function instantsOf({ issuedAt, expiresAt, key: { notBefore, notAfter } }: StoredApproval): number[] {
  const ends = notAfter === undefined ? [] : [Date.parse(notAfter) + 1];
  return [Date.parse(issuedAt) - SKEW_MS, ...[expiresAt, notBefore].flatMap((time) => (time === undefined ? [] : [Date.parse(time)])), ...ends];
}

type Last = ReviewContext['last'];

/** Records that hold together count. While the host runs, a mistake in one of them takes nobody's word away: until it is mended, the records count as they last did. */
async function readReviewers(config: Folders, publishers: TrustStore, last: Last): Promise<{ readonly counts: UnderstoodReviews['reviewers']; readonly diagnostics: readonly Diagnostic[] }> {
  const folder = reviewersFolder(config);
  const before = last?.understood.reviewers;
  if (before && last.isUnsettled(folder)) return { counts: before, diagnostics: before.diagnostics };
  const found = await loadReviewers(folder, publishers);
  const known = new Set(before?.diagnostics.map(textOf));
  const isWorse = before !== undefined && found.diagnostics.some((each) => !known.has(textOf(each)));
  return { counts: isWorse ? before : found, diagnostics: found.diagnostics };
}

const textOf = ({ code, manifest, message }: Diagnostic) => `${code} ${manifest} ${message}`;

/** Where the list of those that were taken back cannot be understood, a running host goes by its last look, and a start by no approval at all: whatever needs one waits. */
async function readApprovals(config: ReviewContext['config'], reviewers: Reviewers, secondOpinion: VerifyOptions['secondOpinion'], last: Last): Promise<{ readonly files: ApprovalFiles; readonly diagnostics: readonly Diagnostic[] }> {
  const folder = approvalsFolder(config);
  const before = last?.understood.files;
  try {
    const files = await loadApprovals(folder, reviewers, secondOpinion, before && { files: before, isUnsettled: last.isUnsettled });
    return { files, diagnostics: files.diagnostics };
  } catch (thrown) {
    const file = revokedFile(folder);
    const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
    return { files: before ?? NO_APPROVALS, diagnostics: [diagnosticOf(error, { severity: 'degraded', stage: 'trust', rule: 'revoked-approvals', manifest: relative(config.home, file) })] };
  }
}
