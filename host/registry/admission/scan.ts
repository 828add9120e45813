// What the scanner says of the package: what it blocks never runs, what it warns of runs once reviewers have agreed to exactly this. Also asked of what runs, at every look.
import type { ScanResult } from '../../../schemas/scan.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';
import { GatehouseError } from '../../errors.ts';
import { worstInWords } from '../../trust/scan/scan.ts';
import type { VerifiedRelease } from '../../trust/verify.ts';
import type { ApprovalBook } from '../approval-book.ts';
import { decisionsFor, type Approvable } from './approvals.ts';
import { NO_OBJECTION, refuseWhen, type AdmissionRule } from './rule.ts';

export const scan: AdmissionRule = ({ release, scan: result, loaded: { enablement: { instance } }, settings: { grantsDigest }, context: { config, approvals } }) => {
  if (!result) return refuseWhen(true, () => new GatehouseError('SCAN_PENDING', { instance, plugin: release.manifest.id, version: release.manifest.version }));
  if (result.outcome === 'warn' && isReportedOnly(release, config.trust)) return { warnings: [errorOf('SCAN_WARNING', { instance, release }, result)] };
  const refusal = refusalByScan({ instance, release, grantsDigest }, result, config.trust, approvals);
  return refusal ? { refusals: [refusal] } : NO_OBJECTION;
};

type Scanned = Approvable & { readonly release: Pick<VerifiedRelease, 'development'> };

export function refusalByScan(what: Scanned, result: ScanResult, policy: TrustPolicy, book: ApprovalBook): GatehouseError | undefined {
  if (result.outcome === 'block') return errorOf('SCAN_BLOCKED', what, result);
  if (result.outcome === 'pass' || isReportedOnly(what.release, policy) || decisionsFor(what, book).approvals.length > 0) return undefined;
  return errorOf('SCAN_WARNING', what, result);
}

/** A development key is accepted only where plugins are made: its holder need not ask anybody, and is told. */
const isReportedOnly = ({ development }: Pick<VerifiedRelease, 'development'>, { scan: policy }: TrustPolicy) => development || policy?.onWarn === 'report';

function errorOf(code: 'SCAN_BLOCKED' | 'SCAN_WARNING', { instance, release: { manifest: { id, version } } }: Pick<Approvable, 'instance' | 'release'>, result: ScanResult): GatehouseError {
  return new GatehouseError(code, { instance, plugin: id, version, risk: result.risk, findings: worstInWords(result) });
}
