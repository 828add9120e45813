// Quarantine freezes: from its moment on nothing that an instance gave is committed, however far its work had come. Asked right before each commit, with nothing awaited in between.
import type { CallScope } from '../../broker/call-scope.ts';
import { GatehouseError } from '../../errors.ts';
import type { PluginDirectory } from '../plugin-directory.ts';

/** Before the instance's name: the sender of what plugins send. */
export const PLUGIN_SENDER = 'plugin:';

/** Throws INSTANCE_UNAVAILABLE: the work is tried again, without the instance. */
export function assertNotFrozen(directory: Pick<PluginDirectory, 'isFrozen'>, instance: string): void {
  if (directory.isFrozen(instance)) throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state: 'quarantined' });
}

/** The same for everybody who wrote or sent in these calls, nested ones included. */
export function assertNoneFrozen(directory: Pick<PluginDirectory, 'isFrozen'>, scopes: readonly CallScope[]): void {
  for (const scope of scopes) for (const instance of authorsIn(scope)) assertNotFrozen(directory, instance);
}

/** For a commit that must come because its work is done out in the world: the calls nobody frozen wrote or sent in; what the others wrote is given up. */
export function withoutFrozen(directory: Pick<PluginDirectory, 'isFrozen'>, scopes: readonly CallScope[]): CallScope[] {
  return scopes.filter((scope) => {
    const frozen = authorsIn(scope).some((instance) => directory.isFrozen(instance));
    if (frozen) scope.release();
    return !frozen;
  });
}

const authorsIn = ({ writes, sends }: CallScope): string[] => [...writes.keys(), ...sends.map(({ sender }) => sender.id.slice(PLUGIN_SENDER.length))];
