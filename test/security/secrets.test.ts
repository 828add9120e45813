// Three secrets are used in every way there is, by plugins and servers that do their worst to get at them; then everything that the host wrote, said or let a plugin hold is searched for them.
// A fourth value goes along that a plugin is given openly: where that one is not found, the search is blind, and the test fails.
import { createHmac, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../schemas/capability.ts';
import { descendantsOf, mayReadMemory, Watch } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { startReceiver, type Receiver, type ReceiverAnswer } from '../support/receiver.ts';
import { tempDir, type TempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';

/** Random, and with every character that some encoding writes in another way. */
const canary = () => `${randomBytes(9).toString('base64')}&"/+%<${randomBytes(12).toString('base64')}`;

const VALUES = { signing: canary(), key: canary(), target: canary(), control: `openly-${canary()}` };
const SECRETS = ['signing', 'key', 'target'] as const;

const hmac = (secret: keyof typeof VALUES, text: string) => createHmac('sha256', VALUES[secret]).update(text).digest('hex');

/** What servers do with the credentials they are sent, and what the plugin learns of it. */
const ECHOES: Readonly<Record<string, readonly [learnt: string, answer: (secret: string, elsewhere: string) => ReceiverAnswer]>> = {
  '/body': ['SECRET_LEAK', (secret) => ({ status: 200, body: `you sent ${secret}` })],
  '/failed': ['SECRET_LEAK', (secret) => ({ status: 500, body: `cannot do this for ${secret}` })],
  '/forbidden': ['SECRET_LEAK', (secret) => ({ status: 403, body: JSON.stringify({ error: { token: secret } }) })],
  '/base64': ['SECRET_LEAK', (secret) => ({ status: 200, body: Buffer.from(`user:${secret}`).toString('base64') })],
  '/base64url': ['SECRET_LEAK', (secret) => ({ status: 200, body: Buffer.from(`{"s":"${secret}"}`).toString('base64url') })],
  '/hex': ['SECRET_LEAK', (secret) => ({ status: 200, body: Buffer.from(secret).toString('hex') })],
  '/HEX': ['SECRET_LEAK', (secret) => ({ status: 200, body: Buffer.from(secret).toString('hex').toUpperCase() })],
  '/percent': ['SECRET_LEAK', (secret) => ({ status: 200, body: `?k=${encodeURIComponent(secret)}` })],
  '/json': ['SECRET_LEAK', (secret) => ({ status: 200, body: JSON.stringify({ headers: { authorization: secret } }).replaceAll('/', '\\/') })],
  '/html': ['SECRET_LEAK', (secret) => ({ status: 200, body: `<b>${secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')}</b>` })],
  '/header': ['SECRET_LEAK', (secret) => ({ status: 200, headers: { 'x-echo': secret } })],
  '/name': ['SECRET_LEAK', (secret) => ({ status: 200, headers: { [`x-${Buffer.from(secret).toString('hex')}`]: '1' } })],
  '/gzip': ['SECRET_LEAK', (secret) => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(`you sent ${secret}`) })],
  '/redirect': ['SECRET_LEAK', (secret) => ({ status: 302, headers: { location: `/landed?k=${encodeURIComponent(secret)}` } })],
  '/redirect-away': ['SECRET_LEAK', (secret, elsewhere) => ({ status: 307, headers: { location: `${elsewhere}/caught?k=${encodeURIComponent(secret)}` } })],
  '/leave': ['200', (_, elsewhere) => ({ status: 307, headers: { location: `${elsewhere}/and-back` } })],
  '/large': ['EGRESS_TOO_LARGE', (secret) => ({ status: 200, body: secret.repeat(20_000) })],
  // Neither of them is anything a plugin gets to see.
  '/status': ['200', (secret) => ({ status: 200, statusText: secret })],
  '/cookie': ['200', (secret) => ({ status: 200, headers: { 'set-cookie': `k=${secret}` } })],
};

/** Several, because one that meets a secret ten times is quarantined. */
const PROBERS = ['prober', 'prober-b', 'prober-c', 'prober-d', 'prober-e'];

/** Carries out what a message tells it, and keeps and says whatever it learns. */
const PROBER = `
gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  if (!message.text.startsWith('{')) return null;
  const { who, server, path, init, finally: last } = JSON.parse(message.text);
  if (who !== ctx.instance) return null;
  let learnt;
  try { learnt = JSON.stringify(await ctx.http.fetch(ctx.config[server] + path, init)); }
  catch (error) { learnt = [error.code, error.message, error.stack, JSON.stringify(error, Object.getOwnPropertyNames(error))].join(' '); }
  learnt += ' ' + ctx.config.control;
  for (const level of ['debug', 'info', 'warn', 'error']) ctx.log[level](learnt, { learnt, ctx: Object.keys(ctx) });
  await ctx.kv.set('learnt/' + message.id, learnt.slice(0, 60000));
  globalThis.learnt = (globalThis.learnt ?? '') + learnt;
  if (last === 'throw') throw new Error(learnt);
  if (last === 'spin') for (;;);
  return { replies: [{ text: learnt.slice(0, 60000) }] };
} } });`;

/** A channel whose every reply is refused by a server that quotes the secret. */
const PAGER = `
gatehouse.register({ kind: 'channel', handlers: {
  receive: async (request) => ({ messages: [JSON.parse(request.body)] }),
  send: async (delivery, ctx) => ({ actions: [{ request: { method: 'POST', url: ctx.config.base + '/forbidden', body: delivery.text, secrets: ['key'] } }] }),
} });`;

describe('a secret', () => {
  it('attack 73 log-exfil: is nowhere but in the host and at its audience, whatever is done with it', { timeout: 300_000 }, async () => {
    await using world = await aWorld();
    const { home, host, echo, elsewhere, receiver } = world;
    const watch = new Watch(VALUES);

    await probe(host);
    // Where a redirect leads goes nothing of it, and not on the way back either.
    expect(elsewhere.received.map(({ target }) => target)).toEqual(['/and-back']);
    expect([...elsewhere.received, ...echo.received.filter(({ target }) => target === '/back')].map(({ headers }) => headers['authorization'])).toEqual([undefined, undefined]);
    expect(echo.received.filter(({ headers }) => headers['authorization'] === `Bearer ${VALUES.key}`).length).toBeGreaterThan(Object.keys(ECHOES).length);
    expect(echo.received.find(({ target }) => target === '/signature?order=b&a=%20')?.headers['x-signature']).toBe(hmac('target', '/signature?order=b&a=%20'));
    expect(receiver.received.map(({ headers }) => headers['x-gatehouse-signature'])).toEqual(receiver.received.map(({ body }) => `sha256=${hmac('signing', body)}`));

    for (const pid of descendantsOf(host.pid)) watch.lookIntoMemory(pid);
    await lookAround(host, home, watch);
    await host[Symbol.asyncDispose]();
    watch.look('log stderr', world.log());
    watch.look('log stdout', JSON.stringify(host.lines));
    watch.lookInto(home.path);

    expect(SECRETS.flatMap((each) => watch.seen(each))).toEqual([]);
    const found = new Set(watch.seen('control').map(({ place }) => place.split(' ')[0]));
    expect([...found].toSorted()).toEqual(['cli', 'file', 'http', 'log', ...(mayReadMemory() ? ['memory'] : [])]);
    expect(watch.seen('control').filter(({ place }) => place.includes('/data/store/'))).not.toEqual([]);
    if (!mayReadMemory()) console.warn('not run: the memory of sandboxes (only root may read it)');
  });
});

/** The servers, a home with everything that uses secrets, and the host over it, its log at debug. */
async function aWorld() {
  await using parts = new AsyncDisposableStack();
  const vault = parts.use(await tempDir()); // not below the home: that is searched
  const elsewhere = parts.use(await startReceiver(() => ({ status: 307, headers: { location: `${echo.origin}/back` } })));
  const echo: Receiver = parts.use(await anEcho(elsewhere));
  const garbled = parts.use(await aGarbledServer());
  const receiver = parts.use(await startReceiver(({ body, headers }, index) => {
    if (index === 0) return { status: 503, body: JSON.stringify(headers) };
    return body.includes('/forbidden') ? { status: 422, body: `not signed with ${VALUES.signing}` } : { status: 200, body: `signed with ${VALUES.signing}` };
  }));
  const home = parts.use(await aHome([], { log: { level: 'debug' }, egress: { allow: [echo.exception, { ...echo.exception, scheme: 'https' }, elsewhere.exception, receiver.exception, garbled.exception] } }));
  for (const plugin of await plugins(vault, { base: echo.origin, tls: echo.origin.replace('http:', 'https:'), garbled: garbled.origin, elsewhere: elsewhere.origin })) await home.add(plugin);
  await addFirstParty(home, 'webhook', { secrets: { signing: { env: 'WEBHOOK_CANARY' } }, config: { replyUrl: `${receiver.origin}/replies` } });

  const host = parts.use(await startProcess(home.path, [], undefined, { env: { WEBHOOK_CANARY: VALUES.signing } }));
  let log = host.stderr();
  host.child.stderr?.on('data', (text: string) => (log += text));
  const all = parts.move();
  return { home, host, echo, elsewhere, receiver, log: () => log, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function plugins(vault: TempDir, servers: Readonly<Record<string, string>>): Promise<TestPlugin[]> {
  for (const name of ['key', 'target'] as const) await writeFile(join(vault.path, name), `${VALUES[name]}\n`);
  const config = { ...servers, control: VALUES.control };
  const properties = Object.fromEntries(Object.keys(config).map((name) => [name, { type: 'string' }]));
  const capabilities: Grant[] = [
    { name: 'kv', quotaBytes: 10_000_000 },
    { name: 'http.fetch', origins: Object.keys(servers).map((name) => ({ config: `/${name}` })), methods: ['GET', 'POST'] },
    ...['/base', '/tls', '/garbled'].map((audience): Grant => ({ name: 'secret.use', handle: 'key', audience: { config: audience }, inject: { header: 'authorization', prefix: 'Bearer ' } })),
    { name: 'secret.use', handle: 'target', audience: { config: '/base' }, inject: { hmac: { algorithm: 'sha256', header: 'x-signature', over: 'target' } } },
  ];
  const manifest = { capabilities, config: { type: 'object', additionalProperties: false, properties } } as const;
  const enablement = { config, secrets: { key: { file: join(vault.path, 'key') }, target: { file: join(vault.path, 'target') } } };
  return [
    ...PROBERS.map((name): TestPlugin => ({ name, kind: 'skill', source: PROBER, manifest: { ...manifest, skill: {} }, enablement: { ...enablement, limits: { wallMsPerCall: 20_000, cpuMsPerCall: 500 } } })),
    { name: 'pager', kind: 'channel', source: PAGER, manifest: { ...manifest, channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } }, enablement },
  ];
}

function anEcho(elsewhere: Receiver): Promise<Receiver> {
  let kept = '';
  return startReceiver(({ target, headers: { authorization = '', ...headers } }) => {
    switch (target.split('?')[0]) {
      case '/hang':
        return 'hang';
      case '/reset':
        return 'reset';
      case '/keep':
        kept = authorization;
        return { status: 200 };
      case '/given-back':
        return { status: 200, body: kept };
      case '/signature':
        return { status: 200, body: JSON.stringify(headers) };
      default:
        return ECHOES[target]?.[1](authorization.slice('Bearer '.length), elsewhere.origin) ?? { status: 200 };
    }
  });
}

/** Puts the secret where HTTP is broken: what a parser says about it quotes it. */
async function aGarbledServer() {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      const [, path] = /^\w+ (\S+)/.exec(data.toString()) ?? [];
      const [, secret = ''] = /^authorization: Bearer (.*)\r$/im.exec(data.toString()) ?? [];
      if (path === '/status-line') socket.end(`HTTP/1.1 ${secret} OK\r\n\r\n`);
      else if (path === '/header') socket.end(`HTTP/1.1 200 OK\r\nx ${secret}\0: 1\r\n\r\n`);
      else socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${secret}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, exception: { host: '127.0.0.1', scheme: 'http' as const, port }, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

interface Init {
  readonly who?: string;
  readonly secrets?: readonly string[];
  readonly headers?: Record<string, string>;
  readonly finally?: 'throw' | 'spin';
}

/** Has every way tried, and waits until each has come to its end. */
async function probe(host: HostProcess): Promise<void> {
  const client = webhookClient(host.address, VALUES.signing);
  let count = 0;
  const tell = async (server: string, path: string, { who, finally: last, secrets = ['key'], ...init }: Init = {}) => {
    count += 1;
    const id = `p${count}`;
    const text = JSON.stringify({ who: who ?? PROBERS[count % PROBERS.length], server, path, init: { ...init, secrets }, finally: last });
    expect((await client.post({ id, conversation: id, text })).status).toBe(202);
    return id;
  };
  const learnt = async (id: string) => {
    const text = await eventually(async () => {
      const { items } = await client.replies(id);
      expect(items).toHaveLength(1);
      return items[0]?.text ?? '';
    }, 120_000);
    return /^[A-Z_]+/.exec(text)?.[0] ?? String((JSON.parse(text.slice(0, text.lastIndexOf('} ') + 1)) as { status: number }).status);
  };
  const learning = async (server: string, path: string, init?: Init) => `${server} ${path} ${await learnt(await tell(server, path, init))}`;

  expect(await Promise.all(Object.keys(ECHOES).map((path) => learning('base', path)))).toEqual(Object.entries(ECHOES).map(([path, [outcome]]) => `base ${path} ${outcome}`));
  expect(await learning('base', '/keep')).toBe('base /keep 200');
  expect(
    await Promise.all([
      learning('base', '/given-back', { secrets: [] }),
      learning('base', '/signature?order=b&a=%20', { secrets: ['target'] }),
      learning('base', '/both', { secrets: ['key', 'target'] }),
      learning('base', '/mine', { headers: { Authorization: 'mine' } }),
      learning('base', '/ungranted', { secrets: ['signing'] }),
      learning('elsewhere', '/other-audience'),
      learning('base', '/reset'),
      learning('base', '/hang'),
      learning('tls', '/plain-port'),
      learning('garbled', '/status-line'),
      learning('garbled', '/header'),
      learning('garbled', '/chunk'),
    ]),
  ).toEqual([
    'base /given-back SECRET_LEAK',
    'base /signature?order=b&a=%20 SECRET_LEAK',
    'base /both 200',
    'base /mine EGRESS_DENIED',
    'base /ungranted CAPABILITY_DENIED',
    'elsewhere /other-audience CAPABILITY_DENIED',
    'base /reset EGRESS_FAILED',
    'base /hang EGRESS_TIMEOUT',
    'tls /plain-port EGRESS_FAILED',
    'garbled /status-line EGRESS_FAILED',
    'garbled /header EGRESS_FAILED',
    'garbled /chunk EGRESS_FAILED',
  ]);

  for (const signature of ['', 'sha256=', `sha256=${'0'.repeat(64)}`, VALUES.control]) expect((await client.raw('{}', signature)).status).toBe(401);
  // Dead letters: a handler that throws what it learnt, a reply refused with the secret in the refusal.
  await tell('base', '/body', { finally: 'throw' });
  const paged = { id: 'x', conversation: 'x', sender: { id: 's' }, text: JSON.stringify({ who: 'prober-d', server: 'base', path: '/both', init: { secrets: ['key'] } }) };
  expect((await ask(host, '/channels/pager/in', { method: 'POST', body: JSON.stringify(paged) })).status).toBe(202);
  await eventually(async () => expect((await itemsOf(host, 'dead-letters')).map(({ code }) => code)).toEqual(expect.arrayContaining(['RESPOND_FAILED', 'DELIVERY_REFUSED'])), 120_000);
  // A sandbox that is killed with all that it has learnt.
  await tell('base', '/body', { who: 'prober-e', finally: 'spin' });
  await eventually(async () => expect((await ask(host, '/api/v1/plugins/prober-e')).text).toMatch(/"strikes":[1-9]/), 120_000);
}

/** Any request, with the admin token. */
async function ask(host: HostProcess, path: string, { method = 'GET', body }: { readonly method?: string; readonly body?: string } = {}) {
  const home = host.child.spawnargs[host.child.spawnargs.indexOf('--home') + 1] ?? '';
  const token = (await readFile(join(home, 'data/admin-token'), 'utf8')).trim();
  const response = await fetch(`${host.address}${path}`, { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return { status: response.status, text, all: `${[...response.headers].map((each) => each.join(': ')).join('\n')}\n${text}` };
}

async function itemsOf(host: HostProcess, what: 'messages' | 'dead-letters') {
  return (JSON.parse((await ask(host, `/api/v1/${what}?limit=200`)).text) as { items: { id: string; code?: string }[] }).items;
}

/** Quarantines a plugin that has seen much, asks the host everything it answers, and runs every command that reads. */
async function lookAround(host: HostProcess, home: TestHome, watch: Watch): Promise<void> {
  expect((await ask(host, '/api/v1/plugins/prober/quarantine', { method: 'POST', body: JSON.stringify({ reason: 'has seen enough' }) })).status).toBe(200);
  const messages = (await itemsOf(host, 'messages')).map(({ id }) => `/api/v1/messages/${id}`);
  const letters = (await itemsOf(host, 'dead-letters')).map(({ id }) => id);
  expect([messages.length > 50, letters.length > 1]).toEqual([true, true]);
  const paths = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/', '/api/v1/status', '/api/v1/plugins', '/api/v1/plugins/prober', '/api/v1/plugins/webhook', '/api/v1/messages?limit=200', '/api/v1/dead-letters', '/api/v1/config', '/api/v1/nothing', '/channels/webhook/nothing'];
  for (const path of [...paths, ...messages, ...letters.map((id) => `/api/v1/dead-letters/${id}`)]) watch.look(`http ${path}`, (await ask(host, path)).all);

  const commands = [['status'], ['doctor'], ['check'], ['plugins', 'list'], ['plugins', 'show', 'prober'], ['plugins', 'show', 'webhook'], ['messages'], ['dead-letters', 'list'], ['dead-letters', 'show', letters[0] ?? '']];
  for (const args of commands.flatMap((each) => [each, [...each, '--json']])) {
    const { stdout, stderr } = await runCommand([...args, '--home', home.path], { env: { WEBHOOK_CANARY: VALUES.signing } });
    watch.look(`cli ${args.join(' ')}`, `${stdout}\n${stderr}`);
  }
}
