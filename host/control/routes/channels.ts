// Channel ingress: everything below /channels/<instance>/, over HTTP and WebSocket, public by design: each channel verifies its own senders, and outside of profile local a socket is for those who were let in.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { ChannelSection } from '../../../schemas/plugin-manifest.ts';
import { GatehouseError } from '../../errors.ts';
import type { ChannelFace, Host } from '../../host.ts';
import { isSameOrigin } from '../host-names.ts';
import type { Invited } from '../invited.ts';
import { senderOf } from '../network/client.ts';
import { pathOf } from '../http-errors.ts';
import { readBody } from '../ingress-body.ts';
import { channelHeaders } from '../security-headers.ts';
import type { Sockets } from '../sockets.ts';

const NO_BODY = Buffer.alloc(0);
const NEVER = async () => false;
/** As long as an external id may be. */
const CONVERSATION_CHARACTERS = 256;

interface ChannelRoute {
  Params: { readonly instance: string; readonly '*': string };
}
type ChannelRequest = FastifyRequest<ChannelRoute>;

export function registerChannels(app: FastifyInstance, host: Host, sockets: Sockets, guests: Invited): void {
  /** How each request that is becoming a socket was let in. */
  const entered = new WeakMap<object, () => Promise<boolean>>();
  const faceOf = (request: Pick<FastifyRequest, 'params' | 'url'>): ChannelFace => {
    const { instance }: { readonly instance?: string } = Object(request.params);
    const face = instance === undefined ? undefined : host.channel(instance);
    if (!face) throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
    return face;
  };

  const answer = async (request: ChannelRequest, reply: FastifyReply) => {
    const face = faceOf(request);
    const path = `/${request.params['*']}`;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method === 'GET') {
      const asset = face.asset(path);
      if (asset) return reply.headers(channelHeaders({ 'content-type': asset.contentType, 'cache-control': 'no-cache' }, face.ui)).send(asset.bytes);
      if (face.section.socket?.path === path) throw new GatehouseError('UPGRADE_REQUIRED', { path: pathOf(request) });
    }
    const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
    const { status, headers, body: content } = await face.http({ method, path, target: request.raw.url ?? '', query: firstOf(request.query), headers: headersOf(request), body });
    return reply.code(status).headers(channelHeaders(headers, face.ui)).send(content);
  };

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: FastifyRequest['raw']) => readBody(payload, bodyLimit(faceOf(request).section)));

  app.route<ChannelRoute>({
    method: 'GET',
    url: '/channels/:instance/*',
    config: { ingest: true, socket: true },
    // Before the handshake, so that a refusal is an HTTP answer and no socket is ever opened for it.
    onRequest: async (request) => {
      if (!request.ws) return;
      const { face, conversation } = openOf(request, faceOf(request), sockets);
      entered.set(request, await guests.enter(request, face.instance, conversation));
    },
    handler: answer,
    wsHandler: (socket, request) => sockets.attach(socket, { ...openOf(request, faceOf(request), sockets), stillMay: entered.get(request) ?? NEVER }),
  });
  app.route<ChannelRoute>({ method: ['POST', 'PUT', 'DELETE'], url: '/channels/:instance/*', config: { ingest: true }, handler: answer });
  app.get<ChannelRoute>('/channels/:instance', { config: { ingest: true } }, async (request, reply) => {
    faceOf(request);
    return reply.redirect(`/channels/${request.params.instance}/`, 308);
  });
}

/** Everything a socket must satisfy before its handshake. Throws what the peer is told. */
function openOf(request: ChannelRequest, face: ChannelFace, sockets: Sockets) {
  const { socket } = face.section;
  if (!socket || socket.path !== `/${request.params['*']}`) throw new GatehouseError('NOT_FOUND', { path: pathOf(request) });
  const { origin } = request.headers;
  if (socket.origin === 'same' && origin !== undefined && !isSameOrigin(origin, request.client.authority)) throw new GatehouseError('ORIGIN_REFUSED', { instance: face.instance, origin: origin.slice(0, 200) });
  const query = firstOf(request.query);
  const conversation = query[socket.conversation.query] ?? '';
  if (conversation === '' || conversation.length > CONVERSATION_CHARACTERS) {
    throw new GatehouseError('INGRESS_BODY', { instance: face.instance, problem: `the query must name a '${socket.conversation.query}' of at most ${CONVERSATION_CHARACTERS} characters` });
  }
  const sender = senderOf(request.client);
  sockets.requireRoom({ instance: face.instance, conversation, sender });
  return { face, sender, maxFrameBytes: socket.maxFrameBytes, conversation, query };
}

/** The widest bound of the channel's routes; the route itself may allow less. */
function bodyLimit(section: ChannelSection): number {
  let limit = limits.get(section);
  if (limit === undefined) limits.set(section, (limit = Math.max(0, ...section.ingress.map((route) => route.bodyLimitBytes ?? BOUNDS.ingressBodyBytes))));
  return limit;
}

const limits = new WeakMap<ChannelSection, number>();

/** One value a name, the first; no prototype, so that `__proto__` is a name like any other. */
function firstOf(query: unknown): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(Object(query))) result[name] = String(Array.isArray(value) ? value[0] : value);
  return result;
}

/** A token of this host that a client sent along is nobody's business but ours. */
function headersOf({ headers }: FastifyRequest): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string' && !(name === 'authorization' && value.includes('ght_'))) result[name] = value;
  }
  return result;
}
