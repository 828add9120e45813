// The routes of the control plane as a script sees them: shapes, refusals, headers, names it answers to, and how it ends.
import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aChannel, aPlugin, callHttp, startTestControl } from '../support/control-plane.ts';

const aDeadLetter = { id: 'd1', messageId: 'm1', instance: 'echo', conversation: 'c', direction: 'outbound', stage: 'deliver', code: 'DELIVERY_FAILED', reason: 'no', attempts: 3, at: '2026-11-21T00:00:00.000Z' } as const;
const JSON_BODY = { 'content-type': 'application/json' };

describe('health', () => {
  it('is live without a token, and ready with its degraded plugins', async () => {
    const degraded = [{ instance: 'weather', state: 'rejected', code: 'PACKAGE_NOT_FOUND', message: 'No package at /home/operator' }] as const;
    await using control = await startTestControl({ degraded });
    expect(await control.call('GET', '/healthz')).toMatchObject({ status: 200, json: { live: true } });
    expect(await control.call('GET', '/readyz')).toMatchObject({ status: 200, json: { ready: true, degraded } });
  });

  it('answers 503 while a required plugin is missing', async () => {
    await using control = await startTestControl({ ready: false });
    expect(await control.call('GET', '/readyz')).toMatchObject({ status: 503, json: { ready: false } });
  });

  it('keeps messages to itself on a network', async () => {
    await using control = await startTestControl({ config: { profile: 'lan' }, degraded: [{ instance: 'weather', state: 'rejected', code: 'PACKAGE_NOT_FOUND', message: 'No package at /home/operator' }] });
    const { text, json } = await control.call('GET', '/readyz');
    expect(json).toEqual({ ready: true, degraded: [{ instance: 'weather', state: 'rejected', code: 'PACKAGE_NOT_FOUND' }] });
    expect(text).not.toContain('/home/operator');
  });

  it('shows metrics to everyone in profile local and to scrapers with a token elsewhere', async () => {
    await using local = await startTestControl();
    expect((await local.call('GET', '/metrics')).text).toContain('gatehouse_ready 1');
    await using lan = await startTestControl({ config: { profile: 'lan' } });
    expect((await lan.call('GET', '/metrics')).status).toBe(401);
    expect((await lan.call('GET', '/metrics', { token: true })).status).toBe(200);
  });
});

describe('the API', () => {
  it('lists plugins and shows one', async () => {
    await using control = await startTestControl({ plugins: [aPlugin(), aPlugin({ instance: 'clock' })] });
    expect((await control.call('GET', '/api/v1/plugins', { token: true })).json).toEqual({ items: [aPlugin({ instance: 'clock' }), aPlugin()], cursor: null });
    expect((await control.call('GET', '/api/v1/plugins/clock', { token: true })).json).toEqual(aPlugin({ instance: 'clock' }));
    expect(await control.call('GET', '/api/v1/plugins/nobody', { token: true })).toMatchObject({ status: 404, json: { code: 'PLUGIN_NOT_FOUND' } });
  });

  it('moves plugins and says who asked', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    const body = JSON.stringify({ reason: 'sends nonsense' });
    for (const verb of ['disable', 'quarantine', 'release']) expect((await control.call('POST', `/api/v1/plugins/echo/${verb}`, { token: true, body, headers: JSON_BODY })).status).toBe(200);
    expect((await control.call('POST', '/api/v1/plugins/echo/enable', { token: true })).status).toBe(200);
    const actor = `token:${control.adminToken.split('_')[1]}`;
    expect(control.asked).toEqual([`disable echo ${actor} sends nonsense`, `quarantine echo ${actor} sends nonsense`, `release echo ${actor} sends nonsense`, `enable echo ${actor}`]);
  });

  it('sends a message and tells its outcome, a denial too', async () => {
    await using control = await startTestControl({ sent: { messageId: 'm9', outcome: 'denied', code: 'REPLY_DENIED', reason: 'a rule' } });
    const answer = await control.call('POST', '/api/v1/messages', { token: true, body: JSON.stringify({ channel: 'hook', to: 'c', text: 'hi' }), headers: JSON_BODY });
    expect(answer).toMatchObject({ status: 200, json: { messageId: 'm9', outcome: 'denied', reason: 'a rule' } });
    expect(control.asked).toEqual(['send hook c hi']);
  });

  it('passes filters on and refuses those it does not know', async () => {
    await using control = await startTestControl();
    await control.call('GET', '/api/v1/messages?instance=hook&direction=inbound&limit=7', { token: true });
    expect(control.asked).toEqual(['list {"instance":"hook","direction":"inbound","limit":7}']);
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'direction=up', 'colour=red', 'limit=1&limit=2', '__proto__=1']) {
      expect(await control.call('GET', `/api/v1/messages?${query}`, { token: true })).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    }
  });

  it('replays and drops dead letters', async () => {
    await using control = await startTestControl({ deadLetters: [aDeadLetter] });
    expect((await control.call('GET', '/api/v1/dead-letters', { token: true })).json).toEqual({ items: [aDeadLetter], cursor: null });
    expect(await control.call('POST', '/api/v1/dead-letters/d1/replay', { token: true })).toMatchObject({ status: 202, json: { id: 'd1', messageId: 'm1', status: 'replayed' } });
    expect(await control.call('DELETE', '/api/v1/dead-letters/d1', { token: true })).toMatchObject({ status: 200, json: { id: 'd1' } });
    expect(await control.call('GET', '/api/v1/dead-letters/d2', { token: true })).toMatchObject({ status: 404, json: { code: 'DEAD_LETTER_NOT_FOUND' } });
  });

  it.each([
    ['an unknown path', 'GET', '/api/v1/nothing', {}, 404, 'NOT_FOUND'],
    ['a wrong method', 'PUT', '/api/v1/status', {}, 405, 'METHOD_NOT_ALLOWED'],
    ['a body of another type', 'POST', '/api/v1/messages', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415, 'MEDIA_TYPE'],
    ['a missing body', 'POST', '/api/v1/messages', {}, 400, 'REQUEST_INVALID'],
    ['broken JSON', 'POST', '/api/v1/messages', { body: '{', headers: JSON_BODY }, 400, 'JSON_INVALID'],
    ['a duplicate key', 'POST', '/api/v1/messages', { body: '{"channel":"a","channel":"b","to":"c","text":"t"}', headers: JSON_BODY }, 400, 'JSON_DUPLICATE_KEY'],
    ['a forbidden key', 'POST', '/api/v1/messages', { body: '{"__proto__":{"admin":true},"channel":"a","to":"c","text":"t"}', headers: JSON_BODY }, 400, 'JSON_FORBIDDEN_KEY'],
    ['an unknown key', 'POST', '/api/v1/messages', { body: '{"channel":"a","to":"c","text":"t","loud":true}', headers: JSON_BODY }, 400, 'REQUEST_INVALID'],
    ['a body that is too large', 'POST', '/api/v1/messages', { body: `"${'x'.repeat(300_000)}"`, headers: JSON_BODY }, 413, 'INGRESS_TOO_LARGE'],
    ['a broken percent escape', 'GET', '/api/v1/%zz', {}, 400, 'REQUEST_MALFORMED'],
  ] as const)('tells %s as a problem', async (_name, method, path, options, status, code) => {
    await using control = await startTestControl();
    const answer = await control.call(method, path, { ...options, token: true });
    expect(answer.json).toMatchObject({ code, status, type: `https://gatehouse.dev/errors/${code}`, title: expect.any(String), detail: expect.any(String) });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it('names the methods that a path does answer', async () => {
    await using control = await startTestControl();
    expect((await control.call('PUT', '/api/v1/status', { token: true })).headers.allow).toBe('GET, HEAD');
    expect((await control.call('DELETE', '/api/v1/messages', { token: true })).headers.allow).toBe('GET, HEAD, POST');
  });

  it('describes itself to everyone, each route with its scope, its body and its answer', async () => {
    await using control = await startTestControl();
    const { status, json } = await control.call('GET', '/openapi.json');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      openapi: '3.1.1',
      paths: {
        '/api/v1/messages': { get: { parameters: expect.arrayContaining([expect.objectContaining({ name: 'cursor', in: 'query' })]) }, post: { requestBody: { required: true, content: { 'application/json': { schema: { $ref: '#/components/schemas/SendMessageBody' } } } }, responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Sent' } } } } } } },
        '/api/v1/plugins/{instance}/quarantine': { post: { operationId: 'quarantinePlugin', security: [{ token: ['review'] }], parameters: expect.arrayContaining([expect.objectContaining({ name: 'instance', in: 'path', required: true })]) } },
      },
      components: { schemas: { Problem: { required: expect.arrayContaining(['code', 'status']) }, SendMessageBody: { anyOf: [{ required: ['channel', 'to', 'text'] }, { required: ['session', 'text'] }, { required: ['identity', 'text'] }] } } },
    });
  });

  it('answers nothing about itself when it fails: no stack, no path, no cause', async () => {
    await using control = await startTestControl({ channels: [aChannel({ http: () => Promise.reject(new Error('secret of /home/operator')) })] });
    const answer = await control.call('POST', '/channels/hook/messages', { body: 'x' });
    expect(answer).toMatchObject({ status: 500, json: { code: 'INTERNAL' } });
    expect(answer.text).not.toContain('operator');
  });

  it('answers bytes that are not HTTP with a problem and hangs up', async () => {
    await using control = await startTestControl();
    expect(await raw(control.control.address, 'hello there\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*REQUEST_MALFORMED/);
  });
});

/** Writes bytes to the control plane and returns all it answers. */
async function raw(address: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(address).port), '127.0.0.1');
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

describe('the Host header', () => {
  it('is needed', async () => {
    await using control = await startTestControl();
    expect(await raw(control.control.address, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 [\s\S]*MISDIRECTED/);
  });

  it.each(['127.0.0.1', 'localhost:1', '[::1]:4280', 'LOCALHOST', '127.0.0.53', 'chat.example'])('lets %s in', async (host) => {
    await using control = await startTestControl({ config: { hosts: ['chat.example'] } });
    expect((await control.call('GET', '/healthz', { headers: { host } })).status).toBe(200);
  });

  it.each(['evil.example', 'localhost.evil.example', 'chat.example.evil', '127.0.0.1.evil', 'user@localhost', 'localhost:80:80'])('turns %s away, with any token and on any route', async (host) => {
    await using control = await startTestControl({ config: { hosts: ['chat.example'] }, channels: [aChannel()] });
    for (const path of ['/healthz', '/api/v1/status', '/channels/hook/messages']) expect(await control.call('GET', path, { headers: { host }, token: true })).toMatchObject({ status: 421, json: { code: 'MISDIRECTED' } });
  });
});

describe('closing', () => {
  it('lets a request under way finish and refuses the next', async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const channel = aChannel({
      http: async () => {
        start();
        await released;
        return { status: 200, headers: {}, body: 'finished' };
      },
    });
    await using control = await startTestControl({ channels: [channel] });
    const slow = control.call('POST', '/channels/hook/messages', { body: 'x' });
    await started;
    const closed = control.control.close();
    const next = await callHttp(control.control.address, 'GET', '/healthz').then((answer) => answer.json?.['code'], (error: NodeJS.ErrnoException) => error.code);
    expect(['STOPPING', 'ECONNREFUSED', 'ECONNRESET']).toContain(next);
    release();
    expect(await slow).toMatchObject({ status: 200, text: 'finished' });
    await closed;
  });

  it('is not held up by a connection that its peer keeps', async () => {
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const channel = aChannel({
      http: async () => {
        start();
        await released;
        return { status: 200, headers: {}, body: 'finished' };
      },
    });
    await using control = await startTestControl({ channels: [channel] });
    const socket = connect(Number(new URL(control.control.address).port), '127.0.0.1');
    socket.write('GET /channels/hook/slow HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await started;
    const closed = control.control.close(600_000); // longer than this test may take
    await eventually(() => expect(callHttp(control.control.address, 'GET', '/healthz')).rejects.toThrow('ECONNREFUSED'));
    release();
    const [answer]: Buffer[] = await once(socket, 'data');
    expect(answer?.toString()).toMatch(/^HTTP\/1\.1 200 /);
    await closed;
    socket.destroy();
  });

  it('does not wait longer than its grace for one that never ends', async () => {
    const channel = aChannel({ http: () => new Promise(() => undefined) });
    await using control = await startTestControl({ channels: [channel] });
    const stuck = control.call('POST', '/channels/hook/messages', { body: 'x' }).catch((error: NodeJS.ErrnoException) => error.code);
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    setImmediate(resolve);
    await seen;
    await control.control.close(50);
    expect(['ECONNRESET', 'ECONNREFUSED']).toContain(await stuck);
  });

  it('refuses an address that is taken, with its name', async () => {
    await using first = await startTestControl();
    const { port } = new URL(first.control.address);
    await expect(startTestControl({ config: { listen: { host: '127.0.0.1', port: Number(port) } } })).rejects.toMatchObject({ code: 'LISTEN_FAILED', message: expect.stringContaining(`127.0.0.1:${port}`) });
  });
});
