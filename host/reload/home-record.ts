// The files by which an operator decides, as the transparency log last told of them: what changed since is told, also what changed while no host ran. host.ts looks at the start and the end, reload.ts at each look.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { hostConfigPath, publisherFolders, type ResolvedConfig } from '../config.ts';
import { put, scan, type Store } from '../store/store.ts';
import { auditFiles } from '../store/tables.ts';
import { GatehouseError } from '../errors.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import type { OwnWrites } from './own-writes.ts';

export interface HomeRecordParts {
  readonly config: Pick<ResolvedConfig, 'home' | 'manifestsDir' | 'dataDir' | 'homeDataDir'>;
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'commit'>;
  /** What the host wrote itself was not done by whoever edits files. */
  readonly ownWrites: Pick<OwnWrites, 'holds'>;
}

/** More than any home has; what lies beyond is counted, and no more is told of it. */
const MOST_FILES = 5000;
const BEYOND = `files beyond the first ${MOST_FILES}`;

export class HomeRecord {
  readonly #parts: HomeRecordParts;
  /** Digests by path, relative to the home. */
  #told: ReadonlyMap<string, string> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: HomeRecordParts) {
    this.#parts = parts;
  }

  /** Tells of every file that was added, changed or removed since the last look, with its digest; the entries and what is remembered are one commit. Throws what the log throws, and tells it at the next look then. */
  look(): Promise<void> {
    const looked = this.#turn.then(() => this.#look());
    this.#turn = looked.catch(() => undefined);
    return looked;
  }

  async #look(): Promise<void> {
    const { store, audit } = this.#parts;
    this.#told ??= await remembered(store);
    const told = this.#told;
    const found = await this.#files();
    const changed = [...found].filter(([path, digest]) => told.get(path) !== digest);
    const removed = [...told].filter(([path]) => !found.has(path));
    if (changed.length + removed.length === 0) return;
    const drafts = [
      ...(await Promise.all(changed.map(([path, digest]) => this.#draft(told.has(path) ? 'file.change' : 'file.add', path, { digest, before: told.get(path) })))),
      ...(await Promise.all(removed.map(([path, before]) => this.#draft('file.remove', path, { before })))),
    ];
    await audit.commit(drafts, { put: changed.map(([path, digest]) => put(auditFiles, auditFiles.key(path), { digest })), remove: removed.map(([path]) => ({ table: auditFiles, key: auditFiles.key(path) })) });
    this.#told = found;
  }

  async #draft(action: string, path: string, detail: NonNullable<AuditDraft['detail']>): Promise<AuditDraft> {
    const isOwn = await this.#parts.ownWrites.holds(join(this.#parts.config.home, path));
    return { actor: isOwn ? 'host' : 'file', action, resource: path, outcome: 'done', detail };
  }

  /** host.json, the lock, enablements, approvals and everything about trust; drafts and other hidden files are nobody's word. */
  async #files(): Promise<Map<string, string>> {
    const { home, manifestsDir } = this.#parts.config;
    const folders = [join(manifestsDir, 'plugins'), join(manifestsDir, 'trust'), ...publisherFolders(this.#parts.config).slice(1), join(manifestsDir, 'approvals')];
    const paths = [hostConfigPath(home), join(manifestsDir, 'gatehouse.lock.json'), ...(await Promise.all(folders.map(filesIn))).flat()];
    const found = new Map<string, string>();
    for (const path of paths.slice(0, MOST_FILES)) {
      const digest = await digestOf(path);
      if (digest !== undefined) found.set(relative(home, path).split(sep).join('/'), digest);
    }
    if (paths.length > MOST_FILES) found.set(BEYOND, `${paths.length - MOST_FILES} of them`);
    return found;
  }
}

async function remembered(store: Store): Promise<Map<string, string>> {
  const told = new Map<string, string>();
  for await (const page of scan(store, auditFiles, auditFiles.prefix())) for (const { key, value } of page) told.set(String(key[0]), value.digest);
  return told;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => join(entry.parentPath, entry.name)).sort();
  } catch {
    return []; // there is no such folder, or it may not be read: whoever needs its files says so
  }
}

/** What stands there and is no file that Gatehouse would read is told as that, and not opened. */
async function digestOf(path: string): Promise<string | undefined> {
  try {
    return `sha256:${createHash('sha256').update(await readRegularFile(path)).digest('hex')}`;
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'JSON_TOO_LARGE') return `${String(thrown.fields['size'])} bytes, not read`;
    return thrown instanceof Error && 'code' in thrown ? undefined : 'not a regular file'; // gone meanwhile, or not to be read: whoever needs it says so
  }
}
