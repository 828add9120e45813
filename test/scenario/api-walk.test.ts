// A walk over the served /openapi.json against a running host: every operation succeeds, and refuses whoever has no token, the wrong one, or asks what makes no sense; each answer is held against the document.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readApiDocument, type ApiDocument, type ApiOperation } from '../support/api-document.ts';
import { callHttp } from '../support/control-plane.ts';
import { anApiWorld, CASES, ELSEWHERE, NOBODY, type ApiCase, type ApiWorld } from './api-world.ts';

let world: ApiWorld;
let api: ApiDocument;
let admin: string;
let powerless: string;

beforeAll(async () => {
  world = await anApiWorld();
  const { host, address } = world.gatehouse;
  api = readApiDocument((await callHttp(address, 'GET', '/openapi.json')).text);
  admin = readFileSync(resolve(host.config.dataDir, 'admin-token'), 'utf8').trim();
  powerless = (await world.gatehouse.api('/tokens', { method: 'POST', body: { label: 'nothing', scopes: [] } })).json<{ token: string }>().token;
});
afterAll(() => world[Symbol.asyncDispose]());

interface Asked extends ApiCase {
  readonly method?: string;
  readonly token?: string | null;
}

/** Asks, and gives back the answer with what is wrong with it by the document. */
async function ask(operation: ApiOperation, { method = operation.method, params = {}, query, body, headers = {}, token = admin }: Asked) {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? NOBODY[name] ?? 'nothing'));
  const response = await fetch(`${world.gatehouse.address}${path}${query === undefined ? '' : `?${query}`}`, {
    method,
    redirect: 'manual',
    headers: { ...(token === null || operation.scope === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const contentType = response.headers.get('content-type') ?? '';
  const text = contentType.startsWith('text/event-stream') ? await firstOf(response) : await response.text();
  const code = contentType.includes('problem+json') ? String((JSON.parse(text) as { code?: unknown }).code) : undefined;
  return { status: response.status, text, code, etag: response.headers.get('etag'), allow: response.headers.get('allow'), fault: pathIn(operation, response.status, text) ?? api.faultOf(operation, { status: response.status, contentType, text }) };
}

/** What shows an operator a place on the machine, to go there: docs/api.md names them. No refusal does. */
const TELLS_A_PLACE = new Set(['getStatus', 'listQuarantine', 'getQuarantine', 'getEvidence', 'createBackup', 'listBackups', 'getBackup', 'deleteBackup']);

function pathIn({ id }: ApiOperation, status: number, text: string): string | undefined {
  const { home } = world.gatehouse.host.config;
  return (status >= 400 || !TELLS_A_PLACE.has(id)) && text.includes(home) ? `tells the path ${home}: ${text.slice(0, 300)}` : undefined;
}

/** Of a stream, all up to where it has told what it has. */
async function firstOf(response: Response): Promise<string> {
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.includes(': caught up')) break;
  }
  return text;
}

/** Every operation with what comes of `look`, where that is not what was to be. */
async function everywhere(wanted: (operation: ApiOperation) => boolean, look: (operation: ApiOperation, given: ApiCase) => Promise<string | undefined>): Promise<string[]> {
  const wrong: string[] = [];
  for (const operation of api.operations.filter(({ id }) => !Object.hasOwn(ELSEWHERE, id)).filter(wanted)) {
    const fault = await look(operation, {});
    if (fault !== undefined) wrong.push(`${operation.id}: ${fault}`);
  }
  return wrong;
}

/** What is wrong with how an operation keeps to tags: 304 for who has the answer, 412 for who decided by another state, and nothing is done then. */
async function conditional(operation: ApiOperation, given: ApiCase): Promise<string[]> {
  const takes = (header: string) => operation.parameters.some(({ name }) => name === header);
  const told: string[] = [];
  const expectStatus = (status: number, answer: { readonly status: number; readonly fault: string | undefined; readonly etag: string | null; readonly text: string }) => {
    if (answer.status !== status || answer.etag === null || answer.fault !== undefined) told.push(`${operation.id}: ${answer.fault ?? `answered ${answer.status}, not ${status}, with the tag ${answer.etag}: ${answer.text.slice(0, 200)}`}`);
  };
  if (takes('If-None-Match')) {
    expectStatus(200, await ask(operation, given));
    expectStatus(304, await ask(operation, { ...given, headers: { 'if-none-match': '*' } }));
  }
  // What a code stands for is shown to nobody: only by its id is there something to compare with.
  if (takes('If-Match') && given.params?.['code'] === undefined) expectStatus(412, await ask(operation, { ...given, headers: { 'if-match': '"of-another-state"' } }));
  return told;
}

const refusedAs = (status: number, codes: readonly string[], answer: { readonly status: number; readonly code: string | undefined; readonly fault: string | undefined; readonly text: string }) =>
  answer.fault ?? (answer.status === status && codes.includes(answer.code ?? '') ? undefined : `answered ${answer.status} ${answer.text.slice(0, 200)}`);
const isApi = ({ path }: ApiOperation) => path.startsWith('/api/');

describe('every operation of /openapi.json', () => {
  it('has a case, and no case is about an operation that is not there', () => {
    const ids = api.operations.map(({ id }) => id);
    expect([...Object.keys(CASES), ...Object.keys(ELSEWHERE)].toSorted()).toEqual(ids.toSorted());
    for (const file of Object.values(ELSEWHERE)) expect(readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8')).toContain('/media/');
  });

  it('answers 401 without a token and with a wrong one', async () => {
    expect(await everywhere(({ scope }) => scope !== undefined, async (operation) => refusedAs(401, ['UNAUTHENTICATED'], await ask(operation, { token: null })))).toEqual([]);
    expect(await everywhere(({ id }) => id === 'getStatus', async (operation) => refusedAs(401, ['UNAUTHENTICATED'], await ask(operation, { token: 'ght_0000000000000000_wrong' })))).toEqual([]);
  });

  it('answers 403 to a token without its scope', async () => {
    expect(await everywhere(({ scope }) => scope !== undefined && scope !== '', async (operation) => refusedAs(403, ['FORBIDDEN'], await ask(operation, { token: powerless })))).toEqual([]);
  });

  it('answers 400 to a query it does not know, and to values that do not fit', async () => {
    expect(await everywhere(isApi, async (operation) => refusedAs(400, ['REQUEST_INVALID'], await ask(operation, { query: 'colour=red', ...(operation.hasBody ? { body: {} } : {}) })))).toEqual([]);
    const fussy = (operation: ApiOperation) => operation.parameters.find((parameter) => parameter.in === 'query' && (parameter.schema.type === 'integer' || parameter.schema.enum !== undefined || parameter.schema.format !== undefined));
    expect(await everywhere((operation) => fussy(operation) !== undefined, async (operation) => refusedAs(400, ['REQUEST_INVALID'], await ask(operation, { query: `${fussy(operation)?.name}=nonsense!` })))).toEqual([]);
  });

  it('answers 400 to a body that does not fit, 415 to one of another type, 413 to one too large', async () => {
    const takesBody = (operation: ApiOperation) => isApi(operation) && operation.hasBody;
    for (const body of ['[]', '{"__proto__":1}', '{', '{"colour":"red"}']) {
      expect(await everywhere(takesBody, async (operation) => refusedAs(400, ['REQUEST_INVALID', 'JSON_FORBIDDEN_KEY', 'JSON_INVALID'], await ask(operation, { body })))).toEqual([]);
    }
    expect(await everywhere(takesBody, async (operation) => refusedAs(415, ['MEDIA_TYPE'], await ask(operation, { body: 'colour: red', headers: { 'content-type': 'text/yaml' } })))).toEqual([]);
    expect(await everywhere(takesBody, async (operation) => refusedAs(413, ['INGRESS_TOO_LARGE'], await ask(operation, { body: `"${'x'.repeat(300_000)}"` })))).toEqual([]);
  });

  it('answers 405 to a method that its path does not list, and says which it does', async () => {
    expect(await everywhere(isApi, async (operation) => {
      const listed = api.methodsAt(operation.path);
      const method = ['PUT', 'DELETE', 'PATCH', 'POST'].find((each) => !listed.includes(each)) ?? 'OPTIONS';
      const { status, code, allow } = await ask(operation, { method });
      const allowed = (allow ?? '').split(', ').filter((each) => each !== 'HEAD');
      return status === 405 && code === 'METHOD_NOT_ALLOWED' && allowed.toSorted().join() === listed.toSorted().join() ? undefined : `answered ${status} ${code}, allow ${allow}`;
    })).toEqual([]);
  });

  it.each([
    ['a value that does not fit', { log: { level: 'loud' } }],
    ['a key that nobody knows', { colour: 'red' }],
    ['a file of trust that is not there', { network: { tls: { clientCa: 'nowhere.pem' } } }],
  ])('tells no path of the machine when it refuses settings with %s', async (_, patch) => {
    const operation = (id: string) => api.operations.find((each) => each.id === id) as ApiOperation;
    const { hash, written } = await world.get<{ hash: string; written: object }>('/config');
    const answers = [await ask(operation('patchConfig'), { body: { baseHash: hash, patch } }), await ask(operation('replaceConfig'), { body: { baseHash: hash, config: { ...written, ...patch } } }), await ask(operation('validateConfig'), { body: { config: { ...written, ...patch } } })];
    expect(answers.map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
    for (const { text } of answers) expect(text).toMatch(/SCHEMA_|CONFIG_|NETWORK_|TLS_/);
  });

  it('answers 404 to a name that nothing has', async () => {
    // How the messages of a session wait may be said before its first one.
    const takesAny = new Set(['setLaneMode', 'interruptLane']);
    const bodies: Readonly<Record<string, unknown>> = { replayDeadLetter: {}, rotateToken: {} };
    expect(await everywhere((operation) => isApi(operation) && operation.path.includes('{') && !takesAny.has(operation.id), async (operation) => {
      const answer = await ask(operation, { params: NOBODY, ...(operation.hasBody ? { body: bodies[operation.id] ?? { reason: 'nobody' } } : {}) });
      return answer.fault ?? (answer.status === 404 && answer.code !== 'NOT_FOUND' ? undefined : `answered ${answer.status} ${answer.text.slice(0, 200)}`);
    })).toEqual([]);
  });

  it('succeeds, and answers as the document says', async () => {
    const wrong: string[] = [];
    for (const [id, given] of Object.entries(CASES)) {
      const operation = api.operations.find((each) => each.id === id);
      if (!operation) continue;
      const asked = await given(world);
      wrong.push(...(await conditional(operation, asked)));
      const answer = await ask(operation, asked);
      const fits = operation.status === '2XX' ? answer.status < 300 : String(answer.status) === operation.status;
      if (!fits || answer.fault !== undefined) wrong.push(`${id}: ${answer.fault ?? `answered ${answer.status}, not ${operation.status}: ${answer.text.slice(0, 300)}`}`);
      if (answer.text.startsWith('{') && !answer.text.includes('\n')) world.answers.set(id, JSON.parse(answer.text) as Record<string, string>);
    }
    expect(wrong).toEqual([]);
  });
});
