// Invites: secrets that let conversations in, so many times and so long. Made and withdrawn by operators, redeemed by whoever was sent one.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { InviteView, NewInviteBody } from '../../../schemas/pairing.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { publish } from '../../events.ts';
import { filteredPage, type Page, type PageQuery } from '../../store/page.ts';
import { put, scan, type Store, type Stored } from '../../store/store.ts';
import { invites, pendingPairings, type InviteRow } from '../../store/tables.ts';
import type { AuditLog } from '../../trust/log/audit-log.ts';
import { conversationId, type Door, type Pairings } from './pairings.ts';
import { isSame, newInvite, readInvite } from './secrets.ts';

export interface InvitesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly pairings: Pick<Pairings, 'stateOf' | 'invited'>;
}

/** As the schema's defaults say. */
const DEFAULTS = { expiresInSeconds: 24 * 3600, uses: 1 } as const;

export class Invites {
  readonly #parts: InvitesParts;
  /** One after the other: a single use is a single use, also for two who come at once. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: InvitesParts) {
    this.#parts = parts;
  }

  /** Its secret is in what this returns, and nowhere else. */
  async make(door: Door, { expiresInSeconds = DEFAULTS.expiresInSeconds, uses = DEFAULTS.uses, label }: NewInviteBody, actor: string): Promise<InviteView & { readonly invite: string }> {
    const { store, clock } = this.#parts;
    const { id, invite, secretSha256 } = newInvite();
    const nowMs = clock.now();
    const row: InviteRow = { ...door, secretSha256, ...(label !== undefined && { label }), uses, used: 0, createdAt: toTimestamp(nowMs), createdBy: actor, expiresAtMs: nowMs + expiresInSeconds * 1000 };
    await store.commit({ put: [put(invites, invites.key(id), row)] });
    return { ...this.#viewOf(id, row), invite };
  }

  /** By id. */
  list({ instance, ...page }: PageQuery & { readonly instance?: string }): Promise<Page<InviteView>> {
    return filteredPage(this.#parts.store, invites, page, (row, id) => (instance === undefined || row.instance === instance ? this.#viewOf(id, row) : undefined));
  }

  /** It lets nobody in any more; whoever it let in stays. By its id, or by the invite or link that somebody has of it: that is withdrawn too, and said to nobody. Throws INVITE_NOT_FOUND. */
  async withdraw(text: string): Promise<InviteView> {
    const { store, clock } = this.#parts;
    const id = idIn(text);
    for (;;) {
      const found = id === undefined ? undefined : await store.get(invites, invites.key(id));
      // As long as an id: of a secret that was mistyped the most is not quoted.
      if (id === undefined || !found) throw new GatehouseError('INVITE_NOT_FOUND', { id: id ?? text.slice(0, ID_CHARACTERS) });
      if (found.value.withdrawnAt !== undefined) return this.#viewOf(id, found.value);
      const withdrawn: InviteRow = { ...found.value, withdrawnAt: toTimestamp(clock.now()) };
      if ((await store.commit({ expect: [{ table: invites, key: invites.key(id), version: found.version }], put: [put(invites, invites.key(id), withdrawn)] })) === 'committed') return this.#viewOf(id, withdrawn);
    }
  }

  /** Lets a conversation in. One that is in already costs no use. Throws INVITE_REFUSED. */
  redeem(door: Door, conversation: string, text: string): Promise<void> {
    const turn = this.#turn.then(() => this.#redeem(door, conversation, text));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Forgets those that let nobody in any more, thirty days later. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts;
    const before = clock.now() - BOUNDS.pairingRefusedMs;
    for await (const page of scan(store, invites, invites.prefix())) {
      if (signal.aborted) return;
      for (const { key, value, version } of page) if (value.expiresAtMs < before) await store.commit({ expect: [{ table: invites, key, version }], remove: [{ table: invites, key }] });
    }
  }

  async #redeem(door: Door, conversation: string, text: string): Promise<void> {
    const { store, pairings: book, audit } = this.#parts;
    const id = conversationId(door, conversation);
    const { id: inviteId, row, version } = await this.#open(door, text);
    if ((await book.stateOf(id)) === 'approved') return;
    const { state } = this.#viewOf(inviteId, row);
    if (state !== 'open') throw refused(door, { used: 'it has been used', expired: 'it has expired', withdrawn: 'it was withdrawn' }[state]);
    // Somebody is let in without an operator at hand: told before it is done.
    await audit.append({ actor: `invite:${inviteId}`, action: 'pairing.invite-used', resource: `${door.instance}/${id}`, outcome: 'done' });
    const result = await store.commit({
      expect: [{ table: invites, key: invites.key(inviteId), version }],
      put: [put(invites, invites.key(inviteId), { ...row, used: row.used + 1 }), book.invited(id, door, inviteId)],
      remove: [{ table: pendingPairings, key: pendingPairings.key(door.instance, id) }],
    });
    if (result === 'conflict') throw refused(door, 'it was withdrawn');
    publish('pairing.decided', { id, instance: door.instance, state: 'approved', actor: `invite:${inviteId}` });
  }

  /** The invite of this text, if it is one of this instance. Whoever does not know the secret learns nothing of it. */
  async #open({ instance, plugin }: Door, text: string): Promise<{ readonly id: string; readonly row: InviteRow; readonly version: number }> {
    const read = readInvite(text);
    const found: Stored<InviteRow> | undefined = read && (await this.#parts.store.get(invites, invites.key(read.id)));
    const proven = isSame(read?.secretSha256 ?? NO_SECRET, found?.value.secretSha256 ?? NO_INVITE);
    if (!read || !found || !proven || found.value.instance !== instance || found.value.plugin !== plugin) throw refused({ instance }, 'there is no such invite');
    return { id: read.id, row: found.value, version: found.version };
  }

  #viewOf(id: string, { instance, label, uses, used, createdAt, createdBy, expiresAtMs, withdrawnAt }: InviteRow): InviteView {
    const state = withdrawnAt !== undefined ? 'withdrawn' : used >= uses ? 'used' : expiresAtMs <= this.#parts.clock.now() ? 'expired' : 'open';
    return { id, instance, ...(label !== undefined && { label }), state, uses, used, createdAt, createdBy, expiresAt: toTimestamp(expiresAtMs) };
  }
}

const ID_CHARACTERS = 16;
const idIn = (text: string): string | undefined => (/(?:^|ghi_)([0-9a-f]{16})(?:$|_)/.exec(text.trim()) ?? [])[1];

/** As long as a hash, and the hash of nothing; they differ. */
const NO_SECRET = '0'.repeat(64);
const NO_INVITE = '1'.repeat(64);

const refused = ({ instance }: Pick<Door, 'instance'>, problem: string) => new GatehouseError('INVITE_REFUSED', { instance, problem });
