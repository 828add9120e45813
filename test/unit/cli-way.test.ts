// The way from a command to its host: the socket of the data directory before TCP, a host elsewhere by its address, and no token where it does not belong.
import { existsSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { fitsSocket, localSocketPath } from '../../host/control/local-socket.ts';
import { askSocket } from '../support/ask-socket.ts';
import { aChannel, startTestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const listening = async (server: Server, where: string | number) => {
  await new Promise<void>((resolve) => (typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve)));
  return { async [Symbol.asyncDispose]() { await new Promise((done) => server.close(done)); } };
};

const statusAt = async (socketPath: string, path: string, headers: Record<string, string> = {}) => (await askSocket(socketPath, { path, headers })).status;

/** What comes back for these bytes until the connection ends. */
const saidTo = (socketPath: string, bytes: string) => new Promise<string>((resolve) => {
  let said = '';
  const socket = connect(socketPath, () => socket.write(bytes));
  socket.on('data', (chunk) => (said += chunk.toString('latin1'))).on('error', () => undefined).on('close', () => resolve(said));
});

describe('the socket of the data directory', () => {
  it('answers for its owner alone, with the same tokens, scopes and names as the address', async () => {
    await using plane = await startTestControl();
    const path = localSocketPath(plane.dataDir);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(plane.dataDir)).mode & 0o077).toBe(0);
    expect(await statusAt(path, '/healthz')).toBe(200);
    expect(await statusAt(path, '/api/v1/plugins')).toBe(401);
    expect(await statusAt(path, '/api/v1/plugins', { authorization: `Bearer ${plane.adminToken}` })).toBe(200);
    expect(await statusAt(path, '/healthz', { host: 'evil.example' })).toBe(421);
  });

  it('stays open to its owner, whatever comes by TCP and whoever it says it is', async () => {
    await using plane = await startTestControl({ config: { profile: 'internet' }, network: { trustedProxies: ['127.0.0.1'], limits: { perAddressPerSecond: 1, perTokenPerSecond: 1 } } });
    const path = localSocketPath(plane.dataDir);
    const wrong = { authorization: `Bearer ght_${'0'.repeat(16)}_${'A'.repeat(43)}` };
    const right = { authorization: `Bearer ${plane.adminToken}` };
    for (let guess = 0; guess < 4; guess += 1) expect((await plane.call('GET', '/api/v1/plugins', { headers: wrong })).status).toBe(401);
    for (let guess = 0; guess < 12; guess += 1) expect(await statusAt(path, '/api/v1/plugins', wrong)).toBe(401);
    for (let asked = 0; asked < 12; asked += 1) expect(await statusAt(path, '/api/v1/plugins', right)).toBe(200);
    // A header of a proxy is nobody's word here: neither for another address nor for another name.
    expect(await statusAt(path, '/api/v1/plugins', { ...right, 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.example' })).toBe(200);
    expect(await statusAt(path, '/healthz', { host: 'evil.example', 'x-forwarded-host': 'localhost' })).toBe(421);
  });

  it('stays open to its owner while wrong tokens lock out everybody else of this machine', async () => {
    await using plane = await startTestControl();
    const guess = { headers: { authorization: `Bearer ght_${'0'.repeat(16)}_${'A'.repeat(43)}` } };
    for (let each = 0; each < 10; each += 1) await plane.call('GET', '/api/v1/plugins', guess);
    expect((await plane.call('GET', '/api/v1/plugins', { token: true })).status).toBe(429);
    expect(await statusAt(localSocketPath(plane.dataDir), '/api/v1/plugins', { authorization: `Bearer ${plane.adminToken}` })).toBe(200);
  });

  it.each([
    ['an upgrade with 404', 'GET /channels/webchat/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n', /^HTTP\/1\.1 404 [\s\S]*application\/problem\+json[\s\S]*"NOT_FOUND"/],
    ['what is no HTTP with 400', 'G(T / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*"REQUEST_MALFORMED"/],
    ['a request without Host with 400', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*"REQUEST_MALFORMED"/],
    ['headers that never end with 408', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n', /^HTTP\/1\.1 408 [\s\S]*"REQUEST_TIMEOUT"/],
    ['too many of them with 431', `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 [\s\S]*"HEADERS_TOO_LARGE"/],
  ])('answers %s, and ends the connection', async (_, bytes, said) => {
    await using plane = await startTestControl({ connections: { headersMs: 300, checkMs: 50 } });
    expect(await saidTo(localSocketPath(plane.dataDir), bytes)).toMatch(said);
  });

  it('is the way commands take, so that no token crosses TCP', async () => {
    await using plane = await startTestControl();
    const seen: (string | undefined)[] = [];
    const spy = createHttpServer((incoming, answer) => (seen.push(incoming.headers.authorization), answer.end('{}')));
    await using _spying = await listening(spy, 0);
    writeRunFile(plane.dataDir, { pid: process.pid, address: `http://127.0.0.1:${(spy.address() as AddressInfo).port}`, startedAt: '' });
    const { code } = await runCommand(['plugins', 'list', '--json', '--home', plane.home]);
    expect({ code, seen }).toEqual({ code: 0, seen: [] });
  });

  it('lets what is under way finish when the host stops, for as long as the address does', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    let asked = 0;
    const channel = aChannel({ http: async () => (await gates[asked++]?.promise, { status: 200, headers: {}, body: '' }) });
    for (const [n, gate] of gates.entries()) {
      await using plane = await startTestControl({ channels: [channel] });
      const answer = askSocket(localSocketPath(plane.dataDir), { path: '/channels/hook/messages', method: 'POST' }).then(({ status }) => status, (error: NodeJS.ErrnoException) => error.code);
      await eventually(() => expect(asked).toBe(n + 1));
      const stopped = plane.control.close(n === 0 ? 30_000 : 50);
      // The name of a socket goes as it is closed.
      await eventually(() => expect(existsSync(localSocketPath(plane.dataDir))).toBe(false));
      if (n === 0) gate.resolve();
      await stopped;
      expect(await answer).toBe(n === 0 ? 200 : 'ECONNRESET');
      gate.resolve();
    }
  });

  it('is taken over from a host that crashed, and left alone when somebody answers there or it is no socket', async () => {
    await using plane = await startTestControl();
    const path = localSocketPath(plane.dataDir);
    await plane.control.close(100);
    expect(existsSync(path)).toBe(false);

    // A process that ends without a goodbye leaves its socket behind.
    spawnSync(process.execPath, ['-e', `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`]);
    expect(existsSync(path)).toBe(true);
    const { startControl } = await import('../../host/control/server.ts');
    const metrics = { contentType: 'text/plain', text: async () => '' };
    const again = await startControl({ host: plane.host, metrics });
    expect(await statusAt(path, '/healthz')).toBe(200);
    await again.close(100);

    const stranger = createServer((socket) => socket.end());
    await using _there = await listening(stranger, path);
    const beside = await startControl({ host: plane.host, metrics });
    expect(stranger.listening && existsSync(path)).toBe(true);
    await expect(fetch(`${beside.address}/healthz`)).resolves.toMatchObject({ status: 200 });
    await beside.close(100);
    await new Promise((done) => stranger.close(done));

    await writeFile(path, 'somebody’s');
    const without = await startControl({ host: plane.host, metrics });
    expect((await stat(path)).isFile()).toBe(true);
    await without.close(100);
    await rm(path);
  });

  it('is not tried where its path is too long for a socket; TCP is the way then', async () => {
    await using dir = await tempDir();
    const deep = join(dir.path, 'd'.repeat(100));
    await mkdir(deep);
    expect([fitsSocket(localSocketPath(deep)), fitsSocket('/run/gatehouse/gatehouse.sock')]).toEqual([false, true]);
    await using home = await aHome();
    await using host = await startProcess(home.path, ['--data', deep]);
    expect(existsSync(localSocketPath(deep))).toBe(false);
    const status = await runCommand(['status', '--json', '--home', home.path, '--data', deep]);
    expect(status.json()).toMatchObject({ pid: host.pid });
  });
});

describe('a host elsewhere', () => {
  it('is asked at --host with the token of a file or of the environment, and nothing of this machine’s homes', async () => {
    await using plane = await startTestControl();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'token'), `${plane.adminToken}\n`, { mode: 0o600 });
    const byFile = await runCommand(['plugins', 'list', '--json', '--host', plane.control.address, '--token-file', 'token'], { cwd: dir.path });
    expect({ code: byFile.code, items: Object(byFile.json()).items }).toEqual({ code: 0, items: [] });
    expect(await runCommand(['plugins', 'list', '--host', plane.control.address], { cwd: dir.path, env: { GATEHOUSE_TOKEN: plane.adminToken } })).toMatchObject({ code: 0 });
    expect(await runCommand(['plugins', 'list', '--host', plane.control.address], { cwd: dir.path, env: { GATEHOUSE_TOKEN: `ght_${'0'.repeat(16)}_${'x'.repeat(43)}` } })).toMatchObject({ code: 3, stderr: expect.stringContaining('token') });
  });

  it.each([
    ['http://chat.example.com', /in clear/],
    ['chat.example.com', /with its scheme/],
    ['ftp://chat.example.com', /with its scheme/],
    ['https://ada:secret@chat.example.com', /scheme, name and port alone/],
  ])('is not asked at %s', async (address, problem) => {
    const ran = await runCommand(['status', '--host', address], { env: { GATEHOUSE_TOKEN: `ght_${'0'.repeat(16)}_${'x'.repeat(43)}` } });
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 2, stderr: expect.stringMatching(problem) });
  });

  it('is not asked without a token, nor with something that is none', async () => {
    expect(await runCommand(['status', '--host', 'https://127.0.0.1:1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('GATEHOUSE_TOKEN') });
    const ran = await runCommand(['status', '--host', 'https://127.0.0.1:1', '--token-file', '/etc/hostname']);
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('no token of Gatehouse') });
  });

  it('that does not answer ends with 4', async () => {
    const ran = await runCommand(['status', '--json', '--host', 'http://127.0.0.1:1'], { env: { GATEHOUSE_TOKEN: `ght_${'0'.repeat(16)}_${'x'.repeat(43)}` } });
    expect({ code: ran.code, error: Object(ran.json()).error.code }).toEqual({ code: 4, error: 'REMOTE_UNREACHABLE' });
  });

  it('is never mistaken for the files of a home here', async () => {
    await using home = await aHome();
    const ran = await runCommand(['plugins', 'enable', 'gatehouse.echo', '--yes', '--home', home.path, '--host', 'https://chat.example.com'], { env: { GATEHOUSE_TOKEN: `ght_${'0'.repeat(16)}_${'x'.repeat(43)}` } });
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('run it where the home is') });
    expect(existsSync(join(home.path, 'manifests/plugins/echo.json'))).toBe(false);
  });
});

describe('the store of a running host', () => {
  it('is opened by no command, even one that cannot find the host', async () => {
    await using home = await aHome();
    await using host = await startProcess(home.path);
    await rm(join(home.path, 'data/run.json'));
    for (const command of [['quarantine', 'list'], ['plugins', 'release', 'x', '--reason', 'y', '--yes']]) {
      const ran = await runCommand([...command, '--json', '--home', home.path]);
      expect({ command, code: ran.code, error: Object(ran.json()).error.code }).toEqual({ command, code: 1, error: 'STORE_LOCKED' });
    }
    expect(host.child.exitCode).toBe(null);
  });
});
