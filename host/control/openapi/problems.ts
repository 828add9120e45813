// Which refusals a route may give, and how each looks: problem details rendered from the table of errors itself. operation.ts asks.
import { ERRORS, GatehouseError, type ErrorCode, type Fields } from '../../errors.ts';
import { PROBLEM_TYPE, toProblem } from '../../problem.ts';
import type { DescribedRoute } from '../routes/api.ts';

/** Before anything of a request is looked at, by `network/`: is it sound, is it for this host, may it come this way, is there room. */
export const AT_THE_DOOR: readonly ErrorCode[] = ['REQUEST_MALFORMED', 'MISDIRECTED', 'TLS_REQUIRED', 'CLIENT_CERTIFICATE', 'FUNNEL_UNEXPECTED', 'RATE_LIMITED', 'OVERLOADED', 'STOPPING'];
/** Whatever is asked of the API: no token or a wrong one, too many wrong ones, a query that is not taken. */
const ANY: readonly ErrorCode[] = ['REQUEST_INVALID', ...AT_THE_DOOR, 'UNAUTHENTICATED', 'LOCKED_OUT'];
const WITH_PARAMETERS: readonly ErrorCode[] = ['URL_TOO_LONG'];
const WITH_BODY: readonly ErrorCode[] = ['JSON_INVALID', 'JSON_DUPLICATE_KEY', 'JSON_FORBIDDEN_KEY', 'JSON_TOO_DEEP', 'JSON_ENCODING', 'INGRESS_TOO_LARGE', 'MEDIA_TYPE'];
/** Everything that changes something is written to the transparency log first, and may carry an idempotency key. */
const MUTATING: readonly ErrorCode[] = ['AUDIT_BUSY', 'STORE_FAILED', 'IDEMPOTENCY_REUSED', 'IDEMPOTENCY_UNDERWAY', 'IDEMPOTENCY_UNCERTAIN', 'IDEMPOTENCY_ANSWER_GONE'];

/** Every code of a route that has one of its own status; what is not among them is an accident and under `default`. */
export function codesOf({ method, path, scope, body, tagged, guards, errors = [] }: DescribedRoute): readonly ErrorCode[] {
  return [...new Set([...ANY, ...(scope === 'any' ? [] : ['FORBIDDEN'] as const), ...(path.includes(':') ? WITH_PARAMETERS : []), ...(body ? WITH_BODY : []), ...(method === 'GET' ? [] : MUTATING), ...(tagged || guards !== undefined ? ['PRECONDITION_FAILED'] as const : []), ...errors])];
}

/** Responses by status, and under `default` what is left. */
export function refusals(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = [...Map.groupBy(codes, (code) => ERRORS[code].httpStatus)].toSorted(([a], [b]) => a - b);
  return {
    ...Object.fromEntries(byStatus.map(([status, of]) => [status, of.length === 1 && of[0] !== undefined ? { $ref: `#/components/responses/${of[0]}` } : response(of)])),
    default: { $ref: '#/components/responses/INTERNAL' },
  };
}

/** What `refusals` refers to, for every code that a document names. */
export function problemComponents(codes: ReadonlySet<ErrorCode>, responses: ReadonlySet<ErrorCode>) {
  const sorted = [...codes].toSorted();
  return {
    responses: Object.fromEntries(sorted.filter((code) => responses.has(code)).map((code) => [code, response([code])])),
    examples: Object.fromEntries(sorted.map((code) => [code, example(code)])),
  };
}

function response(codes: readonly ErrorCode[]) {
  const headers = {
    ...ANSWER_HEADERS,
    ...(codes.some((code) => ERRORS[code].httpStatus === 401) ? { 'WWW-Authenticate': { $ref: '#/components/headers/WWW-Authenticate' } } : {}),
    ...(codes.includes('PRECONDITION_FAILED') ? { ETag: { $ref: '#/components/headers/ETag' } } : {}),
    ...(codes.some((code) => ERRORS[code].retryable) ? { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } : {}),
  };
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers,
    content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' }, examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])) } },
  };
}

function example(code: ErrorCode) {
  const { message, fix } = ERRORS[code];
  const named = new Set([...`${message} ${fix}`.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  const error = new GatehouseError(code, Object.fromEntries(Object.entries(SAMPLES).filter(([name]) => named.has(name))));
  return { summary: error.fix, value: toProblem(error) };
}

/** Of every answer of the host. */
export const ANSWER_HEADERS = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } };

export const HEADERS = {
  ETag: { description: 'The tag of what is there now.', schema: { type: 'string' } },
  'WWW-Authenticate': { description: 'How to ask: `Bearer`.', schema: { type: 'string' } },
  'X-Request-Id': { description: 'The id of this request, as log lines and traces carry it: the one that was sent, or a new one.', schema: { type: 'string' } },
  'Retry-After': { description: 'Seconds after which the same request may succeed.', schema: { type: 'integer', minimum: 1 } },
};

/** What fills the templates of the table in examples. */
const SAMPLES: Fields = {
  instance: 'faq', gate: 'wordlist', handler: 'directory', state: 'active', from: 'active', to: 'active', id: '01K9ZC3T7Q0000000000000000', key: 'webhook:c1', target: 'ada', index: 900, digest: `sha256:${'9f86d081'.repeat(8)}`, name: '20261121T105012Z',
  kind: 'skill', header: 'if-match', etag: '"pR5tq0wVxkWm3mE2h8cQ1A"', path: '/reason', problem: 'it is not what it should be', remedy: 'Correct it.', source: 'the request body', line: 1, column: 9, offset: 8, nearest: '', method: 'PUT', at: '2026-11-21T10:50:12.000Z', file: 'faq.json', what: 'plugin acme.weather <2', issuer: 'example',
  scope: 'plugins:write', known: 'did you mean plugins:read?', paths: '/trust/allow', diff: 'log.level was "info" and is "debug"', hash: 'sha256:1c0f…', expected: 'sha256:1c0f…', found: 'sha256:9a2b…', actual: 'sha256:9a2b…',
  limit: 64, size: 65, depth: 64, waiting: 10_000, perSecond: 20, who: 'address', reason: 'no names here', reviewer: 'ada', approvals: 'one approval',
};
