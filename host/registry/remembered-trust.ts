// The store's side of trust-memory.ts: read once at opening, written before what it says is acted on. Held by registry.ts, and by commands that work where no host runs.
import { toTimestamp, type Clock } from '../clock.ts';
import { put, scan, type Put, type Store } from '../store/store.ts';
import { keySuccessions, revocationLists, revocations, type KeySuccessionRow, type RevocationListRow, type RevocationRow } from '../store/tables.ts';
import { revocationId, type Revoked } from '../trust/revocation.ts';
import type { Learned, RememberedRevocation, TrustMemory } from '../trust/trust-memory.ts';

/** Rows of one commit; a first look at a long list makes several. */
const ROWS = 1000;

export class RememberedTrust implements TrustMemory {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #revocations: Map<string, RememberedRevocation>;
  readonly #lists: Map<string, RevocationListRow>;
  readonly #successions: Map<string, KeySuccessionRow>;

  private constructor(store: Store, clock: Clock, rows: { readonly revocations: Map<string, RememberedRevocation>; readonly lists: Map<string, RevocationListRow>; readonly successions: Map<string, KeySuccessionRow> }) {
    this.#store = store;
    this.#clock = clock;
    this.#revocations = rows.revocations;
    this.#lists = rows.lists;
    this.#successions = rows.successions;
  }

  static async open(store: Store, clock: Clock): Promise<RememberedTrust> {
    const rows = { revocations: new Map<string, RememberedRevocation>(), lists: new Map<string, RevocationListRow>(), successions: new Map<string, KeySuccessionRow>() };
    for await (const page of scan(store, revocations, revocations.prefix())) for (const { key, value } of page) rows.revocations.set(String(key[0]), rememberedOf(value));
    for await (const page of scan(store, revocationLists, revocationLists.prefix())) for (const { key, value } of page) rows.lists.set(String(key[0]), value);
    for await (const page of scan(store, keySuccessions, keySuccessions.prefix())) for (const { key, value } of page) rows.successions.set(String(key[0]), value);
    return new RememberedTrust(store, clock, rows);
  }

  get revocations(): ReadonlyMap<string, RememberedRevocation> {
    return this.#revocations;
  }

  list(issuer: string) {
    return this.#lists.get(issuer);
  }

  succession(oldKeyid: string) {
    return this.#successions.get(oldKeyid);
  }

  /** Resolves once it is on disk. What is known already stays as it was first said. Throws what the store throws; nothing is remembered then. */
  async learn({ revocations: found, lists, successions }: Learned): Promise<void> {
    const news = found.filter((each) => !this.#revocations.has(revocationId(each)));
    const newer = lists.filter(({ issuer, digest }) => this.#lists.get(issuer)?.digest !== digest);
    const heirs = successions.filter(({ oldKeyid, digest }) => this.#successions.get(oldKeyid)?.digest !== digest);
    const acceptedAt = toTimestamp(this.#clock.now());
    const listRows = newer.map(({ issuer, sequence, issuedAt, expiresAt, digest }) => [issuer, { sequence, issuedAt, expiresAt, digest }] as const);
    const heirRows = heirs.map(({ oldKeyid, publisher, newKeyid, digest }) => [oldKeyid, { publisher, newKeyid, digest, acceptedAt }] as const);
    // Entries before the list that named them: a list is only over once all it says is kept.
    const puts: Put[] = [
      ...news.map((each) => put<RevocationRow>(revocations, revocations.key(revocationId(each)), each)),
      ...heirRows.map(([oldKeyid, row]) => put(keySuccessions, keySuccessions.key(oldKeyid), row)),
      ...listRows.map(([issuer, row]) => put(revocationLists, revocationLists.key(issuer), row)),
    ];
    for (let at = 0; at < puts.length; at += ROWS) await this.#store.commit({ put: puts.slice(at, at + ROWS) });
    for (const each of news) this.#revocations.set(revocationId(each), each);
    for (const [oldKeyid, row] of heirRows) this.#successions.set(oldKeyid, row);
    for (const [issuer, row] of listRows) this.#lists.set(issuer, row);
  }

  /** Whether it was remembered. Resolves once it is forgotten on disk. */
  async lift(revoked: Revoked): Promise<boolean> {
    const id = revocationId(revoked);
    if (!this.#revocations.has(id)) return false;
    await this.#store.commit({ remove: [{ table: revocations, key: revocations.key(id) }] });
    return this.#revocations.delete(id);
  }
}

function rememberedOf({ keyid, digest, id, range, ...about }: RevocationRow): RememberedRevocation {
  if (keyid !== undefined) return { keyid, ...about };
  if (digest !== undefined) return { digest, ...about };
  return { id: id ?? '', range: range ?? '', ...about };
}
