// What every request passes before routing and validation, in this order: is it sound, whose is it, is there room, is its connection good enough, is it for us, may its sender ask this. Called by app.ts.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatehouseError } from '../../errors.ts';
import type { Host } from '../../host.ts';
import { isLoopback } from '../../network/addresses.ts';
import { isBelow } from '../../network/policy.ts';
import { createAuth, requireScope } from '../auth.ts';
import { authorityOf, requireSoundRequest } from '../connections.ts';
import { hostNames } from '../host-names.ts';
import { pathOf } from '../http-errors.ts';
import type { MutationRecord } from '../mutations.ts';
import { actorOf, flat } from '../routes/api.ts';
import { clientReader, senderOf, tlsOf } from './client.ts';
import { createLimits } from './limits.ts';

export interface AdmissionParts {
  readonly host: Pick<Host, 'config' | 'store' | 'clock' | 'log'>;
  readonly mutations: MutationRecord;
  /** Whether the host is going away. */
  readonly isStopping: () => boolean;
}

/** Each lets a request on, or throws what its sender is told. */
export interface Admission {
  /** First, and before preflights are answered: nothing here depends on what is asked for. */
  meter(request: FastifyRequest, reply: FastifyReply): void;
  /** Once its body is there. */
  arrived(request: FastifyRequest): void;
  /** A stranger learns nothing about what exists. */
  admit(request: FastifyRequest): Promise<void>;
}

export function createAdmission({ host: { config, store, clock, log }, mutations, isStopping }: AdmissionParts): Admission {
  const { policy } = config;
  const auth = createAuth(store, clock, log);
  const answersTo = hostNames(config);
  const clientOf = clientReader(policy);
  const limits = createLimits(policy.limits, clock);

  /** Tailscale says of every request that came in from the internet that it did (https://tailscale.com/kb/1223/funnel). */
  const refuseUnexpected = ({ headers }: FastifyRequest) => {
    if (!policy.funnel && headers['tailscale-funnel-request'] !== undefined) throw new GatehouseError('FUNNEL_UNEXPECTED');
  };

  /** What was in clear on its way here, or on its way to a proxy of ours, may have been read and changed. What never left this machine was not. */
  const requireTls = ({ client }: FastifyRequest) => {
    if (policy.profile === 'internet' && client.scheme !== 'https' && !client.isLocal && (client.isForwarded || !isLoopback(client.peer))) throw new GatehouseError('TLS_REQUIRED');
  };

  /** Where certificates are asked for everywhere and required, the handshake has seen to it. */
  const requireCertificate = ({ raw, url, routeOptions }: FastifyRequest) => {
    const socket = tlsOf(raw);
    if (!policy.mtls || !socket || socket.authorized) return;
    const { mode, for: prefixes } = policy.mtls;
    const isShown = Object.keys(socket.getPeerCertificate()).length > 0;
    // As it was sent, as it reads and where it leads: a spelling that the router knows must not be one that this does not.
    const paths = [originForm(url), decoded(originForm(url)), routeOptions.url ?? '/'];
    const isAsked = prefixes.some((prefix) => paths.some((path) => path === undefined || isDemanded(path, prefix)));
    if ((mode === 'request' && !isShown) || !isAsked) return;
    throw new GatehouseError('CLIENT_CERTIFICATE', { problem: isShown ? 'does not count here' : 'is missing' });
  };

  return {
    meter(request, reply) {
      request.client = clientOf(request.raw);
      requireSoundRequest(request.raw);
      const { vital, streams } = request.routeOptions.config;
      if (vital) return;
      refuseUnexpected(request);
      // Streams and WebSockets are bounded where they are made; they would hold their places for hours.
      const sender = senderOf(request.client);
      if (sender !== undefined && !streams && !request.ws) limits.enter(request, reply, sender);
      if (sender !== undefined) limits.ofAddress(sender);
      requireTls(request);
      requireCertificate(request);
    },

    arrived: (request) => limits.arrived(request),

    async admit(request) {
      const { client, routeOptions: { config: { open, ingest, scope, mutates } } } = request;
      // Behind a proxy, both: a page whose name was made to lead to this machine writes X-Forwarded-Host itself, but not Host.
      const isOurs = [client.authority, authorityOf(request.raw)].every((name) => answersTo(name, request.raw.socket.localAddress));
      if (!isOurs) throw new GatehouseError('MISDIRECTED');
      if (isStopping()) throw new GatehouseError('STOPPING');
      if (open) return;
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      // What changes something is always somebody's: no prefix exempts it, but for what channels take in.
      if ((ingest || (isRead && scope !== undefined)) && policy.exemptPrefixes.some((prefix) => isBelow(originForm(request.url), prefix))) return;
      const principal = await auth.authenticate({ authorization: request.headers.authorization, sender: senderOf(client) });
      if (!client.isLocal) limits.ofToken(principal.tokenId);
      request.principal = principal;
      try {
        if (scope) requireScope(principal, scope);
      } catch (refusal) {
        if (mutates !== undefined) await mutations.refused({ actor: actorOf(request), method: request.method, path: mutates, params: flat(request.params) }, refusal);
        throw refusal;
      }
    },
  };
}

/** The path as it was sent, without the query; of an address in absolute form what follows its authority. Not decoded: `/%61pi` is below no prefix, and so exempt from nothing. */
const originForm = (url: string): string => pathOf({ url: url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '') });

/** What is demanded below `/a/` is demanded at `/a` as well: whoever writes the one means both. */
const isDemanded = (path: string, prefix: string): boolean => isBelow(`${path}/`, prefix);

/** Undefined where an escape is broken. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
