// Files that messages bring, from a real server through the egress into the store of a real host: what is kept, what is refused and with what words, and what a kill leaves.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MEDIA_DEFAULTS } from '../../schemas/policy.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import type { TestHome } from '../support/home.ts';
import { bytesOf, type Recipe } from '../support/media-bytes.ts';
import { aGallery, filesOf, mediaOf, post, startFileServer } from '../support/media-host.ts';
import type { Receiver } from '../support/receiver.ts';

const PNG: Recipe = { png: { width: 30, height: 20 } };
const JPEG: Recipe = { jpeg: { width: 640, height: 480 } };
const digestOf = (recipe: Recipe) => createHash('sha256').update(bytesOf(recipe)).digest('hex');

describe('files of a message', () => {
  it('stay links, and nobody fetches them, where policy does not say otherwise', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using home = await aGallery([server], { media: {} });
    await using gatehouse = await startGatehouse(home);
    const { status, messageId } = await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/cat.png` }]);
    expect(status).toBe(202);
    expect(await mediaOf(gatehouse, messageId)).toEqual([{ kind: 'image', url: `${server.origin}/cat.png` }]);
    expect([server.received, await filesOf(home)]).toEqual([[], []]);
  });

  it('are fetched, looked through and kept by their content, each content once', async () => {
    await using server = await startFileServer({ 'cat.png': PNG, 'same.png': PNG, 'house.jpg': JPEG });
    await using home = await aGallery([server], { instances: ['gallery', 'album'] });
    await using gatehouse = await startGatehouse(home);
    const blocks = [{ kind: 'image', url: `${server.origin}/cat.png`, name: '../cat.png' }, { kind: 'location', latitude: 1, longitude: 2 }, { kind: 'file', url: `${server.origin}/same.png` }, { kind: 'image', url: `${server.origin}/house.jpg`, mimeType: 'image/jpeg' }];
    const { messageId } = await post(gatehouse, '1', blocks);
    const png = { id: `sha256:${digestOf(PNG)}`, mimeType: 'image/png', sizeBytes: bytesOf(PNG).length, width: 30, height: 20 };
    const jpeg = { id: `sha256:${digestOf(JPEG)}`, mimeType: 'image/jpeg', sizeBytes: bytesOf(JPEG).length, width: 640, height: 480 };
    expect(await mediaOf(gatehouse, messageId)).toEqual([{ kind: 'image', name: 'cat.png', ...png }, { kind: 'location', latitude: 1, longitude: 2 }, { kind: 'file', ...png }, { kind: 'image', ...jpeg }]);
    expect((await post(gatehouse, '2', [{ kind: 'image', url: `${server.origin}/cat.png` }], { channel: 'album' })).status).toBe(202);

    expect(await filesOf(home)).toEqual([digestOf(PNG), digestOf(JPEG)].toSorted());
    const path = join(home.path, 'data/media', digestOf(PNG).slice(0, 2), digestOf(PNG));
    expect((await readFile(path)).equals(bytesOf(PNG))).toBe(true);
    expect([(await stat(path)).mode & 0o777, (await stat(join(path, '..'))).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it('are got as the channel says, with secrets that nobody but their server sees', async () => {
    await using server = await startFileServer({ 'file/9': PNG });
    await using home = await aGallery([server], {
      abilities: ['receive', 'send', 'media'],
      handlers: `media: async ({ conversation, media }) => ({ request: { url: media.url.replace('/id/', '/file/'), headers: { 'x-conversation': conversation }, secrets: ['token'] } }),`,
      capabilities: [{ name: 'secret.use', handle: 'token', audience: { config: '/o0' }, inject: { header: 'authorization', prefix: 'Bearer ' } }],
      enablement: { secrets: { token: { file: 'token' } } },
    });
    await home.write('token', 'a token nobody may see');
    await using gatehouse = await startGatehouse(home);
    const { messageId } = await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/id/9` }]);
    expect(await mediaOf(gatehouse, messageId)).toMatchObject([{ id: `sha256:${digestOf(PNG)}` }]);
    expect(server.received.map(({ method, target, headers }) => [method, target, headers['x-conversation'], headers.authorization])).toEqual([['GET', '/file/9', 'c', 'Bearer a token nobody may see']]);
    expect((await gatehouse.api(`/messages/${messageId}`)).text).not.toContain('token');
  });

  it('wait for the verdict of a gate, and are not fetched for what it denies', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using home = await aGallery([server]);
    await home.add({ name: 'guard', kind: 'moderation', source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: ({ message }) => (message.text === 'bad' ? { effect: 'deny', reason: 'bad' } : { effect: 'pass' }) } });`, manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } } });
    await using gatehouse = await startGatehouse(home);
    const block = { kind: 'image', url: `${server.origin}/cat.png` };
    expect(await post(gatehouse, '1', [block], { text: 'bad' })).toMatchObject({ status: 403, code: 'MODERATION_DENIED' });
    expect([server.received.length, await filesOf(home)]).toEqual([0, []]);
    expect((await post(gatehouse, '2', [block])).status).toBe(202);
    expect(server.received).toHaveLength(1);
  });
});

describe('a message is refused, with the reason, and nothing of its files is kept', () => {
  const zip: Recipe = { zip: [{ name: 'Evil.class', content: 'x' }] };
  const CASES: readonly (readonly [why: string, file: Recipe, block: object, code: string, reason: RegExp])[] = [
    ['for a file of another type than was said', PNG, { kind: 'image', mimeType: 'image/jpeg' }, 'MEDIA_TYPE_REFUSED', /is image\/png, but was said to be image\/jpeg/],
    ['for a file of another kind', PNG, { kind: 'audio' }, 'MEDIA_TYPE_REFUSED', /was sent as audio/],
    ['for a program', ['MZ', { fill: 0, times: 500 }], { kind: 'file' }, 'MEDIA_TYPE_REFUSED', /a program/],
    ['for a page', '<html><script>1</script>', { kind: 'file' }, 'MEDIA_TYPE_REFUSED', /markup/],
    ['for an SVG', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', { kind: 'image', mimeType: 'image/svg+xml' }, 'MEDIA_TYPE_REFUSED', /markup/],
    ['for a bomb of pixels', { png: { width: 60_000, height: 60_000 } }, { kind: 'image' }, 'MEDIA_UNSAFE', /60000 × 60000 pixels/],
    ['for a bomb in an archive', { zip: [{ name: 'a', unpackedBytes: 4_000_000_000 }] }, { kind: 'file' }, 'MEDIA_UNSAFE', /unpacks to 4000000000 bytes/],
    ['for an image that is an archive', [JPEG, zip], { kind: 'image' }, 'MEDIA_UNSAFE', /image\/jpeg and a ZIP archive at once/],
    ['for an image with a page in its head', { gif: { width: 1, height: 1, comment: '<script>alert(1)</script>' } }, { kind: 'image' }, 'MEDIA_UNSAFE', /image\/gif and a web page at once/],
    ['for an image cut short', { cut: PNG, to: 20 }, { kind: 'image' }, 'MEDIA_UNSAFE', /cut short/],
    ['for a file that is too large', [PNG, { fill: 0, times: 100_000 }], { kind: 'image' }, 'MEDIA_TOO_LARGE', /more than 50000 bytes/],
  ];
  let parts: AsyncDisposableStack;
  let server: Receiver;
  let home: TestHome;
  let gatehouse: Gatehouse;
  beforeAll(async () => {
    parts = new AsyncDisposableStack();
    server = parts.use(await startFileServer({ 'cat.png': PNG, ...Object.fromEntries(CASES.map(([, file], index) => [`${index}`, file])) }));
    home = parts.use(await aGallery([server], { media: { inbound: 'store', maxBytes: 50_000 } }));
    gatehouse = parts.use(await startGatehouse(home));
  });
  afterAll(() => parts.disposeAsync());

  it.each(CASES.map(([why, , block, code, reason], index) => [why, index, block, code, reason] as const))('%s', async (_, index, block, code, reason) => {
    const blocks = [{ kind: 'image', url: `${server.origin}/cat.png` }, { url: `${server.origin}/${index}`, ...block }];
    expect(await post(gatehouse, `${index}`, blocks)).toMatchObject({ code, detail: expect.stringMatching(reason) });
    expect(await filesOf(home)).toEqual([]);
    const fetched = server.received.length;
    expect(await post(gatehouse, `${index}`, blocks)).toMatchObject({ code });
    expect(server.received).toHaveLength(fetched); // a redelivery is recognised, and fetches nothing again
  });
});

describe('policy refuses a message', () => {
  it('that carries anything where it takes none, too many, or a type that is not listed', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    const image = { kind: 'image', url: `${server.origin}/cat.png` };
    await using home = await aGallery([server], { media: { inbound: 'store', maxCount: 2, types: ['audio/*'] }, enablement: { rooms: { closed: { media: { inbound: 'refuse' } } } } });
    await using gatehouse = await startGatehouse(home);
    expect(await post(gatehouse, '1', [image], { conversation: 'closed' })).toMatchObject({ status: 403, code: 'MEDIA_REFUSED' });
    expect(await post(gatehouse, '2', [image, image, image])).toMatchObject({ status: 403, code: 'MEDIA_REFUSED', detail: expect.stringContaining('these are 3') });
    expect(server.received).toEqual([]);
    expect(await post(gatehouse, '3', [image])).toMatchObject({ status: 415, code: 'MEDIA_TYPE_REFUSED', detail: expect.stringContaining('policy does not allow') });
    expect((await post(gatehouse, '4', [], { conversation: 'closed' })).status).toBe(202);
  });
});

describe('a file that cannot be fetched', () => {
  const TROUBLE = { gone: { status: 404 }, packed: { status: 200, headers: { 'content-encoding': 'gzip' }, body: 'x' }, away: { status: 302, headers: { location: 'https://elsewhere.example/x' } } } as const;
  it('stays a link, or refuses its message for now, and tells its sender nothing of the network', async () => {
    await using server = await startFileServer(TROUBLE);
    await using other = await startFileServer({ x: PNG });
    await using home = await aGallery([server], { enablement: { rooms: { strict: { media: { onFailure: 'refuse' } } } }, origins: ['https://169.254.169.254'] });
    await using gatehouse = await startGatehouse(home);
    const urls = [...['reset', ...Object.keys(TROUBLE)].map((name) => `${server.origin}/${name}`), 'https://169.254.169.254/latest/meta-data', `${other.origin}/x`];
    for (const url of urls) {
      const linked = await post(gatehouse, url, [{ kind: 'image', url }]);
      expect([url, linked.status]).toEqual([url, 202]);
      expect(await mediaOf(gatehouse, linked.messageId)).toEqual([{ kind: 'image', url }]);
      const refused = await post(gatehouse, url, [{ kind: 'image', url }], { conversation: 'strict' });
      expect([url, refused.status, refused.code]).toEqual([url, 503, 'MEDIA_UNREACHABLE']);
      expect(refused.detail).not.toMatch(/127|169|302|ECONN|elsewhere/);
    }
    expect([other.received.length, await filesOf(home)]).toEqual([0, []]);
  });

  it('is cut off where it passes the limit, whatever it says of its length', async () => {
    let sent = 0;
    const endless = createServer((_, response) => {
      response.writeHead(200);
      const more = () => {
        sent += 65_536;
        if (!response.destroyed && response.write(Buffer.alloc(65_536))) setImmediate(more);
        else response.once('drain', more);
      };
      response.on('error', () => undefined);
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const { port } = endless.address() as { port: number };
    const origin = `http://127.0.0.1:${port}`;
    try {
      await using home = await aGallery([], { media: { inbound: 'store', maxBytes: 200_000 }, origins: [origin], config: { egress: { allow: [{ host: '127.0.0.1', scheme: 'http', port }] } } });
      await using gatehouse = await startGatehouse(home);
      expect(await post(gatehouse, '1', [{ kind: 'file', url: `${origin}/x` }])).toMatchObject({ status: 413, code: 'MEDIA_TOO_LARGE' });
      expect([sent < 20_000_000, await filesOf(home)]).toEqual([true, []]);
    } finally {
      endless.closeAllConnections();
      await new Promise((resolve) => endless.close(resolve));
    }
  });
});

describe('what is kept', () => {
  const sizes = bytesOf(PNG).length;

  it('has a quota for each instance, and what does not fit stays a link or waits', async () => {
    await using server = await startFileServer({ 'cat.png': PNG, 'house.jpg': JPEG });
    await using home = await aGallery([server], { media: { inbound: 'store', quotaBytes: sizes }, enablement: { rooms: { strict: { media: { onFailure: 'refuse' } } } } });
    await using gatehouse = await startGatehouse(home);
    const [cat, house] = [{ kind: 'image', url: `${server.origin}/cat.png` }, { kind: 'image', url: `${server.origin}/house.jpg` }];
    expect((await post(gatehouse, '1', [cat])).status).toBe(202);
    const linked = await post(gatehouse, '2', [house]);
    expect(await mediaOf(gatehouse, linked.messageId)).toEqual([house]);
    expect(await post(gatehouse, '3', [house], { conversation: 'strict' })).toMatchObject({ status: 503, code: 'MEDIA_QUOTA' });
    const again = await post(gatehouse, '4', [cat]); // what is there takes no more room
    expect(await mediaOf(gatehouse, again.messageId)).toMatchObject([{ id: `sha256:${digestOf(PNG)}` }]);
    expect(await filesOf(home)).toEqual([digestOf(PNG)]);
  });

  it('has a bound for all instances together', async () => {
    await using server = await startFileServer({ 'cat.png': PNG, 'house.jpg': JPEG });
    await using home = await aGallery([server], { media: { inbound: 'store', onFailure: 'refuse' }, instances: ['gallery', 'album'], config: { egress: { allow: [server.exception] }, pipeline: { files: { totalBytes: sizes } } } });
    await using gatehouse = await startGatehouse(home);
    expect((await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/cat.png` }])).status).toBe(202);
    expect((await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/cat.png` }], { channel: 'album' })).status).toBe(202);
    expect(await post(gatehouse, '2', [{ kind: 'image', url: `${server.origin}/house.jpg` }], { channel: 'album' })).toMatchObject({ code: 'MEDIA_QUOTA' });
  });

  it('is what it was, or not had: what is damaged is mended by the next message that brings it', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using home = await aGallery([server]);
    await using gatehouse = await startGatehouse(home);
    const cat = { kind: 'image', url: `${server.origin}/cat.png` };
    await post(gatehouse, '1', [cat]);
    const path = join(home.path, 'data/media', digestOf(PNG).slice(0, 2), digestOf(PNG));
    await writeFile(path, 'something else');
    await post(gatehouse, '2', [cat]);
    expect((await readFile(path)).equals(bytesOf(PNG))).toBe(true);
  });

  it('leaves nothing that no row speaks of: drafts and files of a host that was killed are gone after the next start', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using home = await aGallery([server]);
    {
      await using gatehouse = await startGatehouse(home);
      await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/cat.png` }]);
    }
    // As a kill leaves them: a draft half written, and a file in its place whose commit never came.
    await home.write('data/media/drafts/half', 'half a file');
    await home.write(`data/media/${digestOf(JPEG).slice(0, 2)}/${digestOf(JPEG)}`, bytesOf(JPEG).toString('latin1'));
    await using gatehouse = await startGatehouse(home);
    await eventually(async () => expect(await filesOf(home)).toEqual([digestOf(PNG)]));
    expect(gatehouse.host.readiness().ready).toBe(true);
  });

  it('keeps nothing by itself', () => {
    expect([MEDIA_DEFAULTS.inbound, MEDIA_DEFAULTS.outbound]).toEqual(['link', 'link']);
  });
});
