// What a connection may take of the host, in time and number, and what Node's HTTP server would otherwise decide by itself. Used by server.ts.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatehouseError } from '../errors.ts';
import { plainAddress, senderKey } from '../network/addresses.ts';

export interface ConnectionLimits {
  /** From the first byte, or from connecting, until the headers are complete. */
  readonly headersMs: number;
  /** From the first byte until the body is complete. */
  readonly requestMs: number;
  /** Between an answer and the next request; longer than proxies keep theirs, so that they never send into a closing connection. */
  readonly idleMs: number;
  /** Without a byte in either direction: a reader that stopped reading. Longer than any answer takes to be made. */
  readonly silentMs: number;
  /** How often `headersMs` and `requestMs` are looked at. */
  readonly checkMs: number;
  /** Beyond it a connection is closed as soon as it is made: more than every channel's sockets together should need. */
  readonly connections: number;
  /** The same of one address; trusted proxies have no such bound. */
  readonly perAddress: number;
  /** Of the request line and all headers. */
  readonly headerBytes: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = { headersMs: 10_000, requestMs: 30_000, idleMs: 72_000, silentMs: 120_000, checkMs: 2000, connections: 10_000, perAddress: 1000, headerBytes: 16 * 1024 };

/** The part of Fastify's options that is about connections. */
export function connectionOptions(limits: ConnectionLimits) {
  return {
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionTimeout: limits.silentMs,
    // A request without `Host` is refused here, as a problem like any other.
    http: {
      maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersMs, connectionsCheckingInterval: limits.checkMs, requireHostHeader: false,
      // RFC 9110 §7.8: an upgrade to anything else, such as h2c, is ignored, and the request answered as it is. Known to Node from 24.9 on; before, it is answered 404.
      shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
    },
  };
}

export function guardConnections(server: Server, limits: ConnectionLimits, isProxy: (address: string) => boolean = () => true): void {
  server.maxConnections = limits.connections;
  const byAddress = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (isProxy(address)) return;
    const sender = senderKey(address);
    const own = byAddress.get(sender) ?? 0;
    if (own >= limits.perAddress) {
      socket.destroy();
      return;
    }
    byAddress.set(sender, own + 1);
    socket.once('close', () => {
      const left = (byAddress.get(sender) ?? 1) - 1;
      if (left > 0) byAddress.set(sender, left);
      else byAddress.delete(sender);
    });
  });
  server.on('request', ({ socket }, response) => {
    const answers = underWay.get(socket) ?? new Set();
    underWay.set(socket, answers.add(response));
    response.once('close', () => answers.delete(response));
  });
  server.on('upgrade', ({ socket }) => {
    // An upgrade that is refused leaves a bare socket behind; ws lifts this limit from those that are accepted.
    socket.setTimeout(limits.requestMs, () => socket.destroy());
    // Behind a request that is not answered yet nobody can take it over: it would stay open, and keep the host from stopping.
    if (answersBefore(socket).length > 0) afterAnswers(socket, () => socket.destroy());
  });
  // Behind other requests on its connection, Node would write `100 Continue` between the head and the body of the answer. A client may not wait for it forever (RFC 9110 §10.1.1).
  server.on('checkContinue', (request, response) => {
    if (response.socket) response.writeContinue();
    server.emit('request', request, response);
  });
  // The same section: an expectation that is not known may be ignored; Node would answer 417 without a word.
  server.on('checkExpectation', (request, response) => void server.emit('request', request, response));
}

/** Runs at once, or when what came whole before on the same connection has been answered: answers go in the order of their requests. */
export function afterAnswers(socket: Duplex, then: () => void): void {
  const last = answersBefore(socket).at(-1);
  if (last) last.once('close', then);
  else then();
}

/** Answers being made, by connection, in the order of their requests. */
const underWay = new WeakMap<Duplex, Set<ServerResponse>>();

/** Those whose requests are complete: an answer to what is still arriving may never come. */
const answersBefore = (socket: Duplex): ServerResponse[] => [...(underWay.get(socket) ?? [])].filter(({ req }) => req.complete);

/**
 * What Node's parser lets pass although two readers of it may differ: versions but 1.0 and 1.1, chunks in a 1.0 request (RFC 9112 §6.1), no `Host` or two of them (§3.2), where a proxy in front
 * might have believed the other; and an address whose path the router and the rules about paths would not cut out alike. Throws REQUEST_MALFORMED.
 */
export function requireSoundRequest({ headers, rawHeaders, httpVersion, url = '' }: IncomingMessage): void {
  const refuse = (problem: string): never => {
    throw new GatehouseError('REQUEST_MALFORMED', { problem });
  };
  if (httpVersion !== '1.1' && httpVersion !== '1.0') refuse(`its version is ${httpVersion}; 1.1 and 1.0 are understood`);
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined) refuse('HTTP/1.0 has no Transfer-Encoding');
  if (httpVersion === '1.1' && headers.host === undefined) refuse('it has no Host header');
  if (url.includes('#')) refuse('its address has a fragment, which no request has (RFC 9112 §3.2)');
  if (!TARGET.test(url)) refuse('its address has no path');
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === 'host') hosts += 1;
  if (hosts > 1) refuse('it has more than one Host header');
}

/** A path, `*` of OPTIONS, or a whole address whose authority is followed by a path (RFC 9112 §3.2). */
const TARGET = /^(?:\/|\*$|[a-z][a-z0-9+.-]*:\/\/[^/?#]*\/)/i;

/** The name a request is addressed to: of an address in absolute form its own (RFC 9112 §3.2.2), else of `Host`. */
export function authorityOf({ url = '', headers }: IncomingMessage): string | undefined {
  return url.startsWith('/') ? headers.host : (/^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host);
}
