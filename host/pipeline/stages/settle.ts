// Records that an outbound message was delivered and takes it out of the queue, in one commit.
import { endingOf } from '../../store/messages.ts';
import type { Store } from '../../store/store.ts';
import { deliveries, type MessageRow } from '../../store/tables.ts';
import type { DeliveryContext } from '../context.ts';
import { letterOf } from '../letters/dead-letters.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { boundedRecord } from '../tries.ts';
import { PASS, type Stage } from '../stage.ts';

export interface SettleParts {
  readonly store: Store;
  readonly writes: PluginWrites;
  readonly onSettled: (row: MessageRow) => void;
}

export function settle({ store, writes, onSettled }: SettleParts): Stage<DeliveryContext> {
  return {
    name: 'settle',
    budgetMs: 50,
    onFailure: 'retry',
    async run(context) {
      const { row } = context;
      const delivered: MessageRow = { ...row, outcome: 'delivered', stages: boundedRecord(context.stages), ...(context.remoteIds.length > 0 ? { remoteIds: context.remoteIds } : {}) };
      const carried = await writes.of(writes.withoutFrozen(context.scopes));
      const written = carried?.rows();
      let committed = false;
      try {
        const result = await store.commit({
          put: [endingOf(delivered), ...(written?.put ?? [])],
          remove: [{ table: deliveries, key: deliveries.key(row.id) }, ...letterOf(row), ...(written?.remove ?? [])],
        });
        committed = result === 'committed';
      } finally {
        carried?.done(committed);
      }
      onSettled(delivered);
      return PASS;
    },
  };
}
