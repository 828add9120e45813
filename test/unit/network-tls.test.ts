// TLS that the host ends itself: certificates that must be right, renewed while it runs, asked of peers, and the command line that trusts them.
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectInClear } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateTroubles } from '../../host/cli/security/network.ts';
import { systemClock } from '../../host/clock.ts';
import { configIn } from '../../host/config.ts';
import { watchCertificates } from '../../host/control/network/certificate-watch.ts';
import { createLog, type Log } from '../../host/log.ts';
import { readCertificates } from '../../host/network/certificates.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import { OPENSSL, anAuthority, inDays, type Authority, type Pair } from '../support/certificates.ts';
import { aChannel, startTestControl, type Script } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

let dir: TempDir;
let authority: Authority;
let stranger: Authority;
let host: Pair;
let client: Pair;
let revoked: Pair;
let foreign: Pair;
let crl: string;

const not = OPENSSL === undefined ? ' (not run: openssl)' : '';

beforeAll(async () => {
  dir = await tempDir();
  if (OPENSSL === undefined) return;
  authority = anAuthority(dir.path);
  stranger = anAuthority(dir.path, 'stranger');
  host = authority.sign('host');
  client = authority.sign('client');
  revoked = authority.sign('revoked');
  foreign = stranger.sign('foreign');
  crl = authority.crl('crl.pem', [revoked]);
});
afterAll(() => dir[Symbol.asyncDispose]());

interface Said {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly code: unknown;
}

/** One request over a connection of its own; the error of the handshake, when there is one. */
function ask(address: string, path: string, { pair, headers = {} }: { readonly pair?: Pair; readonly headers?: Record<string, string> } = {}): Promise<Said | string> {
  return new Promise((done) => {
    const shown = pair ? { cert: readFileSync(pair.cert), key: readFileSync(pair.key) } : {};
    request(`${address}${path}`, { agent: false, ca: readFileSync(authority.ca), headers, ...shown }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', (error) => done(error.message));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        done({ status: answer.statusCode ?? 0, headers: answer.headers, code: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>)['code'] : undefined });
      });
    }).on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message)).end();
  });
}

const policyOf = (network: NonNullable<HostConfig['network']>) => configIn(Buffer.from(JSON.stringify({ network })), { home: dir.path, env: {}, cwd: dir.path, interfaces: {} }).policy;
const tlsOf = ({ cert, key }: Pair) => ({ cert, key });

describe.skipIf(OPENSSL === undefined)(`certificates${not}`, () => {
  it('that are sound are read', () => {
    expect(readCertificates(policyOf({ tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, crl } }), systemClock.now())?.leaf.subject).toBe('CN=host');
    expect(readCertificates(policyOf({}), systemClock.now())).toBeUndefined();
  });

  it.each<[string, () => NonNullable<HostConfig['network']>, RegExp]>([
    ['that is not there', () => ({ tls: { ...tlsOf(host), cert: 'gone.pem' } }), /cert names .*gone\.pem, which cannot be read/],
    ['that is none', () => ({ tls: { ...tlsOf(host), cert: host.key } }), /not the PEM file it should be/],
    ['whose key is none', () => ({ tls: { ...tlsOf(host), key: host.cert } }), /key names .* which is not the PEM file|everybody on this machine/],
    ['of another key', () => ({ tls: { cert: host.cert, key: client.key } }), /does not belong/],
    ['that is over', () => ({ tls: tlsOf(authority.sign('over', { from: inDays(-9), until: inDays(-1) })) }), /ended /],
    ['that has not begun', () => ({ tls: tlsOf(authority.sign('early', { from: inDays(1), until: inDays(2) })) }), /begins /],
    ['with an authority that is none', () => ({ tls: tlsOf(host), mtls: { mode: 'require', ca: crl } }), /mtls\.ca names/],
    ['with a revocation list that is none', () => ({ tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, crl: host.cert } }), /mtls\.crl names/],
  ])('%s keeps a host from starting', (_, network, problem) => {
    expect(() => readCertificates(policyOf(network()), systemClock.now())).toThrow(expect.objectContaining({ code: 'CONFIG_UNSAFE', row: expect.objectContaining({ exitCode: 3 }), message: expect.stringMatching(problem) }));
  });

  it('that end within fourteen days are told by doctor and the security audit, as are broken ones', () => {
    const ending = policyOf({ tls: tlsOf(authority.sign('ending', { until: inDays(10) })) });
    expect(certificateTroubles(ending)).toEqual([expect.objectContaining({ found: expect.stringMatching(/CN=ending ends .*, in 9 days/) })]);
    expect(certificateTroubles(policyOf({ tls: { cert: 'gone', key: 'gone' } }))).toEqual([expect.objectContaining({ found: expect.stringContaining('cannot be read') })]);
    expect(certificateTroubles(policyOf({ tls: tlsOf(host) }))).toEqual([]);
  });

  it('whose key everybody may read keep a host from starting; a group may', () => {
    const pair = authority.sign('loose');
    chmodSync(pair.key, 0o644);
    expect(() => readCertificates(policyOf({ tls: tlsOf(pair) }), systemClock.now())).toThrow(/mode 644/);
    chmodSync(pair.key, 0o640);
    expect(readCertificates(policyOf({ tls: tlsOf(pair) }), systemClock.now())).toBeDefined();
  });
});

describe.skipIf(OPENSSL === undefined)(`a host with TLS${not}`, () => {
  const start = (script: Script) => startTestControl({ config: { profile: 'gateway' }, ...script });

  it('speaks the versions it is told to, says so by HSTS, and takes nothing in clear', async () => {
    await using control = await start({ network: { tls: { ...tlsOf(host), minVersion: '1.3' } } });
    const { address } = control.control;
    expect(address).toMatch(/^https:/);
    const answer = await ask(address, '/healthz');
    expect(answer).toMatchObject({ status: 200, headers: { 'strict-transport-security': 'max-age=31536000' } });
    expect(await ask(address, '/nothing')).toMatchObject({ status: 401, headers: { 'strict-transport-security': 'max-age=31536000' } });
    await expect(fetch(`${address.replace('https', 'http')}/healthz`)).rejects.toThrow('fetch failed');
    const { port } = new URL(address);
    const old = await new Promise((done) => connect({ port: Number(port), host: '127.0.0.1', ca: readFileSync(authority.ca), maxVersion: 'TLSv1.2' }, () => done('connected')).on('error', (error: NodeJS.ErrnoException) => done(error.code)));
    expect(old).toMatch(/PROTOCOL_VERSION/);
  });

  it('shows a renewed certificate to the next connection', async () => {
    const live = { cert: join(dir.path, 'live.pem'), key: join(dir.path, 'live.key') };
    const put = (pair: Pair) => {
      for (const part of ['cert', 'key'] as const) {
        copyFileSync(pair[part], `${live[part]}.new`);
        renameSync(`${live[part]}.new`, live[part]);
      }
    };
    put(host);
    await using control = await start({ network: { tls: live } });
    const { address } = control.control;
    const shown = () => new Promise((done) => {
      const socket = connect({ port: Number(new URL(address).port), host: '127.0.0.1', ca: readFileSync(authority.ca) }, () => {
        done(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
    });
    expect(await shown()).toBe('host');
    put(authority.sign('renewed'));
    await eventually(async () => expect(await shown()).toBe('renewed'), 120_000);
  });

  it('keeps the certificate it has while a changed file is broken, and says so', async () => {
    const live = { cert: join(dir.path, 'breaking.pem'), key: join(dir.path, 'breaking.key') };
    for (const part of ['cert', 'key'] as const) copyFileSync(host[part], live[part]);
    const told: string[] = [];
    const note = (_fields: unknown, text: string) => void told.push(text);
    using watch = watchCertificates(policyOf({ tls: live }), systemClock, Object.assign(createLog('fatal' as 'error'), { error: note, info: note }) satisfies Log);
    writeFileSync(live.cert, 'half a file');
    await eventually(() => expect(told).toEqual(['a changed certificate is not taken up; the one before it stays']), 120_000);
    expect(watch?.current.leaf.subject).toBe('CN=host');
    copyFileSync(host.cert, live.cert);
    await eventually(() => expect(told.at(-1)).toBe('certificates taken up'), 120_000);
  });

  it('outlives files that can no longer be looked at, and takes them up when they are back', async () => {
    const live = { cert: join(dir.path, 'looping.pem'), key: join(dir.path, 'looping.key') };
    for (const part of ['cert', 'key'] as const) copyFileSync(host[part], live[part]);
    const told: string[] = [];
    const note = ({ problem }: { readonly problem?: string }, text: string) => void told.push(problem ?? text);
    using watch = watchCertificates(policyOf({ tls: live }), systemClock, Object.assign(createLog('fatal' as 'error'), { error: note, info: note }) satisfies Log);
    rmSync(live.cert);
    symlinkSync(live.cert, live.cert);
    await eventually(() => expect(told).toEqual([expect.stringContaining('ELOOP')]), 120_000);
    expect(watch?.current.leaf.subject).toBe('CN=host');
    rmSync(live.cert);
    copyFileSync(host.cert, live.cert);
    await eventually(() => expect(told.at(-1)).toBe('certificates taken up'), 120_000);
  });

  it('takes up a certificate that was refused for its time once that has come, though no file changes', async () => {
    const live = { cert: join(dir.path, 'early-live.pem'), key: join(dir.path, 'early-live.key') };
    for (const part of ['cert', 'key'] as const) copyFileSync(host[part], live[part]);
    const told: string[] = [];
    const note = (_fields: unknown, text: string) => void told.push(text);
    let aheadMs = 0;
    using watch = watchCertificates(policyOf({ tls: live }), { ...systemClock, now: () => systemClock.now() + aheadMs }, Object.assign(createLog('fatal' as 'error'), { error: note, info: note }) satisfies Log);
    const early = authority.sign('early-live-pair', { from: inDays(1), until: inDays(9) });
    for (const part of ['key', 'cert'] as const) copyFileSync(early[part], live[part]);
    await eventually(() => expect(told.at(-1)).toBe('a changed certificate is not taken up; the one before it stays'), 120_000);
    aheadMs = 2 * 86_400_000;
    await eventually(() => expect(told.at(-1)).toBe('certificates taken up'), 120_000);
    expect(watch?.current.leaf.subject).toBe('CN=early-live-pair');
  });

  it('ends a connection that never begins a handshake, after the time that headers have', async () => {
    await using control = await start({ network: { tls: tlsOf(host), limits: { headersMs: 300 } } });
    const socket = connectInClear(Number(new URL(control.control.address).port), '127.0.0.1');
    await new Promise((done) => socket.once('close', done).on('error', () => undefined).resume());
    expect(await ask(control.control.address, '/healthz')).toMatchObject({ status: 200 });
  });

  it('asks WebSockets for a certificate as well', async () => {
    await using control = await start({ network: { tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, for: ['/channels/'] } }, channels: [aChannel()] });
    const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    expect(await ask(control.control.address, '/channels/hook/ws?conversation=c', { headers })).toMatchObject({ status: 403, code: 'CLIENT_CERTIFICATE' });
    expect(await ask(control.control.address, '/channels/hook/ws?conversation=c', { headers, pair: client })).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('lets nobody past the handshake without a certificate that counts, and still asks for a token', async () => {
    await using control = await start({ network: { tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, crl } } });
    const { address } = control.control;
    expect(await ask(address, '/api/v1/status', { pair: client })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await ask(address, '/api/v1/status', { pair: client, headers: { authorization: `Bearer ${control.adminToken}` } })).toMatchObject({ status: 200 });
    for (const pair of [undefined, foreign, revoked]) expect(await ask(address, '/healthz', pair ? { pair } : {})).toMatch(/CERT|ECONNRESET|EPIPE/);
  });

  it('asks for one only where it is told to, however the path is spelt', async () => {
    await using control = await start({ network: { tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, crl, for: ['/api/'] } } });
    const { address } = control.control;
    const token = { headers: { authorization: `Bearer ${control.adminToken}` } };
    for (const path of ['/api/v1/status', '/%61pi/v1/status', '/api/v1/nothing', '/api/v1/%zz']) {
      for (const pair of [undefined, foreign, revoked]) expect([path, pair?.cert, await ask(address, path, { ...token, ...(pair ? { pair } : {}) })]).toEqual([path, pair?.cert, expect.objectContaining({ status: 403, code: 'CLIENT_CERTIFICATE' })]);
    }
    expect(await ask(address, '/api/v1/status', { ...token, pair: client })).toMatchObject({ status: 200 });
    expect(await ask(address, '/metrics', token)).toMatchObject({ status: 200 });
  });

  it('asks for one at a path without its last slash, and answers no address that the router cuts elsewhere', async () => {
    await using control = await start({ network: { tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, for: ['/api/v1/tokens/', '/channels/hook/ws', '/channels/hook/-/access'] } }, channels: [aChannel()] });
    const { port } = new URL(control.control.address);
    const said = (line: string) => new Promise<string>((done) => {
      let text = '';
      const socket = connect({ port: Number(port), host: '127.0.0.1', ca: readFileSync(authority.ca) }, () => socket.write(`${line} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${control.adminToken}\r\nconnection: close\r\n\r\n`));
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => undefined).on('close', () => done(`${text.slice(9, 12)} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`));
    });
    for (const path of ['/api/v1/tokens', '/api/v1/tokens?limit=1', 'https://127.0.0.1/api/v1/tokens', '/api/v1/tokens/x', '/channels/hook/ws?x']) expect([path, await said(`GET ${path}`)]).toEqual([path, '403 CLIENT_CERTIFICATE']);
    for (const line of ['GET /api/v1/tokens#x', 'GET /channels/hook/ws#conversation=c', 'POST /channels/hook/-/access#x', 'GET https://127.0.0.1?/api/v1/tokens']) expect([line, await said(line)]).toEqual([line, '400 REQUEST_MALFORMED']);
    expect(await said('GET /api/v1/tokensx')).toBe('404 NOT_FOUND');
  });

  it('that requests certificates takes those without, and refuses wrong ones', async () => {
    await using control = await start({ network: { tls: tlsOf(host), mtls: { mode: 'request', ca: authority.ca } } });
    const { address } = control.control;
    expect(await ask(address, '/openapi.json')).toMatchObject({ status: 200 });
    expect(await ask(address, '/openapi.json', { pair: client })).toMatchObject({ status: 200 });
    expect(await ask(address, '/openapi.json', { pair: foreign })).toMatchObject({ status: 403, code: 'CLIENT_CERTIFICATE' });
  });

  it('ends connections of a certificate that is taken back while it runs, WebSockets as well, and resumes no session before or after', async () => {
    const list = join(dir.path, 'live-crl.pem');
    copyFileSync(crl, list);
    const later = authority.sign('later');
    const chat = aChannel({ section: { abilities: ['receive'], ingress: [], socket: { path: '/ws', origin: 'same', maxFrameBytes: 1024, conversation: { query: 'conversation' } } } });
    await using control = await start({ config: { profile: 'local' }, network: { tls: tlsOf(host), mtls: { mode: 'require', ca: authority.ca, crl: list } }, channels: [chat] });
    const { port } = new URL(control.control.address);
    const shown = (pair: Pair) => ({ port: Number(port), host: '127.0.0.1', ca: readFileSync(authority.ca), cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
    const opened = async (request: string) => {
      const chunks: Buffer[] = [];
      const socket = connect(shown(later));
      const ended = new Promise<Buffer>((done) => socket.on('error', () => undefined).once('close', () => done(Buffer.concat(chunks))));
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      await new Promise((done) => socket.once('secureConnect', done));
      socket.write(request);
      await new Promise((done) => socket.once('data', done));
      return { ended };
    };
    /** Whether a second connection with what the first was given is taken at its word. */
    const isResumed = async () => {
      const first = connect({ ...shown(client), maxVersion: 'TLSv1.2' });
      await new Promise((done) => first.once('secureConnect', done));
      const session = first.getSession();
      first.destroy();
      const second = connect({ ...shown(client), maxVersion: 'TLSv1.2', ...(session ? { session } : {}) });
      await new Promise((done) => second.once('secureConnect', done));
      const isReused = second.isSessionReused();
      second.destroy();
      return isReused;
    };
    expect(await isResumed()).toBe(false);
    const plain = await opened('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    const upgraded = await opened('GET /channels/hook/ws?conversation=c HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    copyFileSync(authority.crl('crl-2.pem', [later]), list);
    await plain.ended;
    const said = await upgraded.ended;
    expect(said.toString('latin1')).toMatch(/^HTTP\/1\.1 101/);
    // A close frame of a server with 1012, which this peer does not answer.
    expect(said.toString('latin1')).toContain('\x03\xf4certificates have changed');
    expect(await ask(control.control.address, '/healthz', { pair: later })).toMatch(/CERT|ECONNRESET|EPIPE/);
    expect(await ask(control.control.address, '/healthz', { pair: client })).toMatchObject({ status: 200 });
    expect(await isResumed()).toBe(false);
  });

  /** A host process with certificate and key in its home. */
  async function aHostAtHome(network: NonNullable<HostConfig['network']>) {
    await using parts = new AsyncDisposableStack();
    const home = parts.use(await tempDir());
    await mkdir(join(home.path, 'manifests', 'plugins'), { recursive: true });
    const pair = authority.sign('at-home', { altName: 'DNS:somebody.else' });
    for (const part of ['cert', 'key'] as const) copyFileSync(pair[part], join(home.path, `tls.${part}`));
    writeFileSync(join(home.path, 'manifests', 'host.json'), JSON.stringify({ network: { tls: { cert: 'tls.cert', key: 'tls.key' }, ...network }, sandbox: { warm: 0 } }));
    const { address } = parts.use(await startProcess(home.path));
    const held = parts.move();
    const status = () => runCommand(['status', '--json', '--home', home.path]);
    return { path: home.path, address, status, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
  }

  it('answers the command line over TCP, which trusts the certificate in the home and no other of the same authority', async () => {
    await using running = await aHostAtHome({});
    expect(running.address).toMatch(/^https:/);
    rmSync(join(running.path, 'data/gatehouse.sock'));
    const { code, stdout } = await running.status();
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ ready: true })]);
    copyFileSync(host.cert, join(running.path, 'tls.cert'));
    expect(await running.status()).toMatchObject({ code: 4, stdout: expect.stringContaining('issuer certificate') });
  });

  it('that requires certificates of everybody answers the command line through its socket', async () => {
    await using running = await aHostAtHome({ mtls: { mode: 'require', ca: authority.ca } });
    expect(await ask(running.address, '/healthz')).toMatch(/CERT|ECONNRESET|EPIPE/);
    expect((await running.status()).code).toBe(0);
    rmSync(join(running.path, 'data/gatehouse.sock'));
    expect((await running.status()).code).toBe(4);
  });
});
