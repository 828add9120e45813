// host.json of a running host: shown, edited from a known state, remembered, and taken back. host.ts owns it, the control plane asks.
import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import type { ApplyConfigBody, ConfigChange, ConfigEdited, ConfigHistoryItem, ConfigValidation, ConfigView, PatchConfigBody, RollbackConfigBody } from '../schemas/config-view.ts';
import { toTimestamp, type Clock } from './clock.ts';
import { configIn, hostConfigPath, overridesIn, type ConfigSources, type ResolvedConfig } from './config.ts';
import { changesBetween, configHash, editedText, mergePatch, needsRestart, readWritten, reviewedIn } from './config-edit.ts';
import { GatehouseError } from './errors.ts';
import type { Ids } from './ids.ts';
import { replaceFile } from './registry/enablement-file.ts';
import type { Page } from './store/page.ts';
import type { AuditLog } from './trust/log/audit-log.ts';
import { put, type Store } from './store/store.ts';
import { configs, type ConfigRow } from './store/tables.ts';

export interface ConfigDeskParts {
  /** What this host started with. */
  readonly config: ResolvedConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Told of the file before it is written: it is this host's own. */
  readonly onWriting: (path: string, text: string) => void;
  /** Has what needs no restart taken up; resolves when it is. */
  readonly takeUp: () => Promise<unknown>;
}

/** Below the home: no path of the machine reaches a client. */
const CALLED = 'manifests/host.json';

/** Files that are remembered, the newest. */
const KEPT = 100;

/** Who edits. */
export interface Editor {
  readonly actor: string;
  /** May decide what reviewers decide. */
  readonly mayReview: boolean;
}

interface Edit extends Editor {
  readonly baseHash: string;
  readonly reason?: string | undefined;
}

export class ConfigDesk {
  readonly #parts: ConfigDeskParts;
  readonly #sources: ConfigSources;
  /** Edits one after the other: each is made from what the one before wrote. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: ConfigDeskParts) {
    const { home } = parts.config;
    this.#parts = parts;
    this.#sources = { home, called: CALLED, env: parts.env, cwd: home };
  }

  /** Throws JSON_… and SCHEMA_… while the file cannot be read. */
  async view(): Promise<ConfigView> {
    const bytes = await this.#read();
    const { env } = this.#sources;
    const config = configIn(bytes, this.#sources, () => undefined);
    const running = settingsOf(this.#parts.config);
    const restart = changesBetween(running, { ...settingsOf(config), listen: running['listen'] }).map(({ path }) => path).filter(needsRestart);
    return { hash: configHash(bytes), written: { ...readWritten(bytes, CALLED) }, settings: settingsOf(config), overrides: [...overridesIn(env)], restart };
  }

  /** Whether a host would start with it, and what it changes; nothing is written. */
  async validate(document: unknown): Promise<ConfigValidation> {
    const before = readWritten(await this.#read(), CALLED);
    try {
      editedText(document, this.#sources);
    } catch (thrown) {
      if (!(thrown instanceof GatehouseError)) throw thrown;
      return { ok: false, code: thrown.code, message: thrown.message, fix: thrown.fix, changes: [], restart: [] };
    }
    return { ok: true, ...effectOf(changesBetween(before, document)) };
  }

  /** Throws CONFIG_CONFLICT, FORBIDDEN, and as `loadConfig` does; nothing is written then. The same holds for the two below. */
  patch({ patch, ...edit }: PatchConfigBody, editor: Editor): Promise<ConfigEdited> {
    return this.#edit({ ...edit, ...editor }, (written) => mergePatch(written, patch));
  }

  apply({ config, ...edit }: ApplyConfigBody, editor: Editor): Promise<ConfigEdited> {
    return this.#edit({ ...edit, ...editor }, () => config);
  }

  /** To the exact bytes of an earlier file. Throws CONFIG_UNKNOWN. */
  rollback({ hash, reason = `back to ${hash}`, ...edit }: RollbackConfigBody, editor: Editor): Promise<ConfigEdited> {
    return this.#edit({ ...edit, ...editor, reason }, async () => {
      const found = (await this.#rows()).find(({ row }) => row.hash === hash);
      if (!found) throw new GatehouseError('CONFIG_UNKNOWN', { hash });
      return readWritten(Buffer.from(found.row.text), CALLED);
    });
  }

  /** Newest first; what was edited by hand is there as `file`, once somebody looks. */
  async history(): Promise<Page<ConfigHistoryItem>> {
    await this.#inTurn(async () => await this.#notice(await this.#read()));
    const rows = await this.#rows();
    const items = rows.map(({ row: { at, actor, hash, reason, text } }, index) => {
      const earlier = rows[index + 1];
      const changes = earlier ? changesBetween(JSON.parse(earlier.row.text), JSON.parse(text)) : [];
      return { at, actor, hash, ...(reason === undefined ? {} : { reason }), changes };
    });
    return { items, cursor: null };
  }

  /** Remembers what the file says now, if somebody wrote it by hand. */
  async notice(): Promise<void> {
    await this.#inTurn(async () => await this.#notice(await this.#read()));
  }

  #edit({ actor, mayReview, baseHash, reason }: Edit, make: (written: object) => unknown): Promise<ConfigEdited> {
    return this.#inTurn(async () => {
      const { home } = this.#sources;
      const bytes = await this.#read();
      const hash = configHash(bytes);
      if (hash !== baseHash) throw await this.#conflict(baseHash, hash, bytes);
      await this.#notice(bytes);
      const before = readWritten(bytes, CALLED);
      const after = await make(before);
      const text = editedText(after, this.#sources);
      const effect = effectOf(changesBetween(before, after));
      if (effect.changes.length === 0) return { hash, ...effect };
      const reviewed = reviewedIn(effect.changes);
      if (reviewed.length > 0 && !mayReview) throw new GatehouseError('CONFIG_REVIEWED', { paths: reviewed.join(', ') });
      await this.#record(actor, effect.changes.filter(({ path }) => reviewed.includes(path)));
      this.#parts.onWriting(hostConfigPath(home), text);
      await replaceFile(hostConfigPath(home), text);
      await this.#remember(text, actor, reason);
      await this.#parts.takeUp();
      return { hash: configHash(Buffer.from(text)), ...effect };
    });
  }

  /** What reviewers decide is told with what it was and what it is to be, before it is done. */
  async #record(actor: string, changes: readonly ConfigChange[]): Promise<void> {
    const told = changes.map(({ path, before, after }) => `${path}: ${JSON.stringify(before) ?? 'absent'} → ${JSON.stringify(after) ?? 'absent'}`);
    if (told.length > 0) await this.#parts.audit.append({ actor, action: 'config.trust', resource: 'manifests/host.json', outcome: 'begun', detail: { changes: told } });
  }

  /** Tells what somebody else changed meanwhile, where the state it was made from is remembered. */
  async #conflict(baseHash: string, hash: string, bytes: Buffer): Promise<GatehouseError> {
    const base = (await this.#rows()).find(({ row }) => row.hash === baseHash);
    const changes = base ? changesBetween(JSON.parse(base.row.text), JSON.parse(bytes.toString())) : [];
    const diff = changes.map(({ path, before, after }) => `${path}: ${JSON.stringify(before) ?? 'absent'} → ${JSON.stringify(after) ?? 'absent'}`).join('; ').slice(0, 2000);
    return new GatehouseError('CONFIG_CONFLICT', { expected: baseHash, found: hash, diff: diff === '' ? 'what it was before is not remembered' : diff });
  }

  async #notice(bytes: Buffer): Promise<void> {
    const [latest] = await this.#rows();
    if (latest?.row.hash !== configHash(bytes)) await this.#remember(bytes.toString('utf8'), 'file');
  }

  async #remember(text: string, actor: string, reason?: string): Promise<void> {
    const { store, clock, ids } = this.#parts;
    const row: ConfigRow = { at: toTimestamp(clock.now()), actor, hash: configHash(Buffer.from(text)), text, ...(reason === undefined ? {} : { reason }) };
    const dropped = (await this.#rows()).slice(KEPT - 1);
    await store.commit({ put: [put(configs, configs.key(ids.next()), row)], remove: dropped.map(({ key }) => ({ table: configs, key })) });
  }

  /** Newest first. */
  async #rows() {
    return (await this.#parts.store.range(configs, configs.prefix(), { reverse: true, limit: KEPT })).map(({ key, value: row }) => ({ key, row }));
  }

  #read(): Promise<Buffer> {
    return readFile(hostConfigPath(this.#sources.home));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

const effectOf = (changes: ConfigChange[]) => ({ changes, restart: changes.map(({ path }) => path).filter(needsRestart) });

/** Without what is made of it: paths of this machine. */
/** A place outside of the home was written down as it is; one inside is told without where the home is. */
function fromHome(home: string, path: string): string {
  const below = relative(home, path);
  return below === '..' || below.startsWith(`..${sep}`) ? path : below;
}

function settingsOf(config: ResolvedConfig): Record<string, unknown> {
  const { home, manifestsDir: _manifests, homeDataDir, listen, policy: _policy, ...settings } = config;
  return { ...settings, dataDir: fromHome(home, homeDataDir), listen: `${listen.host}:${listen.port}` };
}
