// RFC 9457 problem details from a typed error: the only shape in which the host tells an HTTP client no. Called by control plane and channel ingress.
import type { Problem } from '../schemas/control.ts';
import { GatehouseError, type ErrorCode, type Fields } from './errors.ts';
import { masked } from './log-redaction.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** What is told when nothing better is known; the cause goes to the log, never to the client. */
const UNEXPECTED = new GatehouseError('INTERNAL', { problem: 'see the host’s log' });

/** Retry advice for retryable refusals that name none, in milliseconds. */
const DEFAULT_RETRY_MS = 1000;

/** What a refusal quotes may be a credential that somebody put in the wrong place; refusals are kept by proxies, clients and people who ask for help. Members `reason`, `retryAfterMs`, `queue` and `depth` come from the error's fields of those names. */
export function toProblem(error: GatehouseError): Problem {
  const { reason, retryAfterMs, queue, depth } = error.fields;
  return {
    type: `https://gatehouse.dev/errors/${error.code}`,
    title: titleOf(error.code),
    status: error.row.httpStatus,
    detail: error.code === 'INTERNAL' ? UNEXPECTED.message : masked(error.message),
    code: error.code,
    ...(typeof reason === 'string' ? { reason: masked(reason) } : {}),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs: Math.ceil(retryAfterMs) } : error.row.retryable ? { retryAfterMs: DEFAULT_RETRY_MS } : {}),
    ...(typeof queue === 'string' ? { queue } : {}),
    ...(typeof depth === 'number' ? { depth } : {}),
  };
}

/** Headers that go with a problem: its media type, and Retry-After in whole seconds where it advises to retry. */
export function problemHeaders({ retryAfterMs }: Problem): Record<string, string> {
  return { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }) };
}

/** A whole answer: `problemAnswer('HOST_BUSY', { depth: 12 })`. */
export function problemAnswer(code: ErrorCode, fields: Fields = {}): { readonly status: number; readonly headers: Record<string, string>; readonly body: string } {
  const problem = toProblem(new GatehouseError(code, fields));
  return { status: problem.status, headers: problemHeaders(problem), body: JSON.stringify(problem) };
}

/** `DEAD_LETTER_NOT_FOUND` → `Dead letter not found`. */
function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
