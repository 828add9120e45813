// The command line's way to a running host: address and token from the data directory, one connection a command. Called by commands that need a host.
import { request, type IncomingMessage } from 'node:http';
import { request as requestOverTls, type RequestOptions } from 'node:https';
import { readAdminToken } from '../control/admin-token.ts';
import { ERRORS, GatehouseError, isErrorCode, problemOf, remedyOf } from '../errors.ts';
import { configOf } from './context.ts';
import { trustOwnCertificate } from './host-certificate.ts';
import type { ExitCode, Io } from './io.ts';
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

/** The running host, or undefined. The token goes only to an address whose host process is alive: a port freed by a crash may be anyone's. */
export function findHost(io: Io): HostClient | undefined {
  const { home, dataDir, policy } = configOf(io);
  const run = readRunFile(dataDir);
  const token = readAdminToken(dataDir);
  if (!run || token === undefined || !isAlive(run.pid)) return undefined;
  return clientAt({ address: run.address, token, home, tls: trustOwnCertificate(policy) });
}

/** Where a host answers, and what it is asked with; `home` names it in messages. */
export interface Way {
  readonly address: string;
  readonly token: string;
  readonly home: string;
  /** How its certificate is judged, where it answers over TLS. */
  readonly tls?: RequestOptions;
}

/** For who knows the way already. */
export function clientAt({ address, token, home, tls = {} }: Way): HostClient {
  const asked = (method: string, path: string) => ({ url: `${address}/api/v1${path}`, method, token, home, tls });
  return {
    address,
    get: (path) => exchange(asked('GET', path)),
    post: (path, body) => exchange({ ...asked('POST', path), body }),
    patch: (path, body) => exchange({ ...asked('PATCH', path), body }),
    put: (path, body) => exchange({ ...asked('PUT', path), body }),
    delete: (path) => exchange(asked('DELETE', path)),
    stream: (path, headers) => open({ ...asked('GET', path), headers }),
  };
}

interface Exchange {
  readonly url: string;
  readonly method: string;
  readonly token: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly home: string;
  readonly tls: RequestOptions;
}

async function exchange<Answer>(asked: Exchange): Promise<Answer> {
  return parse(await readWhole(await open(asked), asked.home)); // our own host's, proven by the token it accepted: taken at its word
}

/** Resolves with the head of an answer that is no refusal. The timeout is for silence, however long the answer takes in all. */
async function open({ url, method, token, body, headers = {}, home, tls }: Exchange): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const all = { authorization: `Bearer ${token}`, accept: 'application/json', ...headers, ...(bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}) };
  const how = { method, headers: all, agent: false, timeout: TIMEOUT_MS } as const;
  const outgoing = url.startsWith('https:') ? requestOverTls(url, { ...how, ...tls }, resolve) : request(url, how, resolve);
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
  outgoing.on('error', (error) => reject(unreachable(home, error)));
  outgoing.end(bytes);
  const answer = await promise;
  if ((answer.statusCode ?? 500) < 400) return answer;
  const content = parse(await readWhole(answer, home));
  throw new HostSaidNo(member(content, 'code') || 'INTERNAL', member(content, 'detail') || `The host answered ${answer.statusCode}.`);
}

async function readWhole(answer: IncomingMessage, home: string): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer) chunks.push(chunk);
  } catch (error) {
    throw unreachable(home, error);
  }
  return Buffer.concat(chunks).toString();
}

const unreachable = (home: string, cause: unknown) => new GatehouseError('HOST_UNREACHABLE', { home, problem: problemOf(cause) }, { cause });

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
