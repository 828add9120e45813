// The book of who may speak where: every row of `pairings`, its states and the steps between them. strangers.ts opens a row, pairing-desk.ts decides it, invites.ts writes one that is decided already.
import { hash } from 'node:crypto';
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { Sender } from '../../../schemas/message.ts';
import type { PairingState, PairingView } from '../../../schemas/pairing.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { publish } from '../../events.ts';
import { filteredPage, type Page, type PageQuery } from '../../store/page.ts';
import { put, scan, type Expectation, type Put, type Removal, type Store, type Stored } from '../../store/store.ts';
import { pairings, pendingPairings, type PairingRow } from '../../store/tables.ts';
import type { Standing } from '../verifying/speaker.ts';
import { isCodeOf, readCode, type HashedCode } from './secrets.ts';

export interface PairingsParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Told when somebody is no longer let in; whatever they still have open is to be closed. */
  readonly onRevoked: (instance: string, id: string) => void;
}

/** A channel instance as pairing knows it. */
export interface Door {
  readonly instance: string;
  readonly plugin: string;
}

export interface PairingQuery extends PageQuery {
  readonly instance?: string;
  readonly state?: PairingState;
}

const PAIRING_ID = /^[0-9a-f]{32}$/;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Who is let in. Where a request proves who signed it, the sender it names; where it proves nothing (a WebSocket), whoever knows the secret of the conversation:
 * the name of a sender is then anybody's to choose.
 */
export const pairedAs = ({ instance, plugin }: Door, standing: Standing, { sender, conversation }: { readonly sender: Pick<Sender, 'id'>; readonly conversation: string }): string =>
  standing === 'unproven' ? conversationId({ instance, plugin }, conversation) : idOf(instance, plugin, 'sender', sender.id);

export const conversationId = ({ instance, plugin }: Door, conversation: string): string => idOf(instance, plugin, 'conversation', conversation);

const idOf = (...what: readonly string[]) => hash('sha256', JSON.stringify(what)).slice(0, 32);

export class Pairings {
  readonly #parts: PairingsParts;

  constructor(parts: PairingsParts) {
    this.#parts = parts;
  }

  /** `expired` counts as nobody who ever asked. */
  async stateOf(id: string): Promise<PairingState | undefined> {
    const row = (await this.#parts.store.get(pairings, pairings.key(id)))?.value;
    return row && this.#stateOf(row);
  }

  /** Requests of this instance that wait for an operator; those whose code is over do not count. */
  async pending(instance: string): Promise<number> {
    const rows = await this.#parts.store.range(pendingPairings, pendingPairings.prefix(instance));
    return rows.filter(({ value }) => value.expiresAtMs > this.#parts.clock.now()).length;
  }

  /** What a new request adds to a commit, in the place of those whose time is over. */
  async request(id: string, door: Door, sender: Sender, code: HashedCode): Promise<{ readonly expect: readonly Expectation[]; readonly put: readonly Put[]; readonly remove: readonly Removal[] }> {
    const { store, clock } = this.#parts;
    const before = await store.get(pairings, pairings.key(id));
    const nowMs = clock.now();
    const expiresAtMs = nowMs + BOUNDS.pairingCodeMs;
    const row: PairingRow = { ...door, state: 'pending', sender, via: 'code', requestedAt: toTimestamp(nowMs), code: { ...code, expiresAtMs } };
    const over = (await store.range(pendingPairings, pendingPairings.prefix(door.instance))).filter(({ key, value }) => value.expiresAtMs <= nowMs && key.at(-1) !== id);
    return {
      expect: [{ table: pairings, key: pairings.key(id), version: before?.version ?? 'absent' }],
      put: [put(pairings, pairings.key(id), row), put(pendingPairings, pendingPairings.key(door.instance, id), { expiresAtMs })],
      remove: over.map(({ key }) => ({ table: pendingPairings, key })),
    };
  }

  /** Lets a request in by its code, or by its id somebody who was denied or revoked before. Throws PAIRING_CODE, PAIRING_NOT_FOUND, PAIRING_STATE. */
  async approve(codeOrId: string, actor: string): Promise<PairingView> {
    return await this.#decide(codeOrId, actor, 'approved', (state, id, byCode) => {
      if (state === 'pending' && !byCode) throw new GatehouseError('PAIRING_STATE', { id, state, problem: 'it is approved by the code that its sender was given' });
      if (state === 'expired') throw new GatehouseError('PAIRING_STATE', { id, state, problem: 'its sender writes again, and is given a new code' });
    });
  }

  /** Refuses a request by its code or its id. Throws as `approve` does. */
  async deny(codeOrId: string, actor: string): Promise<PairingView> {
    return await this.#decide(codeOrId, actor, 'denied', (state, id) => {
      if (state === 'approved' || state === 'revoked') throw new GatehouseError('PAIRING_STATE', { id, state, problem: state === 'approved' ? 'what was approved is revoked' : 'nothing is asked for' });
    });
  }

  /** Whoever was let in is a stranger from the next message on. Throws PAIRING_NOT_FOUND, PAIRING_STATE. */
  async revoke(id: string, actor: string): Promise<PairingView> {
    await this.#rowOf(id); // never by a code: that would be a way to guess one
    const view = await this.#decide(id, actor, 'revoked', (state) => {
      if (state !== 'approved') throw new GatehouseError('PAIRING_STATE', { id, state, problem: 'only what was approved is revoked' });
    });
    this.#parts.onRevoked(view.instance, id);
    return view;
  }

  /** What lets a conversation in by an invite adds to a commit. */
  invited(id: string, door: Door, inviteId: string): Put {
    const at = toTimestamp(this.#parts.clock.now());
    return put(pairings, pairings.key(id), { ...door, state: 'approved', via: `invite:${inviteId}`, requestedAt: at, decidedAt: at, decidedBy: `invite:${inviteId}` });
  }

  /** By id. */
  list({ instance, state, ...page }: PairingQuery): Promise<Page<PairingView>> {
    return filteredPage(this.#parts.store, pairings, page, (row, id) => {
      const view = this.#viewOf(id, row);
      return (instance === undefined || view.instance === instance) && (state === undefined || view.state === state) ? view : undefined;
    });
  }

  /** Throws PAIRING_NOT_FOUND. */
  async show(id: string): Promise<PairingView> {
    return this.#viewOf(id, (await this.#rowOf(id)).value);
  }

  /** Forgets requests that nobody decided a day after their code, and refusals after thirty: then they are strangers again. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts;
    const nowMs = clock.now();
    for await (const page of scan(store, pairings, pairings.prefix())) {
      if (signal.aborted) return;
      for (const { key, value: row, version } of page) {
        const over = row.code ? row.code.expiresAtMs + DAY_MS : Date.parse(row.decidedAt ?? row.requestedAt) + BOUNDS.pairingRefusedMs;
        if (row.state === 'approved' || over > nowMs) continue;
        await store.commit({ expect: [{ table: pairings, key, version }], remove: [{ table: pairings, key }, { table: pendingPairings, key: pendingPairings.key(row.instance, String(key.at(-1))) }] });
      }
    }
  }

  async #decide(codeOrId: string, actor: string, to: 'approved' | 'denied' | 'revoked', permit: (state: PairingState, id: string, byCode: boolean) => void): Promise<PairingView> {
    const { store, clock } = this.#parts;
    for (;;) {
      const code = readCode(codeOrId);
      if (code === undefined && !PAIRING_ID.test(codeOrId)) throw new GatehouseError('PAIRING_CODE');
      const id = code === undefined ? codeOrId : await this.#idOf(code);
      const { value: row, version } = await this.#rowOf(id);
      const state = this.#stateOf(row);
      if (state === to) return this.#viewOf(id, row);
      permit(state, id, code !== undefined);
      const { code: _, ...rest } = row;
      const decided: PairingRow = { ...rest, state: to, decidedAt: toTimestamp(clock.now()), decidedBy: actor };
      const result = await store.commit({
        expect: [{ table: pairings, key: pairings.key(id), version }],
        put: [put(pairings, pairings.key(id), decided)],
        remove: [{ table: pendingPairings, key: pendingPairings.key(row.instance, id) }],
      });
      if (result === 'conflict') continue;
      publish('pairing.decided', { id, instance: row.instance, state: to, actor });
      return this.#viewOf(id, decided);
    }
  }

  /** Every one that waits is compared, so that the time tells nothing. */
  async #idOf(code: string): Promise<string> {
    let found: string | undefined;
    for await (const page of scan(this.#parts.store, pendingPairings, pendingPairings.prefix())) {
      for (const { key } of page) {
        const id = String(key.at(-1));
        const row = (await this.#parts.store.get(pairings, pairings.key(id)))?.value;
        if (row?.code && isCodeOf(code, row.code) && this.#stateOf(row) === 'pending') found = id;
      }
    }
    if (found === undefined) throw new GatehouseError('PAIRING_CODE');
    return found;
  }

  async #rowOf(id: string): Promise<Stored<PairingRow>> {
    const found = PAIRING_ID.test(id) ? await this.#parts.store.get(pairings, pairings.key(id)) : undefined;
    if (!found) throw new GatehouseError('PAIRING_NOT_FOUND', { id: id.slice(0, 100) });
    return found;
  }

  #stateOf({ state, code }: PairingRow): PairingState {
    return state === 'pending' && code && code.expiresAtMs <= this.#parts.clock.now() ? 'expired' : state;
  }

  #viewOf(id: string, row: PairingRow): PairingView {
    const { code, ...rest } = row;
    return { id, ...rest, state: this.#stateOf(row), ...(code && { expiresAt: toTimestamp(code.expiresAtMs) }) };
  }
}
