// The command line's way to a running host: the socket and token in the data directory, or what --host names; one connection a request. Called by commands that need a host.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestOverTls, type RequestOptions } from 'node:https';
import { readAdminToken } from '../control/admin-token.ts';
import { fitsSocket, localSocketPath } from '../control/local-socket.ts';
import { ERRORS, GatehouseError, isErrorCode, problemOf, remedyOf } from '../errors.ts';
import { configOf } from './context.ts';
import { trustOwnCertificate } from './host-certificate.ts';
import type { ExitCode, Io } from './io.ts';
import { remoteWay } from './remote-way.ts';
import { isAlive, readRunFile } from './run-file.ts';

export interface HostClient {
  readonly address: string;
  /** The answer's JSON, in the shape the route promises. Throws HostSaidNo for a refusal and HOST_UNREACHABLE when nothing answers. */
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body?: unknown): Promise<Answer>;
  patch<Answer>(path: string, body: unknown): Promise<Answer>;
  put<Answer>(path: string, body: unknown): Promise<Answer>;
  delete<Answer>(path: string): Promise<Answer>;
  /** An answer that comes in pieces for as long as both sides want. Throws like the others. */
  stream(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage>;
}

/** A problem the host answered with; told like an error of our own. */
export class HostSaidNo extends Error {
  readonly code: string;
  readonly fix: string;
  readonly exitCode: ExitCode;

  constructor(code: string, detail: string) {
    super(detail);
    this.name = 'HostSaidNo';
    this.code = code;
    this.fix = remedyOf(code) ?? '';
    this.exitCode = isErrorCode(code) ? ERRORS[code].exitCode : 1;
  }
}

const TIMEOUT_MS = 30_000;

/** Throws HOST_UNREACHABLE when no host runs on this home's data directory. */
export function connect(io: Io): HostClient {
  const client = findHost(io);
  if (!client) throw new GatehouseError('HOST_UNREACHABLE', { home: configOf(io).home, problem: 'no host runs on its data directory' });
  return client;
}

/**
 * The host that --host names, else the one that runs on this home, else undefined. The token of a home goes only to its socket, and to an address whose
 * host process is alive: a port freed by a crash may be anyone's.
 */
export function findHost(io: Io): HostClient | undefined {
  if (io.options.host !== undefined) return clientAt(remoteWay(io, io.options.host));
  const { home, dataDir, policy } = configOf(io);
  const run = readRunFile(dataDir);
  const token = readAdminToken(dataDir);
  if (!run || token === undefined || !isAlive(run.pid)) return undefined;
  const socketPath = localSocketPath(dataDir);
  const local = fitsSocket(socketPath) && existsSync(socketPath) ? { socketPath } : {};
  return clientAt({ address: run.address, token, unreachable: (problem, cause) => new GatehouseError('HOST_UNREACHABLE', { home, problem }, { cause }), tls: trustOwnCertificate(policy), ...local });
}

/** Where a host answers, and what it is asked with. */
export interface Way {
  readonly address: string;
  readonly token: string;
  /** What is thrown when nothing answers. */
  readonly unreachable: (problem: string, cause: unknown) => GatehouseError;
  /** How its certificate is judged, where it answers over TLS. */
  readonly tls?: RequestOptions;
  /** Tried before the address. */
  readonly socketPath?: string;
}

/** For who knows the way already. */
export function clientAt(way: Way): HostClient {
  const asked = (method: string, path: string) => ({ way, path: `/api/v1${path}`, method });
  return {
    address: way.address,
    get: (path) => exchange(asked('GET', path)),
    post: (path, body) => exchangeOnce({ ...asked('POST', path), body }),
    patch: (path, body) => exchangeOnce({ ...asked('PATCH', path), body }),
    put: (path, body) => exchangeOnce({ ...asked('PUT', path), body }),
    delete: (path) => exchangeOnce(asked('DELETE', path)),
    stream: (path, headers) => open({ ...asked('GET', path), headers }),
  };
}

interface Exchange {
  readonly way: Way;
  readonly path: string;
  readonly method: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

async function exchange<Answer>(asked: Exchange): Promise<Answer> {
  return parse(await readWhole(await open(asked), asked.way)); // of a host that accepted our token: taken at its word
}

/** With a key of its own, so that it may be sent again when the connection broke before the answer: the host does it once, and answers twice. */
async function exchangeOnce<Answer>(asked: Exchange): Promise<Answer> {
  const keyed = { ...asked, headers: { ...asked.headers, 'idempotency-key': randomUUID() } };
  try {
    return await exchange<Answer>(keyed);
  } catch (thrown) {
    if (!wasCutOff(thrown)) throw thrown;
    return await exchange<Answer>(keyed);
  }
}

/** It may have arrived. One that was refused has not, and one that takes too long is still under way. */
function wasCutOff(thrown: unknown): boolean {
  const cause = thrown instanceof GatehouseError ? thrown.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
}

/** Resolves with the head of an answer that is no refusal. The timeout is for silence, however long the answer takes in all. */
async function open({ way, path, method, body, headers = {} }: Exchange): Promise<IncomingMessage> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const all = { authorization: `Bearer ${way.token}`, accept: 'application/json', ...headers, ...(bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}) };
  const answer = await send(way, path, { method, headers: all, agent: false, timeout: TIMEOUT_MS }, bytes);
  if ((answer.statusCode ?? 500) < 400) return answer;
  const content = parse(await readWhole(answer, way));
  throw new HostSaidNo(member(content, 'code') || 'INTERNAL', member(content, 'detail') || `The host answered ${answer.statusCode}.`);
}

/** Through the socket, where there is one; a host that could not open it has left at most one that refuses. */
async function send({ address, socketPath, tls = {}, unreachable }: Way, path: string, options: RequestOptions, bytes: Buffer | undefined): Promise<IncomingMessage> {
  const begin = (how: (answered: (answer: IncomingMessage) => void) => ClientRequest) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = how(resolve);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    outgoing.on('error', reject);
    outgoing.end(bytes);
    return promise;
  };
  try {
    if (socketPath !== undefined) {
      try {
        return await begin((answered) => request({ ...options, socketPath, path, host: 'localhost' }, answered));
      } catch (thrown) {
        if (!isRefused(thrown)) throw thrown;
      }
    }
    const url = `${address}${path}`;
    return await begin((answered) => (url.startsWith('https:') ? requestOverTls(url, { ...options, ...tls }, answered) : request(url, options, answered)));
  } catch (thrown) {
    throw unreachable(problemOf(thrown), thrown);
  }
}

/** Nobody took the connection, and so nobody the request. */
const isRefused = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && (thrown.code === 'ECONNREFUSED' || thrown.code === 'ENOENT');

async function readWhole(answer: IncomingMessage, { unreachable }: Way): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer) chunks.push(chunk);
  } catch (thrown) {
    throw unreachable(problemOf(thrown), thrown);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // answered by something that is no Gatehouse; the status says the rest
  }
}

function member(content: unknown, name: 'code' | 'detail'): string {
  return content instanceof Object && name in content ? String(Object(content)[name]) : '';
}
