// What the host takes in nothing more for: too many messages without an answer, too many replies without a delivery.
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { Identities } from '../../host/pipeline/identities.ts';
import { Inbound, MOST_DELIVERIES_WAITING, MOST_MESSAGES_WAITING } from '../../host/pipeline/inbound.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

describe('intake', () => {
  it.each([
    ['accepts just below its bounds', MOST_MESSAGES_WAITING - 1, MOST_DELIVERIES_WAITING - 1, { status: 'accepted' }],
    ['refuses while too many messages wait for an answer', MOST_MESSAGES_WAITING, 0, { status: 'refused', code: 'HOST_BUSY', fields: { queue: 'messages', depth: MOST_MESSAGES_WAITING } }],
    ['refuses while too many replies wait for a delivery', 0, MOST_DELIVERIES_WAITING, { status: 'refused', code: 'HOST_BUSY', fields: { queue: 'deliveries', depth: MOST_DELIVERIES_WAITING } }],
  ])('%s', async (_, messagesWaiting, deliveriesWaiting, outcome) => {
    await using dir = await tempDir();
    await using store = await openStore({ dir: dir.path, clock: systemClock });
    const inbound = new Inbound({
      clock: systemClock, ids: createIds(systemClock), log: silentLog, store, stages: [], stagesAfterHold: [], directory: { channel: () => undefined }, identities: new Identities(),
      messagesWaiting: () => messagesWaiting, deliveriesWaiting: () => deliveriesWaiting, unreserve: () => undefined, onAccepted: () => undefined,
    });
    const channel = { instance: 'door', wallMs: 1000, section: { abilities: ['receive' as const], ingress: [] }, policy: {}, reachesOut: false, can: () => false, secret: () => undefined };
    expect(await inbound.submit({ channel, message: { id: '1', conversation: 'c', sender: { id: 's' }, text: 'hi' }, standing: 'unproven', stages: [], scopes: [] })).toMatchObject(outcome);
  });
});
