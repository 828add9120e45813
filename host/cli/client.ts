// The command line's way to a running host: address and token from the data directory, one connection a command. Called by commands that need a host.
import { request } from 'node:http';
import { readAdminToken } from '../control/admin-token.ts';
import { ERRORS, GatehouseError, isErrorCode, problemOf, remedyOf } from '../errors.ts';
import { configOf } from './context.ts';
import type { ExitCode, Io } from './io.ts';
import { isAlive, readRunFile } from './run-file.ts';

export interface HostClient {
  readonly address: string;
  /** The answer's JSON, in the shape the route promises. Throws HostSaidNo for a refusal and HOST_UNREACHABLE when nothing answers. */
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body?: unknown): Promise<Answer>;
  delete<Answer>(path: string): Promise<Answer>;
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
  const { home, dataDir } = configOf(io);
  const run = readRunFile(dataDir);
  const token = readAdminToken(dataDir);
  if (!run || token === undefined || !isAlive(run.pid)) return undefined;
  const call = <Answer>(method: string, path: string, body?: unknown) => exchange<Answer>({ url: `${run.address}/api/v1${path}`, method, token, body, home });
  return { address: run.address, get: (path) => call('GET', path), post: (path, body) => call('POST', path, body), delete: (path) => call('DELETE', path) };
}

interface Exchange {
  readonly url: string;
  readonly method: string;
  readonly token: string;
  readonly body: unknown;
  readonly home: string;
}

function exchange<Answer>({ url, method, token, body, home }: Exchange): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const unreachable = (problem: string, cause?: unknown) => reject(new GatehouseError('HOST_UNREACHABLE', { home, problem }, { cause }));
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', ...(bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}) };
  const outgoing = request(url, { method, headers, agent: false, timeout: TIMEOUT_MS }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', (error) => unreachable(problemOf(error), error));
    answer.on('end', () => {
      const content = parse(Buffer.concat(chunks).toString()); // our own host's, proven by the token it accepted: taken at its word
      if ((answer.statusCode ?? 500) < 400) resolve(content);
      else reject(new HostSaidNo(member(content, 'code') || 'INTERNAL', member(content, 'detail') || `The host answered ${answer.statusCode}.`));
    });
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
  outgoing.on('error', (error) => unreachable(problemOf(error), error));
  outgoing.end(bytes);
  return promise;
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
