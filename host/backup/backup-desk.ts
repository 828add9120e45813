// The backups of a running host: one is written at a time, in the data directory; the operator takes them from there. host.ts owns it, the control plane asks.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compileSchema } from '../schema.ts';
import { BackupName, type BackupIndex, type BackupView } from '../../schemas/backup.ts';
import { toTimestamp } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { readIndex } from './restore-backup.ts';
import { writeBackup, type BackupParts } from './write-backup.ts';

/** As a moment is written into a name. */
export const backupNameAt = (ms: number): string => toTimestamp(ms).replaceAll(/[-:]|\.\d+/g, '');

const backupName = compileSchema(BackupName);

export class BackupDesk implements AsyncDisposable {
  readonly #parts: BackupParts & { readonly log: Log };
  readonly #folder: string;
  /** The newest that this run of the host began; a failed one is not on disk. */
  #latest: BackupView | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: BackupParts & { readonly log: Log }) {
    this.#parts = parts;
    this.#folder = join(parts.config.dataDir, 'backups');
  }

  /** Begins one. Throws BACKUP_RUNNING. */
  async begin(actor: string): Promise<BackupView> {
    if (this.#latest?.state === 'running') throw new GatehouseError('BACKUP_RUNNING', { name: this.#latest.name });
    this.#latest = { name: 'next', state: 'running' }; // from here on nobody else begins
    const name = await this.#freeName().catch((error: unknown) => {
      this.#latest = undefined;
      throw error;
    });
    const { log } = this.#parts;
    this.#latest = { name, state: 'running' };
    this.#writing = writeBackup(this.#parts, join(this.#folder, name), (bytes) => (this.#latest = { name, state: 'running', bytes })).then(
      (index) => {
        this.#latest = this.#viewOf(name, index);
        log.info({ name, actor, files: index.files.length }, 'backup written');
      },
      (error: unknown) => {
        this.#latest = { name, state: 'failed', problem: problemOf(error) };
        log.error({ name, actor, err: problemOf(error) }, 'a backup failed');
      },
    );
    return this.#latest;
  }

  /** Newest first. */
  async list(): Promise<readonly BackupView[]> {
    const latest = this.#latest;
    const stored = (await this.#names()).filter((name) => name !== latest?.name);
    const views = await Promise.all(stored.map((name) => this.#read(name)));
    return [...(latest ? [latest] : []), ...views.flatMap((view) => view ?? [])].toSorted((a, b) => (a.name > b.name ? -1 : 1));
  }

  /** Throws BACKUP_NOT_FOUND. */
  async show(name: string): Promise<BackupView> {
    const found = this.#latest?.name === name ? this.#latest : await this.#read(name);
    if (!found) throw new GatehouseError('BACKUP_NOT_FOUND', { name });
    return found;
  }

  /** Throws BACKUP_NOT_FOUND, and BACKUP_RUNNING for one that is being written. */
  async remove(name: string): Promise<BackupView> {
    const view = await this.show(name);
    if (view.state === 'running') throw new GatehouseError('BACKUP_RUNNING', { name });
    await rm(join(this.#folder, name), { recursive: true, force: true });
    if (this.#latest?.name === name) this.#latest = undefined;
    return view;
  }

  /** The store must not close under a backup. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #read(name: string): Promise<BackupView | undefined> {
    if (!backupName.is(name)) return undefined;
    try {
      return this.#viewOf(name, await readIndex(join(this.#folder, name)));
    } catch (thrown) {
      if (thrown instanceof GatehouseError) return undefined;
      throw thrown;
    }
  }

  #viewOf(name: string, { at, files, skipped }: BackupIndex): BackupView {
    return { name, state: 'done', path: join(this.#folder, name), at, files: files.length, bytes: files.reduce((sum, each) => sum + each.bytes, 0), skipped: skipped.length };
  }

  async #freeName(): Promise<string> {
    const second = backupNameAt(this.#parts.clock.now());
    const taken = await this.#names();
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? second : `${second}-${count}`;
      if (!taken.includes(name)) return name;
    }
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
      throw thrown;
    }
  }
}
