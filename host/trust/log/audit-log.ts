// The transparency log: every decision about trust and every operator's action, in the order it took effect. host.ts owns it; whoever decides something appends.
import { toTimestamp, type Clock } from '../../clock.ts';
import type { AuditEntry, AuditHead, TreeHead } from '../../../schemas/audit.ts';
import { GatehouseError } from '../../errors.ts';
import { hasListeners, publish } from '../../events.ts';
import { put, type Commit, type Put, type Store } from '../../store/store.ts';
import { auditEntries, auditHeads, auditKey, auditNodes } from '../../store/tables.ts';
import type { SigningKey } from '../keys.ts';
import { entryBytes, entryOf, type AuditDraft } from './entry.ts';
import { Frontier, leafHash, subtreesOf } from './merkle.ts';
import { subtreeReader } from './log-reads.ts';
import { isHeadGenuine, signHead } from './tree-head.ts';

export type { AuditDraft } from './entry.ts';

export interface AuditLogParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly key: SigningKey;
}

/** Entries that wait to be written; beyond that whoever asks is refused. */
const MOST_WAITING = 10_000;
/** Entries of one commit, which has one signature. */
const MOST_PER_COMMIT = 512;

/** What one caller wants to be true at once. */
interface Request {
  readonly drafts: readonly AuditDraft[];
  readonly beside: Pick<Commit, 'put' | 'remove'>;
  readonly resolve: (entries: readonly AuditEntry[]) => void;
  readonly reject: (error: unknown) => void;
}

export class AuditLog implements AsyncDisposable {
  readonly #parts: AuditLogParts;
  #frontier: Frontier;
  #head: TreeHead;
  readonly #waiting: Request[] = [];
  #entriesWaiting = 0;
  #writing: Promise<void> | undefined;

  private constructor(parts: AuditLogParts, frontier: Frontier, head: TreeHead) {
    this.#parts = parts;
    this.#frontier = frontier;
    this.#head = head;
  }

  /** Holds what the store has against its signed head, and records a key that is new here. Some thirty reads. Throws AUDIT_BROKEN, and what the store throws. */
  static async open(parts: AuditLogParts): Promise<AuditLog> {
    const { store, clock, key } = parts;
    const stored = (await store.get(auditHeads, auditHeads.key('latest')))?.value;
    const frontier = await frontierOf(store, stored, key);
    const log = new AuditLog(parts, frontier, stored ?? signHead(key, { size: 0, root: frontier.root().toString('hex'), at: toTimestamp(clock.now()) }));
    if (stored?.keyid !== key.keyid) await log.append({ actor: 'host', action: 'log.key', resource: key.keyid, outcome: 'done', detail: { publicKey: key.publicKey.toString('base64'), previous: stored?.keyid } });
    return log;
  }

  /** The newest head that is on disk. */
  get head(): TreeHead {
    return this.#head;
  }

  /** The same with its key, for whoever remembers it or checks a proof. */
  get publicHead(): AuditHead {
    return { ...this.#head, publicKey: this.#parts.key.publicKey.toString('base64') };
  }

  get key(): SigningKey {
    return this.#parts.key;
  }

  /** Resolves with the entry once it is on disk. Throws AUDIT_BUSY, STORE_FAILED, STORE_CLOSED; it is not in the log then. */
  async append(draft: AuditDraft): Promise<AuditEntry> {
    const [entry] = await this.commit([draft]);
    if (!entry) throw new GatehouseError('INTERNAL', { problem: 'an audit entry was not written' });
    return entry;
  }

  /**
   * One commit for the entries and for what they speak of: both are on disk, or neither. Requests are written in the order they were made, many in one commit, so
   * `beside` must not expect anything of what is there. Throws as `append` does.
   */
  async commit(drafts: readonly AuditDraft[], beside: Pick<Commit, 'put' | 'remove'> = {}): Promise<readonly AuditEntry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly AuditEntry[]>();
    // Found out now, and by whoever is at fault, rather than by all that would share its commit.
    for (const draft of drafts) entryOf(draft, 0, '1970-01-01T00:00:00.000Z');
    if (this.#entriesWaiting > 0 && this.#entriesWaiting + drafts.length > MOST_WAITING) throw new GatehouseError('AUDIT_BUSY', { waiting: this.#entriesWaiting });
    this.#waiting.push({ drafts, beside, resolve, reject });
    this.#entriesWaiting += drafts.length;
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
    return promise;
  }

  /** Resolves when nothing is waiting any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  /** Never rejects: each request hears for itself. */
  async #writeAll(): Promise<void> {
    await Promise.resolve(); // whoever appends in the same turn shares the commit
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      const startedMs = this.#parts.clock.monotonicMs();
      let outcome: 'written' | 'failed' = 'failed';
      let entries = 0;
      try {
        const written = await this.#write(batch);
        entries = written.flat().length;
        outcome = 'written';
        for (const [at, request] of batch.entries()) request.resolve(written[at] ?? []);
      } catch (error) {
        for (const request of batch) request.reject(error);
      }
      if (hasListeners('audit.written')) publish('audit.written', { entries, size: this.#head.size, outcome, durationMs: this.#parts.clock.monotonicMs() - startedMs });
    }
  }

  #nextBatch(): Request[] {
    const batch: Request[] = [];
    let entries = 0;
    for (const request of this.#waiting) {
      entries += request.drafts.length;
      if (batch.length > 0 && entries > MOST_PER_COMMIT) break;
      batch.push(request);
    }
    this.#waiting.splice(0, batch.length);
    for (const { drafts } of batch) this.#entriesWaiting -= drafts.length;
    return batch;
  }

  async #write(batch: readonly Request[]): Promise<AuditEntry[][]> {
    const { store, clock, key } = this.#parts;
    const at = toTimestamp(clock.now());
    const puts: Put[] = [];
    let frontier = this.#frontier;
    const written = batch.map(({ drafts }) =>
      drafts.map((draft) => {
        const entry = entryOf(draft, frontier.size, at);
        const leaf = leafHash(entryBytes(entry));
        puts.push(put(auditEntries, auditKey(entry.index), { entry, leaf: leaf.toString('base64') }));
        frontier = frontier.append(leaf, ({ level, index, hash }) => puts.push(put(auditNodes, auditNodes.key(level, index), hash.toString('base64'))));
        return entry;
      }),
    );
    const head = frontier === this.#frontier ? undefined : signHead(key, { size: frontier.size, root: frontier.root().toString('hex'), at });
    await store.commit({
      put: [...puts, ...(head ? [put(auditHeads, auditHeads.key('latest'), head)] : []), ...batch.flatMap(({ beside }) => beside.put ?? [])],
      remove: batch.flatMap(({ beside }) => beside.remove ?? []),
    });
    this.#frontier = frontier;
    this.#head = head ?? this.#head;
    return written;
  }
}

/** From the stored subtrees. What does not give the root that was signed was changed by somebody else. */
async function frontierOf(store: Store, head: TreeHead | undefined, key: SigningKey): Promise<Frontier> {
  const broken = (problem: string) => new GatehouseError('AUDIT_BROKEN', { problem });
  const size = head?.size ?? 0;
  const [beyond] = await store.range(auditEntries, auditEntries.prefix(), { reverse: true, limit: 1 });
  if (beyond && beyond.value.entry.index >= size) throw broken(`it has an entry ${beyond.value.entry.index}, and its tree head says that there are ${size}`);
  if (!head) return new Frontier();
  const read = subtreeReader(store);
  const subtrees = await Promise.all(subtreesOf(size).map(async (place) => ({ ...place, hash: await read(place) })));
  const frontier = new Frontier(size, subtrees);
  if (frontier.root().toString('hex') !== head.root) throw broken(`its ${size} entries have another root than its tree head`);
  if (head.keyid === key.keyid && !isHeadGenuine(head, key.publicKey)) throw broken('its tree head is not signed by its own key');
  return frontier;
}
