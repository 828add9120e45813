// Who may open a channel's WebSocket outside of profile local: a conversation that was let in, or somebody with a token. And how a page asks, and redeems an invite. Called by routes/channels.ts.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AccessBody } from '../../schemas/pairing.ts';
import { GatehouseError } from '../errors.ts';
import type { Host } from '../host.ts';
import { compileSchema } from '../schema.ts';
import { parseStrict } from '../strict-json.ts';
import { createAuth, requireScope } from './auth.ts';
import { isSameOrigin } from './host-names.ts';
import { createLockout } from './lockout.ts';
import { senderOf } from './network/client.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { isCurrent, type Principal } from './tokens.ts';

/** Below a channel's own addresses, where no plugin can answer. */
const ACCESS_PATH = '/channels/:instance/-/access';
const ACCESS_BODY_BYTES = 2048;

export interface Invited {
  /** Resolves with whether the socket may still be open, asked again and again while it is. Throws INVITE_REQUIRED, and UNAUTHENTICATED, FORBIDDEN or LOCKED_OUT for a token that does not do. */
  enter(request: Pick<FastifyRequest, 'headers' | 'client' | 'principal'>, instance: string, conversation: string): Promise<() => Promise<boolean>>;
}

const accessBody = compileSchema<AccessBody>(AccessBody);

export function invited({ store, clock, config, log, pairing }: Host): Invited {
  const auth = createAuth(store, clock, log);
  return {
    async enter({ headers, client, principal: known }, instance, conversation) {
      if (config.profile === 'local') return async () => true;
      if (await pairing.isLetIn(instance, conversation)) return () => pairing.isLetIn(instance, conversation);
      if (headers.authorization === undefined) throw new GatehouseError('INVITE_REQUIRED', { instance });
      const principal: Principal = known ?? (await auth.authenticate({ authorization: headers.authorization, sender: senderOf(client) }));
      requireScope(principal, 'messages:write');
      return () => isCurrent(principal, store, clock);
    },
  };
}

/** `POST /channels/<instance>/-/access` with `{conversation, invite?}`: `{"access": "granted"}` or `{"access": "invite"}`. A WebSocket that is refused tells a page nothing; this does. */
export function registerAccess(app: FastifyInstance, host: Host): void {
  const { config, pairing } = host;
  const wrong = createLockout(host.clock);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));
  app.route<{ Params: { readonly instance: string } }>({
    method: 'POST',
    url: ACCESS_PATH,
    config: { ingest: true },
    bodyLimit: ACCESS_BODY_BYTES,
    handler: async (request, reply) => {
      const { instance } = request.params;
      const { origin } = request.headers;
      if (!host.channel(instance)?.section.socket) throw new GatehouseError('NOT_FOUND', { path: `/channels/${instance}/-/access` });
      if (origin !== undefined && !isSameOrigin(origin, request.client.authority)) throw new GatehouseError('ORIGIN_REFUSED', { instance, origin: origin.slice(0, 200) });
      const { conversation, invite } = bodyOf(request.body);
      reply.headers(SECURITY_HEADERS);
      if (config.profile === 'local' || (await pairing.isLetIn(instance, conversation))) return { access: 'granted' };
      if (invite === undefined) return { access: 'invite' };
      const sender = senderOf(request.client);
      const retryAfterMs = sender === undefined ? 0 : wrong.lockedForMs(sender);
      if (retryAfterMs > 0) throw new GatehouseError('LOCKED_OUT', { retryAfterMs });
      try {
        await pairing.invites.redeem(instance, conversation, invite);
      } catch (error) {
        if (error instanceof GatehouseError && error.code === 'INVITE_REFUSED' && sender !== undefined) wrong.wrong(sender);
        throw error;
      }
      return { access: 'granted' };
    },
  });
}

function bodyOf(raw: unknown): AccessBody {
  const body: unknown = Buffer.isBuffer(raw) ? parseStrict(raw, { source: 'the request body', maxBytes: ACCESS_BODY_BYTES, maxDepth: 2 }).value : undefined;
  if (accessBody.is(body)) return body;
  const { path = '/', problem = 'a JSON body is missing' } = (body === undefined ? undefined : accessBody.explain(body)) ?? {};
  throw new GatehouseError('REQUEST_INVALID', { path, problem });
}
