// Requests with an idempotency key through HTTP: carried out once, answered as often as asked, and refused where the key means something else.
import { hash } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientAt } from '../../host/cli/client.ts';
import { GatehouseError } from '../../host/errors.ts';
import { KEPT_MS, createIdempotency } from '../../host/control/idempotency.ts';
import { systemClock } from '../../host/clock.ts';
import { put, type Put } from '../../host/store/store.ts';
import { requestKeys } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { aClockAhead } from '../support/hand-clock.ts';
import { aPlugin, startTestControl, type TestControl } from '../support/control-plane.ts';

describe('a request with a key', () => {
  let control: TestControl;
  const clock = aClockAhead();
  beforeAll(async () => void (control = await startTestControl({ clock, plugins: [aPlugin(), aPlugin({ instance: 'clock' })] })));
  afterAll(() => control[Symbol.asyncDispose]());

  const post = (path: string, key: string, body?: unknown, token: true | string = true) =>
    control.call('POST', `/api/v1${path}`, { token, headers: { 'idempotency-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const asked = (what: string) => control.asked.filter((each) => each.startsWith(what)).length;

  it('is carried out once, and answered the same again', async () => {
    const before = asked('disable echo');
    const first = await post('/plugins/echo/disable', 'once', { reason: 'noise' });
    const again = await post('/plugins/echo/disable', 'once', { reason: 'noise' });
    expect(first).toMatchObject({ status: 200, json: { instance: 'echo' } });
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    expect(again).toMatchObject({ status: 200, json: first.json, headers: { 'idempotency-replayed': 'true' } });
    expect(asked('disable echo')).toBe(before + 1);
  });

  it('is the same whatever the order of its keys', async () => {
    await post('/messages', 'order', { channel: 'hook', to: 'c', text: 'hi' });
    expect((await post('/messages', 'order', { text: 'hi', to: 'c', channel: 'hook' })).headers).toHaveProperty('idempotency-replayed');
  });

  it.each([
    ['another body', '/plugins/echo/disable', { reason: 'other' }],
    ['another address of the same route', '/plugins/clock/disable', { reason: 'noise' }],
    ['another route', '/plugins/echo/release', { reason: 'noise' }],
  ])('with %s is refused with what came first', async (_what, path, body) => {
    await post('/plugins/echo/disable', 'taken', { reason: 'noise' });
    const { status, json } = await post(path, 'taken', body);
    expect({ status, ...json }).toMatchObject({ status: 409, code: 'IDEMPOTENCY_REUSED', detail: expect.stringMatching(/used at 20\d\d-.* for POST \/plugins\/:instance\/disable/) });
  });

  it('that was refused may be mended and sent again', async () => {
    expect((await post('/plugins/nobody/enable', 'mended')).status).toBe(404);
    expect((await post('/plugins/echo/disable', 'mended', {})).status).toBe(400);
    expect((await post('/plugins/echo/disable', 'mended', { reason: 'now right' })).status).toBe(200);
  });

  it('belongs to the token that sent it', async () => {
    const other = (await control.call('POST', '/api/v1/tokens', { token: true, headers: { 'content-type': 'application/json' }, body: '{"label":"other","scopes":["plugins:write"]}' })).json as { token: string };
    await post('/plugins/echo/enable', 'mine');
    const theirs = await post('/plugins/clock/enable', 'mine', undefined, other.token);
    expect(theirs.status).toBe(200);
    expect(theirs.headers).not.toHaveProperty('idempotency-replayed');
  });

  it('that made a secret is not told it again, and no secret is kept', async () => {
    const body = { label: 'scraper', scopes: ['metrics:read'] };
    const made = (await post('/tokens', 'secret', body)).json as { token: string };
    const again = await post('/tokens', 'secret', body);
    expect({ status: again.status, ...again.json }).toMatchObject({ status: 409, code: 'IDEMPOTENCY_ANSWER_GONE' });
    const rows = await control.host.store.range(requestKeys, requestKeys.prefix());
    expect(JSON.stringify(rows)).not.toContain(made.token.split('_').slice(2).join('_'));
    const { items } = (await control.call('GET', '/api/v1/tokens?scope=metrics:read', { token: true })).json as { items: { label: string }[] };
    expect(items.filter(({ label }) => label === 'scraper')).toHaveLength(1);
  });

  it.each(['', ' ', 'x'.repeat(256), 'a b', 'schlüssel'])('that is no key is refused: %j', async (key) => {
    expect(await post('/plugins/echo/enable', Buffer.from(key).toString('latin1'))).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
  });

  it('begun before a crash is not begun again', async () => {
    const [tokenId = ''] = control.adminToken.split('_').slice(1);
    await post('/plugins/echo/enable', 'crashed');
    const key = requestKeys.key(tokenId, hash('sha256', 'crashed'));
    const row = await control.host.store.get(requestKeys, key);
    if (!row) throw new Error('the key is not kept');
    const { answer: _, ...begun } = row.value;
    await control.host.store.commit({ put: [put(requestKeys, key, { ...begun, state: 'begun' })] });
    const before = asked('enable');
    expect(await post('/plugins/echo/enable', 'crashed')).toMatchObject({ status: 409, json: { code: 'IDEMPOTENCY_UNCERTAIN' } });
    expect(asked('enable')).toBe(before);
  });

  it('is forgotten after a day', async () => {
    await post('/plugins/echo/enable', 'daily');
    clock.turn(KEPT_MS);
    expect((await post('/plugins/clock/enable', 'daily')).headers).not.toHaveProperty('idempotency-replayed');
  });
});

describe('two requests with one key at the same time', () => {
  it('are one, and the other is told to come again; what may be tried again frees the key', async () => {
    await using control = await startTestControl();
    const { store, log } = control.host;
    await using keys = createIdempotency(store, systemClock, log);
    const request = { tokenId: 't', key: 'k', method: 'POST', path: '/p', address: '/p', body: { a: 1 } };
    const gate = Promise.withResolvers<{ done: number }>();
    const first = keys.carryOut(request, {}, () => gate.promise);
    await expect(keys.carryOut(request, {}, () => ({ done: 2 }))).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDERWAY' });
    gate.resolve({ done: 1 });
    expect(await first).toEqual({ answer: { done: 1 }, replayed: false });
    expect(await keys.carryOut(request, {}, () => ({ done: 3 }))).toEqual({ answer: { done: 1 }, replayed: true });

    const away = { ...request, key: 'away' };
    await expect(keys.carryOut(away, {}, () => Promise.reject(new GatehouseError('STORE_FAILED', { problem: 'full' })))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await keys.carryOut(away, {}, () => ({ done: 4 }))).toEqual({ answer: { done: 4 }, replayed: false });
    const broken = { ...request, key: 'broken' };
    await expect(keys.carryOut(broken, {}, () => Promise.reject(new Error('half way')))).rejects.toThrow('half way');
    await expect(keys.carryOut(broken, {}, () => ({ done: 5 }))).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNCERTAIN' });
  });
});

describe('the keys of one token', () => {
  it('are bounded by themselves: a flood of them pushes out none of another token', async () => {
    await using control = await startTestControl();
    const { store, log } = control.host;
    await using keys = createIdempotency(store, systemClock, log, { perToken: 20, all: 1000 });
    const send = (tokenId: string, key: string) => keys.carryOut({ tokenId, key, method: 'POST', path: '/p', address: '/p', body: {} }, {}, () => ({ of: tokenId }));
    const kept = async (tokenId: string) => (await store.range(requestKeys, requestKeys.prefix(tokenId), { limit: 500 })).length;
    await send('quiet', 'mine');
    for (let index = 0; index < 100; index += 1) await send('loud', `flood-${index}`);
    await eventually(async () => {
      await send('loud', `more-${await kept('loud')}`);
      expect(await kept('loud')).toBeLessThanOrEqual(21);
    });
    expect(await send('quiet', 'mine')).toEqual({ answer: { of: 'quiet' }, replayed: true });
  });
});

describe('a command whose connection breaks before the answer', () => {
  it('is sent again with its key by itself, and is carried out once', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    let broken = 0;
    const between = createServer((incoming, outgoing) => {
      const onward = request(`${control.control.address}${incoming.url}`, { method: incoming.method, headers: { ...incoming.headers, host: new URL(control.control.address).host } }, (answer) => {
        if (broken === 0 && incoming.method === 'POST') {
          broken += 1;
          answer.resume().on('end', () => incoming.socket.destroy());
        } else answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
      });
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => void between.listen(0, '127.0.0.1', resolve));
    const { port } = between.address() as AddressInfo;
    const client = clientAt({ address: `http://127.0.0.1:${port}`, token: control.adminToken, unreachable: (problem, cause) => new GatehouseError('HOST_UNREACHABLE', { home: '', problem }, { cause }) });
    expect(await client.post('/plugins/echo/disable', { reason: 'noise' })).toMatchObject({ instance: 'echo' });
    expect(broken).toBe(1);
    expect(control.asked.filter((each) => each.startsWith('disable echo'))).toHaveLength(1);
    between.closeAllConnections();
    between.close();
  });
});

describe('the end of a request with a key', () => {
  it('does not free the key of what was made, though a refusal came after it', async () => {
    await using control = await startTestControl();
    const { store, log } = control.host;
    await using keys = createIdempotency(store, systemClock, log);
    const request = { tokenId: 't', key: 'made', method: 'POST', path: '/p', address: '/p', body: undefined };
    const made = async (bind: (name: string) => Put) => {
      await store.commit({ put: [bind('m1')] });
      throw new GatehouseError('STOPPING');
    };
    await expect(keys.carryOut(request, {}, made)).rejects.toMatchObject({ code: 'STOPPING' });
    expect(await keys.carryOut(request, { resume: (name) => `what became of ${name}` }, () => 'made twice')).toEqual({ answer: 'what became of m1', replayed: true });
  });

  it('keeps an answer of up to 64 KiB, and of a longer one only that it was given', async () => {
    await using control = await startTestControl();
    const { store, log } = control.host;
    await using keys = createIdempotency(store, systemClock, log);
    const request = (key: string) => ({ tokenId: 't', key, method: 'POST', path: '/p', address: '/p', body: undefined });
    const answer = 'x'.repeat(64 * 1024 - 2);
    await keys.carryOut(request('fits'), {}, () => answer);
    expect(await keys.carryOut(request('fits'), {}, () => 'again')).toEqual({ answer, replayed: true });
    expect(await keys.carryOut(request('longer'), {}, () => `${answer}x`)).toMatchObject({ replayed: false });
    await expect(keys.carryOut(request('longer'), {}, () => 'again')).rejects.toMatchObject({ code: 'IDEMPOTENCY_ANSWER_GONE' });
  });
});
