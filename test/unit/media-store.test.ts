// The store of files by itself, over the real store and a clock of the test's own: who holds what, what goes when, and what happens to files and rows that lost each other.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { daysInMs, MediaStore, readersOf, type Retention } from '../../host/media/media-store.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { media, mediaReaders } from '../../host/store/tables.ts';
import { refusalOf } from '../support/refusal.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const EVER: Retention = { ms: Infinity, quotaBytes: Infinity };

async function aStore({ totalBytes = 1_000_000 } = {}) {
  await using parts = new AsyncDisposableStack();
  const dir = parts.use(await tempDir());
  let nowMs = 1_000_000;
  const clock = { ...systemClock, now: () => nowMs };
  const store = parts.use(await openStore({ dir: join(dir.path, 'store'), clock }));
  const open = () => MediaStore.open({ dir: join(dir.path, 'media'), store, clock, log: silentLog, totalBytes });
  const files = await open();
  const stack = parts.move();
  return {
    files,
    open,
    store,
    later: (ms: number) => void (nowMs += ms),
    /** Keeps these bytes for the instance, and commits unless it is told not to. */
    async keep(instance: string, text: string, { quotaBytes = 1_000_000, commits = true } = {}) {
      await using draft = await files.draft();
      await draft.write(Buffer.from(text));
      await draft.finish();
      const kept = await files.keep(instance, [{ draft, found: { mimeType: 'text/plain' } }], quotaBytes);
      const committed = commits && (await store.commit({ put: kept.put })) === 'committed';
      kept.done(committed);
      return `sha256:${draft.digest}`;
    },
    names: async () => (await readdir(join(dir.path, 'media'), { recursive: true, withFileTypes: true })).filter((each) => each.isFile()).map(({ name }) => `sha256:${name}`).toSorted(),
    damage: (id: string) => rm(join(dir.path, 'media', id.slice(7, 9), id.slice(7))),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe('the store of files', () => {
  it('counts a content once in all, and once for each instance that uses it', async () => {
    await using world = await aStore();
    await world.keep('a', 'hello');
    await world.keep('a', 'hello');
    await world.keep('b', 'hello');
    await world.keep('b', 'other');
    const counts = (files: MediaStore) => [files.totalBytes, files.usedBy('a'), files.usedBy('b')];
    expect(counts(world.files)).toEqual([10, 5, 10]);
    expect(counts(await world.open())).toEqual([10, 5, 10]); // and again from what is on disk
  });

  it('lets a file leave by the channels it came through, and in the name of those that were handed it, for as long as it is kept', async () => {
    await using world = await aStore();
    const id = await world.keep('door', 'hello');
    await world.store.commit({ put: readersOf([{ kind: 'file', id, mimeType: 'text/plain', sizeBytes: 5 }], ['curator'], 0) });
    const may = (channel: string, author: string) => world.files.maySend(id, { channel, author });
    expect([await may('door', 'gossip'), await may('window', 'curator'), await may('window', 'gossip')]).toEqual([true, true, false]);
    world.later(daysInMs(2));
    await world.files.sweep(() => ({ ms: daysInMs(1), quotaBytes: Infinity }));
    expect(await world.store.range(mediaReaders, mediaReaders.prefix())).toEqual([]);
    expect(await may('window', 'curator')).toBe(false);
  });

  it('counts nothing of a commit that never came, and sweeps its file', async () => {
    await using world = await aStore();
    const id = await world.keep('a', 'hello', { commits: false });
    expect([world.files.totalBytes, await world.names()]).toEqual([0, [id]]);
    expect(await world.files.sweep(() => EVER)).toBe(1);
    expect(await world.names()).toEqual([]);
  });

  it('holds two messages at once to the same room', async () => {
    await using world = await aStore();
    const both = await Promise.allSettled([world.keep('a', 'x'.repeat(60), { quotaBytes: 100 }), world.keep('a', 'y'.repeat(60), { quotaBytes: 100 })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(world.files.usedBy('a')).toBe(60);
  });

  it('lets go what is older than the instance keeps it, and keeps it for the others', async () => {
    await using world = await aStore();
    const id = await world.keep('a', 'hello');
    await world.keep('b', 'hello');
    world.later(daysInMs(10));
    const fresh = await world.keep('a', 'fresh');
    const retention = (instance: string): Retention => ({ ms: daysInMs(instance === 'a' ? 9 : 30), quotaBytes: Infinity });
    await world.files.sweep(retention);
    expect([world.files.usedBy('a'), world.files.usedBy('b'), world.files.totalBytes]).toEqual([5, 5, 10]);
    expect(await world.names()).toEqual([id, fresh].toSorted());
    world.later(daysInMs(21));
    await world.files.sweep(retention);
    expect([await world.names(), world.files.totalBytes]).toEqual([[], 0]);
  });

  it('counts its age from the last message that brought it', async () => {
    await using world = await aStore();
    const id = await world.keep('a', 'hello');
    world.later(daysInMs(8));
    await world.keep('a', 'hello');
    world.later(daysInMs(8));
    await world.files.sweep(() => ({ ms: daysInMs(9), quotaBytes: Infinity }));
    expect(await world.names()).toEqual([id]);
  });

  it('lets go the longest unused of an instance that is over its quota, and no more', async () => {
    await using world = await aStore();
    await world.keep('a', 'oldest');
    world.later(1000);
    const newer = await world.keep('a', 'newer.');
    const others = await world.keep('b', 'others');
    await world.files.sweep((instance) => ({ ms: Infinity, quotaBytes: instance === 'a' ? 6 : 100 }));
    expect(await world.names()).toEqual([newer, others].toSorted());
  });

  it('says that a file is missing when it is, and keeps its row', async () => {
    await using world = await aStore();
    const id = await world.keep('a', 'hello');
    await world.damage(id);
    const row = await world.files.find(id);
    expect(row).toMatchObject({ sizeBytes: 5, mimeType: 'text/plain' });
    expect(await refusalOf(() => world.files.pathOf(id, { sizeBytes: 5 }))).toMatchObject({ code: 'MEDIA_MISSING' });
    expect(await world.store.get(media, media.key(id.slice(7)))).toBeDefined();
    await world.keep('b', 'hello');
    expect(await world.files.pathOf(id, { sizeBytes: 5 })).toContain(id.slice(7));
  });

  it('does not sweep what is just coming', async () => {
    await using world = await aStore();
    await using draft = await world.files.draft();
    await draft.write(Buffer.from('coming'));
    await draft.finish();
    const kept = await world.files.keep('a', [{ draft, found: { mimeType: 'text/plain' } }], 1000);
    const sweeping = world.files.sweep(() => EVER); // waits for its turn
    await world.store.commit({ put: kept.put });
    kept.done(true);
    expect(await sweeping).toBe(0);
    expect(await world.names()).toEqual([`sha256:${draft.digest}`]);
  });
});
