// Records that an outbound message was delivered and takes it out of the queue, in one commit.
import type { KvLedger } from '../../capabilities/kv-ledger.ts';
import { put, type Store } from '../../store/store.ts';
import { deliveries, messages, type MessageRow } from '../../store/tables.ts';
import type { DeliveryContext } from '../context.ts';
import { PASS, type Stage } from '../stage.ts';
import { withWrites } from './accept.ts';

export interface SettleParts {
  readonly store: Store;
  readonly ledger: KvLedger;
  readonly onSettled: (row: MessageRow) => void;
}

export function settle({ store, ledger, onSettled }: SettleParts): Stage<DeliveryContext> {
  return {
    name: 'settle',
    budgetMs: 50,
    onFailure: 'retry',
    async run(context) {
      const { row } = context;
      const delivered: MessageRow = { ...row, outcome: 'delivered', stages: context.stages };
      const kv = await withWrites(context.scopes, ledger);
      let committed = false;
      try {
        const result = await store.commit({
          put: [put(messages, messages.key(row.id), delivered), ...(kv?.put ?? [])],
          remove: [{ table: deliveries, key: deliveries.key(row.id) }, ...(kv?.remove ?? [])],
        });
        committed = result === 'committed';
      } finally {
        kv?.done(committed);
      }
      onSettled(delivered);
      return PASS;
    },
  };
}
