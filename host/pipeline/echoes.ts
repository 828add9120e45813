// Messages that come back: what plugins sent a moment ago and a remote bot, a bridge or a loop of channels hands in again, word for word. Such a message keeps its hops, so that a ring through the outside ends where a ring inside does.
import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { MessageRow } from '../store/tables.ts';

/** Older than this, the same words are taken for somebody's own. */
const REMEMBERED_MS = 10 * 60 * 1000;

export class Echoes {
  readonly #clock: Clock;
  readonly #most: number;
  /** Oldest first. */
  readonly #sent = new Map<string, { readonly hops: number; readonly atMs: number }>();

  constructor(clock: Clock, most = 10_000) {
    this.#clock = clock;
    this.#most = most;
  }

  /** An outbound message is durable; one without hops is nobody's concern here. */
  remember({ instance, conversation, text, hops }: MessageRow): void {
    if (hops === undefined) return;
    const key = keyOf(instance, conversation, text);
    this.#sent.delete(key);
    this.#sent.set(key, { hops, atMs: this.#clock.monotonicMs() });
    if (this.#sent.size <= this.#most) return;
    const oldest = this.#sent.keys().next();
    if (!oldest.done) this.#sent.delete(oldest.value);
  }

  /** The hops of what was sent into this conversation with the same text, else 0. */
  hopsOf(instance: string, conversation: string, text: string): number {
    if (this.#sent.size === 0) return 0;
    const sent = this.#sent.get(keyOf(instance, conversation, text));
    return sent && this.#clock.monotonicMs() - sent.atMs <= REMEMBERED_MS ? sent.hops : 0;
  }
}

const keyOf = (instance: string, conversation: string, text: string) => hash('sha256', JSON.stringify([instance, conversation, text.trim()]), 'base64');
