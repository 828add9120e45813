// What a request meets before it is answered: whom proxies are believed about, limits, exempt prefixes, other origins, tunnels, and headers on every answer.
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Scope } from '../../host/control/scopes.ts';
import { hostNames } from '../../host/control/host-names.ts';
import { localSocketPath } from '../../host/control/local-socket.ts';
import { clientReader } from '../../host/control/network/client.ts';
import { mintToken, putToken } from '../../host/control/tokens.ts';
import { aChannel, startTestControl, type Answer, type Script, type TestControl } from '../support/control-plane.ts';
import { askSocket } from '../support/ask-socket.ts';
import { eventually } from '../support/eventually.ts';
import { exchange } from '../support/raw-http.ts';

const told = (peer: string, headers: Record<string, string>) => ({ socket: { remoteAddress: peer }, headers: { host: 'host.example', ...headers }, url: '/' }) as unknown as IncomingMessage;

describe('the client of a request', () => {
  const x = clientReader({ trustedProxies: ['10.0.0.0/8', '192.168.1.1', 'fd00::/8'], forwarded: 'x-forwarded' });
  const rfc = clientReader({ trustedProxies: ['10.0.0.0/8', 'fd00::/8'], forwarded: 'rfc7239' });

  it.each<[string, string, string, string]>([
    ['a stranger is who it is, whatever it says', '203.0.113.9', '10.0.0.1, 1.1.1.1', '203.0.113.9'],
    ['a proxy speaks for whom it names', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['a chain is read from the right', '10.0.0.1', '203.0.113.9, 10.0.0.3, 192.168.1.1', '203.0.113.9'],
    ['what stands left of the client was written by it', '10.0.0.1', '1.1.1.1, 10.9.9.9, 203.0.113.9, 10.0.0.3', '203.0.113.9'],
    ['a proxy that names nobody is the client', '10.0.0.1', '', '10.0.0.1'],
    ['a chain of proxies alone ends at its first', '10.0.0.1', '10.0.0.5, 10.0.0.4', '10.0.0.5'],
    ['what is no address ends the chain where it was', '10.0.0.1', '203.0.113.9, unknown, 10.0.0.4', '10.0.0.4'],
    ['nor is a name', '10.0.0.1', 'evil.example', '10.0.0.1'],
    ['ports and brackets are cut off', '10.0.0.1', '[2001:db8::1]:443, 10.0.0.7:8080', '2001:db8::1'],
    ['both families are one', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['an IPv6 proxy', 'fd00::1', '203.0.113.9', '203.0.113.9'],
    ['empty items are none', '10.0.0.1', ', 203.0.113.9, ,', '203.0.113.9'],
  ])('%s', (_, peer, header, expected) => {
    expect(x(told(peer, { 'x-forwarded-for': header, forwarded: 'for=9.9.9.9' })).address).toBe(expected);
  });

  it.each<[string, string, string, string]>([
    ['a stranger is who it is', '203.0.113.9', 'for=1.1.1.1', '203.0.113.9 http host.example'],
    ['a proxy speaks for whom it names', '10.0.0.1', 'for=203.0.113.9;proto=https;host=chat.example', '203.0.113.9 https chat.example'],
    ['quotes, ports, case and spaces', '10.0.0.1', 'For="[2001:db8::1]:4711" ; Proto=HTTPS', '2001:db8::1 https host.example'],
    ['a comma in quotes does not end an element', '10.0.0.1', 'for=203.0.113.9;ext="a, for=1.1.1.1", for=10.0.0.2', '203.0.113.9 http host.example'],
    ['a chain is read from the right', '10.0.0.1', 'for=1.1.1.1, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http', '203.0.113.9 https host.example'],
    ['who hides ends the chain where it was', '10.0.0.1', 'for=203.0.113.9, for=_hidden, for=10.0.0.2', '10.0.0.2 http host.example'],
    ['what cannot be read names nobody', '10.0.0.1', 'for="203.0.113.9', '10.0.0.1 http host.example'],
  ])('by RFC 7239: %s', (_, peer, forwarded, expected) => {
    const { address, scheme, authority } = rfc(told(peer, { forwarded, 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' }));
    expect(`${address} ${scheme} ${authority}`).toBe(expected);
  });

  it('has scheme and name from a trusted proxy only, the last it wrote', () => {
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http, https', 'x-forwarded-host': 'evil.example, chat.example' };
    expect(x(told('10.0.0.1', headers))).toEqual({ peer: '10.0.0.1', address: '203.0.113.9', scheme: 'https', authority: 'chat.example', isForwarded: true, isLocal: false });
    expect(x(told('203.0.113.1', headers))).toEqual({ peer: '203.0.113.1', address: '203.0.113.1', scheme: 'http', authority: 'host.example', isForwarded: false, isLocal: false });
  });
});

describe('requests', () => {
  let control: TestControl;
  const open = async (script: Script) => (control = await startTestControl(script));
  afterEach(() => control[Symbol.asyncDispose]());
  const get = (path: string, headers: Record<string, string> = {}) => control.call('GET', path, { headers });
  const wrong = { authorization: `Bearer ght_${'0'.repeat(16)}_${'A'.repeat(43)}` };
  const code = ({ status, json }: Answer) => `${status} ${typeof json?.['code'] === 'string' ? json['code'] : 'ok'}`;
  const aToken = async (scopes: readonly Scope[]) => {
    const { token, row } = mintToken({ label: 'test', scopes }, control.host.clock);
    await control.host.store.commit({ put: [putToken(row)] });
    return token;
  };

  it('are locked out by the address behind a trusted proxy; the others behind it are not', async () => {
    await open({ network: { trustedProxies: ['127.0.0.1'] } });
    for (let guess = 0; guess < 10; guess += 1) expect(code(await get('/api/v1/status', { ...wrong, 'x-forwarded-for': `198.51.100.${guess}, 203.0.113.9` }))).toBe('401 UNAUTHENTICATED');
    expect(code(await get('/api/v1/status', { ...wrong, 'x-forwarded-for': '203.0.113.9' }))).toBe('429 LOCKED_OUT');
    expect(code(await get('/api/v1/status', { ...wrong, 'x-forwarded-for': '203.0.113.10' }))).toBe('401 UNAUTHENTICATED');
  });

  it('are locked out by their own address where no proxy is trusted, whatever they say', async () => {
    await open({});
    for (let guess = 0; guess < 10; guess += 1) await get('/api/v1/status', { ...wrong, 'x-forwarded-for': `203.0.113.${guess}`, forwarded: `for=203.0.113.${guess}`, 'x-real-ip': `203.0.113.${guess}` });
    expect(code(await get('/api/v1/status', { ...wrong, 'x-forwarded-for': '203.0.113.99' }))).toBe('429 LOCKED_OUT');
  });

  it('of one address, then of one token, are limited; health is not', async () => {
    await open({ network: { trustedProxies: ['127.0.0.1'], limits: { perAddressPerSecond: 2, perTokenPerSecond: 1 } } });
    const from = (address: string, headers: Record<string, string> = {}) => get('/api/v1/status', { 'x-forwarded-for': address, ...headers });
    const first: string[] = [];
    for (let index = 0; index < 11; index += 1) first.push(code(await from('203.0.113.9')));
    expect([...first.slice(0, 10), first[10]]).toEqual([...Array.from({ length: 10 }, () => '401 UNAUTHENTICATED'), '429 RATE_LIMITED']);
    expect(code(await from('203.0.113.10'))).toBe('401 UNAUTHENTICATED');
    const limited = await from('203.0.113.9');
    expect(limited.headers['retry-after']).toBe('1');
    expect(limited.json).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1000 });
    expect((await get('/healthz', { 'x-forwarded-for': '203.0.113.9' })).status).toBe(200);
    const authorization = `Bearer ${await aToken(['status:read'])}`;
    const answers: string[] = [];
    for (let index = 0; index < 6; index += 1) answers.push(code(await from(`198.51.100.${index}`, { authorization })));
    expect(answers).toEqual([...Array.from({ length: 5 }, () => '200 ok'), '429 RATE_LIMITED']);
  });

  it('of one subscriber are one sender, however many of its IPv6 addresses it uses', async () => {
    await open({ network: { trustedProxies: ['127.0.0.1'], limits: { perAddressPerSecond: 1 } } });
    const answers: string[] = [];
    for (let index = 1; index <= 6; index += 1) answers.push(code(await get('/api/v1/status', { 'x-forwarded-for': `2001:db8:0:1::${index}` })));
    expect(answers.at(-1)).toBe('429 RATE_LIMITED');
    expect(code(await get('/api/v1/status', { 'x-forwarded-for': '2001:db8:0:2::1' }))).toBe('401 UNAUTHENTICATED');
  });

  it('beyond its share of those in flight are answered 503 to one address; others, health, streams and what comes later are served', async () => {
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    const channel = aChannel({ http: async () => ((asked += 1), await gate.promise, { status: 200, headers: {}, body: '{}' }) });
    await open({ network: { trustedProxies: ['127.0.0.1'], limits: { inFlight: 8 } }, channels: [channel] });
    const token = await aToken(['events:read']);
    const stream = new AbortController();
    const events = await fetch(`${control.control.address}/api/v1/events`, { headers: { authorization: `Bearer ${token}` }, signal: stream.signal });
    const slowBy = (address: string) => [1, 2].map(() => control.call('POST', '/channels/hook/messages', { body: '{}', headers: { 'x-forwarded-for': address } }));
    const slow = slowBy('203.0.113.1');
    await eventually(() => expect(asked).toBe(2));
    const refused = await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.1' });
    expect(refused.json).toMatchObject({ status: 503, code: 'OVERLOADED', depth: 2 });
    expect(refused.headers['retry-after']).toBe('1');
    expect(code(await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.9' }))).toBe('401 UNAUTHENTICATED');
    slow.push(...['203.0.113.2', '203.0.113.3', '203.0.113.4'].flatMap(slowBy));
    await eventually(() => expect(asked).toBe(8));
    expect((await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.9' })).json).toMatchObject({ code: 'OVERLOADED', depth: 8 });
    expect((await get('/healthz')).status).toBe(200);
    expect(events.status).toBe(200);
    gate.resolve();
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(slow.map(() => 200));
    await eventually(async () => expect(code(await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.1' }))).toBe('401 UNAUTHENTICATED'));
    stream.abort();
  });

  it('whose bodies never come keep no place of those that are answered, and of those that arrive no more than a share', async () => {
    await open({ network: { trustedProxies: ['127.0.0.1'], limits: { inFlight: 8 } }, channels: [aChannel()] });
    using peers = new DisposableStack();
    const said: string[] = [];
    const hold = (address: string) => {
      const index = said.push('') - 1;
      const socket = peers.adopt(connect({ host: '127.0.0.1', port: Number(new URL(control.control.address).port) }), (each) => each.destroy());
      socket.on('error', () => undefined).on('data', (chunk) => (said[index] += chunk.toString('latin1')));
      socket.write(`POST /channels/hook/-/access HTTP/1.1\r\nhost: 127.0.0.1\r\nx-forwarded-for: ${address}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`);
    };
    for (let each = 0; each < 20; each += 1) hold('203.0.113.1');
    await eventually(() => expect(said.filter((text) => text.includes('OVERLOADED'))).toHaveLength(18));
    const post = (address: string) => control.call('POST', '/channels/hook/messages', { body: '{}', headers: { 'x-forwarded-for': address } });
    expect(code(await post('203.0.113.1'))).toBe('503 OVERLOADED');
    expect(code(await post('203.0.113.9'))).toBe('200 ok');
    for (const address of ['203.0.113.2', '203.0.113.3', '203.0.113.4']) for (let each = 0; each < 3; each += 1) hold(address);
    await eventually(() => expect(said.filter((text) => text.includes('OVERLOADED'))).toHaveLength(21));
    // Four together keep out whoever sends a body over the network; nobody who asks, and not the owner of this machine.
    expect(code(await post('203.0.113.9'))).toBe('503 OVERLOADED');
    for (const address of ['203.0.113.1', '203.0.113.9']) expect(code(await get('/api/v1/status', { 'x-forwarded-for': address }))).toBe('401 UNAUTHENTICATED');
    expect((await askSocket(localSocketPath(control.dataDir), { method: 'POST', path: '/channels/hook/messages', body: '{}' })).status).toBe(200);
    peers.dispose();
    await eventually(async () => expect(code(await post('203.0.113.1'))).toBe('200 ok'));
  });

  it.each([
    ['a fragment', 'GET /api/v1/status#x'],
    ['a fragment behind a query', 'GET /api/v1/status?x#/channels/hook/'],
    ['a fragment of a whole address', 'GET http://127.0.0.1/#/channels/hook/'],
    ['no path and a query that looks like one', 'GET http://127.0.0.1?/channels/hook/x'],
    ['no path', 'GET http://127.0.0.1'],
    ['no path below a scheme that nobody speaks', 'GET gopher:/api/v1/status'],
  ])('with %s are refused before any rule about paths', async (_, line) => {
    await open({ channels: [aChannel()] });
    const { answers } = await exchange(control.control.address, [Buffer.from(`${line} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${control.adminToken}\r\n\r\n`)], { firstMs: 2000 });
    expect(answers.map(({ status }) => status)).toEqual([400]);
  });

  it('of a sender that asks for too much end its connection; that of a proxy stays', async () => {
    await open({ network: { trustedProxies: ['127.0.0.1'], limits: { perAddressPerSecond: 1 } } });
    const statuses = async (headers: string) => {
      const asked = `GET /api/v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}\r\n`;
      const { answers } = await exchange(control.control.address, [Buffer.from(asked.repeat(8))], { firstMs: 2000 });
      return answers.map(({ status }) => status);
    };
    expect(await statuses('x-forwarded-for: 203.0.113.9\r\n')).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect(await statuses('')).toEqual([401, 401, 401, 401, 401, 429]);
  });

  it('whose answer takes too long get 503 ANSWER_LATE', async () => {
    await open({ network: { limits: { answerMs: 100 } } });
    control.host.status = () => new Promise(() => undefined);
    const late = await control.call('GET', '/api/v1/status', { token: true });
    expect(late.json).toMatchObject({ status: 503, code: 'ANSWER_LATE' });
    expect((await control.call('GET', '/api/v1/plugins', { token: true })).status).toBe(200);
  });

  it('with a body beyond the configured bound get 413, which names the bound', async () => {
    await open({ network: { limits: { bodyBytes: 2048 } } });
    const answer = await control.call('POST', '/api/v1/messages', { token: true, headers: { 'content-type': 'application/json' }, body: `{"x":"${'y'.repeat(4000)}"}` });
    expect(answer.json).toMatchObject({ status: 413, code: 'INGRESS_TOO_LARGE', detail: expect.stringContaining('2048') });
  });

  it('want a token wherever no prefix exempts them, spelt as they may be', async () => {
    await open({ network: { exemptPrefixes: ['/channels/hook/'] }, channels: [aChannel(), aChannel({ instance: 'hooks' })], config: { profile: 'lan' } });
    const post = (path: string) => control.call('POST', path, { body: '{}' });
    expect(code(await post('/channels/hook/messages'))).toBe('200 ok');
    for (const path of ['/channels/hooks/messages', '/channels/%68ook/messages', '/channels//hook/messages', '/api/v1/messages', '/%61pi/v1/messages']) expect([path, code(await post(path))]).toEqual([path, '401 UNAUTHENTICATED']);
    expect(code(await get('/media/x'))).toBe('401 UNAUTHENTICATED');
    // Dots are not resolved: it is the channel that answers, or nobody.
    expect((await post('/channels/hook/../../api/v1/messages')).text).toBe('{}');
    expect(code(await control.call('POST', '/channels/hooks/messages', { token: true, body: '{}' }))).toBe('200 ok');
  });

  it('that change something want a token in profile local too, whatever is exempt', async () => {
    await open({ network: { exemptPrefixes: ['/'] } });
    expect(code(await get('/api/v1/status'))).toBe('200 ok');
    expect(code(await control.call('POST', '/api/v1/reload'))).toBe('401 UNAUTHENTICATED');
    expect(code(await control.call('DELETE', '/api/v1/dead-letters/x'))).toBe('401 UNAUTHENTICATED');
    expect(code(await get('/api/v1/nothing'))).toBe('401 UNAUTHENTICATED');
    expect(control.asked).toEqual([]);
  });

  it('that came through a funnel nobody expects are refused', async () => {
    await open({});
    expect(code(await get('/', { 'tailscale-funnel-request': '?1' }))).toBe('403 FUNNEL_UNEXPECTED');
    expect(code(await control.call('GET', '/metrics', { headers: { 'tailscale-funnel-request': '?1' } }))).toBe('403 FUNNEL_UNEXPECTED');
  });

  it('that were in clear on their way are refused in profile internet', async () => {
    await open({ config: { profile: 'internet' }, network: { trustedProxies: ['127.0.0.1'] } });
    expect(code(await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http' }))).toBe('403 TLS_REQUIRED');
    expect(code(await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.9' }))).toBe('403 TLS_REQUIRED');
    expect(code(await get('/api/v1/status', { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }))).toBe('401 UNAUTHENTICATED');
    expect(code(await get('/api/v1/status'))).toBe('401 UNAUTHENTICATED');
  });

  it('go by the name that a trusted proxy says was asked for, and nobody else', async () => {
    await open({ config: { hosts: ['chat.example'] }, network: { trustedProxies: ['127.0.0.1'] } });
    expect(code(await get('/healthz', { 'x-forwarded-host': 'evil.example' }))).toBe('421 MISDIRECTED');
    expect(code(await get('/healthz', { 'x-forwarded-host': 'chat.example' }))).toBe('200 ok');
    // A page of a name that was made to lead here can write the one header, and not the other.
    expect(code(await get('/healthz', { host: 'evil.example', 'x-forwarded-host': 'chat.example' }))).toBe('421 MISDIRECTED');
    expect(code(await get('/healthz', { host: 'chat.example', 'x-forwarded-host': 'chat.example' }))).toBe('200 ok');
    await control[Symbol.asyncDispose]();
    await open({ config: { hosts: ['chat.example'] } });
    expect(code(await get('/healthz', { 'x-forwarded-host': 'evil.example' }))).toBe('200 ok');
    expect(code(await get('/healthz', { host: 'evil.example', 'x-forwarded-host': 'chat.example' }))).toBe('421 MISDIRECTED');
  });

  it('may name the address they came to, where the host listens on every one', () => {
    const everywhere = hostNames({ listen: { host: '0.0.0.0', port: 80 }, hosts: ['chat.example'] });
    expect(['192.168.1.7:80', 'chat.example', '127.0.0.1'].map((name) => everywhere(name, '::ffff:192.168.1.7'))).toEqual([true, true, true]);
    expect(['192.168.1.8', 'evil.example', ''].map((name) => everywhere(name, '192.168.1.7'))).toEqual([false, false, false]);
    expect(hostNames({ listen: { host: '192.168.1.7', port: 80 }, hosts: [] })('10.0.0.1', '10.0.0.1')).toBe(false);
  });

  const ORIGIN = { origin: 'https://app.example' };
  const PREFLIGHT = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
  const corsOf = ({ headers }: Answer) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  it('of an origin that is named are answered for its pages, preflights without a token', async () => {
    await open({ network: { cors: { origins: ['https://app.example'], maxAgeSeconds: 60 } } });
    const preflight = await control.call('OPTIONS', '/api/v1/messages', { headers: { ...ORIGIN, ...PREFLIGHT } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example', 'access-control-max-age': '60', 'access-control-allow-headers': expect.stringContaining('authorization'), vary: expect.stringContaining('Origin') });
    expect(preflight.headers['access-control-allow-credentials']).toBeUndefined();
    const refused = await get('/api/v1/status', ORIGIN);
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, 'https://app.example']);
    for (const name of ['etag', 'idempotency-replayed', 'x-request-id']) expect(refused.headers['access-control-expose-headers']).toContain(name);
    // What is there and what is not look alike to a preflight.
    expect((await control.call('OPTIONS', '/api/v1/nothing', { headers: { ...ORIGIN, ...PREFLIGHT } })).headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example' });
    const stream = new AbortController();
    const events = await fetch(`${control.control.address}/api/v1/events`, { headers: { ...ORIGIN, authorization: `Bearer ${control.adminToken}` }, signal: stream.signal });
    expect(events.headers.get('access-control-allow-origin')).toBe('https://app.example');
    stream.abort();
  });

  it.each([[{ cors: { origins: ['https://app.example'] } }, 'https://evil.example'], [{ cors: { origins: ['https://app.example'] } }, 'null'], [{ cors: { origins: ['https://app.example'] } }, 'https://app.example.evil.example'], [{}, 'https://app.example']])('with %j learn nothing as %s', async (network, origin) => {
    await open({ network });
    const preflight = await control.call('OPTIONS', '/api/v1/messages', { headers: { origin, ...PREFLIGHT } });
    expect([code(preflight), corsOf(preflight)]).toEqual(['401 UNAUTHENTICATED', []]);
    expect(corsOf(await control.call('GET', '/api/v1/status', { token: true, headers: { origin } }))).toEqual([]);
  });

  it('are answered with security headers, whatever the answer', async () => {
    await open({ channels: [aChannel()] });
    const answers = [await get('/healthz'), await get('/'), await get('/nothing'), await get('/api/v1/status'), await get('/api/v1/%zz'), await get('/channels/nobody/x'), await get('/openapi.json'), await control.call('PATCH', '/api/v1/status', { token: true }), await control.call('POST', '/channels/hook/messages', { body: '{}' }), await control.call('GET', '/api/v1/status', { token: true }), await get('/healthz', { host: 'evil.example' })];
    for (const { headers } of answers) expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'content-security-policy': expect.any(String), 'cache-control': expect.any(String) });
    const raw = await new Promise<string>((done) => {
      const { port } = new URL(control.control.address);
      let said = '';
      const socket = connect({ host: '127.0.0.1', port: Number(port) }, () => socket.write('no HTTP\r\n\r\n'));
      socket.on('data', (chunk) => (said += chunk.toString())).on('close', () => done(said));
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400[\s\S]*x-content-type-options: nosniff/);
  });

  it('show the policy with its sources, and no file’s content', async () => {
    await open({ network: { trustedProxies: ['10.0.0.1'] } });
    const { status, json } = await control.call('GET', '/api/v1/config/network', { token: true });
    expect({ status, json }).toMatchObject({ status: 200, json: { address: control.control.address, profile: 'local', public: false, certificate: null } });
    expect(json?.['values']).toContainEqual({ path: 'network.trustedProxies', value: ['10.0.0.1'], source: 'file' });
    expect(json?.['values']).toContainEqual({ path: 'network.limits.inFlight', value: 1024, source: 'profile' });
    expect(code(await control.call('GET', '/api/v1/config/network', { token: await aToken(['status:read']) }))).toBe('403 FORBIDDEN');
  });
});
