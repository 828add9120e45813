// Who reviews here at a look, and what they decided: reviewers' records, approvals, and what was taken back, held together with what the store remembers. Called by the survey.
import { join, relative, resolve } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { loadApprovals, loadRevoked, revokedFile, type ApprovalFiles, type RevokedApproval } from '../trust/approval-files.ts';
import type { StoredApproval } from '../trust/approvals.ts';
import { CLOCK_SKEW_MS } from '../trust/key-window.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { claimDiagnostics, claimsOf, withoutClaims } from '../trust/one-trade.ts';
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
  readonly revoked: readonly RevokedApproval[];
}

export interface ReviewContext {
  readonly config: Pick<ResolvedConfig, 'home' | 'manifestsDir'>;
  readonly publishers: TrustStore;
  readonly revocations: RevocationList;
  readonly history: Pick<History, 'approval' | 'rejections'>;
  readonly secondOpinion: VerifyOptions['secondOpinion'];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of a running host. */
  readonly last?: { readonly understood: UnderstoodReviews; readonly isUnsettled: (path: string) => boolean } | undefined;
}

export interface ReviewLook {
  readonly understood: UnderstoodReviews;
  readonly book: ApprovalBook;
  /** Without the keys of reviewers: those sign no plugins. */
  readonly publishers: TrustStore;
  readonly diagnostics: readonly Diagnostic[];
  /** Moments at which time alone changes what counts. */
  readonly instants: readonly number[];
}

export async function lookAtReviews({ config, publishers, revocations, history, secondOpinion, now, last }: ReviewContext): Promise<ReviewLook> {
  const reviewers = await readReviewers(config, last);
  const { files, revoked, diagnostics } = await readApprovals(config, reviewers.counts.store, secondOpinion, last);
  const revokedIds = new Set(revoked.map(({ id }) => id));
  // What was read by an earlier look is by a reviewer who may be none any more.
  const read = files.stored.filter(({ keyid }) => reviewers.counts.store.find(keyid) !== undefined);
  const stored = [...read, ...rememberedBeside(read, history, reviewers.counts.store, config.home)];
  const claims = claimsOf(reviewers.counts.store, publishers);
  const isKeyOf = (keyid: string, publisher: string) => publishers.signers(keyid).some((signer) => signer.publisher === publisher);
  const isRevoked = (id: string) => revokedIds.has(id) || history.approval(id)?.revoked !== undefined;
  return {
    understood: { reviewers: reviewers.counts, files, revoked },
    book: { stored, standings: { revocations, isRevoked, isKeyOf, now } },
    publishers: withoutClaims(publishers, claims),
    diagnostics: [...reviewers.diagnostics, ...claimDiagnostics(claims), ...diagnostics],
    instants: stored.flatMap(instantsOf),
  };
}

/** A veto is not lost with its file, nor with its reviewer's record: it ends when it is taken back, or by a newer word of the same reviewer. */
function rememberedBeside(read: readonly StoredApproval[], { rejections }: Pick<History, 'rejections'>, reviewers: Reviewers, home: string): StoredApproval[] {
  const present = new Set(read.map(({ id }) => id));
  return rejections.filter(({ id }) => !present.has(id)).map((each) => ({ ...each, file: resolve(home, each.file), key: reviewers.find(each.keyid) ?? each.key, isRemembered: true }));
}

/** When it begins and ends to count, and its key. */
function instantsOf({ issuedAt, expiresAt, key: { notBefore, notAfter } }: StoredApproval): number[] {
  const ends = notAfter === undefined ? [] : [Date.parse(notAfter) + 1];
  return [Date.parse(issuedAt) - CLOCK_SKEW_MS, ...[expiresAt, notBefore].flatMap((time) => (time === undefined ? [] : [Date.parse(time)])), ...ends];
}

type Last = ReviewContext['last'];

const NOBODY: Reviewers = { records: [], find: () => undefined };

/** Records that hold together count. While the host runs, a mistake in one of them takes nobody's word away: until it is mended, the records count as they last did. */
async function readReviewers(config: Folders, last: Last): Promise<{ readonly counts: UnderstoodReviews['reviewers']; readonly diagnostics: readonly Diagnostic[] }> {
  const folder = reviewersFolder(config);
  const before = last?.understood.reviewers;
  if (before && last.isUnsettled(folder)) return { counts: before, diagnostics: before.diagnostics };
  let found: UnderstoodReviews['reviewers'];
  try {
    found = await loadReviewers(folder);
  } catch (thrown) {
    const error = new GatehouseError('FILE_UNREADABLE', { file: folder, problem: problemOf(thrown) }, { cause: thrown });
    return { counts: before ?? { store: NOBODY, diagnostics: [] }, diagnostics: [diagnosticOf(error, { severity: last ? 'degraded' : 'fatal', stage: 'trust', rule: 'reviewer-record', manifest: folder })] };
  }
  const known = new Set(before?.diagnostics.map(textOf));
  const isWorse = before !== undefined && found.diagnostics.some((each) => !known.has(textOf(each)));
  return { counts: isWorse ? before : found, diagnostics: found.diagnostics };
}

const textOf = ({ code, manifest, message }: Diagnostic) => `${code} ${manifest} ${message}`;

interface ApprovalsRead {
  readonly files: ApprovalFiles;
  readonly revoked: readonly RevokedApproval[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Where it cannot be understood what was taken back, every rejection counts, and of the approvals those that counted at the last look; a start has none, and is refused: nobody
 * knows then what may run. A folder that cannot be read is the same, and a running host goes by its last look.
 */
async function readApprovals(config: ReviewContext['config'], reviewers: Reviewers, secondOpinion: VerifyOptions['secondOpinion'], last: Last): Promise<ApprovalsRead> {
  const folder = approvalsFolder(config);
  const before = last?.understood;
  const troubleWith = (file: string, thrown: unknown): Diagnostic => {
    const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
    return diagnosticOf(error, { severity: last ? 'degraded' : 'fatal', stage: 'trust', rule: 'revoked-approvals', manifest: relative(config.home, file) });
  };
  let files: ApprovalFiles;
  try {
    files = await loadApprovals(folder, reviewers, secondOpinion, before && { files: before.files, isUnsettled: last.isUnsettled });
  } catch (thrown) {
    return { files: before?.files ?? { stored: [], diagnostics: [] }, revoked: before?.revoked ?? [], diagnostics: [troubleWith(folder, thrown)] };
  }
  try {
    const revoked = await loadRevoked(folder);
    const isUnsettled = last?.isUnsettled(revokedFile(folder)) ?? false;
    return { files, revoked: before && isUnsettled ? union(before.revoked, revoked) : revoked, diagnostics: files.diagnostics };
  } catch (thrown) {
    const counted = new Set(before?.files.stored.map(({ id }) => id));
    const stored = files.stored.filter(({ id, decision }) => decision === 'reject' || counted.has(id));
    return { files: { ...files, stored }, revoked: before?.revoked ?? [], diagnostics: [...files.diagnostics, troubleWith(revokedFile(folder), thrown)] };
  }
}

const union = (one: readonly RevokedApproval[], other: readonly RevokedApproval[]): RevokedApproval[] => [...one, ...other.filter(({ id }) => !one.some((each) => each.id === id))];
