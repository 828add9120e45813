// A real host behind a real nginx that runs docs/ops/nginx.conf: TLS, client certificates, a chain of two proxies, WebSockets and event streams, and who counts as the client.
import { readFileSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPENSSL, anAuthority, type Authority, type Pair } from '../support/certificates.ts';
import { newConversation } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { NGINX, exampleConfig, freePort, startNginx } from '../support/nginx.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { OPCODE, wsFrame } from '../support/raw-websocket.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const NAMES = ['chat.example.com', 'ops.example.com'];
const missing = [...(NGINX ? [] : ['nginx']), ...(OPENSSL === undefined ? ['openssl'] : [])];

/** Passes on what the one before it said, and adds that one. */
const second = (port: number, upstream: string) => `
server {
  listen 127.0.0.1:${port};
  location / {
    proxy_pass http://${upstream};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gatehouse_connection;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
    proxy_set_header X-Forwarded-Host $http_x_forwarded_host;
    # nginx keeps this one to itself otherwise, and the proxy before it would buffer event streams.
    proxy_pass_header X-Accel-Buffering;
  }
}`;

describe.skipIf(missing.length > 0)(`a host behind nginx${missing.length > 0 ? ` (not run: ${missing.join(', ')})` : ''}`, () => {
  let dir: TempDir;
  let home: TestHome;
  let host: HostProcess;
  let authority: Authority;
  let client: Pair;
  let revoked: Pair;
  let token: string;
  const parts = new AsyncDisposableStack();
  /** Straight to the host, through a second proxy, and with client certificates. */
  const ports = { one: 0, two: 0, mtls: 0 };

  beforeAll(async () => {
    dir = parts.use(await tempDir());
    authority = anAuthority(dir.path);
    const server = authority.sign('server', { altName: NAMES.map((name) => `DNS:${name}`).join(',') });
    client = authority.sign('client');
    revoked = authority.sign('revoked');
    authority.crl('clients-crl.pem', [revoked]);
    for (const [from, to] of [[server.cert, 'fullchain.pem'], [server.key, 'key.pem'], [authority.ca, 'clients-ca.pem']] as const) await copyFile(from, join(dir.path, to));

    home = parts.use(await aHome([], { hosts: NAMES, log: { level: 'warn' }, network: { trustedProxies: ['127.0.0.1'] } }));
    for (const name of ['webchat', 'echo', 'clock'] as const) await addFirstParty(home, name);
    host = parts.use(await startProcess(home.path));
    token = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();

    const [one, two, mtls, mtls2, inner] = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
    Object.assign(ports, { one, two, mtls });
    const upstream = new URL(host.address).host;
    parts.use(await startNginx(join(dir.path, 'one'), exampleConfig({ upstream, port: one, mtlsPort: mtls, certificates: dir.path }), [one, mtls]));
    parts.use(await startNginx(join(dir.path, 'two'), exampleConfig({ upstream: `127.0.0.1:${inner}`, port: two, mtlsPort: mtls2, certificates: dir.path }) + second(inner, upstream), [two, inner]));
  });
  afterAll(() => parts.disposeAsync());

  interface Asked {
    readonly port?: number;
    /** Loopback has many: who the client is, as nginx sees it. */
    readonly from?: string;
    readonly name?: string;
    readonly headers?: Record<string, string>;
    readonly pair?: Pair;
    /** Posted; without it the request is a GET. */
    readonly body?: string;
  }
  const tlsOf = ({ from = '127.0.0.9', name = 'chat.example.com', pair }: Asked) => ({ localAddress: from, servername: name, ca: readFileSync(authority.ca), ...(pair ? { cert: readFileSync(pair.cert), key: readFileSync(pair.key) } : {}) });
  const ask = (path: string, asked: Asked = {}) =>
    new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((done, fail) => {
      const { port = ports.one, name = 'chat.example.com', headers = {}, body } = asked;
      request({ method: body === undefined ? 'GET' : 'POST', host: '127.0.0.1', port, path, agent: false, ...tlsOf(asked), headers: { host: `${name}:${port}`, ...headers } }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', fail);
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: answer.headers }));
      }).on('error', fail).end(body);
    });
  const authorized = () => ({ authorization: `Bearer ${token}` });
  const codeOf = ({ status, text }: { status: number; text: string }) => `${status} ${text.startsWith('{') ? (JSON.parse(text) as Record<string, string>)['code'] ?? 'ok' : 'no JSON'}`;

  it('answers with its own headers and those that nginx adds', async () => {
    expect(await ask('/healthz')).toMatchObject({ status: 200, headers: { 'x-content-type-options': 'nosniff', 'strict-transport-security': 'max-age=31536000' } });
    expect(codeOf(await ask('/api/v1/status'))).toBe('401 UNAUTHENTICATED');
    expect(await ask('/api/v1/status', { headers: authorized() })).toMatchObject({ status: 200 });
    expect(codeOf(await ask('/healthz', { headers: { host: 'evil.example' } }))).toBe('421 MISDIRECTED');
  });

  it('speaks WebSocket to the webchat of a page from the same name, and to no other page', async () => {
    const chat = (origin: string, port: number) => {
      let said = '';
      const socket = connect({ host: '127.0.0.1', port, ...tlsOf({}) });
      socket.on('data', (chunk) => (said += chunk.toString()));
      socket.write(`GET /channels/webchat/ws?conversation=${newConversation()}&after= HTTP/1.1\r\nhost: chat.example.com:${port}\r\norigin: ${origin}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
      return { socket, said: () => said };
    };
    for (const port of [ports.one, ports.two]) {
      const { socket, said } = chat(`https://chat.example.com:${port}`, port);
      await eventually(() => expect(said()).toMatch(/^HTTP\/1\.1 101 /));
      socket.write(wsFrame({ opcode: OPCODE.text, payload: Buffer.from(JSON.stringify({ type: 'message', id: 'm1', text: 'echo through nginx' })) }));
      await eventually(() => expect(said()).toMatch(/"inReplyTo":"m1","text":"[^"]*through nginx"/), 120_000);
      socket.destroy();
      const foreign = chat('https://evil.example', port);
      await eventually(() => expect(foreign.said()).toMatch(/^HTTP\/1\.1 403 [\s\S]*ORIGIN_REFUSED/));
      foreign.socket.destroy();
    }
  });

  it('streams events as they come', async () => {
    const port = ports.two;
    let said = '';
    const stream = request({ host: '127.0.0.1', port, path: '/api/v1/events?after=', agent: false, ...tlsOf({}), headers: { host: `chat.example.com:${port}`, ...authorized() } }, (answer) => {
      answer.on('error', () => undefined).on('data', (chunk: Buffer) => (said += chunk.toString()));
    });
    stream.on('error', () => undefined).end();
    await eventually(() => expect(said).toContain('event: host.ready'));
    const disabled = await ask('/api/v1/plugins/clock/disable', { port, headers: { 'content-type': 'application/json', ...authorized() }, body: '{"reason":"to see it told"}' });
    expect(disabled.status).toBe(200);
    await eventually(() => expect(said).toMatch(/event: plugin\.state\ndata: .*to see it told/));
    stream.destroy();
  });

  it('asks for certificates where nginx is told to, and for a token all the same', async () => {
    const at = { port: ports.mtls, name: 'ops.example.com' };
    expect(codeOf(await ask('/api/v1/status', at))).toBe('400 no JSON');
    expect(codeOf(await ask('/api/v1/status', { ...at, pair: revoked }))).toBe('400 no JSON');
    expect(codeOf(await ask('/api/v1/status', { ...at, pair: client }))).toBe('401 UNAUTHENTICATED');
    expect((await ask('/api/v1/status', { ...at, pair: client, headers: authorized() })).status).toBe(200);
  });

  it.each([['one proxy', 'one', '127.0.0.21'], ['two proxies', 'two', '127.0.0.31']] as const)('behind %s locks out the client that guesses, whatever it says of itself, and nobody else', async (_, way, guesser) => {
    const port = ports[way];
    const guess = (from: string, spoofed: string) => ask('/api/v1/status', { port, from, headers: { authorization: `Bearer ght_${'0'.repeat(16)}_${'A'.repeat(43)}`, 'x-forwarded-for': spoofed, forwarded: `for=${spoofed}`, 'x-real-ip': spoofed } });
    for (let index = 0; index < 10; index += 1) expect(codeOf(await guess(guesser, `198.51.100.${index}, 127.0.0.1`))).toBe('401 UNAUTHENTICATED');
    expect(codeOf(await guess(guesser, '198.51.100.77'))).toBe('429 LOCKED_OUT');
    expect(codeOf(await guess('127.0.0.9', guesser))).toBe('401 UNAUTHENTICATED');
    expect((await ask('/api/v1/status', { port, from: '127.0.0.9', headers: authorized() })).status).toBe(200);
    await eventually(() => expect(host.stderr()).toContain(`"client":"${guesser}"`));
  });

  it('in profile internet takes what nginx encrypted, and nothing that came to nginx in clear', async () => {
    await using open = await aHome([], { profile: 'internet', hosts: NAMES, network: { trustedProxies: ['127.0.0.1'] } });
    await using exposed = await startProcess(open.path);
    const [port, mtlsPort, clear] = [await freePort(), await freePort(), await freePort()];
    const upstream = new URL(exposed.address).host;
    const inClear = `server { listen 127.0.0.1:${clear}; location / { proxy_pass http://${upstream}; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; } }`;
    await using _ = await startNginx(join(dir.path, 'internet'), exampleConfig({ upstream, port, mtlsPort, certificates: dir.path }) + inClear, [port, clear]);
    expect(codeOf(await ask('/api/v1/status', { port }))).toBe('401 UNAUTHENTICATED');
    const answer = await fetch(`http://127.0.0.1:${clear}/api/v1/status`);
    expect(codeOf({ status: answer.status, text: await answer.text() })).toBe('403 TLS_REQUIRED');
  });
});
