// Which of the triggers of a quarantine an offence or a code comes to. Called by plugin-life.ts.
import type { Trigger } from '../../schemas/quarantine.ts';
import type { ErrorCode } from '../errors.ts';
import type { SandboxExit } from '../sandbox/sandbox.ts';
import type { Violation } from '../supervisor/violations.ts';

/** By the cause of the strike that was one too many. */
export function triggerOfStrike(cause: SandboxExit['cause']): Trigger {
  return cause === 'cpu' || cause === 'memory' ? 'budget' : 'crash-loop';
}

/** By the power that the refusal which was one too many was about. */
export function triggerOfViolation(violation: Violation, capability: string): Trigger {
  if (violation === 'leak') return 'leak';
  return capability === 'http.fetch' ? 'egress' : 'capability';
}

/** For sentences that name none. */
export function triggerOfCode(code: ErrorCode): Trigger {
  if (code === 'PLUGIN_DRIFT') return 'drift';
  if (code === 'SCAN_BLOCKED') return 'scan';
  return code === 'REVOKED' ? 'revocation' : 'reviewer';
}
