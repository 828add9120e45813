// The API behind its token, whatever is asked of it: bodies, queries and ids against a running host.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAdminToken } from '../../host/control/admin-token.ts';
import { apiRoutes } from '../../host/control/server.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { expectDocumented, openDoor, type OpenDoor } from '../support/open-door.ts';
import { exchange } from '../support/raw-http.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { AWKWARD_KEYS, AWKWARD_TEXTS, jsonBytes } from './arbitraries/json.ts';

const door = fuzzDoor('api');
/** A send is answered with its outcome, for which it waits up to ten seconds. */
const SENDING = { quietMs: 20_000, patienceMs: 25_000 };
let open: OpenDoor;
beforeAll(async () => {
  open = await openDoor();
});
afterAll(() => open[Symbol.asyncDispose]());

const word = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('webhook', 'webchat', 'echo', 'c', 'conv', '1', '200', '201', '0', '-1', '1e2', 'inbound', 'outbound', 'delivered', 'x'.repeat(150), 'x'.repeat(3000)) }, { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_KEYS, ...AWKWARD_TEXTS).filter((text) => text.isWellFormed()) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) });
const QUERIES = ['cursor', 'limit', 'instance', 'conversation', 'outcome', 'direction', '__proto__', 'constructor', 'x', 'limit[]', 'limit[a]'];

describe('the API, whatever is asked of it', () => {
  it('answers as documented, and never with a failure of its own', async () => {
    const token = readAdminToken(open.gatehouse.host.config.dataDir) ?? '';
    const routes = apiRoutes(open.gatehouse.host);
    const bodyOf = (schema: object | undefined) => fc.oneof({ weight: 4, arbitrary: schema ? edited(fitting(schema, { channel: fc.constantFrom('webhook', 'webchat', 'nobody', 'echo'), reason: fc.constantFrom('because', '') })) : jsonBytes() }, { weight: 1, arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.from('null'), Buffer.alloc(300_000, ' '), Buffer.from('[]')) });
    const request = fc.constantFrom(...routes).chain(({ method, path, body }) =>
      fc.record({
        path: fc.array(word, { minLength: 2, maxLength: 2 }).map((words) => path.split('/').map((part) => (part.startsWith(':') ? encodeURIComponent(words[part.length % 2] ?? '') : part)).join('/')),
        method: fc.oneof({ weight: 6, arbitrary: fc.constant(method) }, { weight: 1, arbitrary: fc.constantFrom('PUT', 'PATCH', 'GET', 'DELETE', 'HEAD') }),
        query: fc.array(fc.tuple(fc.constantFrom(...QUERIES), word), { maxLength: 3 }).map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`)),
        body: method === 'GET' ? fc.constant(Buffer.alloc(0)) : bodyOf(body),
        type: fc.constantFrom('application/json', 'application/json', 'application/json', 'application/json; charset=utf-8', 'text/plain', ''),
      }));
    await door.holds({ runs: 60, given: fc.array(request, { minLength: 1, maxLength: 12, size: 'max' }) }, async (requests) => {
      door.tried(requests.length - 1);
      await Promise.all(requests.map(async ({ method, path, query, body, type }) => {
        const head = [`${method} /api/v1${path}${query} HTTP/1.1`, 'host: 127.0.0.1', 'connection: close', `authorization: Bearer ${token}`, ...(type === '' ? [] : [`content-type: ${type}`]), `content-length: ${body.length}`, '', ''].join('\r\n');
        const { answers } = await exchange(open.address, [Buffer.from(head), body], SENDING);
        expect(answers).toHaveLength(1);
        answers.forEach(expectDocumented);
      }));
      await open.healthy();
    });
    await open.deserted();
  });
});
