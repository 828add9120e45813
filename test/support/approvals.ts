// Reviewers and what they sign, with throw-away keys: `const alice = aReviewer('alice'); await home.write(...alice.record)`.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApprovalPredicate, ReviewerRecord } from '../../schemas/approval.ts';
import { toTimestamp } from '../../host/clock.ts';
import { approvalFileName, approvalIdOf, sealApproval, writeApproval } from '../../host/trust/approval-statement.ts';
import { generateKey, sign, type SigningKey } from '../../host/trust/keys.ts';

export interface TestReviewer {
  readonly name: string;
  readonly key: SigningKey;
  readonly record: ReviewerRecord;
  /** The envelope, and the name its file would have. */
  signs(statement: { readonly subject: string } & Partial<ApprovalPredicate> & Pick<ApprovalPredicate, 'packageDigest' | 'grantsDigest' | 'instance'>): Promise<{ readonly id: string; readonly name: string; readonly bytes: Buffer }>;
}

export function aReviewer(name: string, key: SigningKey = generateKey(name), more: Partial<ReviewerRecord['keys'][number]> = {}): TestReviewer {
  return {
    name, key,
    record: { reviewer: name, keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64'), ...more }] },
    async signs({ subject, ...given }) {
      const predicate: ApprovalPredicate = { reviewer: name, decision: 'approve', note: 'looked at it', issuedAt: toTimestamp(Date.now()), ...given };
      const payload = writeApproval(subject, predicate);
      const bytes = await sealApproval(payload, { keyid: key.keyid, sign: (message) => sign(key, message) }, key.publicKey);
      const id = approvalIdOf(payload);
      return { id, name: approvalFileName({ subject, instance: predicate.instance, reviewer: predicate.reviewer, id }), bytes };
    },
  };
}

/** Puts their records into a home. */
export async function trustReviewers(home: string, ...reviewers: readonly TestReviewer[]): Promise<void> {
  const folder = join(home, 'manifests', 'trust', 'reviewers');
  await mkdir(folder, { recursive: true });
  for (const { name, record } of reviewers) await writeFile(join(folder, `${name}.json`), JSON.stringify(record));
}

/** Puts an envelope where `approve` would; returns its path. */
export async function putApproval(home: string, { name, bytes }: { readonly name: string; readonly bytes: Uint8Array }): Promise<string> {
  const folder = join(home, 'manifests', 'approvals');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
}
