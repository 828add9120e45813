// What somebody who means harm sends as a file, into a real host and out of it again. Every rule of the inspector has its case in test/fixtures/media-inspect/; here is what an attacker would see.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '../../schemas/message.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import type { TestHome } from '../support/home.ts';
import { bytesOf, type Recipe } from '../support/media-bytes.ts';
import { aGallery, filesOf, mediaOf, post, startFileServer } from '../support/media-host.ts';
import { startReceiver, type Receiver, type ReceiverAnswer } from '../support/receiver.ts';

const JAR: Recipe = { zip: [{ name: 'META-INF/MANIFEST.MF', content: 'Main-Class: Evil' }, { name: 'Evil.class', content: 'x' }] };
const PNG: Recipe = { png: { width: 3, height: 2 } };
const PAGE = '<script>fetch("/api/v1/plugins")</script>';
const FILES: Readonly<Record<string, Recipe | ReceiverAnswer>> = {
  'flat.png': [{ cut: { png: { width: 65_000, height: 65_000 } }, to: 33 }, { fill: 0, times: 100 }],
  'frames.png': { png: { width: 8000, height: 8000, frames: 100 } },
  'nested.zip': { zip: [{ name: 'all', unpackedBytes: 3_000_000_000 }] },
  'shared.zip': { zip: Array.from({ length: 50 }, (_, index) => ({ name: `${index}`, packedBytes: 10_000, unpackedBytes: 10_000_000 })) },
  'gifar.gif': [{ gif: { width: 1, height: 1 } }, JAR],
  'photo.jpg': [{ jpeg: { width: 10, height: 10 } }, JAR],
  'paper.pdf': ['%PDF-1.7\n%%EOF\n', JAR],
  'page.gif': { gif: { width: 1, height: 1, comment: PAGE } },
  'program.jpg': [{ jpeg: { width: 10, height: 10 } }, 'MZ', { fill: 0, times: 100 }],
  'cat.png': ['MZ', { fill: 0, times: 200 }],
  'page.png': `<!doctype html>${PAGE}`,
  'icon.png': `<svg xmlns="http://www.w3.org/2000/svg">${PAGE}</svg>`,
  'real.png': PNG,
  'notes.html': 'just a text',
  'inside': { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
  'metadata': { status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data/' } },
  'large.bin': { fill: 65, times: 300_000 },
};

describe('a file that is meant to harm', () => {
  let parts: AsyncDisposableStack;
  let server: Receiver;
  let other: Receiver;
  let remote: Receiver;
  let home: TestHome;
  let gatehouse: Gatehouse;
  let count = 0;

  beforeAll(async () => {
    parts = new AsyncDisposableStack();
    server = parts.use(await startFileServer(FILES));
    other = parts.use(await startFileServer({ 'real.png': PNG }));
    remote = parts.use(await startReceiver());
    home = parts.use(await aGallery([server, remote], {
      media: { inbound: 'store', maxBytes: 200_000, maxCount: 4 },
      abilities: ['receive', 'send', 'media'],
      handlers: `send: async (delivery, ctx) => ({ actions: [{ request: { method: 'POST', url: ctx.config.o1, body: JSON.stringify(delivery) } }] }), media: async ({ media }) => ({ request: { url: media.url } }),`,
    }));
    await home.add({ name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }) => ({ replies: [{ text: message.text, media: message.media }] }) } });`, manifest: { skill: {} } });
    gatehouse = parts.use(await startGatehouse(home));
  });
  afterAll(() => parts.disposeAsync());

  const send = (file: string, block: object = { kind: 'file' }, from = server) => post(gatehouse, `${++count}`, [{ url: `${from.origin}/${file}`, ...block }], { conversation: `c${count}` });
  /** The codes they are refused with, and how many files were kept of them. */
  const refusals = async (files: readonly string[], block?: object) => {
    const kept = await filesOf(home);
    const codes = new Set<string | undefined>();
    for (const file of files) codes.add((await send(file, block)).code);
    return { codes: [...codes], kept: (await filesOf(home)).length - kept.length };
  };

  it('attack g160 pixel-bomb: what would take gigabytes to open is refused by what its headers say', async () => {
    const before = process.memoryUsage.rss();
    expect(await refusals(['flat.png', 'frames.png', 'nested.zip', 'shared.zip'])).toEqual({ codes: ['MEDIA_UNSAFE'], kept: 0 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
  });

  it('attack g161 two-faces: an image, or a PDF, that is something else besides is refused', async () => {
    expect(await refusals(['gifar.gif', 'photo.jpg', 'paper.pdf', 'page.gif', 'program.jpg'])).toEqual({ codes: ['MEDIA_UNSAFE'], kept: 0 });
  });

  it('attack g162 wrong-label: bytes decide, whatever name, type and kind say', async () => {
    expect(await refusals(['cat.png', 'page.png', 'icon.png'], { kind: 'image', mimeType: 'image/png', name: 'cat.png' })).toEqual({ codes: ['MEDIA_TYPE_REFUSED'], kept: 0 });
    expect(await refusals(['real.png'], { kind: 'file', mimeType: 'text/html' })).toEqual({ codes: ['MEDIA_TYPE_REFUSED'], kept: 0 });
  });

  it('attack g163 fetch-for-me: the host goes only where the channel may, whatever a message or a redirect says', async () => {
    const kept = await filesOf(home);
    for (const [file, from] of [['inside', server], ['metadata', server], ['real.png', other]] as const) {
      const { messageId } = await send(file, { kind: 'image' }, from);
      expect(await mediaOf(gatehouse, messageId)).toEqual([{ kind: 'image', url: `${from.origin}/${file}` }]);
    }
    expect([other.received, await filesOf(home)]).toEqual([[], kept]);
  });

  it('attack g164 fill-the-disk: what is too large or too many is refused, and leaves nothing', async () => {
    expect(await refusals(['large.bin'])).toEqual({ codes: ['MEDIA_TOO_LARGE'], kept: 0 });
    const image = { kind: 'image', url: `${server.origin}/real.png` };
    expect(await post(gatehouse, 'many', [image, image, image, image, image])).toMatchObject({ code: 'MEDIA_REFUSED' });
  });

  async function addressOf(file: string, name: string): Promise<{ readonly path: string; readonly id: string }> {
    const { messageId } = await send(file, { kind: 'file', name });
    const [stored] = await mediaOf(gatehouse, messageId);
    const path = await eventually(() => {
      const delivery = remote.received.map(({ body }) => JSON.parse(body) as Delivery).find(({ conversation }) => conversation === `c${count}`);
      const [block] = delivery?.media ?? [];
      if (!block || !('url' in block) || block.url === undefined) throw new Error('not delivered yet');
      return block.url;
    });
    return { path, id: stored && 'id' in stored ? stored.id : '' };
  }

  it('attack g165 run-in-our-name: nothing stored runs in the origin of the host, or is saved as what it is not', async () => {
    const page = await gatehouse.fetch((await addressOf('notes.html', 'notes.html')).path);
    expect([page.headers.get('content-type'), page.headers.get('content-disposition')]).toEqual(['text/plain; charset=utf-8', `attachment; filename="notes.html.txt"; filename*=UTF-8''notes.html.txt`]);
    const image = await gatehouse.fetch((await addressOf('real.png', 'x"; filename=evil.exe\r\nx: y')).path);
    expect(image.headers.get('content-disposition')).toMatch(/^inline; filename="[\w.-]+\.png"; filename\*=UTF-8''[\w.%-]+\.png$/);
    for (const { headers } of [page, image]) expect([headers.get('x-content-type-options'), headers.get('content-security-policy')]).toEqual(['nosniff', expect.stringMatching(/^sandbox; default-src 'none'/)]);
  });

  it('attack g166 guess-the-file: no digest, no list and no other token opens one', async () => {
    const { path, id } = await addressOf('real.png', 'a.png');
    const guesses = [`/media/${id}`, `/media/${id.slice(7)}`, '/media/', `/media/${Buffer.from(id.slice(7), 'hex').toString('base64url')}`, path.slice(0, -1), `${path}A`, `/media/${'A'.repeat(path.length - 7)}`];
    const answers = await Promise.all(guesses.map((guess) => gatehouse.fetch(guess)));
    expect(answers.map(({ status }) => status)).toEqual(guesses.map(() => 404));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1); // nothing tells one wrong guess from another
  });

  it('attack g167 swap-the-bytes: a file that was changed on disk is not given to anybody', async () => {
    const { path, id } = await addressOf('real.png', 'a.png');
    await writeFile(join(home.path, 'data/media', id.slice(7, 9), id.slice(7)), bytesOf(PNG).fill(0x3c, 40));
    expect((await gatehouse.fetch(path)).json()).toMatchObject({ code: 'MEDIA_MISSING' });
    await send('real.png');
    expect((await gatehouse.fetch(path)).status).toBe(200);
  });

  it('attack g168 name-that-lies: names lose paths and tricks, and addresses are addresses', async () => {
    const { messageId } = await send('real.png', { kind: 'file', name: '..\\..\\cat\u202egnp.exe\r\n' });
    expect(await mediaOf(gatehouse, messageId)).toMatchObject([{ name: 'catgnp.exe' }]);
    for (const url of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://a@b.example/x']) expect([url, (await post(gatehouse, url, [{ kind: 'file', url }])).code]).toEqual([url, 'INGRESS_BODY']);
  });
});
