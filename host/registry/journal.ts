// What the store remembers of instances: where each stands, how it came there. Records are written in the background, in order, and `written` waits for them. A decision
// about trust and its entry in the transparency log are one commit.
import type { PluginRow, TransitionRow, VersionRow } from '../store/tables.ts';
import { plugins, transitions, versions } from '../store/tables.ts';
import { put, scan, type Commit, type Store } from '../store/store.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';
import { decisionsOf } from './trust-decisions.ts';

/** Transitions kept for each instance, the newest. */
export const TRANSITIONS_KEPT = 200;

export interface JournalEntry {
  readonly instance: string;
  readonly row: PluginRow;
  readonly transition?: { readonly id: string; readonly row: TransitionRow };
  /** A version that ran here. */
  readonly version?: { readonly plugin: string; readonly version: string; readonly row: VersionRow };
  /** Decisions about trust that are no transitions. */
  readonly decisions?: readonly AuditDraft[];
}

export class Journal {
  readonly #store: Store;
  readonly #audit: Pick<AuditLog, 'commit'>;
  /** Ids of each instance's transitions, oldest first. */
  readonly #kept: Map<string, readonly string[]>;
  readonly #unwritten: JournalEntry[] = [];
  #writing: Promise<void> | undefined;

  private constructor(store: Store, audit: Pick<AuditLog, 'commit'>, kept: Map<string, string[]>) {
    this.#store = store;
    this.#audit = audit;
    this.#kept = kept;
  }

  /** Opens it with what it holds about each instance. */
  static async open(store: Store, audit: Pick<AuditLog, 'commit'>): Promise<{ readonly journal: Journal; readonly rows: ReadonlyMap<string, PluginRow> }> {
    const rows = new Map<string, PluginRow>();
    for await (const page of scan(store, plugins, plugins.prefix())) for (const { key, value } of page) rows.set(String(key[1]), value);
    const kept = new Map<string, string[]>();
    for await (const page of scan(store, transitions, transitions.prefix())) {
      for (const { key } of page) {
        const ids = kept.get(String(key[1])) ?? [];
        ids.push(String(key[2]));
        kept.set(String(key[1]), ids);
      }
    }
    return { journal: new Journal(store, audit, kept), rows };
  }

  record(entry: JournalEntry): void {
    this.#unwritten.push(entry);
    // What cannot be written now stays; the next record tries again, and `written` tells whoever must know.
    this.#write().catch(() => undefined);
  }

  /** Resolves once everything recorded so far is on disk. Throws STORE_FAILED, STORE_CLOSED or AUDIT_BUSY. */
  async written(): Promise<void> {
    do await this.#write();
    while (this.#unwritten.length > 0);
  }

  /** An instance's history, newest first. */
  async history(instance: string, limit = TRANSITIONS_KEPT): Promise<readonly TransitionRow[]> {
    return (await this.#store.range(transitions, transitions.prefix(instance), { reverse: true, limit })).map(({ value }) => value);
  }

  /** One writer at a time, so that an older row never follows a newer one. */
  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const batch = this.#unwritten.slice();
      const kept = this.#keptAfter(batch);
      await this.#audit.commit(batch.flatMap(auditOf), commitOf(batch, kept));
      this.#unwritten.splice(0, batch.length);
      for (const [instance, { ids }] of kept) this.#kept.set(instance, ids);
    }
  }

  /** The transitions each instance has once the batch is written, and those that make room. */
  #keptAfter(batch: readonly JournalEntry[]): Map<string, Kept> {
    const added = Map.groupBy(batch.filter(({ transition }) => transition !== undefined), ({ instance }) => instance);
    return new Map(
      Array.from(added, ([instance, entries]) => {
        const ids = [...(this.#kept.get(instance) ?? []), ...entries.flatMap(({ transition }) => transition?.id ?? [])];
        return [instance, { dropped: ids.splice(0, Math.max(0, ids.length - TRANSITIONS_KEPT)), ids }];
      }),
    );
  }
}

interface Kept {
  readonly ids: string[];
  readonly dropped: readonly string[];
}

const auditOf = ({ instance, row, transition, decisions = [] }: JournalEntry): AuditDraft[] => [...(transition ? decisionsOf(instance, row, transition.row) : []), ...decisions];

function commitOf(batch: readonly JournalEntry[], kept: ReadonlyMap<string, Kept>): Commit {
  const latest = new Map(batch.map(({ instance, row }) => [instance, row]));
  return {
    put: [
      ...Array.from(latest, ([instance, row]) => put(plugins, plugins.key(instance), row)),
      ...batch.flatMap(({ instance, transition }) => (transition ? [put(transitions, transitions.key(instance, transition.id), transition.row)] : [])),
      ...batch.flatMap(({ version }) => (version ? [put(versions, versions.key(version.plugin, version.version), version.row)] : [])),
    ],
    remove: Array.from(kept, ([instance, { dropped }]) => dropped.map((id) => ({ table: transitions, key: transitions.key(instance, id) }))).flat(),
  };
}
