// The store's side of trust-memory.ts: read once at opening, written before what it says is acted on, in the commit that the transparency log tells of it with. Held by registry.ts.
import { toTimestamp, type Clock } from '../clock.ts';
import { put, scan, type Put, type Store } from '../store/store.ts';
import { keySuccessions, revocationLists, revocations, type KeySuccessionRow, type RevocationListRow, type RevocationRow } from '../store/tables.ts';
import type { AuditDraft, AuditLog } from '../trust/log/audit-log.ts';
import { revocationId, type Revoked } from '../trust/revocation.ts';
import type { SignedList } from '../trust/revocation-lists.ts';
import type { Succession } from '../trust/successions.ts';
import type { Learned, RememberedRevocation, TrustMemory } from '../trust/trust-memory.ts';

/** Rows of one commit; a first look at a long list makes several. */
const ROWS = 1000;
/** A list that says more at once is one entry of the log, which counts them. */
const MOST_ENTRIES = 100;

interface Rows {
  readonly revocations: Map<string, RememberedRevocation>;
  readonly lists: Map<string, RevocationListRow>;
  readonly successions: Map<string, KeySuccessionRow>;
}

/** For commands that only look. */
export async function readTrustMemory(store: Store): Promise<TrustMemory> {
  const rows = await rowsOf(store);
  return { revocations: rows.revocations, list: (issuer) => rows.lists.get(issuer), succession: (oldKeyid) => rows.successions.get(oldKeyid) };
}

export class RememberedTrust implements TrustMemory {
  readonly #clock: Clock;
  readonly #audit: Pick<AuditLog, 'commit'>;
  readonly #rows: Rows;

  private constructor(clock: Clock, audit: Pick<AuditLog, 'commit'>, rows: Rows) {
    this.#clock = clock;
    this.#audit = audit;
    this.#rows = rows;
  }

  static async open({ store, clock, audit }: { readonly store: Store; readonly clock: Clock; readonly audit: Pick<AuditLog, 'commit'> }): Promise<RememberedTrust> {
    return new RememberedTrust(clock, audit, await rowsOf(store));
  }

  get revocations(): ReadonlyMap<string, RememberedRevocation> {
    return this.#rows.revocations;
  }

  list(issuer: string) {
    return this.#rows.lists.get(issuer);
  }

  succession(oldKeyid: string) {
    return this.#rows.successions.get(oldKeyid);
  }

  /** Resolves once it is on disk. What is known already stays as it was first said. Throws what the log throws; what was not written is not remembered then. */
  async learn({ revocations: found, lists, successions }: Learned): Promise<void> {
    const { revocations: known, lists: newest, successions: heirs } = this.#rows;
    const news = found.filter((each) => !known.has(revocationId(each)));
    for (let at = 0; at < news.length; at += ROWS) {
      const some = news.slice(at, at + ROWS);
      await this.#audit.commit(additionsOf(some), { put: some.map((each) => put<RevocationRow>(revocations, revocations.key(revocationId(each)), each)) });
      for (const each of some) known.set(revocationId(each), each);
    }
    const acceptedAt = toTimestamp(this.#clock.now());
    const drafts: AuditDraft[] = [];
    const puts: Put[] = [];
    const newer = lists.filter(({ issuer, digest }) => newest.get(issuer)?.digest !== digest);
    const newHeirs = successions.filter(({ oldKeyid, digest }) => heirs.get(oldKeyid)?.digest !== digest);
    // A list is only over once all it says is kept: entries came first.
    for (const list of newer) {
      drafts.push(listTakenUp(list));
      puts.push(put(revocationLists, revocationLists.key(list.issuer), rowOfList(list)));
    }
    for (const succession of newHeirs) {
      drafts.push(successionAccepted(succession));
      puts.push(put(keySuccessions, keySuccessions.key(succession.oldKeyid), rowOfHeir(succession, acceptedAt)));
    }
    if (puts.length === 0) return;
    await this.#audit.commit(drafts, { put: puts });
    for (const list of newer) newest.set(list.issuer, rowOfList(list));
    for (const succession of newHeirs) heirs.set(succession.oldKeyid, rowOfHeir(succession, acceptedAt));
  }

  /** Resolves once it is forgotten on disk, and told in the log. Throws what the log throws. */
  async lift(revoked: Revoked, { actor, reason }: { readonly actor: string; readonly reason: string }): Promise<void> {
    const id = revocationId(revoked);
    await this.#audit.commit([{ actor, action: 'revocation.lift', resource: id, outcome: 'done', detail: { reason } }], { remove: [{ table: revocations, key: revocations.key(id) }] });
    this.#rows.revocations.delete(id);
  }
}

async function rowsOf(store: Store): Promise<Rows> {
  const rows: Rows = { revocations: new Map(), lists: new Map(), successions: new Map() };
  for await (const page of scan(store, revocations, revocations.prefix())) for (const { key, value } of page) rows.revocations.set(String(key[0]), rememberedOf(value));
  for await (const page of scan(store, revocationLists, revocationLists.prefix())) for (const { key, value } of page) rows.lists.set(String(key[0]), value);
  for await (const page of scan(store, keySuccessions, keySuccessions.prefix())) for (const { key, value } of page) rows.successions.set(String(key[0]), value);
  return rows;
}

function rememberedOf({ keyid, digest, id, range, ...about }: RevocationRow): RememberedRevocation {
  if (keyid !== undefined) return { keyid, ...about };
  if (digest !== undefined) return { digest, ...about };
  return { id: id ?? '', range: range ?? '', ...about };
}

const rowOfList = ({ sequence, issuedAt, expiresAt, digest }: SignedList): RevocationListRow => ({ sequence, issuedAt, expiresAt, digest });

const rowOfHeir = ({ publisher, newKeyid, digest }: Succession, acceptedAt: string): KeySuccessionRow => ({ publisher, newKeyid, digest, acceptedAt });

function additionsOf(added: readonly RememberedRevocation[]): AuditDraft[] {
  if (added.length <= MOST_ENTRIES) return added.map(({ by, reason, ...revoked }) => ({ actor: by, action: 'revocation.add', resource: revocationId(revoked), outcome: 'done', detail: { reason, at: revoked.at } }));
  return [...Map.groupBy(added, ({ by }) => by)].map(([by, some]) => ({ actor: by, action: 'revocation.add', resource: `${some.length} entries`, outcome: 'done', detail: { entries: some.map(revocationId) } }));
}

const listTakenUp = ({ issuer, sequence, issuedAt, expiresAt, digest, keyid, revocations: entries }: SignedList): AuditDraft => ({
  actor: 'file', action: 'revocation.list', resource: issuer, outcome: 'done', detail: { sequence, issuedAt, expiresAt, digest, keyid, entries: entries.length },
});

const successionAccepted = ({ publisher, oldKeyid, newKeyid, notBefore, issuedAt, digest }: Succession): AuditDraft => ({
  actor: 'file', action: 'trust.succession', resource: newKeyid, outcome: 'done', detail: { publisher, oldKeyid, notBefore, issuedAt, digest },
});
