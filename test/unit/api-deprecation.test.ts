// How the API changes: what may never go without notice, what may after it, and how a route that is to go says so.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { breaksBetween } from '../../docs/api-changes.ts';
import { systemClock } from '../../host/clock.ts';
import { sendProblem } from '../../host/control/http-errors.ts';
import { mutationRecord } from '../../host/control/mutations.ts';
import { openApi } from '../../host/control/openapi/document.ts';
import { registerApi, type ApiRoute } from '../../host/control/routes/api.ts';
import { GatehouseError } from '../../host/errors.ts';
import { createLog } from '../../host/log.ts';
import { PluginView } from '../../schemas/control.ts';
import { aPlugin } from '../support/control-plane.ts';
import { tempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const TODAY = '2027-06-01';

interface Loose {
  [name: string]: Loose;
}

/** A small API, as a document. */
const before = () => ({
  paths: {
    '/things/{id}': {
      get: {
        operationId: 'getThing', security: [{ token: ['things:read'] }],
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }, { name: 'order', in: 'query', schema: { type: 'string', enum: ['up', 'down'] } }, { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100 } }],
        responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } } },
      },
      post: {
        operationId: 'changeThing', security: [{ token: ['things:write'] }],
        requestBody: { required: false, content: { 'application/json': { schema: { type: 'object', properties: { name: { type: 'string', maxLength: 100, pattern: '^[a-z]+$' }, note: { type: 'string' }, colour: { anyOf: [{ type: 'string', const: 'red' }, { type: 'string', const: 'blue' }] } }, required: ['name'] } } } },
        responses: { 202: { content: { 'application/json': { schema: { anyOf: [{ $ref: '#/components/schemas/Thing' }, { type: 'null' }] } } } } },
      },
    },
  },
  components: { schemas: { Thing: { type: 'object', properties: { kind: { type: 'string', const: 'thing' }, name: { type: 'string', maxLength: 100, pattern: '^[a-z]+$' }, state: { type: 'string', enum: ['new', 'old'] }, parts: { type: 'array', minItems: 1, items: { $ref: '#/components/schemas/Thing' } } }, required: ['name', 'state'] } } },
});
const edited = (edit: (api: Loose) => void) => {
  const api = before();
  edit(api as unknown as Loose);
  return api;
};
const get = (api: Loose) => (api as { paths: { '/things/{id}': { get: Loose } } }).paths['/things/{id}'].get;
const post = (api: Loose) => (api as { paths: { '/things/{id}': { post: Loose } } }).paths['/things/{id}'].post;
const body = (api: Loose) => post(api)['requestBody']?.['content']?.['application/json']?.['schema'] ?? {};
const thing = (api: Loose) => api['components']?.['schemas']?.['Thing'] ?? {};
const put = (target: Loose | undefined, name: string, value: unknown) => void Object.assign(target ?? {}, { [name]: value });
const drop = (target: Loose | undefined, name: string) => void delete target?.[name];

describe('what a release may not take away', () => {
  it.each<readonly [string, (api: Loose) => void, string]>([
    ['an operation', (api) => drop(api['paths']?.['/things/{id}'], 'get'), 'GET /things/{id} is gone'],
    ['a path', (api) => drop(api['paths'], '/things/{id}'), 'POST /things/{id} is gone'],
    ['the name of an operation', (api) => put(get(api), 'operationId', 'readThing'), 'GET /things/{id} was called getThing and is called readThing'],
    ['what its scope opens', (api) => put(get(api), 'security', [{ token: ['*'] }]), 'GET /things/{id} needs another scope'],
    ['a parameter', (api) => put(get(api), 'parameters', before().paths['/things/{id}'].get.parameters.filter(({ name }) => name !== 'order')), 'GET /things/{id} does not take ?order any more'],
    ['a word that a parameter takes', (api) => put(get(api)['parameters']?.['1']?.['schema'], 'enum', ['up']), "GET /things/{id} ?order is never 'down' any more"],
    ['a request without a new parameter', (api) => put(get(api), 'parameters', [...before().paths['/things/{id}'].get.parameters, { name: 'why', in: 'query', required: true, schema: { type: 'string' } }]), 'GET /things/{id} needs ?why'],
    ['a request without a body', (api) => put(post(api)['requestBody'], 'required', true), 'POST /things/{id} needs a body'],
    ['a request without a new member', (api) => put(body(api), 'required', ['name', 'note']), "POST /things/{id} body needs 'note'"],
    ['a member of a request', (api) => drop(body(api)['properties'], 'note'), "POST /things/{id} body has no 'note' any more"],
    ['the kind of a member of a request', (api) => put(body(api)['properties']?.['note'], 'type', 'integer'), 'POST /things/{id} body note was string and is integer'],
    ['a success', (api) => put(post(api), 'responses', { 200: before().paths['/things/{id}'].post.responses[202] }), 'POST /things/{id} does not answer 202 any more'],
    ['the form of an answer', (api) => put(get(api)['responses']?.['200'], 'content', { 'text/plain': { schema: { type: 'string' } } }), 'GET /things/{id} 200 is not application/json any more'],
    ['a member of an answer', (api) => drop(thing(api)['properties'], 'state'), "GET /things/{id} 200 has no 'state' any more"],
    ['the certainty of a member of an answer', (api) => put(thing(api), 'required', ['name']), "GET /things/{id} 200 may come without 'state'"],
    ['a word of an answer', (api) => put(thing(api)['properties']?.['state'], 'enum', ['new']), "GET /things/{id} 200 state is never 'old' any more"],
    ['a kind of an answer', (api) => put(post(api)['responses']?.['202']?.['content']?.['application/json']?.['schema'], 'anyOf', [{ $ref: '#/components/schemas/Thing' }]), 'POST /things/{id} 202 was null and is object'],
    ['the only word of an answer', (api) => put(thing(api)['properties']?.['kind'], 'const', 'other'), "GET /things/{id} 200 kind is never 'thing' any more"],
    ['a word that is a variant of its own', (api) => put(body(api)['properties']?.['colour'], 'anyOf', [{ type: 'string', const: 'red' }]), "POST /things/{id} body colour is never 'blue' any more"],
    ['any word at all', (api) => put(body(api)['properties']?.['note'], 'const', 'hello'), 'POST /things/{id} body note takes only some words now'],
    ['the length of what is sent', (api) => put(body(api)['properties']?.['name'], 'maxLength', 1), 'POST /things/{id} body name had maxLength 100 and has maxLength 1'],
    ['the length of what is sent, where there was no bound', (api) => put(body(api)['properties']?.['note'], 'maxLength', 1000), 'POST /things/{id} body note had no maxLength and has maxLength 1000'],
    ['something empty that is sent', (api) => put(body(api)['properties']?.['note'], 'minLength', 1), 'POST /things/{id} body note had no minLength and has minLength 1'],
    ['a number that a parameter takes', (api) => put(get(api)['parameters']?.['2']?.['schema'], 'maximum', 10), 'GET /things/{id} ?limit had maximum 100 and has maximum 10'],
    ['what a new pattern refuses', (api) => put(body(api)['properties']?.['note'], 'pattern', '^a'), 'POST /things/{id} body note had no pattern and has pattern ^a'],
    ['what another pattern may refuse', (api) => put(body(api)['properties']?.['name'], 'pattern', '^a'), 'POST /things/{id} body name had pattern ^[a-z]+$ and has pattern ^a'],
    ['members that are not named', (api) => put(body(api), 'additionalProperties', false), 'POST /things/{id} body takes no other members any more'],
    ['members of any kind that are not named', (api) => put(body(api), 'additionalProperties', { type: 'string' }), 'POST /things/{id} body[] was anything and is string'],
    ['a length that an answer keeps to', (api) => put(thing(api)['properties']?.['name'], 'maxLength', 200), 'GET /things/{id} 200 name had maxLength 100 and has maxLength 200'],
    ['a least number of parts', (api) => drop(thing(api)['properties']?.['parts'], 'minItems'), 'GET /things/{id} 200 parts had minItems 1 and has no minItems'],
    ['a pattern that an answer keeps to', (api) => drop(thing(api)['properties']?.['name'], 'pattern'), 'GET /things/{id} 200 name had pattern ^[a-z]+$ and has no pattern'],
    ['what the parts of an answer are', (api) => drop(thing(api)['properties']?.['parts'], 'items'), 'GET /things/{id} 200 parts[] may be anything now'],
  ])('%s', (_what, edit, said) => {
    expect(breaksBetween(before(), edited(edit), TODAY)).toContain(said);
  });

  it('is no bound that grows for those who send or shrinks for those who read', () => {
    const eased = edited((api) => {
      put(body(api)['properties']?.['name'], 'maxLength', 200);
      drop(body(api)['properties']?.['name'], 'pattern');
      put(body(api)['properties']?.['colour'], 'anyOf', ['red', 'blue', 'green'].map((word) => ({ type: 'string', const: word })));
      put(get(api)['parameters']?.['2']?.['schema'], 'maximum', 1000);
      put(thing(api), 'additionalProperties', false);
      put(thing(api)['properties']?.['name'], 'maxLength', 50);
      put(thing(api)['properties']?.['parts'], 'minItems', 2);
    });
    expect(breaksBetween(before(), eased, TODAY)).toEqual([]);
  });

  it('is nothing of what is merely added', () => {
    const grown = edited((api) => {
      put(api['paths'], '/more', { get: { operationId: 'getMore', responses: {} } });
      put(thing(api)['properties'], 'colour', { type: 'string' });
      put(thing(api)['properties']?.['state'], 'enum', ['new', 'old', 'lost']);
      put(body(api)['properties'], 'size', { type: 'string' });
    });
    expect(breaksBetween(before(), grown, TODAY)).toEqual([]);
    expect(breaksBetween(before(), before(), TODAY)).toEqual([]);
  });

  it.each<readonly [string, (api: Loose, sunset: string) => void, (api: Loose) => void]>([
    ['an operation', (api, sunset) => put(get(api), 'x-sunset', sunset), (api) => drop(api['paths']?.['/things/{id}'], 'get')],
    ['a parameter', (api, sunset) => put(get(api)['parameters']?.['1']?.['schema'], 'x-sunset', sunset), (api) => put(get(api), 'parameters', before().paths['/things/{id}'].get.parameters.filter(({ name }) => name !== 'order'))],
    ['a member', (api, sunset) => put(thing(api)['properties']?.['parts'], 'x-sunset', sunset), (api) => drop(thing(api)['properties'], 'parts')],
    ['a word', (api, sunset) => put(thing(api)['properties']?.['state'], 'x-sunset-values', { old: sunset }), (api) => put(thing(api)['properties']?.['state'], 'enum', ['new'])],
  ])('may be %s that was announced to go, and not a day before', (_what, announce, take) => {
    const announced = (sunset: string) => edited((api) => announce(api, sunset));
    expect(breaksBetween(announced('2027-05-31'), edited(take), TODAY)).toEqual([]);
    expect(breaksBetween(announced('2027-06-01'), edited(take), TODAY)).not.toEqual([]);
    expect(breaksBetween(before(), edited(take), TODAY)).not.toEqual([]);
  });

  it('is held against the last release by `npm run check`, by name', async () => {
    expect(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))).toMatchObject({ scripts: { 'check:schemas': expect.stringContaining('node docs/check-api.ts') } });
    await using folder = await tempDir();
    const other = join(folder.path, 'baseline.json');
    const released = JSON.parse(await readFile(join(ROOT, 'docs/api-baseline.json'), 'utf8')) as Loose;
    put(released['paths'], '/api/v1/forgotten', { get: { operationId: 'getForgotten', responses: {} } });
    await writeFile(other, JSON.stringify(released));
    const check = (...words: readonly string[]) => promisify(execFile)(process.execPath, [join(ROOT, 'docs/check-api.ts'), ...words]).then(() => ({ code: 0, stderr: '' }), (error: { readonly code: number; readonly stderr: string }) => error);
    expect(await check()).toMatchObject({ code: 0 });
    expect(await check('--against', other)).toMatchObject({ code: 1, stderr: expect.stringContaining('GET /api/v1/forgotten is gone') });
  });
});

describe('a route that is to go', () => {
  const route: ApiRoute = {
    id: 'getExtension', method: 'GET', path: '/extensions/:instance', scope: 'plugins:read',
    summary: 'One instance, under its earlier name.',
    deprecated: { since: '2027-01-15', sunset: '2027-09-01', instead: '/plugins/:instance' },
    answer: PluginView,
    run: ({ params }) => {
      if (params['instance'] === 'nobody') throw new GatehouseError('PLUGIN_NOT_FOUND', { instance: 'nobody' });
      return aPlugin({ instance: params['instance'] ?? '' });
    },
  };

  it('says so in every answer of its own, and where its successor is', async () => {
    const log = createLog('error');
    const app = Fastify();
    app.decorateRequest('principal', null);
    app.setErrorHandler((error, _request, reply) => sendProblem(error, reply, log));
    const { deprecated: _, ...staying } = route;
    // A GET is not written to the log.
    const nothing = () => Promise.reject(new Error('nothing is changed here'));
    const audit = { append: nothing };
    const idempotency = { carryOut: nothing, [Symbol.asyncDispose]: async () => undefined };
    await app.register(async (api) => registerApi(api, [route, { ...staying, id: 'getPlugin', path: '/plugins/:instance' }], { mutations: mutationRecord(audit, systemClock, log), idempotency }), { prefix: '/api/v1' });
    const address = await app.listen({ port: 0, host: '127.0.0.1' });
    try {
      for (const [name, status] of [['a-b', 200], ['nobody', 404]] as const) {
        const answer = await fetch(`${address}/api/v1/extensions/${name}`);
        expect([answer.status, answer.headers.get('deprecation'), answer.headers.get('sunset'), answer.headers.get('link')]).toEqual([
          status, '@1799971200', 'Wed, 01 Sep 2027 00:00:00 GMT', `</docs>; rel="deprecation"; type="text/html", </api/v1/plugins/${name}>; rel="successor-version"`,
        ]);
      }
      expect((await fetch(`${address}/api/v1/plugins/a-b`)).headers.get('deprecation')).toBeNull();
    } finally {
      await app.close();
    }
  });

  it('says so in the document, with the day', () => {
    expect(openApi([route]).paths).toMatchObject({ '/api/v1/extensions/{instance}': { get: { deprecated: true, 'x-sunset': '2027-09-01', description: expect.stringContaining('use `/plugins/:instance`'), responses: { 200: { headers: { Deprecation: {}, Sunset: {}, Link: {} } } } } } });
  });
});
