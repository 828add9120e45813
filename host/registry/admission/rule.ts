// What an admission rule is: a question to a genuine release about running here as this instance. One file a rule beside this one; admission.ts has their order.
import type { Grant } from '../../../schemas/capability.ts';
import type { SecretReference } from '../../../schemas/enablement.ts';
import type { Limits } from '../../../schemas/plugin-manifest.ts';
import type { ScanResult } from '../../../schemas/scan.ts';
import type { GatehouseError } from '../../errors.ts';
import type { VerifiedRelease } from '../../trust/verify.ts';
import type { LoadedEnablement } from '../discover.ts';
import type { ResolveContext } from '../examine.ts';

/** What an instance would run with, as far as it could be made out; what is wrong with it is a finding of its own. */
export interface Settings {
  readonly limits: Required<Limits>;
  /** Origins that the manifest leaves to the config are filled in; grants without any are gone. */
  readonly grants: readonly Grant[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** `grants-digest.ts`: all of the above but the config itself, and what else an approval covers. */
  readonly grantsDigest: string;
}

/** A release whose signature holds, and how it would run. */
export interface Applicant {
  readonly release: VerifiedRelease;
  readonly loaded: LoadedEnablement;
  readonly settings: Settings;
  /** Absent while its package is still being looked through. */
  readonly scan: ScanResult | undefined;
  readonly context: ResolveContext;
}

/** Each error is a refusal, but for those in `warnings`. */
export interface Opinion {
  readonly refusals?: readonly GatehouseError[];
  readonly warnings?: readonly GatehouseError[];
  /** Epoch milliseconds from which on it refuses no more, where time alone mends it. */
  readonly untilMs?: number;
}

/** Looks only at what it is given; whatever else it must know is loaded once for all instances, in the context. */
export type AdmissionRule = (applicant: Applicant) => Opinion;

export const NO_OBJECTION: Opinion = {};

/** The one refusal, when the condition holds. */
export const refuseWhen = (broken: boolean, error: () => GatehouseError): Opinion => (broken ? { refusals: [error()] } : NO_OBJECTION);
