// Who wants to hear that a table changed: hints, merged within one turn of the event loop. `lmdb.ts` feeds it after each commit.
import type { Table } from './store.ts';

export class Watches {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #changed = new Set<string>();

  add(table: string, onChange: () => void): () => void {
    const listeners = this.#listeners.get(table) ?? new Set();
    this.#listeners.set(table, listeners.add(onChange));
    return () => {
      listeners.delete(onChange);
    };
  }

  changed(...touched: readonly (readonly { readonly table: Table<unknown> }[])[]): void {
    if (this.#listeners.size === 0) return;
    if (this.#changed.size === 0) setImmediate(() => this.#tell());
    for (const { table } of touched.flat()) this.#changed.add(table.name);
  }

  #tell(): void {
    const tables = [...this.#changed];
    this.#changed.clear();
    for (const table of tables) for (const listener of this.#listeners.get(table) ?? []) listener();
  }
}
