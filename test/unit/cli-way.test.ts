// The way from a command to its host: the socket of the data directory before TCP, a host elsewhere by its address, and no token where it does not belong.
import { existsSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { fitsSocket, localSocketPath } from '../../host/control/local-socket.ts';
import { startTestControl } from '../support/control-plane.ts';
import { aHome } from '../support/home.ts';
import { gatehouse, startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const listening = async (server: Server, where: string | number) => {
  await new Promise<void>((resolve) => (typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve)));
  return { async [Symbol.asyncDispose]() { await new Promise((done) => server.close(done)); } };
};

const askSocket = (socketPath: string, path: string, headers: Record<string, string> = {}) => new Promise<number>((resolve, reject) => {
  request({ socketPath, path, headers: { host: 'localhost', ...headers }, agent: false }, (answer) => (answer.resume(), resolve(answer.statusCode ?? 0))).on('error', reject).end();
});

describe('the socket of the data directory', () => {
  it('answers for its owner alone, with the same tokens, scopes and names as the address', async () => {
    await using plane = await startTestControl();
    const path = localSocketPath(plane.dataDir);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(plane.dataDir)).mode & 0o077).toBe(0);
    expect(await askSocket(path, '/healthz')).toBe(200);
    expect(await askSocket(path, '/api/v1/plugins')).toBe(401);
    expect(await askSocket(path, '/api/v1/plugins', { authorization: `Bearer ${plane.adminToken}` })).toBe(200);
    expect(await askSocket(path, '/healthz', { host: 'evil.example' })).toBe(421);
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
    expect(await askSocket(path, '/healthz')).toBe(200);
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
    const status = await gatehouse(['status', '--json', '--home', home.path, '--data', deep]);
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
