// Files and the ends of a host: kills in the middle of many messages that carry files, and gates that hold messages back. Whatever happens, files and rows agree, and what was acknowledged is there.
import { describe, expect, it } from 'vitest';
import { media, mediaUses } from '../../host/store/tables.ts';
import type { StoredBlob } from '../../schemas/media.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import type { Recipe } from '../support/media-bytes.ts';
import { aGallery, filesOf, mediaOf, post, startFileServer } from '../support/media-host.ts';
import { startProcess } from '../support/process.ts';

const IMAGES = 240;
const images: Record<string, Recipe> = Object.fromEntries(Array.from({ length: IMAGES }, (_, index) => [`${index}.png`, { png: { width: 3, height: 2, comment: `number ${index}` } }]));

describe('a host that is killed while files come in', () => {
  it('has every file of every message it acknowledged, and no file without a row or row without a file', async () => {
    await using server = await startFileServer(images);
    await using home = await aGallery([server]);
    const acknowledged: string[] = [];
    let next = 0;
    for (const killAfter of [3, 8, 15]) {
      await using host = await startProcess(home.path);
      let answered = 0;
      const sender = async () => {
        while (next < IMAGES) {
          const index = next++;
          try {
            const { status, messageId } = await post(host, `m${index}`, [{ kind: 'image', url: `${server.origin}/${index}.png` }], { conversation: `c${index % 5}` });
            if (status !== 202) return;
            acknowledged.push(messageId);
          } catch {
            return; // the host is gone: nothing was acknowledged
          }
          answered += 1;
          if (answered === killAfter) process.kill(host.pid, 'SIGKILL');
        }
      };
      await Promise.all(Array.from({ length: 8 }, sender));
      expect(answered).toBeGreaterThanOrEqual(killAfter);
      await host.exited;
    }

    await using gatehouse = await startGatehouse(home);
    const rowsOf = async () => (await gatehouse.host.store.range(media, media.prefix())).map(({ key }) => String(key[0])).toSorted();
    await eventually(async () => expect(await filesOf(home)).toEqual(await rowsOf()));
    expect((await gatehouse.host.store.range(mediaUses, mediaUses.prefix())).map(({ key }) => String(key[1])).toSorted()).toEqual(await rowsOf());
    const kept = new Set(await rowsOf());
    expect(acknowledged.length).toBeGreaterThanOrEqual(26);
    for (const messageId of acknowledged) {
      const [block] = await mediaOf(gatehouse, messageId);
      expect([messageId, kept.has((block as StoredBlob).id.slice('sha256:'.length))]).toEqual([messageId, true]);
    }
  });
});

describe('a message that is held for a gate', () => {
  it('has its files fetched once it goes on, and stays a link where they are gone by then', async () => {
    await using server = await startFileServer({ '0.png': { png: { width: 3, height: 2 } }, 'x.exe': 'MZ' });
    await using home = await aGallery([server], { enablement: { rooms: { strict: { media: { onFailure: 'refuse' } } } } });
    await home.add({
      name: 'guard',
      kind: 'moderation',
      source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: () => ({ effect: 'pass' }) } });`,
      manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } },
      enablement: { onQuarantine: 'hold' },
    });
    await using gatehouse = await startGatehouse(home);
    await gatehouse.api('/plugins/guard/quarantine', { method: 'POST', body: { reason: 'to see what is held' } });
    const held = await post(gatehouse, '1', [{ kind: 'image', url: `${server.origin}/0.png` }]);
    const gone = await post(gatehouse, '2', [{ kind: 'image', url: `${server.origin}/gone.png` }], { conversation: 'strict' });
    const wrong = await post(gatehouse, '3', [{ kind: 'file', url: `${server.origin}/x.exe` }], { conversation: 'other' });
    expect([held, gone, wrong].map((each) => each.status)).toEqual([202, 202, 202]);
    expect([server.received, await filesOf(home)]).toEqual([[], []]);

    await gatehouse.api('/plugins/guard/release', { method: 'POST', body: { reason: 'seen' } });
    await eventually(async () => expect(await mediaOf(gatehouse, held.messageId)).toMatchObject([{ mimeType: 'image/png', width: 3 }]));
    // Nobody waits for its answer any more who could send it again.
    await eventually(async () => expect(await mediaOf(gatehouse, gone.messageId)).toEqual([{ kind: 'image', url: `${server.origin}/gone.png` }]));
    await eventually(async () => expect((await post(gatehouse, '3', [], { conversation: 'other' })).code).toBe('MEDIA_TYPE_REFUSED'));
    expect(await filesOf(home)).toHaveLength(1);
  });
});
