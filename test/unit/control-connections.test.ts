// Connections: how long and how many, and the order of answers on one of them when requests come faster than answers or break half way.
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { aChannel, callHttp, startTestControl, type Script, type TestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { answersIn, exchange } from '../support/raw-http.ts';

const GET = 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';
const LIMITS = { headersMs: 300, requestMs: 600, idleMs: 300, silentMs: 10_000, checkMs: 50, connections: 400, headerBytes: 4096 };

interface Peer extends Disposable {
  readonly socket: Socket;
  readonly said: () => string;
  readonly closed: Promise<number>;
}

/** A connection that only does what it is told. `closed` resolves with the milliseconds it lasted. */
async function aPeer(control: TestControl): Promise<Peer> {
  const { port } = new URL(control.control.address);
  const startedAt = performance.now();
  let said = '';
  const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => (said += chunk.toString('latin1')));
  const closed = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now() - startedAt)));
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, said: () => said, closed, [Symbol.dispose]: () => socket.destroy() };
}

/** Open connections of this process, each end for itself. */
const tcpSockets = () => process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length;

/** A channel whose answers wait until they are let go. */
function aSlowChannel() {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const channel = aChannel({
    http: async () => {
      asked += 1;
      await gate.promise;
      return { status: 200, headers: { 'content-type': 'application/json' }, body: '{"slow":true}' };
    },
  });
  return { channel, asked: () => asked, letGo: () => gate.resolve() };
}

const POST = 'POST /channels/hook/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}';

describe('connections', () => {
  let control: TestControl;
  const open = async (script: Script = {}) => (control = await startTestControl({ connections: LIMITS, ...script }));
  afterEach(() => control[Symbol.asyncDispose]());

  it.each([
    ['that never says anything', ''],
    ['whose headers never end', 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: '],
    ['whose body never ends', 'POST /channels/hook/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{'],
    ['whose chunks never end', 'POST /channels/hook/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n'],
  ])('end with 408 for a peer %s', async (_, bytes) => {
    await open({ channels: [aChannel()] });
    using peer = await aPeer(control);
    peer.socket.write(bytes);
    await peer.closed;
    expect(answersIn(Buffer.from(peer.said(), 'latin1')).map(({ status }) => status)).toEqual([408]);
  });

  it('end for a peer that sends a byte now and then: the time for the whole counts', async () => {
    await open({ channels: [aChannel()] });
    using peer = await aPeer(control);
    peer.socket.write('POST /channels/hook/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n');
    const drip = setInterval(() => peer.socket.write(' '), 20);
    expect(await peer.closed).toBeLessThan(20_000);
    clearInterval(drip);
    expect(peer.said()).toContain('408');
  });

  it('end when nothing follows an answer', async () => {
    await open();
    using peer = await aPeer(control);
    peer.socket.write(GET);
    await peer.closed;
    expect(answersIn(Buffer.from(peer.said(), 'latin1')).map(({ status }) => status)).toEqual([200]);
  });

  it('end when their peer stops reading', async () => {
    const page = Buffer.alloc(32 * 1024 * 1024, 'x');
    await open({ connections: { ...LIMITS, silentMs: 300 }, channels: [aChannel({ asset: () => ({ bytes: page, contentType: 'text/plain' }) })] });
    using peer = await aPeer(control);
    expect(tcpSockets()).toBe(2);
    peer.socket.pause();
    peer.socket.write('GET /channels/hook/page HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    // What never reads does not learn of the end either: of both ends in this process, one goes.
    await eventually(() => expect(tcpSockets()).toBe(1));
    expect(peer.socket.destroyed).toBe(false);
  });

  it('of three hundred peers that dawdle keep nobody else from being answered, and are gone in the end', async () => {
    await open();
    const peers = await Promise.all(Array.from({ length: 300 }, () => aPeer(control)));
    for (const { socket } of peers) socket.write('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n');
    const drip = setInterval(() => peers.forEach(({ socket }, index) => socket.writable && socket.write(`x-${index}: 1\r\n`)), 50);
    for (let asked = 0; asked < 20; asked++) expect((await callHttp(control.control.address, 'GET', '/healthz')).status).toBe(200);
    await Promise.all(peers.map(({ closed }) => closed));
    clearInterval(drip);
    expect(peers.every(({ said }) => said() === '' || said().startsWith('HTTP/1.1 408'))).toBe(true);
  });

  it('are not more than the limit', async () => {
    await open({ connections: { ...LIMITS, connections: 5, headersMs: 5000 } });
    const peers = await Promise.all(Array.from({ length: 9 }, () => aPeer(control)));
    await eventually(() => expect(peers.filter(({ socket }) => socket.destroyed)).toHaveLength(4));
    for (const peer of peers) peer[Symbol.dispose]();
    await eventually(async () => expect((await callHttp(control.control.address, 'GET', '/healthz')).status).toBe(200));
  });

  it('of one address are no more than its part, and of a trusted proxy as many as all may be', async () => {
    await open({ connections: { ...LIMITS, perAddress: 5, headersMs: 5000 } });
    const peers = await Promise.all(Array.from({ length: 9 }, () => aPeer(control)));
    await eventually(() => expect(peers.filter(({ socket }) => socket.destroyed)).toHaveLength(4));
    for (const peer of peers) peer[Symbol.dispose]();
    await eventually(async () => expect((await callHttp(control.control.address, 'GET', '/healthz')).status).toBe(200));
    await control[Symbol.asyncDispose]();
    await open({ network: { trustedProxies: ['127.0.0.1'] }, connections: { ...LIMITS, perAddress: 5, headersMs: 5000 } });
    const proxied = await Promise.all(Array.from({ length: 9 }, () => aPeer(control)));
    for (const { socket } of proxied) socket.write(GET);
    await eventually(() => expect(proxied.filter(({ said }) => said().startsWith('HTTP/1.1 200'))).toHaveLength(9));
    for (const peer of proxied) peer[Symbol.dispose]();
  });
});

describe('answers on one connection', () => {
  it('come in order, also when what follows is no HTTP', async () => {
    const slow = aSlowChannel();
    await using control = await startTestControl({ channels: [slow.channel] });
    using peer = await aPeer(control);
    peer.socket.write(`${POST}G(T / HTTP/1.1\r\n\r\n`);
    await eventually(() => expect(slow.asked()).toBe(1));
    expect(peer.said()).toBe('');
    slow.letGo();
    await peer.closed;
    expect(answersIn(Buffer.from(peer.said(), 'latin1')).map(({ status, body }) => [status, body.slice(0, 13)])).toEqual([[200, '{"slow":true}'], [400, '{"type":"http']]);
  });

  it('are not mixed with an early `100 Continue`', async () => {
    await using control = await startTestControl();
    const { answers } = await exchange(control.control.address, [Buffer.from(`${GET}GET /%ff HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\n\r\n`)]);
    expect(answers.map(({ status, body }) => [status, typeof JSON.parse(body)])).toEqual([[200, 'object'], [401, 'object']]);
  });

  it('tell a client that waits for it to continue', async () => {
    await using control = await startTestControl({ channels: [aChannel()] });
    using peer = await aPeer(control);
    peer.socket.write('POST /channels/hook/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n');
    await eventually(() => expect(peer.said()).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
    peer.socket.write('{}');
    await eventually(() => expect(peer.said()).toContain('HTTP/1.1 200 OK'));
  });

  it('ignore an expectation that nobody knows', async () => {
    await using control = await startTestControl();
    expect(await control.call('GET', '/healthz', { headers: { expect: 'miracles' } })).toMatchObject({ status: 200 });
  });

  it('end the connection when an upgrade waits behind them, and the host can still stop', async () => {
    const slow = aSlowChannel();
    const control = await startTestControl({ channels: [slow.channel] });
    using peer = await aPeer(control);
    peer.socket.write(`${POST}GET /channels/hook/ws HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    await eventually(() => expect(slow.asked()).toBe(1));
    slow.letGo();
    await peer.closed;
    expect(peer.said()).toContain('{"slow":true}');
    const startedAt = performance.now();
    await control[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it.each([
    ['no Host', '', 400],
    ['two Hosts that differ', 'host: 127.0.0.1\r\nhost: evil.example\r\n', 400],
    ['the same Host twice', 'host: 127.0.0.1\r\nHost: 127.0.0.1\r\n', 400],
    ['an empty Host', 'host:\r\n', 421],
    ['two names in one Host', 'host: 127.0.0.1, evil.example\r\n', 421],
  ])('refuse %s', async (_, lines, status) => {
    await using control = await startTestControl();
    const { answers } = await exchange(control.control.address, [Buffer.from(`GET /healthz HTTP/1.1\r\n${lines}\r\n`)]);
    expect(answers.map((answer) => [answer.status, answer.headers.get('content-type')])).toEqual([[status, 'application/problem+json']]);
  });
});
