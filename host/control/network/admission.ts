// What every request passes before routing and validation, in this order: is it sound, is it for us, are we staying, may its sender ask this. Called by app.ts; a stranger learns nothing about what exists.
import type { FastifyRequest } from 'fastify';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { createAuth, requireScope } from '../auth.ts';
import { authorityOf, requireSoundRequest } from '../connections.ts';
import { hostNames } from '../host-names.ts';
import type { MutationRecord } from '../mutations.ts';
import { actorOf, flat } from '../routes/api.ts';

export interface AdmissionParts {
  readonly host: Pick<Host, 'config' | 'store' | 'clock' | 'log'>;
  readonly mutations: MutationRecord;
  /** Whether the host is going away. */
  readonly isStopping: () => boolean;
}

/** Lets a request in, or throws what its sender is told. */
export type Admit = (request: FastifyRequest) => Promise<void>;

export function createAdmission({ host: { config, store, clock, log }, mutations, isStopping }: AdmissionParts): Admit {
  const auth = createAuth(store, clock, log);
  const answersTo = hostNames(config);
  return async (request) => {
    requireSoundRequest(request.raw);
    if (!answersTo(authorityOf(request.raw))) throw new GatehouseError('MISDIRECTED');
    if (isStopping()) throw new GatehouseError('STOPPING');
    const { open, scope, mutates } = request.routeOptions.config;
    if (open) return;
    const principal = await auth.authenticate({ authorization: request.headers.authorization, address: request.ip });
    request.principal = principal;
    try {
      if (scope) requireScope(principal, scope);
    } catch (refusal) {
      if (mutates !== undefined) await mutations.refused({ actor: actorOf(request), method: request.method, path: mutates, params: flat(request.params) }, refusal);
      throw refusal;
    }
  };
}
