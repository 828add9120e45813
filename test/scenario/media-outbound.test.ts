// Files on their way out of a real host: handed to a channel that can send them, told in words by one that cannot, rejected where policy says so; and the addresses of stored ones, opened, forged and waited out.
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../schemas/message.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { systemClock } from '../../host/clock.ts';
import { MediaLinks } from '../../host/media/links.ts';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import type { TestHome, TestPlugin } from '../support/home.ts';
import { bytesOf, type Recipe } from '../support/media-bytes.ts';
import { aGallery, mediaOf, post, startFileServer } from '../support/media-host.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';

const PNG: Recipe = { png: { width: 30, height: 20 } };
const PLACE = { kind: 'location', latitude: 48.2082, longitude: 16.3738, name: 'Vienna' } as const;

/** Answers with what it was sent. */
const PARROT: TestPlugin = { name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }) => ({ replies: [{ text: message.text, media: message.media }] }) } });`, manifest: { skill: {} } };

/** Tells what its `send` was given to whoever listens at the last origin. */
const TELLS = `send: async (delivery, ctx) => ({ actions: [{ request: { method: 'POST', url: ctx.config.o1, body: JSON.stringify(delivery) } }] }),`;
const CAN = `${TELLS} media: async ({ media }) => ({ request: { url: media.url } }),`;

/** What the channel was given to send, for each message in turn. */
const sent = (remote: Receiver) => remote.received.map(({ body }) => JSON.parse(body) as Delivery);
const firstSent = async (remote: Receiver) => await eventually(() => {
  const [first] = sent(remote);
  if (!first) throw new Error('nothing is sent yet');
  return first;
});

async function started(home: TestHome): Promise<Gatehouse> {
  await home.add(PARROT);
  return await startGatehouse(home);
}

describe('a reply with files', () => {
  it('is handed over as it is to a channel that can send them, stored files with an address', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using remote = await startReceiver();
    await using home = await aGallery([server, remote], { abilities: ['receive', 'send', 'media'], handlers: CAN });
    await using gatehouse = await started(home);
    await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/cat.png`, name: 'cat.png' }, PLACE]);
    const { text, media = [] } = await firstSent(remote);
    expect([text, media]).toMatchObject(['look', [{ kind: 'image', mimeType: 'image/png', url: expect.stringMatching(/^\/media\/[\w-]{70,}$/) }, PLACE]]);
  });

  it('becomes a line for each where the channel cannot, with the address if there is one for others', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using remote = await startReceiver();
    const allow = [server, remote].map(({ exception }) => exception);
    await using home = await aGallery([server, remote], { handlers: TELLS, enablement: { rooms: { quiet: { media: { outbound: 'text' } } } }, config: { egress: { allow }, pipeline: { files: { url: 'https://chat.example.com' } } } });
    await using gatehouse = await started(home);
    const blocks = [{ kind: 'image', url: `${server.origin}/cat.png`, name: 'cat.png' }, PLACE];
    await post(gatehouse, '1', blocks);
    const first = await firstSent(remote);
    expect(first.text).toMatch(/^look\n\[image: cat\.png, \d+ B\] https:\/\/chat\.example\.com\/media\/[\w-]+\n\[location: Vienna, 48\.2082, 16\.3738\]$/);
    expect(first.media).toBeUndefined();
    await post(gatehouse, '2', blocks, { conversation: 'quiet' });
    await eventually(() => expect(sent(remote)[1]?.text).toMatch(/^look\n\[image: cat\.png, \d+ B\]\n\[location: Vienna, 48\.2082, 16\.3738\]$/));
  });

  it('becomes a dead letter where policy rejects it, which goes once policy lets it', async () => {
    await using server = await startFileServer({});
    await using remote = await startReceiver();
    await using home = await aGallery([server, remote], { handlers: TELLS, media: { outbound: 'reject' } });
    let id = '';
    {
      await using gatehouse = await started(home);
      await post(gatehouse, '1', [PLACE]);
      const letter = await eventually(async () => {
        const { items } = (await gatehouse.api('/dead-letters')).json<{ items: { id: string; code: string; reason: string }[] }>();
        expect(items).toHaveLength(1);
        return items[0];
      });
      expect(letter).toMatchObject({ code: 'MEDIA_UNSUPPORTED', reason: expect.stringContaining('1 location') });
      expect(remote.received).toEqual([]);
      id = letter?.id ?? '';
    }
    const { default: enablement } = (await import(join(home.path, 'manifests/plugins/gallery.json'), { with: { type: 'json' } })) as { default: object };
    await home.write('manifests/plugins/gallery.json', { ...enablement, media: { outbound: 'text' } });
    await using gatehouse = await startGatehouse(home);
    await gatehouse.api(`/dead-letters/${id}/replay`, { method: 'POST', body: {} });
    expect(await firstSent(remote)).toMatchObject({ text: 'look\n[location: Vienna, 48.2082, 16.3738]' });
  });

  it('keeps its blocks in the store when the remote refuses the lines that stand for them', async () => {
    await using remote = await startReceiver(() => ({ status: 400 }));
    await using home = await aGallery([remote], { handlers: TELLS.replace('o1', 'o0') });
    await using gatehouse = await started(home);
    await post(gatehouse, '1', [PLACE]);
    const messageId = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: { messageId: string; code: string }[] }>();
      expect(items).toMatchObject([{ code: 'DELIVERY_REFUSED' }]);
      return items[0]?.messageId ?? '';
    });
    expect(await firstSent(remote)).toMatchObject({ text: 'look\n[location: Vienna, 48.2082, 16.3738]' });
    expect((await gatehouse.api(`/messages/${messageId}`)).json()).toMatchObject({ text: 'look', media: [PLACE], outcome: 'dead-lettered' });
  });

  it('says what a stored file was once it is gone', async () => {
    await using server = await startFileServer({ 'cat.png': PNG });
    await using remote = await startReceiver();
    await using home = await aGallery([server, remote], { abilities: ['receive', 'send', 'media'], handlers: CAN });
    await home.add({ ...PARROT, source: PARROT.source.replace('message.media', `[{ kind: 'image', id: 'sha256:' + '0'.repeat(64), mimeType: 'text/html', sizeBytes: 5, name: 'x.png', url: 'https://evil.example/' }]`) });
    await using gatehouse = await startGatehouse(home);
    await post(gatehouse, '1', []);
    const { text, media } = await firstSent(remote);
    expect([text, media]).toEqual(['look\n[image: x.png, 5 B]', undefined]);
  });
});

describe('the address of a stored file', () => {
  async function anAddress(file: Recipe, name: string, { kind = 'file' } = {}) {
    await using parts = new AsyncDisposableStack();
    const server = parts.use(await startFileServer({ file }));
    const remote = parts.use(await startReceiver());
    const home = parts.use(await aGallery([server, remote], { abilities: ['receive', 'send', 'media'], handlers: CAN }));
    const gatehouse = parts.use(await started(home));
    const { messageId } = await post(gatehouse, '1', [{ kind, url: `${server.origin}/file`, name }]);
    const [block] = (await firstSent(remote)).media ?? [];
    const [stored] = await mediaOf(gatehouse, messageId);
    const stack = parts.move();
    return { gatehouse, home, path: block && 'url' in block ? (block.url ?? '') : '', id: stored && 'id' in stored ? stored.id : '', [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }
  const get = async (gatehouse: Gatehouse, path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${gatehouse.address}${path}`, { headers });
    return { status: response.status, headers: Object.fromEntries(response.headers), bytes: Buffer.from(await response.arrayBuffer()) };
  };

  it('gives an image to be shown, and nothing in it can run', async () => {
    await using given = await anAddress(PNG, 'ca"t\u00e9.png', { kind: 'image' });
    const { status, headers, bytes } = await get(given.gatehouse, given.path);
    expect([status, bytes.equals(bytesOf(PNG))]).toEqual([200, true]);
    expect(headers).toMatchObject({
      'content-type': 'image/png',
      'content-disposition': `inline; filename="ca_t_.png"; filename*=UTF-8''ca%22t%C3%A9.png`,
      'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
      'x-content-type-options': 'nosniff',
      'cache-control': expect.stringMatching(/^private, max-age=\d+$/),
    });
    const part = await get(given.gatehouse, given.path, { range: 'bytes=1-3' });
    expect([part.status, part.headers['content-range'], part.bytes.toString()]).toEqual([206, `bytes 1-3/${bytesOf(PNG).length}`, 'PNG']);
  });

  it('gives everything else to be saved, under a name that ends as its type does', async () => {
    await using given = await anAddress('@echo off\ndel *.*\n', 'run.bat');
    const { headers } = await get(given.gatehouse, given.path);
    expect(headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'content-disposition': `attachment; filename="run.bat.txt"; filename*=UTF-8''run.bat.txt` });
  });

  it('is nothing when it is forged, cut, of another host, or over; and no list stands behind it', async () => {
    await using given = await anAddress(PNG, 'cat.png');
    const token = given.path.slice('/media/'.length);
    const stranger = await MediaLinks.open(join(given.home.path, 'another.key'), systemClock);
    const own = (nowMs: number) => MediaLinks.open(join(given.home.path, 'data/media.key'), { ...systemClock, now: () => nowMs });
    const over = await own(systemClock.now() - 2 * BOUNDS.mediaLinkMs);
    const early = over.pathOf({ id: given.id, name: '', sinceMs: systemClock.now() - 2 * BOUNDS.mediaLinkMs });
    const flipped = Array.from(token, (character, index) => token.slice(0, index) + (character === 'A' ? 'B' : 'A') + token.slice(index + 1)).filter((each) => each !== token);
    const paths = [...flipped.map((each) => `/media/${each}`), `/media/${token.slice(0, -4)}`, `/media/${token}A`, `/media/${token}/x`, stranger.pathOf({ id: given.id, name: '', sinceMs: systemClock.now() }), early, '/media/', `/media/${given.id.slice(7)}`, `/media/${'A'.repeat(4000)}`];
    for (const path of paths) expect([path, (await get(given.gatehouse, path)).status]).toEqual([path, 404]);
    expect((await get(given.gatehouse, given.path)).status).toBe(200);
  });

  it('gives no bytes that are not the ones it was made for', async () => {
    await using given = await anAddress(PNG, 'cat.png');
    const digest = given.id.slice(7);
    await given.home.write(`data/media/${digest.slice(0, 2)}/${digest}`, 'x'.repeat(bytesOf(PNG).length));
    const changed = await get(given.gatehouse, given.path);
    expect([changed.status, (JSON.parse(changed.bytes.toString()) as { code: string }).code]).toEqual([404, 'MEDIA_MISSING']);
    await rm(join(given.home.path, 'data/media', digest.slice(0, 2), digest));
    expect((await get(given.gatehouse, given.path)).status).toBe(404);
  });

  it('is the same on every try of a delivery, and valid for an hour at least', async () => {
    await using given = await anAddress(PNG, 'cat.png');
    const key = join(given.home.path, 'data/media.key');
    const sinceMs = Date.parse('2026-11-21T08:00:00.000Z');
    const at = async (afterMs: number) => await MediaLinks.open(key, { ...systemClock, now: () => sinceMs + afterMs });
    const paths = await Promise.all([0, 1000, BOUNDS.mediaLinkMs - BOUNDS.mediaLinkLeastMs, BOUNDS.mediaLinkMs - BOUNDS.mediaLinkLeastMs + 1].map(async (afterMs) => (await at(afterMs)).pathOf({ id: given.id, name: 'x', sinceMs })));
    expect([paths[0] === paths[1], paths[1] === paths[2], paths[2] === paths[3]]).toEqual([true, true, false]);
    const token = String(paths[2]).slice('/media/'.length);
    expect((await at(BOUNDS.mediaLinkMs - 1)).read(token)).toMatchObject({ id: given.id, name: 'x' });
    expect((await at(BOUNDS.mediaLinkMs)).read(token)).toBeUndefined();
  });
});
