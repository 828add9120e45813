// What answers without a token: health, metrics, the document itself, channels and stored files. Registered elsewhere, each by its own file; described here by hand.
import { Type, type TSchema } from 'typebox';
import { text } from '../../../schemas/closed.ts';
import { InstanceName } from '../../../schemas/ids.ts';
import { LiveView, ReadinessView } from '../../../schemas/status.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Components } from './components.ts';
import { ANSWER_HEADERS, AT_THE_DOOR, refusals } from './problems.ts';

const CHANNEL: readonly ErrorCode[] = [...AT_THE_DOOR, 'INGRESS_SIGNATURE', 'INGRESS_BODY', 'INGRESS_NOT_FOUND', 'NOT_FOUND', 'INGRESS_TOO_LARGE', 'HOST_BUSY', 'INSTANCE_UNAVAILABLE', 'CALL_FAILED', 'RESULT_INVALID'];
const FILE: readonly ErrorCode[] = [...AT_THE_DOOR, 'NOT_FOUND', 'HOST_BUSY'];

/** Every code that these operations name. */
export const PUBLIC_CODES: readonly ErrorCode[] = [...new Set<ErrorCode>([...CHANNEL, ...FILE, 'UNAUTHENTICATED', 'FORBIDDEN'])];

export function publicPaths(components: Components): Readonly<Record<string, object>> {
  const refer = (schema: TSchema) => components.refer(schema);
  const json = (schema: object) => ({ 'application/json': { schema } });
  const readiness = { content: json(refer(ReadinessView)) };
  return {
    '/healthz': { get: open('getHealth', 'host', 'Whether the process answers.', { 200: { description: 'It lives.', content: json(refer(LiveView)) }, ...refusals(AT_THE_DOOR) }) },
    '/readyz': {
      get: open('getReadiness', 'host', 'Whether every required plugin is active.', {
        ...refusals(AT_THE_DOOR),
        200: { description: 'Ready.', ...readiness },
        503: { description: 'Not ready, or stopping.', content: { ...readiness.content, ...problem } },
      }),
    },
    '/metrics': {
      get: {
        ...open('getMetrics', 'host', 'Measurements in the text format of Prometheus.', { 200: { description: 'As of now.', content: { 'text/plain': { schema: { type: 'string' } } } }, ...refusals([...AT_THE_DOOR, 'UNAUTHENTICATED', 'FORBIDDEN']) }),
        description: 'Open to everybody in profile `local`; else it needs the scope `metrics:read`.',
        security: [{}, { token: ['metrics:read'] }],
      },
    },
    '/openapi.json': { get: open('getOpenApi', 'host', 'This document.', { 200: { description: 'OpenAPI 3.1.', content: json({ type: 'object' }) }, ...refusals(AT_THE_DOOR) }) },
    '/channels/{instance}/{path}': {
      parameters: [
        { name: 'instance', in: 'path', required: true, description: 'The name of a channel instance.', schema: refer(InstanceName) },
        { name: 'path', in: 'path', required: true, description: 'What the channel calls it; it may hold slashes.', schema: refer(Type.String()) },
      ],
      get: channel('readFromChannel', 'A page, a file or an answer of a channel.'),
      post: channel('postToChannel', 'What a service or a page sends to a channel.', true),
      put: channel('putToChannel', 'As POST, where a channel declares it.', true),
      delete: channel('deleteFromChannel', 'As POST, where a channel declares it.'),
    },
    '/media/{address}': {
      parameters: [{ name: 'address', in: 'path', required: true, description: 'The rest of a signed address, as the host made it; it holds slashes.', schema: refer(text(2000)) }],
      get: {
        ...open('getFile', 'host', 'A stored file, for whoever has a signed address of it.', {
          200: { description: 'The file.', content: { '*/*': { schema: { type: 'string', contentEncoding: 'binary' } } } },
          206: { description: 'The range that was asked for.', content: { '*/*': { schema: { type: 'string', contentEncoding: 'binary' } } } },
          ...refusals(FILE),
        }),
      },
    },
  };
}

const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

function open(operationId: string, tag: string, summary: string, responses: Readonly<Record<string, object>>) {
  const named = Object.entries(responses).map(([status, response]): [string, object] => [status, '$ref' in response ? response : { headers: ANSWER_HEADERS, ...response }]);
  return { operationId, tags: [tag], summary, security: [], responses: Object.fromEntries(named) };
}

/** Routes, bodies and answers are the channel's; who may use it is decided by the verification that its manifest declares. */
function channel(operationId: string, summary: string, hasBody = false) {
  return {
    ...open(operationId, 'channels', summary, { '2XX': { description: 'Whatever the channel answers.', content: { '*/*': { schema: {} } } }, ...refusals(CHANNEL) }),
    description: 'Routes, bodies and answers are those of the channel, and so is the proof of who sends: its manifest says.',
    ...(hasBody ? { requestBody: { required: false, content: { '*/*': { schema: {} } } } } : {}),
  };
}
