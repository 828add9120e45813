// What plugin calls wrote, as part of a commit: kv entries and messages sent. Every commit that carries the calls of plugins goes through here: accept, hold, conclude, settle, operator sends, and those of calls that no message carries.
import type { CallScope } from '../broker/call-scope.ts';
import type { KvLedger, KvRows } from '../capabilities/kv-ledger.ts';
import type { Ids } from '../ids.ts';
import { put, type Put, type Removal, type Store } from '../store/store.ts';
import { deliveries, messages, type MessageRow } from '../store/tables.ts';
import { lineOf } from './conversation-order.ts';
import { assertNoneFrozen, assertNotFrozen, withoutFrozen } from './gating/frozen.ts';
import type { PluginDirectory } from './plugin-directory.ts';

/** The writes of some calls, ready for one commit. */
export interface Carried {
  /**
   * Ask right before the commit, without awaiting in between: messages get their places in their conversations here, and places rise in the order of commits.
   * Throws INSTANCE_UNAVAILABLE when somebody who wrote is in quarantine by now; nothing stays counted then.
   */
  rows(): { readonly put: readonly Put[]; readonly remove: readonly Removal[] };
  /** Must be called once that commit has ended: true only if the store said `committed`. Then what was sent is delivered. */
  done(committed: boolean): void;
}

export interface PluginWritesParts {
  readonly store: Store;
  readonly ledger: KvLedger;
  readonly ids: Ids;
  readonly directory: Pick<PluginDirectory, 'isFrozen'>;
  /** Told of each message once it is durable. */
  readonly onSent: (row: MessageRow) => void;
}

export class PluginWrites {
  readonly #parts: PluginWritesParts;

  constructor(parts: PluginWritesParts) {
    this.#parts = parts;
  }

  /**
   * `by`: whose word the commit carries beside these calls; frozen, it is refused like one who wrote. Undefined when there is nothing to carry and nobody to ask
   * about. When one call cannot be settled, this throws what the store throws, and none stays counted.
   */
  async of(scopes: readonly CallScope[], by?: string): Promise<Carried | undefined> {
    if (scopes.length === 0 && by === undefined) return undefined;
    const { ledger, ids, directory, onSent } = this.#parts;
    const kv: KvRows[] = [];
    const done = (committed: boolean) => {
      for (const each of kv) each.done(committed);
      for (const scope of scopes) scope.release();
      // Taken out of their scopes: a scope that is carried once more sends nothing twice.
      if (committed) for (const scope of scopes) for (const row of scope.sends.splice(0)) onSent(row);
    };
    try {
      for (const scope of scopes) kv.push(await ledger.rowsOf(scope));
    } catch (error) {
      done(false);
      throw error;
    }
    const rows = () => {
      try {
        if (by !== undefined) assertNotFrozen(directory, by);
        assertNoneFrozen(directory, scopes);
      } catch (error) {
        done(false);
        throw error;
      }
      for (const { sends } of scopes) sends.splice(0, sends.length, ...sends.map((row) => ({ ...row, place: ids.next() })));
      return { put: [...kv.flatMap((each) => each.put), ...scopes.flatMap(({ sends }) => sends.flatMap(sentRows))], remove: kv.flatMap((each) => each.remove) };
    };
    return { rows, done };
  }

  /** What may still be committed of calls whose work is done out in the world; the rest is given up. */
  withoutFrozen(scopes: readonly CallScope[]): readonly CallScope[] {
    return scopes.length === 0 ? scopes : withoutFrozen(this.#parts.directory, scopes);
  }

  /** A commit of their own, for calls that no message carries. */
  async commit(scope: CallScope): Promise<void> {
    if (!scope.hasWrites) {
      scope.release();
      return;
    }
    const carried = await this.of([scope]);
    let committed = false;
    try {
      committed = (await this.#parts.store.commit(carried?.rows() ?? {})) === 'committed';
    } finally {
      carried?.done(committed);
    }
  }
}

function sentRows(row: MessageRow): readonly Put[] {
  const { id, instance, conversation } = row;
  return [
    put(messages, messages.key(id), row),
    lineOf(row),
    put(deliveries, deliveries.key(id), { instance, conversation, attempts: 0 }),
  ];
}
