// The states of an instance and the only moves between them. registry.ts moves instances; nobody else changes a state.
import type { PluginState } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';

/**
 * discovered       its enablement was read                 starting     its sandbox is being made
 * verified         its release is genuine and may run      active       it takes calls
 * scanned          its code was looked through             impaired     active, but with trouble worth a look
 * pending-approval it waits for reviewers                  backoff      its sandbox ended; a new one follows after a pause
 * approved         it may start                            hibernated   its sandbox was let go while idle; a call wakes it
 *                                                          draining     calls in flight end, none begin
 * stopped          ended by the host                       disabled     switched off by the operator
 * rejected         may not run as it is                    quarantined  stopped with its evidence kept, until a reviewer releases it
 * revoked          its key, package or version is revoked
 */
export const MOVES: Readonly<Record<PluginState, readonly PluginState[]>> = {
  discovered: ['verified', 'rejected', 'revoked', 'quarantined', 'disabled'],
  verified: ['scanned', 'pending-approval', 'approved', 'rejected', 'revoked', 'quarantined', 'disabled'],
  scanned: ['pending-approval', 'approved', 'rejected', 'revoked', 'quarantined', 'disabled'],
  'pending-approval': ['approved', 'rejected', 'revoked', 'quarantined', 'disabled', 'discovered'],
  approved: ['starting', 'stopped', 'rejected', 'revoked', 'quarantined', 'disabled'],
  starting: ['active', 'backoff', 'rejected', 'draining', 'stopped', 'revoked', 'quarantined', 'disabled'],
  active: ['impaired', 'backoff', 'hibernated', 'draining', 'stopped', 'revoked', 'quarantined', 'disabled'],
  impaired: ['active', 'backoff', 'hibernated', 'draining', 'stopped', 'revoked', 'quarantined', 'disabled'],
  backoff: ['starting', 'draining', 'stopped', 'revoked', 'quarantined', 'disabled'],
  hibernated: ['starting', 'draining', 'stopped', 'revoked', 'quarantined', 'disabled'],
  draining: ['stopped', 'revoked', 'quarantined', 'disabled'],
  stopped: ['discovered', 'starting', 'revoked', 'quarantined', 'disabled'],
  disabled: ['discovered', 'revoked', 'quarantined'],
  rejected: ['discovered', 'revoked', 'quarantined', 'disabled'],
  quarantined: ['pending-approval', 'approved', 'revoked', 'disabled'],
  revoked: ['discovered', 'quarantined', 'disabled'],
};

/** Throws TRANSITION_ILLEGAL. */
export function assertMove(instance: string, from: PluginState, to: PluginState): void {
  if (!MOVES[from].includes(to)) throw new GatehouseError('TRANSITION_ILLEGAL', { instance, from, to });
}

/** It takes calls, or will as soon as one comes. */
export function isAvailable(state: PluginState): boolean {
  return state === 'active' || state === 'impaired' || state === 'hibernated';
}

/** It is on its way up or between two sandboxes: worth a short wait. */
export function isComing(state: PluginState): boolean {
  return state === 'approved' || state === 'starting' || state === 'backoff';
}

/** Somebody decided that it may not run: what it gave before and nobody has committed yet does not count any more. */
export function isBarred(state: PluginState): boolean {
  return state === 'quarantined' || state === 'revoked' || state === 'rejected' || state === 'pending-approval';
}
