// Which approvals count for what would run: pure judgement over statements whose signatures hold. The rule of admission asks it, and the reload for what runs already.
import type { Approval } from './approval-statement.ts';
import type { RevocationList } from './revocation.ts';
import { CLOCK_SKEW_MS, isWithin, type KeyWindow } from './key-window.ts';

/** What would run, or runs. */
export interface ApprovalTarget {
  readonly instance: string;
  /** `<plugin id>-<version>`. */
  readonly subject: string;
  readonly packageDigest: string;
  readonly grantsDigest: string;
  /** Who made it. */
  readonly keyid: string;
  readonly publisher: string;
}

export interface StoredApproval extends Approval {
  /** Where it stands, or stood. */
  readonly file: string;
  /** When its key counts. */
  readonly key: KeyWindow;
  /** It is known from the store alone: its file is gone or says nothing now, or its reviewer has no record. */
  readonly isRemembered?: true;
}

/** What takes an approval's standing away, whatever it is about. */
export interface Standings {
  readonly revocations: RevocationList;
  readonly isRevoked: (id: string) => boolean;
  /** Whether it is named as a key of this publisher, too. */
  readonly isKeyOf: (keyid: string, publisher: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface PassedOver {
  readonly approval: StoredApproval;
  /** Why it does not count, to follow its name. */
  readonly problem: string;
}

export interface Decisions {
  /** One of each reviewer, in the order of names. */
  readonly approvals: readonly StoredApproval[];
  /** Each is a veto. */
  readonly rejections: readonly StoredApproval[];
  /** About this instance, and without effect on this target. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * A reviewer's newest word counts, and of two at the same moment the rejection. An approval is about exactly this package with exactly these grants; a rejection is about the package,
 * whatever it is given, until the same reviewer approves it as it is. Keys of whoever made the package count for nothing.
 */
export function decisionsOn(stored: readonly StoredApproval[], target: ApprovalTarget, standings: Standings): Decisions {
  const passedOver: PassedOver[] = [];
  const effective = stored.filter((approval) => {
    if (approval.instance !== target.instance) return false;
    const problem = problemWith(approval, standings) ?? mismatch(approval, target, standings);
    if (problem !== undefined) passedOver.push({ approval, problem });
    return problem === undefined;
  });
  const words = [...Map.groupBy(effective, ({ reviewer }) => reviewer)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, all]) => all.reduce(later));
  return { approvals: words.filter(({ decision }) => decision === 'approve'), rejections: words.filter(({ decision }) => decision === 'reject'), passedOver };
}

/** Why it counts for nothing any more, or not yet; undefined when it does. */
export function problemWith({ id, decision, keyid, issuedAt, expiresAt, key }: StoredApproval, { revocations, isRevoked, now }: Standings): string | undefined {
  if (isRevoked(id)) return 'it was revoked';
  const revoked = revocations.reasonFor({ keyid });
  if (revoked !== undefined) return revoked;
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now) return `it expired at ${expiresAt}`;
  const issued = Date.parse(issuedAt);
  if (issued > now + CLOCK_SKEW_MS) return `it is dated ${issuedAt}, which is still to come`;
  // The key of a thief lapses with its window, as a publisher's does. A veto does not lapse: time makes no package better.
  if (isWithin(key, issued) && (decision === 'reject' || isWithin(key, now))) return undefined;
  return `the key ${keyid} is valid from ${key.notBefore ?? 'the beginning'} to ${key.notAfter ?? 'further notice'}`;
}

function mismatch({ decision, subject, packageDigest, grantsDigest, signedBy, keyid, reviewer }: StoredApproval, target: ApprovalTarget, { isKeyOf }: Standings): string | undefined {
  if (packageDigest !== target.packageDigest || subject !== target.subject) return `it is about ${subject} with digest ${packageDigest}`;
  // What a publisher can bring about without the reviewer's key, a name or an entry in a record, takes approvals away and no veto.
  if (keyid === target.keyid || (decision === 'approve' && (reviewer === target.publisher || isKeyOf(keyid, target.publisher)))) return 'whoever made the plugin does not review it';
  if (decision === 'approve' && signedBy !== undefined && signedBy !== target.keyid) return `it is about the release that ${signedBy} signed`;
  if (decision === 'approve' && grantsDigest !== target.grantsDigest) return `it is about other grants, limits or secrets (${grantsDigest})`;
  return undefined;
}

function later(one: StoredApproval, other: StoredApproval): StoredApproval {
  if (one.issuedAt !== other.issuedAt) return one.issuedAt > other.issuedAt ? one : other;
  return one.decision === 'reject' ? one : other;
}
