// Channel ingress as the world outside meets it: exact bytes in, a channel's answer out without what it must not say, sockets within bounds.
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import { describe, expect, it } from 'vitest';
import type { ChannelFace } from '../../host/host.ts';
import { aChannel, startTestControl, type TestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';

type HttpRequest = Parameters<ChannelFace['http']>[0];
type Peer = Parameters<ChannelFace['socket']>[0];

/** A channel that keeps what it is asked. */
function aListener(face: Partial<ChannelFace> = {}) {
  const requests: HttpRequest[] = [];
  const channel = aChannel({
    http: async (request) => {
      requests.push(request);
      return { status: 202, headers: { 'content-type': 'application/json' }, body: '{"status":"accepted"}' };
    },
    ...face,
  });
  return { channel, requests };
}

const CHAT = { abilities: ['receive', 'send'], ingress: [], assets: { path: '/', dir: 'assets' }, socket: { path: '/ws', conversation: { query: 'conversation' }, origin: 'same', maxFrameBytes: 64 } } satisfies ChannelFace['section'];

function aChat(face: Partial<ChannelFace> = {}) {
  const peers: Peer[] = [];
  const frames: string[] = [];
  let closed = 0;
  const channel = aChannel({
    instance: 'chat',
    section: CHAT,
    socket: async (peer) => {
      peers.push(peer);
      return { frame: (text) => frames.push(text), closed: () => (closed += 1) };
    },
    ...face,
  });
  return { channel, peers, frames, closed: () => closed };
}

function open({ control }: TestControl, path = '/channels/chat/ws?conversation=c', options: ClientOptions = {}): WebSocket {
  return new WebSocket(control.address.replace('http', 'ws') + path, options);
}

/** The HTTP status of a refused handshake, or 101. */
async function handshake(control: TestControl, path?: string, options?: ClientOptions): Promise<number> {
  const socket = open(control, path, options);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.on('open', () => resolve(101)).on('unexpected-response', (_request, answer) => resolve(answer.statusCode ?? 0)).on('error', reject);
  try {
    return await promise;
  } finally {
    socket.on('error', () => undefined);
    socket.terminate();
  }
}

describe('HTTP ingress', () => {
  it('hands the channel the exact bytes, target, query and headers', async () => {
    const { channel, requests } = aListener();
    await using control = await startTestControl({ channels: [channel] });
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x00, 0x22, 0x7d, 0x0a]);
    const answer = await control.call('POST', '/channels/hook/messages/%7Eone%2Ftwo?after=a%20b&after=c&__proto__=x', { body, headers: { 'content-type': 'application/json', 'x-gatehouse-signature': 'sha256=00' } });
    expect(answer).toMatchObject({ status: 202, json: { status: 'accepted' } });
    const [request] = requests;
    expect(request?.body.equals(body)).toBe(true);
    expect(request).toMatchObject({ method: 'POST', path: '/messages/~one/two', target: '/channels/hook/messages/%7Eone%2Ftwo?after=a%20b&after=c&__proto__=x' });
    expect(Object.entries(request?.query ?? {})).toEqual([['after', 'a b'], ['__proto__', 'x']]);
    expect(request?.headers['x-gatehouse-signature']).toBe('sha256=00');
  });

  it.each(['text/plain', 'application/xml', 'application/octet-stream', undefined])('takes a body of type %s as it is', async (type) => {
    const { channel, requests } = aListener();
    await using control = await startTestControl({ channels: [channel] });
    await control.call('POST', '/channels/hook/messages', { body: '<x/>', headers: type === undefined ? {} : { 'content-type': type } });
    expect(requests[0]?.body.toString()).toBe('<x/>');
  });

  it('hands over an empty body where there is none', async () => {
    const { channel, requests } = aListener();
    await using control = await startTestControl({ channels: [channel] });
    await control.call('GET', '/channels/hook/conversations/c/messages?after=');
    await control.call('POST', '/channels/hook/messages');
    expect(requests.map(({ method, body }) => [method, body.length])).toEqual([['GET', 0], ['POST', 0]]);
  });

  it('needs no token, and keeps a token of this host from the plugin', async () => {
    const { channel, requests } = aListener();
    await using control = await startTestControl({ channels: [channel] });
    await control.call('POST', '/channels/hook/messages', { token: true });
    await control.call('POST', '/channels/hook/messages', { headers: { authorization: 'Bearer its-own' } });
    expect(requests.map(({ headers }) => headers['authorization'])).toEqual([undefined, 'Bearer its-own']);
  });

  it('refuses a body beyond the channel’s bound, announced or not', async () => {
    const { channel, requests } = aListener({ section: { abilities: ['receive'], ingress: [{ method: 'POST', path: '/messages', bodyLimitBytes: 10, verify: { scheme: 'none' } }] } });
    await using control = await startTestControl({ channels: [channel] });
    expect((await control.call('POST', '/channels/hook/messages', { body: 'x'.repeat(10) })).status).toBe(202);
    expect(await control.call('POST', '/channels/hook/messages', { body: 'x'.repeat(11) })).toMatchObject({ status: 413, json: { code: 'INGRESS_TOO_LARGE' } });
    const socket = connect(Number(new URL(control.control.address).port), '127.0.0.1');
    socket.write('POST /channels/hook/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nb\r\nxxxxxxxxxxx\r\n');
    const [chunk]: Buffer[] = await once(socket, 'data');
    socket.destroy();
    expect(chunk?.toString()).toMatch(/^HTTP\/1\.1 413 /);
    expect(requests).toHaveLength(1);
  });

  it('knows only channels that there are', async () => {
    await using control = await startTestControl({ channels: [aChannel()] });
    for (const path of ['/channels/nobody/messages', '/channels/__proto__/x']) {
      expect((await control.call('POST', path, { body: 'x' })).status).toBe(404);
      expect((await control.call('GET', path)).status).toBe(404);
    }
  });
});

describe('a channel’s answers', () => {
  it('lose what a plugin must not say in the host’s name', async () => {
    const headers = {
      'content-type': 'text/html', 'x-own': 'kept', 'Set-Cookie': 'a=b', 'access-control-allow-origin': '*', 'Access-Control-Allow-Credentials': 'true', 'service-worker-allowed': '/', 'content-security-policy': "default-src *",
      'Content-Length': '999', 'transfer-encoding': 'chunked', connection: 'upgrade', 'clear-site-data': '"*"', 'x-bad': 'a\r\nset-cookie: c=d', 'bad name': 'x',
    };
    await using control = await startTestControl({ channels: [aChannel({ http: async () => ({ status: 200, headers, body: '<script>1</script>' }) })] });
    const answer = await control.call('GET', '/channels/hook/page');
    expect(answer).toMatchObject({ status: 200, text: '<script>1</script>' });
    expect(answer.headers).toMatchObject({ 'x-own': 'kept', 'content-security-policy': 'sandbox allow-scripts allow-forms', 'x-content-type-options': 'nosniff', 'content-length': '18' });
    for (const name of ['set-cookie', 'access-control-allow-origin', 'access-control-allow-credentials', 'service-worker-allowed', 'clear-site-data', 'x-bad']) expect(answer.headers[name]).toBeUndefined();
  });

  it('serve assets sandboxed, and in the host’s own origin only where ui is granted', async () => {
    const asset = (path: string) => (path === '/' ? { bytes: Buffer.from('<!doctype html>'), contentType: 'text/html; charset=utf-8' } : undefined);
    await using control = await startTestControl({ channels: [aChannel({ instance: 'boxed', asset }), aChannel({ instance: 'webchat', asset, ui: true })] });
    expect((await control.call('GET', '/channels/boxed/')).headers['content-security-policy']).toBe('sandbox allow-scripts allow-forms');
    const page = await control.call('GET', '/channels/webchat/');
    expect(page).toMatchObject({ status: 200, text: '<!doctype html>' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toBe("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    expect((await control.call('HEAD', '/channels/webchat/')).status).toBe(200);
    expect((await control.call('GET', '/channels/webchat')).headers.location).toBe('/channels/webchat/');
    expect((await control.call('GET', '/')).headers['content-security-policy']).toContain("default-src 'none'");
  });
});

describe('sockets', () => {
  it('carry frames both ways and tell the channel when they end', async () => {
    const chat = aChat();
    await using control = await startTestControl({ channels: [chat.channel] });
    const socket = open(control, '/channels/chat/ws?conversation=abc&after=7');
    await once(socket, 'open');
    socket.send('hello');
    await eventually(() => expect(chat.frames).toEqual(['hello']));
    expect(chat.peers[0]).toMatchObject({ conversation: 'abc' });
    expect({ ...chat.peers[0]?.query }).toEqual({ conversation: 'abc', after: '7' });
    const answer = once(socket, 'message');
    chat.peers[0]?.send('there');
    expect(String((await answer)[0])).toBe('there');
    socket.close();
    await eventually(() => expect(chat.closed()).toBe(1));
  });

  it('lose no frame that arrives before the channel knows them', async () => {
    const { promise: opened, resolve } = Promise.withResolvers<void>();
    const frames: string[] = [];
    const channel = aChat({
      socket: async () => {
        await opened;
        return { frame: (text) => frames.push(text), closed: () => undefined };
      },
    }).channel;
    await using control = await startTestControl({ channels: [channel] });
    const socket = open(control);
    await once(socket, 'open');
    for (const text of ['1', '2', '3']) socket.send(text);
    // Requests that begin later and are answered: by then the frames have reached the host too.
    for (let later = 0; later < 3; later += 1) await control.call('GET', '/healthz');
    resolve();
    await eventually(() => expect(frames).toEqual(['1', '2', '3']));
    socket.terminate();
  });

  it.each([
    ['a page of another origin', { origin: 'https://evil.example' }, 403],
    ['a page without an origin of its own', { origin: 'null' }, 403],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['a name that is not this host’s', { headers: { host: 'evil.example' } }, 421],
  ])('are refused to %s before the handshake', async (_name, options, status) => {
    const chat = aChat();
    await using control = await startTestControl({ channels: [chat.channel] });
    expect(await handshake(control, undefined, options)).toBe(status);
    expect(chat.peers).toHaveLength(0);
  });

  it('open for a page of this host, for programs without an origin, and for any page where the channel says so', async () => {
    const anywhere = aChat({ instance: 'anywhere', section: { ...CHAT, socket: { ...CHAT.socket, origin: 'any' } } });
    await using control = await startTestControl({ channels: [aChat().channel, anywhere.channel] });
    expect(await handshake(control, undefined, { origin: control.control.address })).toBe(101);
    expect(await handshake(control)).toBe(101);
    expect(await handshake(control, '/channels/anywhere/ws?conversation=c', { origin: 'https://other.example' })).toBe(101);
  });

  it('need a conversation, a socket path and a channel that has one', async () => {
    await using control = await startTestControl({ channels: [aChat().channel, aChannel()] });
    expect(await handshake(control, '/channels/chat/ws')).toBe(400);
    expect(await handshake(control, `/channels/chat/ws?conversation=${'c'.repeat(257)}`)).toBe(400);
    expect(await handshake(control, '/channels/chat/other?conversation=c')).toBe(404);
    expect(await handshake(control, '/channels/hook/ws?conversation=c')).toBe(404);
    expect(await handshake(control, '/channels/nobody/ws?conversation=c')).toBe(404);
    expect(await handshake(control, '/healthz')).toBe(404);
    expect(await handshake(control, '/api/v1/status')).toBe(401);
    expect(await control.call('GET', '/channels/chat/ws?conversation=c')).toMatchObject({ status: 426, json: { code: 'UPGRADE_REQUIRED' } });
  });

  it('end on frames that are too large or binary', async () => {
    const chat = aChat();
    await using control = await startTestControl({ channels: [chat.channel] });
    for (const [data, code] of [['x'.repeat(65), 1009], [Buffer.from('x'), 1003]] as const) {
      const socket = open(control);
      await once(socket, 'open');
      socket.send(data);
      expect((await once(socket, 'close'))[0]).toBe(code);
    }
    expect(chat.frames).toEqual([]);
  });

  it('are bounded in number for each channel', async () => {
    await using control = await startTestControl({ channels: [aChat().channel, aChat({ instance: 'other' }).channel], sockets: { perInstance: 2 } });
    const sockets = [open(control), open(control)];
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    expect(await handshake(control)).toBe(503);
    expect(await handshake(control, '/channels/other/ws?conversation=c')).toBe(101);
    sockets[0]?.close();
    await eventually(async () => expect(await handshake(control)).toBe(101));
    sockets[1]?.terminate();
  });

  it('are bounded in number for each conversation and each address, so that one guest keeps no other out', async () => {
    await using control = await startTestControl({ channels: [aChat().channel], network: { trustedProxies: ['127.0.0.1'] }, sockets: { perConversation: 2, perAddress: 3 } });
    const by = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    const path = (conversation: string) => `/channels/chat/ws?conversation=${conversation}`;
    const sockets = [open(control, path('a'), by('203.0.113.1')), open(control, path('a'), by('203.0.113.2'))];
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    expect(await handshake(control, path('a'), by('203.0.113.3'))).toBe(503);
    for (const conversation of ['b', 'c']) await once(open(control, path(conversation), by('203.0.113.1')), 'open');
    expect(await handshake(control, path('d'), by('203.0.113.1'))).toBe(503);
    expect(await handshake(control, path('d'), by('203.0.113.2'))).toBe(101);
    sockets[0]?.close();
    await eventually(async () => expect(await handshake(control, path('a'), by('203.0.113.1'))).toBe(101));
  });

  it('are cut when their peer does not read', async () => {
    const chat = aChat();
    await using control = await startTestControl({ channels: [chat.channel], sockets: { unreadBytes: 1024 } });
    const socket = open(control);
    await once(socket, 'open');
    await eventually(() => expect(chat.peers).toHaveLength(1));
    socket.pause();
    await eventually(() => {
      for (let sent = 0; sent < 100; sent += 1) chat.peers[0]?.send('x'.repeat(100_000));
      expect(chat.closed()).toBe(1);
    });
    socket.terminate();
  });

  it('are dropped when their peer answers no ping', async () => {
    const chat = aChat();
    await using control = await startTestControl({ channels: [chat.channel], sockets: { pingMs: 400 } });
    const lively = open(control);
    const silent = open(control, undefined, { autoPong: false });
    await Promise.all([once(lively, 'open'), once(silent, 'open')]);
    await once(silent, 'close');
    expect(lively.readyState).toBe(WebSocket.OPEN);
    lively.terminate();
  });

  it('are told when the host stops, and do not hold it up', async () => {
    await using control = await startTestControl({ channels: [aChat().channel], sockets: { closeMs: 50 } });
    const polite = open(control);
    const rude = open(control);
    await Promise.all([once(polite, 'open'), once(rude, 'open')]);
    rude.pause();
    const told = once(polite, 'close');
    await control.control.close();
    expect((await told)[0]).toBe(1001);
    rude.terminate();
  });

  it('end with the reason when the channel fails to open them', async () => {
    await using control = await startTestControl({ channels: [aChat({ socket: () => Promise.reject(new Error('no')) }).channel] });
    const socket = open(control);
    expect((await once(socket, 'close'))[0]).toBe(1011);
  });
});
