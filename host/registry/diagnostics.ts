// From a typed error to a finding the operator can act on. Used by discover, resolve and the registry.
import type { Diagnostic } from '../../schemas/control.ts';
import type { GatehouseError } from '../errors.ts';

/** Where a finding comes from; `rule` is the name of the check that made it. */
export interface Place {
  readonly severity: Diagnostic['severity'];
  readonly stage: 'discover' | 'trust' | 'resolve' | 'start' | 'reload';
  readonly rule: string;
  /** The enablement's file, relative to the home. */
  readonly manifest?: string;
  readonly plugin?: string;
  readonly instance?: string;
}

export function diagnosticOf(error: GatehouseError, { severity, stage, rule, manifest, plugin, instance }: Place): Diagnostic {
  return {
    code: error.code,
    severity,
    ...(plugin === undefined ? {} : { plugin }),
    ...(instance === undefined ? {} : { instance }),
    ...(manifest === undefined ? {} : { manifest }),
    stage,
    rule,
    message: error.message,
    fix: error.fix,
  };
}

/** What goes wrong with an instance: the host does not start without a required one. */
export function severityFor({ required }: { readonly required: boolean }): 'fatal' | 'degraded' {
  return required ? 'fatal' : 'degraded';
}
