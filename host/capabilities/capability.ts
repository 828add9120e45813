// The form every capability has, in this order: name, request schema, grant, authorize (pure), perform. The broker is the only caller.
import type { CapabilityName, CapabilityOf, Grant } from '../../schemas/capability.ts';
import type { Checker } from '../schema.ts';
import type { CallScope } from '../broker/call-scope.ts';

/** The running instance on whose behalf the host acts; identity comes from the pipe, never from a frame. */
export interface Caller {
  readonly instance: string;
  readonly plugin: string;
  readonly grants: readonly Grant[];
}

/** Why a well-formed request is refused; becomes a typed error in the plugin and an event on the host. */
export interface Refusal {
  /** The value that is not granted, for message and event. */
  readonly value: string;
}

/** One operation plugin code can ask for. `capability: null` needs no grant. */
export interface Operation<Args, Name extends CapabilityName = CapabilityName> {
  readonly op: string;
  readonly capability: Name | null;
  readonly request: Checker<Args>;
  /** Pure: decides from request and grant alone. Undefined means allowed. */
  authorize(args: Args, grant: CapabilityOf<Name>): Refusal | undefined;
  /** Calls a minute this grant allows, if it says so. */
  perMinute?(grant: CapabilityOf<Name>): number | undefined;
  /** What it spends beside a host call: refused when the budget of that is spent. */
  readonly spends?: 'egressBytes' | 'kvBytes';
  perform(args: Args, caller: Caller, scope: CallScope, grant: CapabilityOf<Name>): Promise<unknown>;
}

/** An operation as the broker's table holds it: argument and grant types erased. */
export interface AnyOperation {
  readonly op: string;
  readonly capability: CapabilityName | null;
  readonly request: Checker<unknown>;
  authorize(args: unknown, grant: Grant): Refusal | undefined;
  perMinute?(grant: Grant): number | undefined;
  readonly spends?: 'egressBytes' | 'kvBytes';
  /** `grant` is undefined only for operations that need none. */
  perform(args: unknown, caller: Caller, scope: CallScope, grant: Grant | undefined): Promise<unknown>;
}

/** Erases an operation's types for the table; sound because the broker passes only arguments that `request` accepted and grants of its own capability. */
export function operation<Args, Name extends CapabilityName>(definition: Operation<Args, Name>): AnyOperation {
  return definition;
}
