// What a genuine release must pass to run here as an instance: the rules in their order, and the state a refusal leads to. Asked by examine.ts and resolve.ts.
import type { ErrorCode } from '../../errors.ts';
import { age } from './age.ts';
import { approvals } from './approvals.ts';
import { digest } from './digest.ts';
import { lists } from './lists.ts';
import { lock } from './lock.ts';
import type { AdmissionRule } from './rule.ts';
import { scan } from './scan.ts';
import { signer } from './signer.ts';
import { ui } from './ui.ts';
import { rollback, sameVersion, version } from './version.ts';

/** By the name a diagnostic shows. All are asked, and every refusal is told. */
export const ADMISSION_RULES: Readonly<Record<string, AdmissionRule>> = {
  lists,
  version,
  digest,
  lock,
  rollback,
  'same-version': sameVersion,
  signer,
  ui,
  scan,
  approvals,
  age,
};

/** What time or a reviewer can mend; whatever else is wrong is told before it. */
const WAITS: ReadonlySet<string> = new Set<ErrorCode>(['APPROVAL_MISSING', 'APPROVAL_REJECTED', 'SIGNER_CHANGED', 'RELEASE_TOO_FRESH', 'SCAN_WARNING', 'SCAN_PENDING']);

/** A lock names what was reviewed; what it does not name yet may still be told, and what an edit takes away needs no lock. */
const UNLOCKED: ReadonlySet<string> = new Set<ErrorCode>(['LOCK_MISSING', 'LOCK_MISMATCH']);

/** Whether nothing is wrong with it but that somebody or time has not come to it yet. */
export const isMendable = (code: string): boolean => WAITS.has(code) || UNLOCKED.has(code);

/** Where an instance stands that was refused for this reason. */
export function stateFor(code: string | undefined): 'rejected' | 'pending-approval' | 'revoked' {
  if (code === 'REVOKED') return 'revoked';
  return code !== undefined && WAITS.has(code) ? 'pending-approval' : 'rejected';
}
