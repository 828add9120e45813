// Every way a request can fail becomes problem+json here, Fastify's own refusals and Node's parser errors included. Called by server.ts.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatehouseError } from '../errors.ts';
import type { Log } from '../log.ts';
import { problemHeaders, toProblem } from '../problem.ts';
import { afterAnswers } from './connections.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Of a sender that asks for too much: it has its connection to make again. A proxy keeps its own, which others come by. */
const ENDS_CONNECTION: ReadonlySet<string> = new Set(['OVERLOADED', 'RATE_LIMITED', 'LOCKED_OUT', 'SOCKETS_FULL']);

/** The last word of a request that failed. What we did not foresee is logged here and told without detail. */
export function sendProblem(thrown: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const error = asGatehouseError(thrown, reply.request.routeOptions.bodyLimit);
  if (error.code === 'INTERNAL') log.error({ err: thrown, method: reply.request.method, route: reply.request.routeOptions.url, client: reply.request.client?.address }, 'a request failed unexpectedly');
  const problem = toProblem(error);
  if (typeof error.fields['allow'] === 'string') reply.header('allow', error.fields['allow']);
  if (typeof error.fields['etag'] === 'string') reply.header('etag', error.fields['etag']);
  if (ENDS_CONNECTION.has(error.code) && !reply.request.client?.isForwarded) reply.header('connection', 'close');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(problem.status).headers(SECURITY_HEADERS).headers(problemHeaders(problem)).send(Buffer.from(JSON.stringify(problem))); // as bytes: Fastify adds a charset to text, and RFC 9457's type has none
}

export function pathOf(request: Pick<FastifyRequest, 'url'>): string {
  const { url } = request;
  const end = url.indexOf('?');
  return (end === -1 ? url : url.slice(0, end)).slice(0, 200);
}

function asGatehouseError(thrown: unknown, bodyBytes: number): GatehouseError {
  if (thrown instanceof GatehouseError) return thrown;
  const { code, statusCode } = foreign(thrown);
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new GatehouseError('INGRESS_TOO_LARGE', { limit: bodyBytes }, { cause: thrown });
    case 'FST_ERR_HANDLER_TIMEOUT':
      return new GatehouseError('ANSWER_LATE', {}, { cause: thrown });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new GatehouseError('MEDIA_TYPE', {}, { cause: thrown });
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new GatehouseError('URL_TOO_LONG', {}, { cause: thrown });
    case 'FST_ERR_BAD_URL':
      return new GatehouseError('REQUEST_MALFORMED', { problem: 'its address has a broken percent escape' }, { cause: thrown });
    default:
      if (statusCode >= 400 && statusCode < 500) return new GatehouseError('REQUEST_MALFORMED', { problem: 'the body does not match its headers' }, { cause: thrown });
      return new GatehouseError('INTERNAL', { problem: 'its log tells more' }, { cause: thrown });
  }
}

function foreign(thrown: unknown): Pick<FastifyError, 'code'> & { readonly statusCode: number } {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const statusCode = thrown instanceof Error && 'statusCode' in thrown ? Number(thrown.statusCode) : 500;
  return { code, statusCode };
}

/**
 * A connection whose bytes are not HTTP, too many, or too slow: there is no request to answer, so the answer is written by hand and the connection ends.
 * Requests that came whole before it are answered first; a client would take this for the answer to the first of them.
 */
export function answerClientError(error: Error, socket: Socket): void {
  if (ending.has(socket)) return;
  ending.add(socket);
  afterAnswers(socket, () => endWithProblem(socket, 'code' in error ? error.code : undefined));
}

const ending = new WeakSet<Socket>();

/** A WebSocket handshake that its library refuses: a wrong key, version or protocol. */
export function refuseHandshake(error: Error, socket: Duplex): void {
  socket.once('finish', () => socket.destroy());
  writeProblem(socket, new GatehouseError('REQUEST_MALFORMED', { problem: error.message }, { cause: error }));
}

/** A WebSocket where there are none. */
export function refuseUpgrade(socket: Duplex, path: string): void {
  socket.once('finish', () => socket.destroy());
  writeProblem(socket, new GatehouseError('NOT_FOUND', { path }));
}

function endWithProblem(socket: Socket, code: unknown): void {
  // Of a handshake that failed, or never began: there is nobody to write to, and what is written would keep the connection open.
  const isTls = /^(ERR_(TLS|SSL)_|EPROTO)/.test(String(code));
  if (code === 'ECONNRESET' || isTls || !socket.writable) {
    socket.destroy();
    return;
  }
  writeProblem(socket,
    code === 'ERR_HTTP_REQUEST_TIMEOUT' ? new GatehouseError('REQUEST_TIMEOUT')
    : code === 'HPE_HEADER_OVERFLOW' ? new GatehouseError('HEADERS_TOO_LARGE')
    : new GatehouseError('REQUEST_MALFORMED', { problem: 'it cannot be parsed' }),
  );
}

function writeProblem(socket: Duplex, error: GatehouseError): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const headers = { ...SECURITY_HEADERS, ...problemHeaders(problem), 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n${head}\r\n${body}`);
}
