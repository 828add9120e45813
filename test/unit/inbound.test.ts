// What the host takes in nothing more for: messages that its queues have no room for.
import { describe, expect, it } from 'vitest';
import { NO_TRACING } from '../../host/tracing.ts';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { Identities } from '../../host/pipeline/sessions/identities.ts';
import { Inbound } from '../../host/pipeline/inbound.ts';
import type { Refused } from '../../host/pipeline/pressure.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { instanceId } from '../support/ids.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const BUSY: Refused = { code: 'HOST_BUSY', fields: { queue: 'messages', depth: 190_000 } };

describe('intake', () => {
  it.each([
    ['accepts while there is room', {}, undefined, 'normal', { status: 'accepted' }],
    ['refuses as the queues say', {}, BUSY, 'normal', { status: 'refused', ...BUSY }],
    ['names the priority of the room', { rooms: { c: { admit: { priority: 'low' as const } } } }, undefined, 'low', { status: 'accepted' }],
  ])('%s', async (_, policy, refused, priority, outcome) => {
    await using dir = await tempDir();
    await using store = await openStore({ dir: dir.path, clock: systemClock });
    const asked: string[] = [];
    const inbound = new Inbound({
      clock: systemClock, tracing: NO_TRACING, ids: createIds(systemClock), log: silentLog, store, stages: [], stagesAfterHold: [], directory: { channel: () => undefined }, identities: new Identities(),
      refusal: (each) => {
        asked.push(each);
        return refused;
      },
      unreserve: () => undefined, onAccepted: () => undefined,
    });
    const channel = { instance: instanceId('door'), wallMs: 1000, section: { abilities: ['receive' as const], ingress: [] }, policy, reachesOut: false, can: () => false, secret: () => undefined };
    expect(await inbound.submit({ channel, message: { id: '1', conversation: 'c', sender: { id: 's' }, text: 'hi' }, standing: 'unproven', stages: [], scopes: [] })).toMatchObject(outcome);
    expect(asked).toEqual([priority]);
  });
});
