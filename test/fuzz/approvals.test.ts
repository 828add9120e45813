// Approvals, whatever stands in them: envelopes that a reviewer really signed around statements that went wrong, lists of what was taken back, sealed keys.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRevoked } from '../../host/trust/approval-files.ts';
import { approvalFileName, approvalIdOf, readApproval, type Approval } from '../../host/trust/approval-statement.ts';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { generateKey, sign } from '../../host/trust/keys.ts';
import { readSealedKey } from '../../host/trust/sealed-key.ts';
import { ApprovalStatement, RevokedApprovals, SealedKeyFile } from '../../schemas/approval.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';
import { edited, fitting } from './arbitraries/documents.ts';

const door = fuzzDoor('approvals');
const key = generateKey('alice');
const reviewers = { records: [], find: (keyid: string) => (keyid === key.keyid ? { reviewer: 'alice', keyid, publicKey: key.publicKey } : undefined) };
const mostly = <T>(usual: T, other: T) => fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(other) });
const [ONE, OTHER] = ['a'.repeat(64), 'b'.repeat(64)] as const;
const times = mostly('2026-01-01T00:00:00.000Z', '2026-02-30T00:00:00.000Z');
const statements = fitting(ApprovalStatement, { packageDigest: mostly(`sha256:${ONE}`, `sha256:${OTHER}`), sha256: mostly<string>(ONE, OTHER), reviewer: mostly('alice', 'bob'), issuedAt: times, expiresAt: times });
/** The second opinion costs milliseconds, and has been asked elsewhere. */
const known = { known: () => true, remember: () => undefined };

describe('approvals, whatever they say', () => {
  it('are believed only when all of them is right, and stand under a plain name', () => {
    const published = publishedSchema('approval-statement');
    return door.holds({ runs: 1000, given: edited(statements, { most: 1, textual: 2 }) }, async (payload) => {
      const bytes = writeEnvelope({ payload: Buffer.from(payload), keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) });
      let read: Approval | undefined;
      const refusal = await refusalOf(() => (read = readApproval(bytes, 'x', reviewers, known).approval));
      expect(refusal?.code ?? 'accepted').toMatch(/^(APPROVAL_REFUSED|accepted)$/);
      if (!read) return;
      const document = JSON.parse(Buffer.from(payload).toString()) as ApprovalStatement;
      expect(published(document)).toBe(true);
      expect([read.reviewer, read.packageDigest, read.id]).toEqual(['alice', `sha256:${document.subject[0]?.digest.sha256}`, approvalIdOf(payload)]);
      expect(approvalFileName(read)).toMatch(/^[a-z][a-z0-9-]*-[0-9A-Za-z.-]+-alice-[0-9a-f]{12}\.dsse\.json$/);
    });
  });

  it('are taken back all together or not at all', async () => {
    await using dir = await tempDir();
    const published = publishedSchema('revoked-approvals');
    await door.holds({ runs: 200, given: edited(fitting(RevokedApprovals)) }, async (bytes) => {
      await writeFile(join(dir.path, 'revoked.json'), bytes);
      let revoked: RevokedApprovals['revoked'] | undefined;
      const refusal = await refusalOf(async () => (revoked = [...(await loadRevoked(dir.path))]));
      expect(refusal?.code ?? 'accepted').toMatch(/^(JSON_\w+|SCHEMA_\w+|accepted)$/);
      if (!revoked) return;
      const document = JSON.parse(bytes.toString()) as RevokedApprovals;
      expect(published(document)).toBe(true);
      expect(revoked).toEqual(document.revoked);
    });
  });

  it('are signed with keys whose files ask for bounded work', () => {
    const published = publishedSchema('sealed-key-file');
    return door.holds({ runs: 500, given: edited(fitting(SealedKeyFile)) }, async (bytes) => {
      let file: SealedKeyFile | undefined;
      const refusal = await refusalOf(() => (file = readSealedKey(bytes, 'x')));
      expect(refusal?.code ?? 'accepted').toMatch(/^(KEY_FILE|accepted)$/);
      if (!file) return;
      expect(published(JSON.parse(bytes.toString()))).toBe(true);
      expect(128 * file.kdf.n * file.kdf.r).toBeLessThanOrEqual(2 ** 30);
    });
  });
});
