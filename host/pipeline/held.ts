// Messages committed before moderation because their gate is quarantined with `onQuarantine: "hold"`. Released in order, each is moderated as if it had just arrived.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { put, type Store } from '../store/store.ts';
import { dedupe, dedupeKey, held, type HeldRow } from '../store/tables.ts';
import type { Acceptance } from './acceptance.ts';
import type { InboundContext } from './context.ts';
import { messageRow } from './stages/accept.ts';

export interface HeldParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
  /** Runs moderate and accept for a held message; its rows leave `held` with the commit that ends it. */
  resubmit(resumed: { readonly gate: string; readonly row: HeldRow }): Promise<Acceptance>;
}

export class Held {
  readonly #parts: HeldParts;
  #messages = 0;
  #bytes = 0;

  constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#messages;
  }

  /** Counts what is held from before; resolves with the gates it is held for. */
  async recover(): Promise<readonly string[]> {
    const rows = await this.#parts.store.range(held, held.prefix(), { limit: BOUNDS.heldMessages });
    this.#messages = rows.length;
    this.#bytes = rows.reduce((sum, row) => sum + row.value.sizeBytes, 0);
    return [...new Set(rows.map(({ key }) => String(key[1])))];
  }

  /** Removes what has been held for more than 24 h; it counts as denied. */
  async expire(): Promise<void> {
    const rows = await this.#parts.store.range(held, held.prefix(), { limit: BOUNDS.heldMessages });
    for (const { key, value } of rows) {
      if (this.#parts.clock.now() - value.heldAtMs <= BOUNDS.heldMs) continue;
      await this.#drop(String(key[1]), value, 'MODERATION_DENIED', 'held too long');
      this.#messages -= 1;
      this.#bytes -= value.sizeBytes;
    }
  }

  /** One commit that counts as accept. False when no more fits: 10,000 messages, 64 MiB. */
  async hold(context: InboundContext, gate: string): Promise<boolean> {
    const message = messageRow(context);
    const sizeBytes = Buffer.byteLength(JSON.stringify(message));
    if (this.#messages >= BOUNDS.heldMessages || this.#bytes + sizeBytes > BOUNDS.heldBytes) return false;
    this.#messages += 1;
    this.#bytes += sizeBytes;
    const row: HeldRow = { message: { ...message, outcome: 'held' }, sizeBytes, heldAtMs: context.receivedAtMs };
    await this.#parts.store.commit({
      expect: [{ table: dedupe, key: context.dedupeKey, version: 'absent' }],
      put: [put(dedupe, context.dedupeKey, { messageId: context.messageId, outcome: 'held', atMs: context.receivedAtMs }), put(held, held.key(gate, context.messageId), row)],
    });
    return true;
  }

  /** Sends what waits for `gate` through moderation, oldest first; stops when the gate is unavailable again. */
  async release(gate: string): Promise<{ readonly accepted: number; readonly denied: number }> {
    await this.expire();
    let accepted = 0;
    let denied = 0;
    for (;;) {
      const rows = await this.#parts.store.range(held, held.prefix(gate), { limit: 100 });
      if (rows.length === 0) return { accepted, denied };
      for (const { value: row } of rows) {
        const outcome = await this.#parts.resubmit({ gate, row });
        if (outcome.status === 'refused' && outcome.code.startsWith('GATE_')) return { accepted, denied };
        if (outcome.status === 'refused') await this.#drop(gate, row, outcome.code, outcome.reason ?? '');
        this.#messages -= 1;
        this.#bytes -= row.sizeBytes;
        if (outcome.status === 'refused') denied += 1;
        else accepted += 1;
      }
    }
  }

  /** A late denial deletes the content and leaves the tombstone. */
  async #drop(gate: string, { message }: HeldRow, code: string, reason: string): Promise<void> {
    const key = dedupeKey(message.instance, message.conversation, message.senderMessageId ?? '');
    await this.#parts.store
      .commit({ put: [put(dedupe, key, { messageId: null, outcome: 'denied', code, reason, atMs: this.#parts.clock.now() })], remove: [{ table: held, key: held.key(gate, message.id) }] })
      .catch((error: unknown) => this.#parts.log.error({ messageId: message.id, err: problemOf(error) }, 'a held message could not be removed'));
  }
}

