// Dead letters put back to work: one at a time by an operator, or many by a worker. Guards refuse what would only fail again or might be sent twice; a rate keeps old work from crowding out new.
import type { Marked, Replayed } from '../../../schemas/control.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readMessage } from '../../store/messages.ts';
import { scan, put, type Store } from '../../store/store.ts';
import { letterReplays, type DeadLetterRow, type MessageRow } from '../../store/tables.ts';
import { Allowance, type Rate } from '../../supervisor/allowance.ts';
import type { WorkerSpec } from '../../supervisor/worker.ts';
import type { DeadLetters, LetterFilter } from './dead-letters.ts';
import type { PluginDirectory } from '../plugin-directory.ts';

/** Letters an operator may replay by hand: a second, and at once. */
const BY_HAND: Rate = { burst: 50, perMinute: 600 };
/** What the worker replays in one pass, a pass a second while there is more. */
const PER_PASS = 20;
const PASS_MS = 1000;
/** Put back so often without success, work needs a person's decision. */
const MOST_REPLAYS = 5;
/** Letters that one request may mark. */
export const MOST_MARKED = 10_000;
const PAGE = 200;

export interface LetterReplayParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly deadLetters: DeadLetters;
}

export type { Marked, Replayed };

export class LetterReplays {
  readonly #parts: LetterReplayParts;
  readonly #allowance = new Allowance(BY_HAND);

  constructor(parts: LetterReplayParts) {
    this.#parts = parts;
  }

  /** Throws DEAD_LETTER_NOT_FOUND, DEAD_LETTER_GUARDED (not with `force`), REPLAY_RATE, MESSAGE_NOT_FOUND. */
  async replay(id: string, { force = false }: { readonly force?: boolean } = {}): Promise<Replayed> {
    const { letter, message } = await this.#parts.deadLetters.show(id);
    const problem = force || letter.replayedAt !== undefined ? undefined : this.#guard(letter, message);
    if (problem !== undefined) throw new GatehouseError('DEAD_LETTER_GUARDED', { id, problem });
    if (this.#allowance.take(this.#parts.clock.monotonicMs()) > 0) throw new GatehouseError('REPLAY_RATE', { perSecond: BY_HAND.perMinute / 60 });
    return await this.#putBack(id);
  }

  /** Marks what fits the filter, oldest last; durable before it resolves. The worker puts them back. */
  async mark(filter: LetterFilter, { actor, force = false, limit = MOST_MARKED }: { readonly actor: string; readonly force?: boolean; readonly limit?: number }): Promise<Marked> {
    const { store, deadLetters } = this.#parts;
    const guarded: Record<string, number> = {};
    let marked = 0;
    let cursor: string | undefined;
    do {
      const page = await deadLetters.list(filter, { cursor, limit: Math.min(PAGE, limit - marked) });
      const rows = [];
      for (const letter of page.items) {
        const problem = force ? undefined : this.#guard(letter, await readMessage(store, letter.messageId));
        if (problem === undefined) rows.push(put(letterReplays, letterReplays.key(letter.id), { force, actor }));
        else guarded[problem] = (guarded[problem] ?? 0) + 1;
      }
      if (rows.length > 0) await store.commit({ put: rows });
      marked += rows.length;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined && marked < limit);
    return { marked, guarded, more: cursor !== undefined };
  }

  /** The worker that takes up what is marked; `wake` it after `mark` and at the start. */
  worker(again: () => void): WorkerSpec {
    return { name: 'replay', deadlineMs: 60_000, run: (signal) => this.#pass(signal, again) };
  }

  async #pass(signal: AbortSignal, again: () => void): Promise<void> {
    const { store } = this.#parts;
    let done = 0;
    for await (const page of scan(store, letterReplays, letterReplays.prefix(), PER_PASS)) {
      for (const { key } of page) {
        if (signal.aborted) return;
        if (done >= PER_PASS) {
          setTimeout(again, PASS_MS).unref();
          return;
        }
        await this.#takeUp(String(key.at(-1)));
        done += 1;
      }
    }
  }

  /** A letter that went meanwhile takes its mark along; one that cannot be put back loses it, and stays a letter. */
  async #takeUp(id: string): Promise<void> {
    try {
      const { status } = await this.#putBack(id);
      if (status === 'replayed') return; // its commit has taken the mark
    } catch (error) {
      if (!(error instanceof GatehouseError) || error.row.retryable) throw error;
    }
    await this.#parts.store.commit({ remove: [{ table: letterReplays, key: letterReplays.key(id) }] });
  }

  async #putBack(id: string): Promise<Replayed> {
    const { letter, already } = await this.#parts.deadLetters.replay(id);
    return { id, messageId: letter.messageId, status: already ? 'already' : 'replayed' };
  }

  #guard(letter: DeadLetterRow, message: MessageRow | undefined): string | undefined {
    if ((letter.replays ?? 0) >= MOST_REPLAYS) return `it was put back ${MOST_REPLAYS} times already`;
    if (!this.#parts.directory.channel(letter.instance)) return 'its channel is not enabled';
    if (letter.work.kind === 'deliver' && message?.stages.some(({ decision }) => decision === 'unknown')) return 'it may have been delivered: the remote never said';
    return undefined;
  }
}
