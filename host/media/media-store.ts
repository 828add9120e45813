// What is known of stored media: a row for each content, a row for each instance that uses it, and quotas over both. Intake keeps files through it, the accept commit writes its rows, the sweeper empties it, links.ts reads.
//
// Whatever changes the store does so in its turn, from the look at what is there to the end of the commit: so a file that is swept is never one that is just coming,
// and no two messages fill the same room. A file without a row is swept; a row without a file reads as MEDIA_MISSING.
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { DiskRoom } from '../store/disk-room.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import { put, scan, type Put, type Removal, type Store } from '../store/store.ts';
import { media, mediaReaders, mediaUses, type MediaRow } from '../store/tables.ts';
import type { Found } from './inspect.ts';
import { MediaFiles, type Draft } from './media-files.ts';

export interface MediaStoreParts {
  /** Made when it is not there. */
  readonly dir: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Of everything that is kept. */
  readonly totalBytes: number;
}

/** A file that was looked through, and what was found. */
export interface Inspected {
  readonly draft: Draft;
  readonly found: Found;
}

/** Files that are in their place, for one commit. */
export interface Kept {
  readonly put: readonly Put[];
  /** Must be called once that commit has ended, or when there is none; more than once does no harm. The turn ends here. */
  done(committed: boolean): void;
}

/** How long, and how much, is kept for an instance. */
export interface Retention {
  readonly ms: number;
  readonly quotaBytes: number;
}

const DAY_MS = 24 * 3600 * 1000;
export const daysInMs = (days: number): number => days * DAY_MS;

export class MediaStore {
  readonly #parts: MediaStoreParts;
  readonly #files: MediaFiles;
  readonly #room: DiskRoom;
  readonly #used: Map<string, number>;
  #totalBytes: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(parts: MediaStoreParts, files: MediaFiles, used: Map<string, number>, totalBytes: number) {
    this.#parts = parts;
    this.#files = files;
    this.#room = new DiskRoom(parts.dir, parts.clock);
    this.#used = used;
    this.#totalBytes = totalBytes;
  }

  /** Counts what is kept from before. */
  static async open(parts: MediaStoreParts): Promise<MediaStore> {
    const files = await MediaFiles.open(parts.dir);
    const used = new Map<string, number>();
    let totalBytes = 0;
    for await (const page of scan(parts.store, media, media.prefix())) for (const { value } of page) totalBytes += value.sizeBytes;
    for await (const page of scan(parts.store, mediaUses, mediaUses.prefix())) for (const { key, value } of page) used.set(String(key[2]), (used.get(String(key[2])) ?? 0) + value.sizeBytes);
    return new MediaStore(parts, files, used, totalBytes);
  }

  /** Of one instance; a content that two of them use counts for both. */
  usedBy(instance: string): number {
    return this.#used.get(instance) ?? 0;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Somewhere to write a file that comes in. Throws STORE_FAILED while the disk has no room. */
  async draft(): Promise<Draft> {
    const problem = this.#room.problem();
    if (problem !== undefined) throw new GatehouseError('STORE_FAILED', { problem });
    return await this.#files.draft();
  }

  /** Puts the files of one message into their places. Throws MEDIA_QUOTA, and STORE_FAILED for a disk that takes no more; nothing is kept then. */
  async keep(instance: string, inspected: readonly Inspected[], quotaBytes: number): Promise<Kept> {
    const endTurn = await this.#takeTurn();
    try {
      const { store, clock } = this.#parts;
      const nowMs = clock.now();
      const rows: Put[] = [];
      let more = 0;
      let moreInAll = 0;
      for (const [digest, { draft: { sizeBytes }, found }] of new Map(inspected.map((each) => [each.draft.digest, each]))) {
        const known = await store.get(media, media.key(digest));
        if (!known) {
          moreInAll += sizeBytes;
          rows.push(put(media, media.key(digest), { sizeBytes, ...found, firstAtMs: nowMs }));
        }
        if (!(await store.get(mediaUses, mediaUses.key(digest, instance)))) more += sizeBytes;
        rows.push(put(mediaUses, mediaUses.key(digest, instance), { sizeBytes, lastAtMs: nowMs }));
      }
      this.#holdToQuota(instance, more, this.usedBy(instance), quotaBytes);
      this.#holdToQuota(instance, moreInAll, this.#totalBytes, this.#parts.totalBytes);
      for (const { draft } of inspected) await this.#files.keep(draft);
      return {
        put: rows,
        done: (committed) => {
          if (!endTurn()) return;
          if (!committed) return;
          this.#used.set(instance, this.usedBy(instance) + more);
          this.#totalBytes += moreInAll;
        },
      };
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  /** What is known of a stored file, whether or not its bytes are still there. `id` as in blocks: `sha256:…`. */
  async find(id: string): Promise<MediaRow | undefined> {
    return (await this.#parts.store.get(media, media.key(digestOf(id))))?.value;
  }

  /** Whether it may leave by this channel in the name of this author: a message of the channel carried it, or one that the author was asked about. */
  async maySend(id: string, { channel, author }: { readonly channel: string; readonly author: string }): Promise<boolean> {
    const { store } = this.#parts;
    const digest = digestOf(id);
    return (await store.get(mediaUses, mediaUses.key(digest, channel))) !== undefined || (await store.get(mediaReaders, mediaReaders.key(digest, author))) !== undefined;
  }

  /** The path of its bytes, read once and found right. Throws MEDIA_MISSING. */
  async pathOf(id: string, { sizeBytes }: Pick<MediaRow, 'sizeBytes'>): Promise<string> {
    try {
      return await this.#files.verified(digestOf(id), sizeBytes);
    } catch (error) {
      this.#parts.log.error({ id, err: problemOf(error) }, 'a stored file is not what it was');
      throw error;
    }
  }

  /** Lets go what is too old or too much, then what nobody uses, then files without a row. Small steps, each in its turn; stops between them when `isOver` says so. Resolves with how many files went. */
  async sweep(retentionOf: (instance: string) => Retention, isOver: () => boolean = () => false): Promise<number> {
    const nowMs = this.#parts.clock.now();
    let removed = 0;
    const tooMuch = new Map<string, number>();
    for (const [instance, bytes] of this.#used) tooMuch.set(instance, bytes - retentionOf(instance).quotaBytes);
    let tooMuchInAll = this.#totalBytes - this.#parts.totalBytes;
    for (const { digest, instance, sizeBytes, lastAtMs } of await this.#usesByAge()) {
      if (isOver()) return removed;
      const over = tooMuch.get(instance) ?? 0;
      if (nowMs - lastAtMs <= retentionOf(instance).ms && over <= 0 && tooMuchInAll <= 0) continue;
      const went = await this.#inTurn(() => this.#forget(digest, instance, lastAtMs));
      if (went === undefined) continue;
      tooMuch.set(instance, over - sizeBytes);
      tooMuchInAll -= went;
      if (went > 0) removed += 1;
    }
    for await (const digest of this.#files.digests()) {
      if (isOver()) return removed;
      if (await this.#inTurn(() => this.#removeOrphan(digest))) removed += 1;
    }
    return removed;
  }

  /** The longest unused first. About 200 bytes of memory each, for as long as the sweep takes. */
  async #usesByAge() {
    const uses: { readonly digest: string; readonly instance: string; readonly sizeBytes: number; readonly lastAtMs: number }[] = [];
    for await (const page of scan(this.#parts.store, mediaUses, mediaUses.prefix())) for (const { key, value } of page) uses.push({ digest: String(key[1]), instance: String(key[2]), ...value });
    return uses.sort((a, b) => a.lastAtMs - b.lastAtMs);
  }

  /** One use, and the file with the last of them. Resolves with the bytes that became free; undefined when a message has brought it again meanwhile. */
  async #forget(digest: string, instance: string, lastAtMs: number): Promise<number | undefined> {
    const { store } = this.#parts;
    const uses = await store.range(mediaUses, mediaUses.prefix(digest));
    const mine = uses.find(({ key }) => key[2] === instance);
    if (!mine || mine.value.lastAtMs !== lastAtMs) return undefined;
    const isLast = uses.length === 1;
    const readers = isLast ? await store.range(mediaReaders, mediaReaders.prefix(digest)) : [];
    const remove: Removal[] = [{ table: mediaUses, key: mine.key }, ...(isLast ? [{ table: media, key: media.key(digest) }] : []), ...readers.map(({ key }) => ({ table: mediaReaders, key }))];
    if ((await store.commit({ remove })) !== 'committed') return undefined;
    this.#used.set(instance, this.usedBy(instance) - mine.value.sizeBytes);
    if (!isLast) return 0;
    this.#totalBytes -= mine.value.sizeBytes;
    await this.#files.remove(digest);
    return mine.value.sizeBytes;
  }

  async #removeOrphan(digest: string): Promise<boolean> {
    if (await this.#parts.store.get(media, media.key(digest))) return false;
    await this.#files.remove(digest);
    return true;
  }

  #holdToQuota(instance: string, size: number, used: number, quota: number): void {
    if (size > 0 && used + size > quota) throw new GatehouseError('MEDIA_QUOTA', { instance, size, used, quota });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const endTurn = await this.#takeTurn();
    try {
      return await work();
    } finally {
      endTurn();
    }
  }

  /** Resolves when whoever came before is done, with the function that lets the next one go; it says whether it was this call that did. */
  async #takeTurn(): Promise<() => boolean> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    let isOver = false;
    return () => {
      if (isOver) return false;
      isOver = true;
      resolve();
      return true;
    };
  }
}

/** Rows for the commit of a turn: these skills were handed what the message carries. */
export function readersOf(blocks: readonly MediaBlock[], skills: readonly string[], atMs: number): Put[] {
  const digests = new Set(blocks.flatMap((block) => ('id' in block ? [digestOf(block.id)] : [])));
  return [...digests].flatMap((digest) => skills.map((skill) => put(mediaReaders, mediaReaders.key(digest, skill), { atMs })));
}

const digestOf = (id: string): string => id.slice('sha256:'.length);
