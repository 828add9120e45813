// Remembers what signed requests were taken, for as long as their time would let them pass once more. ingress.ts asks, for routes whose manifest declares a time.
//
// Written by a commit of its own once it is known that the request need not come again, and before its sender is answered: one that was told to come back may,
// with the same signature, and one that was taken may not, after a restart neither. Memory holds what is in work; what was taken is in the store alone.
import type { Clock } from '../../clock.ts';
import { put, type Store } from '../../store/store.ts';
import { replays } from '../../store/tables.ts';
import type { Seen } from '../stages/verify.ts';

export interface ReplaysParts {
  readonly store: Store;
  readonly clock: Clock;
}

export type Claim = { readonly status: 'replayed' } | { readonly status: 'in-work' } | (Disposable & { readonly status: 'fresh'; keep(): Promise<void> });

export class Replays {
  readonly #parts: ReplaysParts;
  readonly #inWork = new Set<string>();

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
  }

  /** Whether this is the first of its kind. The claim is given up when it is disposed of; `keep` makes it last. */
  async claim(instance: string, { digest, untilMs }: Seen): Promise<Claim> {
    const { store, clock } = this.#parts;
    const name = `${instance}\n${digest}`;
    if (this.#inWork.has(name)) return { status: 'in-work' };
    this.#inWork.add(name);
    const key = replays.key(instance, digest);
    try {
      const known = await store.get(replays, key);
      if (known && known.value.untilMs >= clock.now()) {
        this.#inWork.delete(name);
        return { status: 'replayed' };
      }
    } catch (error) {
      this.#inWork.delete(name);
      throw error;
    }
    return {
      status: 'fresh',
      keep: async () => {
        await store.commit({ put: [put(replays, key, { untilMs })] });
      },
      [Symbol.dispose]: () => {
        this.#inWork.delete(name);
      },
    };
  }
}
