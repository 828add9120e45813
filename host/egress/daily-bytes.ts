// Bytes of each instance's fetches, by UTC day: what `bytesPerDay` is held against. Survives a restart, but for the last second before a crash. Used by egress.ts.
import { toTimestamp, type Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { put, scan, type Store } from '../store/store.ts';
import { egressBytes } from '../store/tables.ts';

const FLUSH_MS = 1000;

export interface DailyBytesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export class DailyBytes implements AsyncDisposable {
  readonly #parts: DailyBytesParts;
  readonly #timer: NodeJS.Timeout;
  readonly #changed = new Set<string>();
  #bytes = new Map<string, number>();
  #day: string;
  #swept = false;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(parts: DailyBytesParts, bytes: Map<string, number>, day: string) {
    this.#parts = parts;
    this.#bytes = bytes;
    this.#day = day;
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  static async open(parts: DailyBytesParts): Promise<DailyBytes> {
    let day = dayOf(parts.clock);
    let bytes = new Map<string, number>();
    for await (const page of scan(parts.store, egressBytes, egressBytes.prefix())) {
      for (const { key, value } of page) {
        if (value.day < day) continue;
        // A clock set back does not give a day away twice.
        if (value.day > day) bytes = new Map();
        day = value.day;
        bytes.set(String(key[1]), value.bytes);
      }
    }
    return new DailyBytes(parts, bytes, day);
  }

  /** What the instance has sent and received today. */
  used(instance: string): number {
    this.#roll();
    return this.#bytes.get(instance) ?? 0;
  }

  add(instance: string, bytes: number): void {
    this.#bytes.set(instance, this.used(instance) + bytes);
    this.#changed.add(instance);
  }

  /** Writes what changed; once a day also removes what is over. */
  flush(): Promise<void> {
    this.#roll();
    if (this.#changed.size > 0 || !this.#swept) this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  #roll(): void {
    const today = dayOf(this.#parts.clock);
    if (today <= this.#day) return;
    this.#day = today;
    this.#bytes = new Map();
    this.#changed.clear();
    this.#swept = false;
  }

  async #write(): Promise<void> {
    const { store, log } = this.#parts;
    const changed = [...this.#changed];
    const sweeping = !this.#swept;
    this.#changed.clear();
    this.#swept = true;
    const puts = changed.map((instance) => put(egressBytes, egressBytes.key(instance), { day: this.#day, bytes: this.#bytes.get(instance) ?? 0 }));
    try {
      const old = sweeping ? await this.#old(new Set(changed)) : [];
      if (puts.length + old.length > 0) await store.commit({ put: puts, remove: old });
    } catch (error) {
      for (const instance of changed) this.#changed.add(instance);
      this.#swept = !sweeping;
      log.warn({ err: problemOf(error) }, 'egress bytes could not be written; they are counted on and written later');
    }
  }

  async #old(written: ReadonlySet<string>) {
    const old = [];
    for await (const page of scan(this.#parts.store, egressBytes, egressBytes.prefix())) {
      for (const { key, value } of page) if (value.day < this.#day && !written.has(String(key[1]))) old.push({ table: egressBytes, key });
    }
    return old;
  }
}

const dayOf = (clock: Clock) => toTimestamp(clock.now()).slice(0, 10);
