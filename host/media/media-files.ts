// The bytes of stored media: one file for each content, named by its digest. media-store.ts is the only user, and keeps the rows that say what they are.
//
// A file is written as a draft, flushed, and renamed to its name; the folder is flushed after. So a name is either not there or whole, and whatever a crash leaves
// is a draft, removed at the next start, or a file that no row speaks of, which the sweep finds.
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GatehouseError, problemOf } from '../errors.ts';

const DRAFTS = 'drafts';
const DIGEST = /^[0-9a-f]{64}$/;

/** Files whose bytes were read and found right, by what the file system says of them since. */
const MOST_VERIFIED = 10_000;

export class MediaFiles {
  readonly #dir: string;
  readonly #verified = new Map<string, string>();

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes the folder (0700) and removes what earlier hosts left half written. */
  static async open(dir: string): Promise<MediaFiles> {
    await rm(join(dir, DRAFTS), { recursive: true, force: true });
    await mkdir(join(dir, DRAFTS), { recursive: true, mode: 0o700 });
    return new MediaFiles(dir);
  }

  async draft(): Promise<Draft> {
    const path = join(this.#dir, DRAFTS, randomUUID());
    return new Draft(path, await guarded(() => open(path, 'wx', 0o600)));
  }

  /** Gives the draft its name, for good. One that is there already has the same content, or had it before it was damaged. */
  async keep(draft: Draft): Promise<void> {
    const path = this.#pathOf(draft.digest);
    await guarded(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await draft.renameTo(path);
      for (const folder of [dirname(path), this.#dir]) {
        await using handle = await open(folder);
        await handle.sync();
      }
    });
  }

  async remove(digest: string): Promise<void> {
    await rm(this.#pathOf(digest), { force: true });
  }

  #remember(digest: string, stamp: string): void {
    this.#verified.delete(digest);
    this.#verified.set(digest, stamp);
    if (this.#verified.size <= MOST_VERIFIED) return;
    const oldest = this.#verified.keys().next();
    if (!oldest.done) this.#verified.delete(oldest.value);
  }

  /** Its path, once its bytes are read and are the ones it is named for. Throws MEDIA_MISSING. */
  async verified(digest: string, sizeBytes: number): Promise<string> {
    const path = this.#pathOf(digest);
    const missing = (problem: string, cause?: unknown) => new GatehouseError('MEDIA_MISSING', { id: `sha256:${digest}`, problem }, { cause });
    try {
      const now = await stat(path, { bigint: true });
      if (now.size !== BigInt(sizeBytes)) throw missing('its file has another size than it had');
      // Reading it whole takes long enough that nobody should be able to ask for it without end: once for as long as nothing touches it.
      const stamp = `${now.ino} ${now.mtimeNs} ${now.ctimeNs}`;
      if (this.#verified.get(digest) === stamp) return path;
      const hash = createHash('sha256');
      for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) hash.update(piece);
      if (hash.digest('hex') !== digest) throw missing('its file has other bytes than it had');
      this.#remember(digest, stamp);
      return path;
    } catch (error) {
      throw error instanceof GatehouseError ? error : missing('its file is gone', error);
    }
  }

  /** The digests there are files for. Names that are none are nobody's and left alone. */
  async *digests(): AsyncGenerator<string, void, void> {
    for (const folder of await readdir(this.#dir)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const name of await readdir(join(this.#dir, folder))) if (DIGEST.test(name) && name.startsWith(folder)) yield name;
    }
  }

  #pathOf(digest: string): string {
    return join(this.#dir, digest.slice(0, 2), digest);
  }
}

/** A file on its way in: written piece by piece, then either kept or removed. */
export class Draft implements AsyncDisposable {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  #digest = '';
  #isKept = false;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Hex SHA-256 of the whole, once it is finished. */
  get digest(): string {
    return this.#digest;
  }

  async write(piece: Buffer): Promise<void> {
    this.#hash.update(piece);
    this.#sizeBytes += piece.length;
    await guarded(async () => await this.#handle?.writeFile(piece));
  }

  /** Flushed to the disk; and what is in it, to be looked through. */
  async finish(): Promise<Buffer> {
    return await guarded(async () => {
      await this.#handle?.sync();
      await this.#close();
      this.#digest = this.#hash.digest('hex');
      return await readFile(this.#path);
    });
  }

  async renameTo(path: string): Promise<void> {
    await rename(this.#path, path);
    this.#isKept = true;
  }

  /** Whatever was not kept leaves nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    if (!this.#isKept) await rm(this.#path, { force: true });
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** A disk that is full, or gone, is like a store that cannot commit: nobody's fault, and it passes. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new GatehouseError('STORE_FAILED', { problem: `a file of data/media: ${error instanceof Error && 'code' in error ? String(error.code) : problemOf(error)}` }, { cause: error });
  }
}
