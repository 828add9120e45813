// Certificates of the servers that plugins reach: checked against the name although the address is pinned, by a host whose environment would have it otherwise.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ask, DOOR } from '../support/door.ts';
import { fetcher, type Seen } from '../support/fetcher.ts';
import { aHome } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';
import { httpServer, rawServer } from '../support/world.ts';
import { startGatehouse } from '../support/gatehouse.ts';

const openssl = (() => {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' });
  } catch {
    return undefined;
  }
})();

/** A certificate authority of the test's own; `sign` gives key and certificate for a name, valid for so many days. */
function anAuthority(dir: string) {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const aKey = (name: string) => run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  aKey('ca');
  run('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=a test authority', '-days', '2', '-out', 'ca.pem');
  const read = (name: string) => ({ key: readFileSync(join(dir, `${name}.key`)), cert: readFileSync(join(dir, `${name}.pem`)) });
  return {
    file: join(dir, 'ca.pem'),
    sign(file: string, altName: string, days: number) {
      aKey(file);
      writeFileSync(join(dir, `${file}.ext`), `subjectAltName=${altName}\n`);
      run('req', '-new', '-key', `${file}.key`, '-subj', '/CN=leaf', '-out', `${file}.csr`);
      run('x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', String(days), '-extfile', `${file}.ext`, '-out', `${file}.pem`);
      return read(file);
    },
    selfSigned(file: string, altName: string) {
      aKey(file);
      run('req', '-x509', '-new', '-key', `${file}.key`, '-subj', '/CN=leaf', '-addext', `subjectAltName=${altName}`, '-days', '2', '-out', `${file}.pem`);
      return read(file);
    },
  };
}

async function faceOf(host: HostProcess, home: string) {
  const token = (await readFile(join(home, 'data/admin-token'), 'utf8')).trim();
  const fetchAt: Parameters<typeof ask>[0]['fetch'] = async (path, init = {}) => {
    const response = await fetch(`${host.address}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: <T>() => JSON.parse(text) as T };
  };
  return { fetch: fetchAt, api: (path: string) => fetchAt(`/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } }) };
}

describe('TLS of egress', () => {
  it.skipIf(openssl === undefined)(`checks certificates against the name, pinned or not, whatever the environment says${openssl === undefined ? ' (not run: openssl)' : ''}`, async () => {
    await using dir = await tempDir();
    await using parts = new AsyncDisposableStack();
    const authority = anAuthority(dir.path);
    const names: (string | undefined)[] = [];
    const serve = async (tls: { key: Buffer; cert: Buffer }) => parts.use(await httpServer((request, response) => response.end(JSON.stringify(request.headers)), { tls: { ...tls, SNICallback: (name, done) => (names.push(name), done(null)) } }));
    const good = await serve(authority.sign('good', 'DNS:good.test', 2));
    const servers = {
      good,
      'other-name': await serve(authority.sign('other-name', 'DNS:else.test', 2)),
      'by-address': await serve(authority.sign('by-address', 'IP:127.0.0.1', 2)),
      expired: await serve(authority.sign('expired', 'DNS:expired.test', -1)),
      'self-signed': await serve(authority.selfSigned('self-signed', 'DNS:self-signed.test')),
    };
    const proxy = parts.use(await rawServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'))));
    const origins = Object.entries(servers).map(([name, { port }]) => `https://${name}.test:${port}`);
    const allow = Object.entries(servers).map(([name, { port }]) => ({ host: `${name}.test`, scheme: 'https' as const, port, address: '127.0.0.1' }));
    await using home = await aHome([DOOR, fetcher('visitor', { origins })], { egress: { allow }, log: { level: 'debug' } });
    const proxied = `http://127.0.0.1:${proxy.port}`;
    await using host = await startProcess(home.path, [], undefined, { env: {
      NODE_EXTRA_CA_CERTS: authority.file, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: proxied, HTTPS_PROXY: proxied, ALL_PROXY: proxied, http_proxy: proxied, https_proxy: proxied, all_proxy: proxied,
    } });
    const seen = await ask<Seen[]>(await faceOf(host, home.path), `visitor ${JSON.stringify([...origins, ...origins].map((url) => ({ url })))}`);

    expect(seen.map(({ status, code }) => code ?? status)).toEqual([...origins, ...origins].map((origin) => (origin.includes('good') ? 200 : 'EGRESS_FAILED')));
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ host: `good.test:${good.port}` });
    expect(new Set(names)).toEqual(new Set(Object.keys(servers).map((name) => `${name}.test`)));
    expect(Object.entries(servers).map(([name, { requests }]) => [name, requests.length])).toEqual(Object.keys(servers).map((name) => [name, name === 'good' ? 2 : 0]));
    expect(new Set(seen.filter(({ code }) => code !== undefined).map(({ message }) => message?.replace(/https:\S+/, '')))).toHaveProperty('size', 1);
    expect(proxy.connections()).toBe(0);

    const log = host.stderr().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
    // The operator is told at the start of every exception, and afterwards of what the plugin was not told; never of paths.
    expect(log.filter(({ msg }) => msg === 'egress exception by the operator').map((line) => line['host'])).toEqual(allow.map((each) => each.host));
    const causes = log.filter(({ msg }) => msg === 'egress request').map((line) => line['cause']);
    expect(causes).toEqual(expect.arrayContaining(['ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT']));
  });
});

describe('an exception of the operator', () => {
  it('refuses the start in profile internet', async () => {
    await using home = await aHome([], { profile: 'internet', egress: { allow: [{ host: 'api.test', scheme: 'https', port: 443 }] } });
    await expect(startGatehouse(home)).rejects.toMatchObject({ code: 'CONFIG_UNSAFE' });
  });

  it('is needed for an http origin in the config: without one, the instance does not run, and the finding says what to add', async () => {
    await using home = await aHome([DOOR, fetcher('visitor', { origins: ['http://internal.test:8080'] })]);
    await using gatehouse = await startGatehouse(home);
    const { code, message } = gatehouse.host.plugins.show('visitor');
    expect(code).toBe('PLUGIN_CONFIG_INVALID');
    expect(message).toContain('{"host":"internal.test","scheme":"http","port":8080}');
  });
});
