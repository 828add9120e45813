// What a loss means for the host: the one table of crash classes. plugin-life.ts acts on it while the host runs, the registry judges a start by it; docs/operate.md shows it.

/** `recoverable`: mended without anybody. `degraded`: the host runs without it and says so. `fatal`: the host drains and ends with exit 3. */
export type CrashClass = 'recoverable' | 'degraded' | 'fatal';

interface LossRow {
  readonly class: CrashClass;
  readonly what: string;
  readonly follows: string;
}

export const LOSSES = {
  'sandbox-ended': { class: 'recoverable', what: 'a sandbox ends, or does not start, within the restart budget', follows: 'it restarts, at once or after a pause; calls wait for it or are tried again' },
  'optional-lost': { class: 'degraded', what: 'the host quarantines or revokes an optional instance', follows: 'the host goes on without it; a gate lets nothing pass' },
  'gate-excused': { class: 'degraded', what: 'a gate with `onQuarantine` `hold` or `bypass` is quarantined, required or not', follows: 'messages are held, or pass with a flag' },
  'taken-out': { class: 'degraded', what: 'an operator disables or quarantines an instance, required or not', follows: 'the host goes on; without a required one `/readyz` answers 503' },
  'required-lost': { class: 'fatal', what: 'the host quarantines or revokes a required instance', follows: 'the host drains and ends with exit 3; it starts again once the instance is released, or no longer required' },
  'gate-exit': { class: 'fatal', what: 'the host quarantines a gate with `onQuarantine` `exit`, required or not', follows: 'the same' },
} as const satisfies Record<string, LossRow>;

export type Loss = keyof typeof LOSSES;

export interface LostInstance {
  readonly required: boolean;
  readonly moderation: { readonly mode: 'gate' | 'observer' } | undefined;
  readonly enablement: { readonly onQuarantine?: 'hold' | 'bypass' | 'exit' };
}

/** Which row an instance is that will not come back by itself. `by`: who judged so. `to`: where it went; what an enablement says of quarantine says nothing of revocation. */
export function lossOf(lost: LostInstance, by: 'host' | 'operator', to: 'quarantined' | 'revoked'): Loss {
  if (to === 'quarantined' && isExcused(lost)) return 'gate-excused';
  if (by === 'operator') return 'taken-out';
  if (lost.required) return 'required-lost';
  return to === 'quarantined' && policyOf(lost) === 'exit' ? 'gate-exit' : 'optional-lost';
}

/** A gate whose enablement says how the host goes on while it is in quarantine. */
export function isExcused(lost: LostInstance): boolean {
  const policy = policyOf(lost);
  return policy === 'hold' || policy === 'bypass';
}

/** Only a gate has one. */
const policyOf = ({ moderation, enablement }: LostInstance) => (moderation?.mode === 'gate' ? enablement.onQuarantine : undefined);
