// Attacks on and through the host's egress: real sandboxed plugins in a real host, against real servers on loopback that count who comes, beside an innocent neighbour.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { Egress } from '../../host/egress/egress.ts';
import { systemResolver } from '../../host/egress/resolver.ts';
import type { GatehouseError } from '../../host/errors.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { put } from '../../host/store/store.ts';
import { versions } from '../../host/store/tables.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { eventually } from '../support/eventually.ts';
import { fetcher, startArena, type Arena, type Seen } from '../support/fetcher.ts';
import { nameServer } from '../support/name-server.ts';
import { besideNeighbour } from '../support/neighbour.ts';
import { closedPort, httpServer, rawServer, type HttpServer, type WorldServer } from '../support/world.ts';

const PIN = { scheme: 'http', address: '127.0.0.1' } as const;
/** Names of the world and what DNS says of them; every question is kept. */
const asked: string[] = [];
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'loop.test': ['127.0.0.1'],
  'six.test': ['::1'],
  'mapped.test': ['::ffff:7f00:1'],
  'compatible.test': ['::127.0.0.1'],
  'private.test': ['10.1.2.3'],
  'mixed.test': ['93.184.215.14', '127.0.0.1'],
  'metadata.google.internal': ['169.254.169.254'],
  'zero.test': ['0.0.0.0'],
  'nonsense.test': ['localhost', '1'],
};

let world: World;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => parts.disposeAsync());

interface World {
  readonly arena: Arena;
  /** Granted, excepted and pinned: the fetcher's legitimate server. */
  readonly api: HttpServer;
  readonly other: HttpServer;
  /** Granted to nobody. */
  readonly vault: WorldServer;
  readonly origin: string;
  readonly otherOrigin: string;
  /** Origins of servers that speak no honest HTTP, by name. */
  readonly raw: Readonly<Record<string, string>>;
  /** Origins that fail, each in its own way. */
  readonly broken: Readonly<Record<string, string>>;
}

async function startWorld(): Promise<World> {
  const vault = parts.use(await httpServer((_request, response) => response.end('the vault')));
  const api = parts.use(await httpServer((request, response) => (SERVED[new URL(request.url ?? '/', 'http://x').pathname] ?? SERVED['/'])?.(request, response, vault.port)));
  const other = parts.use(await httpServer((request, response) => response.end(JSON.stringify(request.headers))));
  const raw = Object.fromEntries(await Promise.all(Object.entries(RAW).map(async ([name, onSocket]) => [name, parts.use(await rawServer(onSocket))] as const)));
  const closed = await closedPort();
  const origin = `http://api.test:${api.port}`;
  const otherOrigin = `http://other.test:${other.port}`;
  const portOf = (name: string) => raw[name]?.port ?? 0;
  const broken = {
    closed: `http://broken.test:${closed}`,
    silent: 'https://silent.test',
    unknown: 'https://unknown.test',
    reset: `http://broken.test:${portOf('reset')}`,
    hangup: `http://broken.test:${portOf('hangup')}`,
    banner: `http://broken.test:${portOf('banner')}`,
    plain: `https://broken.test:${portOf('plain')}`,
    mute: `https://broken.test:${portOf('mute')}`,
    private: 'https://private.test',
  };
  const rawOrigins = Object.fromEntries(['headers', 'interim', 'extension', 'status', 'smuggle', 'oversize', 'lying'].map((name) => [name, `http://${name}.test:${portOf(name)}`]));
  const allow = [
    { host: 'api.test', port: api.port, ...PIN },
    { host: 'other.test', port: other.port, ...PIN },
    ...Object.values(rawOrigins).map((each) => ({ host: new URL(each).hostname, port: Number(new URL(each).port), ...PIN })),
    ...Object.values(broken).filter((each) => each.includes('broken.test')).map((each) => ({ ...PIN, host: 'broken.test', port: Number(new URL(each).port), scheme: each.startsWith('https') ? ('https' as const) : ('http' as const) })),
  ];
  const evil = [`https://127.0.0.1:${vault.port}`, `https://[::1]:${vault.port}`, `https://[::ffff:7f00:1]:${vault.port}`, `https://[::7f00:1]:${vault.port}`, 'https://10.1.2.3', 'https://169.254.169.254', 'https://[fd00:ec2::254]', ...Object.keys(NAMES).map((name) => `https://${name}:${vault.port}`)];
  const arena = parts.use(
    await startArena(
      [
        fetcher('plain', { origins: [origin, otherOrigin] }),
        fetcher('twin', { origins: [origin] }),
        fetcher('raw', { origins: Object.values(rawOrigins) }),
        fetcher('broken', { origins: Object.values(broken) }),
        fetcher('evil', { origins: evil }),
        fetcher('metered', { origins: [origin], quota: { bytesPerDay: 20_000 } }),
        fetcher('rated', { origins: [origin], quota: { perMinute: 3 } }),
        fetcher('hammer', { origins: [origin] }),
      ],
      allow,
      {
        resolve: async (name) => {
          asked.push(name);
          if (name === 'silent.test') return await new Promise<never>(() => undefined);
          return NAMES[name] ?? [];
        },
      },
    ),
  );
  return { arena, api, other, vault, origin, otherOrigin, raw: rawOrigins, broken };
}

type Answering = (request: HttpServer['requests'][number], response: Parameters<Parameters<typeof httpServer>[0]>[1], vaultPort: number) => void;

const to = (location: string, status = 302): Answering => (_request, response, vaultPort) => response.writeHead(status, { location: location.replace('VAULT', String(vaultPort)) }).end();
const encoded = (encoding: string, body: Buffer): Answering => (_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body);
const ZEROS = Buffer.alloc(50 * 1024 * 1024);
const TEXT = Buffer.from('some honest text');

/** What the legitimate server does, by path; `/` shows the request. */
const SERVED: Readonly<Record<string, Answering>> = {
  '/': (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.setHeader('set-cookie', 'session=1').end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })));
  },
  '/to-loopback': to('http://127.0.0.1:VAULT/'),
  '/to-loopback-https': to('https://127.0.0.1:VAULT/'),
  '/to-decimal': to('http://2130706433:VAULT/'),
  '/to-six': to('http://[::1]:VAULT/'),
  '/to-metadata': to('http://169.254.169.254/latest/meta-data/'),
  '/to-http': to('http://loop.test:VAULT/'),
  '/to-name': to('https://loop.test:VAULT/'),
  '/to-other-port': to('http://api.test:VAULT/'),
  '/to-user': to('http://user:pw@127.0.0.1:VAULT/'),
  '/to-file': to('file:///etc/passwd'),
  '/to-data': to('data:text/plain,hello'),
  '/to-slashes': to('//127.0.0.1:VAULT/'),
  '/to-backslashes': to('\\\\127.0.0.1:VAULT\\'),
  '/to-nothing': to('http://'),
  '/to-see-other': to('https://127.0.0.1:VAULT/', 303),
  '/to-permanent': to('https://127.0.0.1:VAULT/', 308),
  '/to-itself': to('/to-itself'),
  '/hop-3': to('/hop-2', 307),
  '/hop-2': to('/hop-1', 308),
  '/hop-1': to('/'),
  '/to-twice': (_request, response) => response.writeHead(302, [['location', '/'], ['location', 'http://127.0.0.1/']].flat()).end(),
  '/to-granted': (request, response) => response.writeHead(307, { location: new URL(request.url ?? '', 'http://x').searchParams.get('to') ?? '' }).end(),
  '/not-modified': to('http://127.0.0.1:VAULT/', 304),
  '/gzip': encoded('gzip', gzipSync(TEXT)),
  '/brotli': encoded('br', brotliCompressSync(TEXT)),
  '/deflate': encoded('Deflate', deflateSync(TEXT)),
  '/gzip-bomb': encoded('gzip', gzipSync(ZEROS)),
  '/brotli-bomb': encoded('br', brotliCompressSync(ZEROS)),
  '/chained-bomb': encoded('gzip, gzip, gzip, gzip, gzip, gzip', [1, 2, 3, 4, 5].reduce((body) => gzipSync(body), gzipSync(ZEROS))),
  '/chained-lines': (_request, response) => response.writeHead(200, [['content-encoding', 'gzip'], ['content-encoding', 'br']].flat()).end(TEXT),
  '/not-gzip': encoded('gzip', TEXT),
  '/cut-gzip': encoded('gzip', gzipSync(ZEROS).subarray(0, 1000)),
  '/zstd': encoded('zstd', TEXT),
  '/full': (_request, response) => response.end('x'.repeat(BOUNDS.fetchResponseBytes)),
  '/too-full': (_request, response) => response.end('x'.repeat(BOUNDS.fetchResponseBytes + 1)),
  '/endless': (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    };
    response.on('drain', more);
    more();
  },
  '/drip': (_request, response) => {
    const drip = setInterval(() => response.write('.'), 100);
    response.on('close', () => clearInterval(drip));
  },
  '/never': () => undefined,
  '/proto': (_request, response) => response.writeHead(200, [['__proto__', '{"polluted":true}'], ['constructor', 'x'], ['x-one', '1'], ['x-one', '2']].flat()).end('{}'),
  '/latin': (_request, response) => response.end(Buffer.from([0x68, 0xff, 0x69])),
};

const once = (text: string) => (socket: Parameters<Parameters<typeof rawServer>[0]>[0]) => socket.once('data', () => socket.write(text));
const forever = (head: string, more: string) => (socket: Parameters<Parameters<typeof rawServer>[0]>[0]) =>
  socket.once('data', () => {
    socket.write(head);
    const flood = () => {
      while (!socket.destroyed && socket.write(more.repeat(200)));
    };
    socket.on('drain', flood);
    flood();
  });

/** Servers that speak no, or no honest, HTTP. */
const RAW: Readonly<Record<string, Parameters<typeof rawServer>[0]>> = {
  reset: (socket) => socket.resetAndDestroy(),
  hangup: (socket) => socket.once('data', () => socket.end()),
  banner: (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'),
  plain: once('HTTP/1.1 400 Bad Request\r\n\r\n'),
  mute: () => undefined,
  headers: forever('HTTP/1.1 200 OK\r\n', `x-flood: ${'x'.repeat(100)}\r\n`),
  interim: forever('', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'),
  extension: forever('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'x'.repeat(1000)),
  status: forever('HTTP/1.1 200 ', 'x'.repeat(1000)),
  smuggle: (socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled')),
  oversize: once(`HTTP/1.1 200 OK\r\nx-large: ${'x'.repeat(BOUNDS.fetchResponseHeaderBytes)}\r\n\r\n`),
  lying: once('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
};

const codes = (seen: readonly Seen[]) => seen.map(({ status, code }) => code ?? status);
const events = (instance: string) => {
  const seen: Events['egress.request'][] = [];
  const stop = subscribe('egress.request', (event) => void (event.instance === instance && seen.push(event)));
  return { seen, [Symbol.dispose]: stop };
};

describe('where a plugin may go', () => {
  it('reaches what it was granted, and shows itself as the host', async () => {
    const [seen] = await world.arena.fetch('plain', { url: `${world.origin}/x?y=1#z`, init: { method: 'POST', headers: { 'Content-Type': 'text/plain', 'X-Own': 'v' }, body: 'héllo' } });
    expect(seen).toMatchObject({ status: 200 });
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      method: 'POST', url: '/x?y=1', body: 'héllo',
      headers: { host: `api.test:${world.api.port}`, connection: 'keep-alive', 'content-length': '6', accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'gatehouse', 'content-type': 'text/plain', 'x-own': 'v' },
    });
    expect(Object.keys(seen?.headers ?? {})).not.toContain('set-cookie');
  });

  it('is told about to the operator, by origin and never by path, and counted', async () => {
    using told = events('twin');
    await world.arena.fetch('twin', { url: `${world.origin}/private-path?private=query`, init: { headers: { 'x-private': 'header' } } }, 'https://nowhere.test/');
    expect(told.seen).toEqual([{ instance: 'twin', method: 'GET', origin: world.origin, status: 200, bytes: expect.any(Number), durationMs: expect.any(Number) }]);
    expect(told.seen[0]?.bytes).toBeGreaterThan(200);
    expect((await world.arena.gatehouse.fetch('/metrics')).text).toMatch(/gatehouse_egress_requests_total\{instance="twin",result="2xx"\} [1-9]/);
  });

  it('59 ip-literal: no spelling of loopback is reached, granted or not', async () => {
    const { arena, vault } = world;
    const spellings = ['127.0.0.1', '2130706433', '0x7f.1', '0177.1', '127.1', '0x7f000001', '017700000001', '①②⑦.⓪.⓪.①', '127.0.0.1.', '0.0.0.0', '0', '[::1]', '[::]', '[::ffff:7f00:1]', '[::ffff:127.0.0.1]', '[::7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '127.127.127.127'];
    const urls = spellings.flatMap((host) => [`http://${host}:${vault.port}/`, `https://${host}:${vault.port}/`]);
    const [ungranted, granted] = await besideNeighbour(arena.gatehouse, () => Promise.all([arena.fetch('plain', ...urls), arena.fetch('evil', ...urls)]));
    expect(new Set(codes(ungranted))).toEqual(new Set(['CAPABILITY_DENIED']));
    // `https://127.0.0.1` and its like are among the grants of `evil`; a grant alone opens no private address.
    expect(new Set(codes(granted))).toEqual(new Set(['CAPABILITY_DENIED', 'EGRESS_DENIED']));
    expect(codes(granted).filter((code) => code === 'EGRESS_DENIED').length).toBeGreaterThan(8);
    expect(vault.connections()).toBe(0);
  });

  it('60 metadata: neither address nor name of a metadata service is reached', async () => {
    using told = events('evil');
    const seen = await besideNeighbour(world.arena.gatehouse, () => world.arena.fetch('evil', 'https://169.254.169.254/latest/meta-data/', 'https://[fd00:ec2::254]/', 'https://0xa9fea9fe/', `https://metadata.google.internal:${world.vault.port}/computeMetadata/v1/`, 'http://169.254.169.254/'));
    expect(codes(seen)).toEqual(['EGRESS_DENIED', 'EGRESS_DENIED', 'EGRESS_DENIED', 'EGRESS_FAILED', 'CAPABILITY_DENIED']);
    expect(told.seen.at(-1)).toMatchObject({ code: 'EGRESS_FAILED', cause: 'ADDRESS_REFUSED' });
  });

  it('a name that leads to an address that is not public is not connected to, and the plugin is not told', async () => {
    const { arena, vault } = world;
    const urls = Object.keys(NAMES).map((name) => `https://${name}:${vault.port}/`);
    using told = events('evil');
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('evil', ...urls));
    expect(new Set(codes(seen))).toEqual(new Set(['EGRESS_FAILED']));
    expect(told.seen.map(({ cause }) => cause)).toEqual(urls.map(() => 'ADDRESS_REFUSED'));
    expect(vault.connections()).toBe(0);
  });

  it('62 redirect-private: a redirect is judged like a request', async () => {
    const { arena, vault, origin } = world;
    const paths = Object.keys(SERVED).filter((path) => path.startsWith('/to-') && path !== '/to-itself' && path !== '/to-granted' && path !== '/to-twice');
    expect(paths.length).toBeGreaterThan(14);
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...paths.map((path) => `${origin}${path}`)));
    expect(codes(seen)).toEqual(paths.map(() => 'EGRESS_DENIED'));
    expect(vault.connections()).toBe(0);
  });

  it('62 redirect-private: three redirects are followed, a fourth is not, and 304 is none', async () => {
    const { arena, origin } = world;
    expect(codes(await arena.fetch('plain', `${origin}/hop-3`, `${origin}/to-itself`, `${origin}/to-twice`, `${origin}/not-modified`))).toEqual([200, 'EGRESS_DENIED', 'EGRESS_RESPONSE', 304]);
  });

  it('a redirect to another origin takes no credential along, and a body only where the method stays', async () => {
    const { arena, origin, otherOrigin } = world;
    const init = { method: 'POST', headers: { authorization: 'Bearer own', 'x-api-key': 'own', accept: 'text/plain', 'content-type': 'text/plain' }, body: 'body' };
    const [away, stays] = await arena.fetch('plain', { url: `${origin}/to-granted?to=${encodeURIComponent(`${otherOrigin}/`)}`, init }, { url: `${origin}/to-granted?to=/`, init });
    expect(JSON.parse(away?.body ?? '')).toEqual({ host: new URL(otherOrigin).host, connection: 'keep-alive', accept: 'text/plain', 'accept-encoding': 'identity', 'user-agent': 'gatehouse', 'content-type': 'text/plain', 'content-length': '4' });
    expect(JSON.parse(stays?.body ?? '')).toMatchObject({ body: 'body', headers: { authorization: 'Bearer own', 'x-api-key': 'own' } });
  });

  it('63 unicode-host: look-alikes are normalised, then judged', async () => {
    const { arena, vault, api } = world;
    const hosts = ['ⓛocalhost', 'LOCALHOST', 'localhost.', 'ｌocalhost', 'lo\u00adcalhost', '①②⑦.0.0.1', 'аpi.test', 'xn--pi-7kc.test'];
    const denied = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...hosts.map((host) => `http://${host}:${vault.port}/`)));
    expect(codes(denied)).toEqual(hosts.map(() => 'CAPABILITY_DENIED'));
    expect(vault.connections()).toBe(0);
    const same = await arena.fetch('plain', ...['API.TEST', 'api.test.', 'ａｐｉ。test', '%61pi.test', 'ⓐpi.test'].map((host) => `http://${host}:${api.port}/`));
    expect(codes(same)).toEqual([200, 200, 200, 200, 200]);
  });

  it('65 suffix-confuse: beside a granted host nothing is granted', async () => {
    const { arena, vault, origin } = world;
    const urls = [`http://api.test.evil.test:${vault.port}/`, `http://evilapi.test:${vault.port}/`, `http://evil.api.test:${vault.port}/`, `http://api.test:${vault.port}/`, 'http://test/', `http://api.test@127.0.0.1:${vault.port}/`, `http://127.0.0.1:${vault.port}/#@api.test`, `http://127.0.0.1:${vault.port}\\@api.test/`, `${origin}@127.0.0.1:${vault.port}/`, `https://api.test:${new URL(origin).port}/`];
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...urls));
    expect(codes(seen)).toEqual(urls.map(() => 'CAPABILITY_DENIED'));
    expect(vault.connections()).toBe(0);
  });

  it('66 scheme: nothing but http and https is looked at', async () => {
    const { arena, vault } = world;
    const urls = ['file:///etc/passwd', 'data:text/plain,hi', 'blob:http://api.test/x', `ws://api.test:${vault.port}/`, 'ftp://api.test/', 'gopher://127.0.0.1:6379/_INFO', 'unix:/run/docker.sock', 'javascript:1', 'about:blank', 'api.test', '', '//api.test/'];
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...urls));
    expect(codes(seen)).toEqual(urls.map(() => 'CAPABILITY_DENIED'));
    expect(vault.connections()).toBe(0);
  });

  it('72 dns-tunnel: a name that is not granted is never asked for', async () => {
    const before = asked.length;
    const urls = ['c2VjcmV0.api.test', 'a'.repeat(63), `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.test`, 'x.silent.test', 'unknown.test.'].map((host) => `https://${host}/`);
    const seen = await besideNeighbour(world.arena.gatehouse, () => world.arena.fetch('plain', ...urls));
    expect(codes(seen)).toEqual(urls.map(() => 'CAPABILITY_DENIED'));
    expect(asked.slice(before).filter((name) => name !== 'silent.test' && !Object.hasOwn(NAMES, name) && name !== 'unknown.test')).toEqual([]);
  });
});

describe('a name that changes its answer', () => {
  it('is asked once for each connection: the answer that was judged is where the socket goes', async () => {
    await using server = await httpServer((_request, response) => response.setHeader('connection', 'close').end('reached'));
    const answers = [['127.0.0.1'], ['169.254.169.254'], ['127.0.0.1', '169.254.169.254'], [], ['127.0.0.1']];
    const questions: string[] = [];
    const origin = `http://rebind.test:${server.port}`;
    const resolve = async (name: string) => (questions.push(name), answers[questions.length - 1] ?? []);
    await using arena = await startArena([fetcher('rebound', { origins: [origin] })], [{ host: 'rebind.test', scheme: 'http', port: server.port }], { resolve });
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('rebound', ...answers.map(() => `${origin}/`)));
    expect(codes(seen)).toEqual([200, 'EGRESS_FAILED', 'EGRESS_FAILED', 'EGRESS_FAILED', 200]);
    expect(questions).toEqual(answers.map(() => 'rebind.test'));
    expect(server.connections()).toBe(2);
  });

  it('is not believed by DNS either: real questions, answers that turn private', async () => {
    const answers = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '0.0.0.0'];
    await using names = await nameServer((name) => (name === 'turning.test' ? [answers[names.asked.length % answers.length] ?? ''] : []));
    await using arena = await startArena([fetcher('asker', { origins: ['https://turning.test', 'https://nobody.test'] })], [], { resolve: systemResolver([names.address]) });
    using told = events('asker');
    expect(codes(await arena.fetch('asker', 'https://turning.test/', 'https://turning.test/', 'https://nobody.test/'))).toEqual(['EGRESS_FAILED', 'EGRESS_FAILED', 'EGRESS_FAILED']);
    expect(told.seen.map(({ cause }) => cause)).toEqual(['ADDRESS_REFUSED', 'ADDRESS_REFUSED', expect.not.stringContaining('ADDRESS_REFUSED')]);
    expect(new Set(names.asked)).toEqual(new Set(['turning.test', 'nobody.test']));
  });

  it('or never answers holds up nobody: not the store, whose commits share threads with getaddrinfo', async () => {
    await using names = await nameServer(() => undefined);
    const origins = [1, 2, 3, 4].map((each) => `https://silent-${each}.test`);
    await using arena = await startArena([fetcher('waiter', { origins })], [], { resolve: systemResolver([names.address]) });
    let isOver = false;
    const fetching = arena.fetchAll('waiter', origins).finally(() => (isOver = true));
    await eventually(() => expect(new Set(names.asked).size).toBe(4));
    for (let commit = 0; commit < 5; commit += 1) await arena.gatehouse.host.store.commit({ put: [put(versions, versions.key('test.silence', String(commit)), { digest: 'sha256:', seenAt: '' })] });
    expect(isOver).toBe(false);
    expect(codes(await fetching)).toEqual(origins.map(() => 'EGRESS_FAILED'));
  });

  it('of the operator is asked of the system, where /etc/hosts counts', async () => {
    expect(await systemResolver()('localhost', { excepted: true })).toContain('127.0.0.1');
  });
});

describe("the host's own door", () => {
  it('is closed to plugins, excepted or not', async () => {
    await using server = await httpServer((_request, response) => response.end('the control plane'));
    const daily = { used: () => 0, add: () => undefined };
    const parts = { clock: systemClock, bytes: daily, minutes: { take: () => true }, connects: { take: () => true }, resolve: async () => ['127.0.0.1'], allow: [{ host: '127.0.0.1', scheme: 'http', port: server.port }, { host: 'door.test', scheme: 'http', port: server.port }, { host: 'pinned.test', scheme: 'http', port: server.port, address: '127.0.0.1' }] } as const;
    const origins = ['127.0.0.1', 'door.test', 'pinned.test'].map((host) => `http://${host}:${server.port}`);
    const visit = async (listen: { readonly host: string; readonly port: number }) => {
      await using egress = new Egress({ ...parts, listen });
      return await Promise.all(origins.map((origin) => egress.fetch({ instance: 'i', plugin: 'p' }, { method: 'GET', url: origin }, [{ origins, methods: ['GET'] }], []).then(({ body }) => body, ({ code }: GatehouseError) => code)));
    };
    expect(await visit({ host: '127.0.0.1', port: server.port })).toEqual(['EGRESS_FAILED', 'EGRESS_FAILED', 'EGRESS_FAILED']);
    expect(await visit({ host: '0.0.0.0', port: server.port })).toEqual(['EGRESS_FAILED', 'EGRESS_FAILED', 'EGRESS_FAILED']);
    expect(server.connections()).toBe(0);
    expect(await visit({ host: '127.0.0.1', port: 4280 })).toEqual(['the control plane', 'the control plane', 'the control plane']);
  });
});

describe('what a failure tells', () => {
  it('67 port-scan: closed, filtered, unknown, reset, not TLS, not HTTP and private are one error', async () => {
    const { arena, broken } = world;
    const names = Object.keys(broken);
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetchAll('broken', names.map((name) => `${broken[name]}/`)));
    const told = seen.map(({ code, message }, index) => ({ code, message: message?.replace(broken[names[index] ?? ''] ?? '', 'ORIGIN') }));
    expect(new Set(told.map(({ code }) => code))).toEqual(new Set(['EGRESS_FAILED']));
    expect(new Set(told.map(({ message }) => message)).size).toBe(1);
    expect(told[0]?.message).not.toMatch(/127\.0\.0\.1|ECONN|TLS|certificate|DNS|ENOTFOUND/);
  });

  it('67 port-scan: failures take their time, so that a clock says little of why', async () => {
    const { arena, broken } = world;
    using told = events('broken');
    for (const name of ['closed', 'reset', 'private', 'unknown', 'banner']) {
      const began = performance.now();
      expect(codes(await arena.fetch('broken', `${broken[name]}/`))).toEqual(['EGRESS_FAILED']);
      expect(performance.now() - began).toBeGreaterThanOrEqual(BOUNDS.fetchFailureMs);
    }
    // The failures themselves came sooner; the operator is told what they were.
    expect(told.seen.map(({ cause }) => cause)).toContain('ECONNREFUSED');
    expect(told.seen.map(({ cause }) => cause)).toContain('ADDRESS_REFUSED');
  });

  it('67 port-scan: other ports of a granted host are not granted', async () => {
    const { arena, vault } = world;
    const seen = await arena.fetch('plain', ...[22, 80, 443, 6379, 8080, vault.port].map((port) => `http://api.test:${port}/`));
    expect(new Set(codes(seen))).toEqual(new Set(['CAPABILITY_DENIED']));
    expect(vault.connections()).toBe(0);
  });
});

describe('what a request may carry', () => {
  it('68 header-smuggle: headers that frame, forward or impersonate never leave the host', async () => {
    const { arena, api, origin } = world;
    const headers: readonly Readonly<Record<string, string>>[] = [{ host: 'evil' }, { 'Content-Length': '0' }, { 'Transfer-Encoding': 'chunked' }, { te: 'trailers' }, { upgrade: 'h2c' }, { connection: 'x' }, { expect: '100-continue' }, { cookie: 'a=b' }, { 'x-forwarded-for': '127.0.0.1' }, { 'proxy-authorization': 'x' }, { 'sec-fetch-mode': 'x' }, { 'x-http-method-override': 'DELETE' }, { 'X-A': '1', 'x-a': '2' }, { x: 'a\r\nhost: evil' }, { 'x\r\nhost': 'evil' }, { 'x:': 'y' }, { x: '\u0000' }, { x: 'ü' }];
    const before = api.requests.length;
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...headers.map((each) => ({ url: `${origin}/`, init: { headers: each } }))));
    expect(codes(seen)).toEqual(headers.map(() => 'EGRESS_DENIED'));
    expect(api.requests.length - before).toBe(0);
  });

  it('68 header-smuggle: a line break in the path is part of the path', async () => {
    const [seen] = await world.arena.fetch('plain', `${world.origin}/a b%0d%0aHost:%20evil?x=\r\ny`);
    expect(JSON.parse(seen?.body ?? '')).toMatchObject({ url: '/a%20b%0d%0aHost:%20evil?x=y', headers: { host: new URL(world.origin).host } });
  });

  it('other methods, bodies where none belong and bodies that are too large are refused', async () => {
    const { arena, api, origin } = world;
    const url = `${origin}/`;
    const before = api.requests.length;
    const seen = await arena.fetch('plain', { url, init: { method: 'PUT' } }, { url, init: { method: 'get' } }, { url, init: { method: 'CONNECT' } }, { url, init: { method: 'GET', body: 'x' } }, { url: `${origin}/${'x'.repeat(9000)}` });
    expect(codes(seen)).toEqual(['CAPABILITY_DENIED', 'CAPABILITY_ARGUMENT', 'CAPABILITY_ARGUMENT', 'EGRESS_DENIED', 'CAPABILITY_ARGUMENT']);
    expect(api.requests.length - before).toBe(0);
  });
});

describe('what comes back', () => {
  it('is decoded once, when a server compresses although it was not asked to', async () => {
    const { arena, origin } = world;
    const seen = await arena.fetch('plain', ...['/gzip', '/brotli', '/deflate', '/latin'].map((path) => `${origin}${path}`));
    expect(seen.map(({ body }) => body)).toEqual(['some honest text', 'some honest text', 'some honest text', 'h\ufffdi']);
    expect(seen.flatMap(({ headers }) => Object.keys(headers ?? {}))).not.toContain('content-encoding');
  });

  it('69 gzip-bomb: stops at the cap, and chains of encodings are not undone', async () => {
    const { arena, origin } = world;
    const before = process.memoryUsage().rss;
    const seen = await besideNeighbour(arena.gatehouse, () => arena.fetch('plain', ...['/gzip-bomb', '/brotli-bomb', '/chained-bomb', '/chained-lines', '/not-gzip', '/cut-gzip', '/zstd'].map((path) => `${origin}${path}`)));
    expect(codes(seen)).toEqual(['EGRESS_TOO_LARGE', 'EGRESS_TOO_LARGE', 'EGRESS_RESPONSE', 'EGRESS_RESPONSE', 'EGRESS_RESPONSE', 'EGRESS_TOO_LARGE', 'EGRESS_RESPONSE']);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  it('has at most 256 KiB, and what is endless is cut off', async () => {
    const { arena, origin } = world;
    expect(codes(await arena.fetch('plain', `${origin}/full`, `${origin}/too-full`, `${origin}/endless`))).toEqual([200, 'EGRESS_TOO_LARGE', 'EGRESS_TOO_LARGE']);
  });

  it('has bounded headers, interim answers and framing: floods end long before the deadline', async () => {
    const { arena } = world;
    const began = performance.now();
    using told = events('raw');
    const seen = await besideNeighbour(arena.gatehouse, () => Promise.all(['headers', 'oversize', 'interim', 'extension', 'status'].map(async (name) => (await arena.fetch('raw', rawUrl(name)))[0])));
    expect(codes(seen.map((each) => each ?? {}))).toEqual(['EGRESS_TOO_LARGE', 'EGRESS_TOO_LARGE', 'EGRESS_RESPONSE', 'EGRESS_TOO_LARGE', 'EGRESS_TOO_LARGE']);
    expect(performance.now() - began).toBeLessThan(BOUNDS.fetchTotalMs);
    for (const { bytes } of told.seen) expect(bytes).toBeLessThan(BOUNDS.fetchWireBytes + 256 * 1024);
  });

  it('within ten seconds, however it drips', async () => {
    const { arena, origin } = world;
    const began = performance.now();
    const [drip, never] = await besideNeighbour(arena.gatehouse, () => arena.fetchAll('plain', [`${origin}/drip`, `${origin}/never`]));
    expect([drip?.code, never?.code]).toEqual(['EGRESS_TIMEOUT', 'EGRESS_TIMEOUT']);
    expect(performance.now() - began).toBeGreaterThanOrEqual(BOUNDS.fetchTotalMs - 100);
  });

  it('as an answer to its own request: a second one smuggled behind the first is nobody’s', async () => {
    const seen = await world.arena.fetch('raw', rawUrl('smuggle'), rawUrl('smuggle'), rawUrl('smuggle'), rawUrl('lying'));
    expect(seen.slice(0, 3).every(({ body, code }) => body === 'first' || code === 'EGRESS_FAILED')).toBe(true);
    expect(seen[0]?.body).toBe('first');
    expect(JSON.stringify(seen)).not.toContain('smuggled');
    expect(seen[3]).toMatchObject({ code: 'EGRESS_FAILED' });
  });

  it('111 header-proto: a header named __proto__ makes nobody an admin, in host or plugin', async () => {
    const [seen] = await world.arena.fetch('plain', `${world.origin}/proto`);
    expect(seen).toMatchObject({ status: 200, polluted: 'undefined', headers: { 'x-one': '1, 2', constructor: 'x' } });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  const rawUrl = (name: string) => `${world.raw[name]}/`;
});

describe('how much', () => {
  it('four at once for each instance, the others wait their turn', async () => {
    await using held = await holdingServer();
    await using arena = await startArena([fetcher('many', { origins: [held.origin] })], [held.exception]);
    const answers = arena.fetchAll('many', Array.from({ length: 12 }, () => `${held.origin}/`));
    await eventually(() => expect(held.waiting()).toBe(BOUNDS.fetchesAtOnce));
    held.release();
    expect(codes(await answers)).toEqual(Array(12).fill(200));
    expect(held.most()).toBe(BOUNDS.fetchesAtOnce);
    // Kept and used again, not opened anew.
    expect(held.connections()).toBeLessThanOrEqual(BOUNDS.fetchesAtOnce);
  });

  it('connections are kept for the instance that opened them, and for nobody else', async () => {
    const { arena, api, origin } = world;
    for (const name of ['plain', 'twin', 'plain', 'twin']) expect(codes(await arena.fetch(name, `${origin}/kept-${name}`, `${origin}/kept-${name}`))).toEqual([200, 200]);
    const portsOf = (name: string) => api.requests.filter(({ url }) => url === `/kept-${name}`).map(({ socket }) => socket.remotePort);
    expect(portsOf('plain')).toHaveLength(4);
    expect(new Set(portsOf('plain')).size).toBeLessThan(4);
    expect(portsOf('plain').filter((port) => portsOf('twin').includes(port))).toEqual([]);
  });

  it('a fetch ends with its call: what a handler did not wait for is cut off', async () => {
    await using held = await holdingServer();
    const leaving = fetcher('leaving', { origins: [held.origin] });
    await using arena = await startArena([{ ...leaving, source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { if (!message.text.startsWith('leaving ')) return null; void ctx.http.fetch('${held.origin}/').catch(() => {}); await ctx.sleep(500); return { replies: [{ text: '[]' }] }; } } });` }], [held.exception]);
    await arena.fetch('leaving');
    expect(held.connections()).toBe(1);
    await eventually(() => expect(held.open()).toBe(0), BOUNDS.fetchTotalMs / 3);
  });

  it('bytesPerDay denies, and counts both ways and all that came', async () => {
    const { arena, origin } = world;
    using told = events('metered');
    const seen = await arena.fetch('metered', ...Array.from({ length: 60 }, () => `${origin}/`));
    const used = told.seen.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(codes(seen)[0]).toBe(200);
    expect(codes(seen).at(-1)).toBe('QUOTA_EXCEEDED');
    expect(seen.at(-1)?.message).toContain('20000 bytes a day');
    expect(used).toBeGreaterThanOrEqual(20_000);
    expect(used).toBeLessThan(22_000);
    // One answer cannot take the whole day's bytes many times over either.
    const large = await arena.fetch('metered', `${origin}/endless`);
    expect(codes(large)).toEqual(['QUOTA_EXCEEDED']);
  });

  it('perMinute denies before anything is sent', async () => {
    const { arena, api, origin } = world;
    const before = api.requests.filter(({ url }) => url === '/rated').length;
    expect(codes(await arena.fetch('rated', ...Array.from({ length: 5 }, () => `${origin}/rated`)))).toEqual([200, 200, 200, 'QUOTA_EXCEEDED', 'QUOTA_EXCEEDED']);
    expect(api.requests.filter(({ url }) => url === '/rated').length - before).toBe(3);
  });

  it('a plugin that hammers delays neither its neighbours nor the host', async () => {
    const { arena, origin } = world;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const seen = await besideNeighbour(arena.gatehouse, () => Promise.all([1, 2, 3].map(() => arena.fetchAll('hammer', Array.from({ length: 60 }, (_, index) => (index % 10 === 9 ? `${origin}/gzip-bomb` : `${origin}/`))))));
    delay.disable();
    expect(new Set(codes(seen.flat()))).toEqual(new Set([200, 'EGRESS_TOO_LARGE']));
    expect(delay.percentile(99) / 1e6).toBeLessThan(250);
  });
});

/** Answers nobody until it is told to, and then everybody. */
async function holdingServer() {
  const waiting = new Set<() => void>();
  let isOpen = false;
  let most = 0;
  const server = await httpServer((_request, response) => {
    const answer = () => void response.end('ok');
    if (isOpen) answer();
    else waiting.add(answer);
    response.on('close', () => waiting.delete(answer));
    most = Math.max(most, waiting.size);
  });
  return {
    ...server,
    origin: `http://held.test:${server.port}`,
    exception: { host: 'held.test', port: server.port, ...PIN },
    waiting: () => waiting.size,
    most: () => most,
    release() {
      isOpen = true;
      for (const answer of waiting) answer();
    },
  };
}
