// Messages committed before moderation because a gate is quarantined with `onQuarantine: "hold"`. Once the gate is back each is moderated, in order, as if it had just arrived.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { Clock } from '../../clock.ts';
import { problemOf, type ErrorCode } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { put, type Entry, type Store } from '../../store/store.ts';
import { dedupe, held, type HeldRow, type MessageRow } from '../../store/tables.ts';
import type { Acceptance } from '../ingress/acceptance.ts';
import type { InboundContext } from '../context.ts';
import type { HeldSeal } from './held-seal.ts';
import type { Carried, PluginWrites } from '../plugin-writes.ts';
import { messageRow } from '../stages/accept.ts';

export interface Resumed {
  readonly gate: string;
  readonly message: MessageRow;
  readonly heldAtMs: number;
  /** Of its row in `held`. */
  readonly version: number;
}

export interface HeldParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
  readonly writes: PluginWrites;
  readonly seal: HeldSeal;
  /** Runs moderate and accept for a held message; its row leaves `held` with the commit that accepts it. */
  readonly resubmit: (resumed: Resumed) => Promise<Acceptance>;
  /** Whether messages must go on waiting for this gate. */
  readonly mustWait: (gate: string) => boolean;
}

/** Said of the message itself: no later try ends otherwise. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set(['MODERATION_DENIED', 'COMMAND_DENIED', 'COMMAND_INVALID', 'MEDIA_REFUSED', 'MEDIA_TYPE_REFUSED', 'MEDIA_UNSAFE', 'MEDIA_TOO_LARGE']);
const isVerdict = (code: ErrorCode) => VERDICTS.has(code);

interface Opened extends Entry<HeldRow> {
  readonly message: MessageRow;
}

/** A release that was stopped by something passing is taken up again after this. */
const TRY_AGAIN_MS = 5000;

export class Held implements AsyncDisposable {
  readonly #parts: HeldParts;
  /** Held messages by session: later ones of the same session wait behind them. */
  readonly #sessions = new Map<string, { count: number; readonly gate: string }>();
  #messages = 0;
  #bytes = 0;
  /** Releases and expiries one after the other: a message has one fate. */
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#messages;
  }

  /** The gate that earlier messages of this session are held for, if any are. */
  heldFor(sessionKey: string): string | undefined {
    return this.#sessions.get(sessionKey)?.gate;
  }

  /** Counts what is held from before. */
  async recover(): Promise<void> {
    for (const { key, value, message } of await this.#all()) this.#count(String(key[1]), message, value, 1);
    if (this.#messages === 0) await this.#parts.seal.forget();
  }

  /** One commit that counts as accept, with what the channel wrote. `full` beyond 10,000 messages or 64 MiB. */
  async hold(context: InboundContext, gate: string): Promise<'held' | 'full' | 'duplicate'> {
    const message = messageRow(context);
    const sizeBytes = Buffer.byteLength(JSON.stringify(message));
    if (this.#messages >= BOUNDS.heldMessages || this.#bytes + sizeBytes > BOUNDS.heldBytes) return 'full';
    this.#count(gate, message, { sizeBytes }, 1);
    let carried: Carried | undefined;
    let result: 'committed' | 'conflict' | 'failed' = 'failed';
    try {
      carried = await this.#parts.writes.of(context.scopes, context.instance);
      const sealed = await this.#parts.seal.seal({ ...message, outcome: 'held' });
      const row: HeldRow = { instance: context.instance, keyHash: String(context.dedupeKey.at(-1)), sealed, sizeBytes, heldAtMs: context.receivedAtMs };
      const written = carried?.rows();
      result = await this.#parts.store.commit({
        expect: [{ table: dedupe, key: context.dedupeKey, version: 'absent' }],
        put: [put(dedupe, context.dedupeKey, { messageId: context.messageId, outcome: 'held', atMs: context.receivedAtMs }), put(held, held.key(gate, context.messageId), row), ...(written?.put ?? [])],
        remove: written?.remove ?? [],
      });
    } finally {
      carried?.done(result === 'committed');
      if (result !== 'committed') this.#count(gate, message, { sizeBytes }, -1);
    }
    return result === 'committed' ? 'held' : 'duplicate';
  }

  /** Sends on what no longer has to wait, oldest first, for every gate; resolves when done or stopped. What stops it (a gate that is not ready, a store that cannot commit) is tried again by itself. */
  release(): Promise<void> {
    return this.#inTurn(() => this.#releaseAll());
  }

  /** Removes what has been held for more than 24 h; it counts as denied. */
  expire(): Promise<void> {
    return this.#inTurn(async () => {
      for (const entry of await this.#all()) if (this.#parts.clock.now() - entry.value.heldAtMs > BOUNDS.heldMs) await this.#deny(entry, 'MODERATION_DENIED', 'held too long');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  async #releaseAll(): Promise<void> {
    clearTimeout(this.#timer);
    for (const entry of await this.#all()) {
      const gate = String(entry.key[1]);
      if (this.#closed) return;
      if (this.#parts.mustWait(gate)) continue;
      const { message, value: row, version } = entry;
      const outcome = await this.#parts.resubmit({ gate, message, heldAtMs: row.heldAtMs, version });
      if (outcome.status !== 'refused') this.#count(gate, message, row, -1);
      else if (isVerdict(outcome.code)) await this.#deny(entry, outcome.code, outcome.reason ?? '');
      else {
        // Not a verdict on the message: it stays, and so does everything behind it.
        this.#timer = setTimeout(() => void this.release(), TRY_AGAIN_MS);
        this.#timer.unref();
        return;
      }
    }
  }

  /** Of all gates, in the order they arrived. What cannot be read any more counts as denied: its key went with a data directory that came back in parts. */
  async #all(): Promise<Opened[]> {
    const opened: Opened[] = [];
    for (const entry of await this.#parts.store.range(held, held.prefix(), { limit: BOUNDS.heldMessages })) {
      const message = await this.#parts.seal.open(entry.value.sealed);
      if (message) opened.push({ ...entry, message });
      else {
        this.#parts.log.error({ messageId: String(entry.key.at(-1)) }, 'a held message can no longer be read');
        await this.#bury(entry, 'MODERATION_DENIED', 'it could no longer be read');
      }
    }
    return opened.sort((a, b) => (a.message.id < b.message.id ? -1 : 1));
  }

  async #deny(entry: Opened, code: string, reason: string): Promise<void> {
    if (await this.#bury(entry, code, reason)) this.#count(String(entry.key[1]), entry.message, entry.value, -1);
  }

  /** A late denial deletes the content and leaves the tombstone. */
  async #bury({ key, value: { instance, keyHash }, version }: Entry<HeldRow>, code: string, reason: string): Promise<boolean> {
    const result = await this.#parts.store.commit({
      expect: [{ table: held, key, version }],
      put: [put(dedupe, dedupe.key(instance, keyHash), { messageId: null, outcome: 'denied', code, reason, atMs: this.#parts.clock.now() })],
      remove: [{ table: held, key }],
    });
    return result === 'committed';
  }

  #count(gate: string, { sessionKey }: MessageRow, { sizeBytes }: Pick<HeldRow, 'sizeBytes'>, by: 1 | -1): void {
    this.#messages += by;
    this.#bytes += by * sizeBytes;
    const session = this.#sessions.get(sessionKey) ?? { count: 0, gate };
    session.count += by;
    if (session.count > 0) this.#sessions.set(sessionKey, session);
    else this.#sessions.delete(sessionKey);
    if (this.#messages === 0) this.#parts.seal.forget().catch((error: unknown) => this.#parts.log.warn({ err: problemOf(error) }, 'the key of held messages is not removed yet'));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      if (this.#closed) return;
      this.#parts.log.warn({ err: problemOf(error) }, 'held messages stay held for now');
      this.#timer = setTimeout(() => void this.release(), TRY_AGAIN_MS);
      this.#timer.unref();
    });
    return this.#turn;
  }
}
