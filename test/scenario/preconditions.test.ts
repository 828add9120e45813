// Entity tags through HTTP on a real host: what an operator decides by a state is done to that state or not at all, whoever else decides at the same moment.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PluginView } from '../../schemas/control.ts';
import { callHttp, type Answer } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';

const parrot = { kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: message.text }] }) } });`, manifest: { skill: {} } } as const;

let home: TestHome;
let gatehouse: Gatehouse;
let admin: string;

beforeAll(async () => {
  home = await aHome([{ name: 'parrot', ...parrot }, { name: 'macaw', ...parrot }, { name: 'finch', ...parrot }]);
  gatehouse = await startGatehouse(home);
  admin = readFileSync(resolve(gatehouse.host.config.dataDir, 'admin-token'), 'utf8').trim();
});
afterAll(async () => {
  await gatehouse[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

interface Asked {
  readonly body?: object;
  readonly token?: string;
  readonly [header: `if-${string}` | `idempotency-${string}`]: string;
}

function call(method: string, path: string, { body, token = admin, ...headers }: Asked = {}): Promise<Answer> {
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  return callHttp(gatehouse.address, method, `/api/v1${path}`, { token, headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...text });
}
const tagAt = async (path: string): Promise<string> => String((await call('GET', path)).headers['etag']);
const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status).toSorted();
const refused = (path: string) => ({ status: 400, json: { code: 'REQUEST_INVALID', detail: expect.stringContaining(path) } });

describe('a GET of one thing', () => {
  it('names its state, and answers 304 without a body while it is the same', async () => {
    const first = await call('GET', '/config');
    const tag = String(first.headers['etag']);
    expect(tag).toMatch(/^"[\w-]{22}\.[\w-]{22}"$/);
    for (const given of [tag, `"other", ${tag}`, `W/${tag}`, '*']) expect(await call('GET', '/config', { 'if-none-match': given })).toMatchObject({ status: 304, text: '', headers: { etag: tag } });
    expect(await call('GET', '/config', { 'if-none-match': '"other"' })).toMatchObject({ status: 200, headers: { etag: tag } });
    expect(await call('HEAD', '/config', { 'if-none-match': tag })).toMatchObject({ status: 304 });
  });

  it('has another tag after a change, and answers whole', async () => {
    const before = await call('GET', '/config');
    const tag = String(before.headers['etag']);
    expect(await call('PATCH', '/config', { 'if-match': tag, body: { baseHash: before.json?.['hash'], patch: { log: { level: 'warn' } } } })).toMatchObject({ status: 200 });
    expect(await call('GET', '/config', { 'if-none-match': tag })).toMatchObject({ status: 200 });
  });
});

describe('a mutation with If-Match', () => {
  it('is refused with the tag of what is there now, changes nothing, and is in the audit log as refused', async () => {
    const tag = await tagAt('/plugins/finch');
    const answer = await call('POST', '/plugins/finch/disable', { 'if-match': '"seen-yesterday"', body: { reason: 'noise' } });
    expect(answer).toMatchObject({ status: 412, headers: { 'content-type': 'application/problem+json' }, json: { code: 'PRECONDITION_FAILED' } });
    // By its state: what counts up by itself may have moved on.
    expect(String(answer.headers['etag']).split('.')[0]).toBe(tag.split('.')[0]);
    expect((await call('GET', '/plugins/finch')).json).toMatchObject({ state: 'active' });
    expect((await call('GET', '/audit?resource=/plugins/finch/disable&limit=1')).json).toMatchObject({ items: [{ outcome: 'refused', resource: '/plugins/finch/disable', detail: { code: 'PRECONDITION_FAILED' } }] });
  });

  it('lets one of many through that decide by the same state', async () => {
    const tag = await tagAt('/plugins/parrot');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => call('POST', '/plugins/parrot/disable', { 'if-match': tag, body: { reason: `operator ${index}` } })));
    expect(statuses(answers)).toEqual([200, 412, 412, 412, 412, 412]);
  });

  it('lets one of many through that rotate the same token', async () => {
    const { id } = (await call('POST', '/tokens', { body: { label: 'a bot', scopes: ['status:read'] } })).json ?? {};
    const tag = await tagAt(`/tokens/${String(id)}`);
    const answers = await Promise.all(Array.from({ length: 6 }, () => call('POST', `/tokens/${String(id)}/rotate`, { 'if-match': tag, body: {} })));
    expect(statuses(answers).filter((status) => status === 201)).toHaveLength(1);
    expect(statuses(answers).every((status) => status === 201 || status === 412 || status === 409)).toBe(true);
  });

  it('is not refused for what changes by itself', async () => {
    const { id, token } = (await call('POST', '/tokens', { body: { label: 'a poller', scopes: ['status:read'] } })).json ?? {};
    const tag = await tagAt(`/tokens/${String(id)}`);
    expect(await call('GET', '/status', { token: String(token) })).toMatchObject({ status: 200 });
    await eventually(async () => expect((await call('GET', `/tokens/${String(id)}`)).json).toHaveProperty('lastUsedAt'));
    expect(await call('GET', `/tokens/${String(id)}`, { 'if-none-match': tag })).toMatchObject({ status: 200 });
    expect(await call('POST', `/tokens/${String(id)}/revoke`, { 'if-match': tag })).toMatchObject({ status: 200 });
  });

  it('does not match by a weak tag, nor by one that only has part of it', async () => {
    const tag = await tagAt('/plugins/macaw');
    for (const given of [`W/${tag}`, `"${tag.slice(1, 12)}"`, '""', `"${tag.split('.')[1] ?? ''}`]) expect(await call('POST', '/plugins/macaw/disable', { 'if-match': given, body: { reason: 'noise' } })).toMatchObject({ status: 412 });
  });

  it('answers a repetition with a key as before, although the state has moved on', async () => {
    const tag = await tagAt('/plugins/macaw');
    const once = () => call('POST', '/plugins/macaw/quarantine', { 'if-match': tag, 'idempotency-key': 'one-quarantine', body: { reason: 'odd' } });
    const first = await once();
    expect(first).toMatchObject({ status: 200, json: { state: 'quarantined' } satisfies Partial<PluginView> });
    expect(await once()).toMatchObject({ status: 200, json: first.json, headers: { 'idempotency-replayed': 'true' } });
  });

  it('tells nothing of a state to a token that may not look at it', async () => {
    const { token } = (await call('POST', '/tokens', { body: { label: 'only writes', scopes: ['plugins:write'] } })).json ?? {};
    const answer = await call('POST', '/plugins/parrot/enable', { 'if-match': '"a-guess"', token: String(token) });
    expect(answer).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
    expect(answer.headers).not.toHaveProperty('etag');
  });

  it.each([['no quotes', 'tag'], ['one quote', '"open'], ['no comma', '"a" "b"'], ['a small w', 'w/"a"'], ['nothing', ''], ['nothing after a comma', '"a",'], ['a long one without an end', `"${'x'.repeat(4000)}`]])('is refused where the header is no list of tags: %s', async (_, given) => {
    expect(await call('POST', '/plugins/parrot/enable', { 'if-match': given })).toMatchObject(refused('if-match'));
  });

  it('is refused where nothing has a tag, and not carried out as if it were without', async () => {
    expect(await call('POST', '/tokens', { 'if-match': '"a"', body: { label: 'never made', scopes: [] } })).toMatchObject(refused('if-match'));
    expect((await call('GET', '/tokens')).text).not.toContain('never made');
  });

  it('is 404 for what is not there, as without it', async () => {
    expect(await call('POST', '/plugins/nobody/disable', { 'if-match': '*', body: { reason: 'noise' } })).toMatchObject({ status: 404, json: { code: 'PLUGIN_NOT_FOUND' } });
  });
});
