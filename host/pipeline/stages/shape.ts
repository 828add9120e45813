// Fits an outbound message to its channel before it is sent. Today's channels take what the message limit allows, so it checks and passes.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { DeliveryContext } from '../context.ts';
import { PASS, type Stage } from '../stage.ts';

export const shape: Stage<DeliveryContext> = {
  name: 'shape',
  budgetMs: 5,
  onFailure: 'retry',
  run({ row, attempts }) {
    if (Buffer.byteLength(row.text) <= BOUNDS.messageTextBytes) return PASS;
    const problem = `the text has more than ${BOUNDS.messageTextBytes} bytes`;
    return { decision: 'give-up', code: 'DELIVERY_FAILED', fields: { instance: row.instance, attempts: attempts + 1, problem }, problem };
  },
};
