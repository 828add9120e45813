// Calls that wait for a place in their sandbox: in turns among those who cause them, so that one who causes many does not stand before everybody else. Owned by sandbox-process.ts.
import { FairTurns } from '../store/fair-turns.ts';
import { Fifo } from '../store/fifo.ts';
import type { PluginCall } from './sandbox.ts';

interface Entry<Waiting> {
  readonly waiting: Waiting;
  isOver: boolean;
}

export class CallQueue<Waiting extends { readonly call: PluginCall; readonly waitingSince: number }> {
  readonly #turns = new FairTurns<Entry<Waiting>>();
  /** The same in the order of arrival, with some that are over. */
  readonly #arrivals = new Fifo<Entry<Waiting>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(waiting: Waiting): void {
    const entry = { waiting, isOver: false };
    this.#turns.push(entry, waiting.call.turn?.party, waiting.call.turn?.member);
    this.#arrivals.push(entry);
    this.#size += 1;
  }

  /** Whose turn it is. */
  shift(): Waiting | undefined {
    for (let entry = this.#turns.shift(); entry; entry = this.#turns.shift()) if (this.#end(entry)) return entry.waiting;
    return undefined;
  }

  /** Those that have waited since before `sinceMs`. */
  expire(sinceMs: number): Waiting[] {
    const expired: Waiting[] = [];
    for (let oldest = this.#arrivals.peek(); oldest && (oldest.isOver || oldest.waiting.waitingSince < sinceMs); oldest = this.#arrivals.peek()) {
      this.#arrivals.shift();
      if (this.#end(oldest)) expired.push(oldest.waiting);
    }
    return expired;
  }

  /** One call by its id, wherever it stands. */
  take(callId: string): Waiting | undefined {
    const entry = this.#arrivals.toArray().find(({ waiting, isOver }) => !isOver && waiting.call.callId === callId);
    return entry && this.#end(entry) ? entry.waiting : undefined;
  }

  /** Everybody, in the order of arrival. */
  clear(): Waiting[] {
    return this.expire(Number.POSITIVE_INFINITY);
  }

  #end(entry: Entry<Waiting>): boolean {
    if (entry.isOver) return false;
    entry.isOver = true;
    this.#size -= 1;
    // Nothing is kept for long in the other order either.
    for (let oldest = this.#arrivals.peek(); oldest?.isOver; oldest = this.#arrivals.peek()) this.#arrivals.shift();
    return true;
  }
}
