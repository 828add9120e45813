// A start that takes up what the store holds while new work already begins: nothing is taken up twice.
import { expect, it } from 'vitest';
import { put } from '../../host/store/store.ts';
import { lanes, messages, type MessageRow } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { withIds } from '../support/ids.ts';
import { aPipeline, arriving, type StandIn } from '../support/pipeline.ts';

/** As many as one page of the search, so that it goes on to a second. */
const PAGE = 2000;

const accepted = (id: string) => withIds<MessageRow>({ id, instance: 'street', conversation: id, sessionKey: `street:${id}`, sender: { id: 'someone' }, direction: 'inbound', outcome: 'accepted', text: id, mentions: [], media: [], senderMessageId: id, at: '2026-11-21T08:00:00.000Z', flags: [], stages: [] });

it('a message that was held, and is let go while the lanes are still being read, is answered once', async () => {
  const plugins = (quarantined: boolean): Record<string, StandIn> => ({
    street: { kind: 'channel' },
    strict: { kind: 'gate', directions: ['inbound'], quarantined, onQuarantine: 'hold', handlers: { evaluate: () => ({ effect: 'pass' }) } },
    talker: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } },
  });
  await using first = await aPipeline(plugins(true));
  expect((await first.post('street', arriving('held', 'hi'))).body).toContain('held');
  const waiting = Array.from({ length: PAGE }, (_, n) => accepted(`0000-${String(n).padStart(4, '0')}`));
  await first.store.commit({ put: waiting.flatMap((row) => [put(messages, messages.key(row.id), row), put(lanes, lanes.key(row.id), { sessionKey: row.sessionKey, messageId: row.id, attempts: 0 })]) });
  await first.pipeline.drain(0);

  await using second = await aPipeline(plugins(false), { store: first.store, recover: false });
  const { held } = second.pipeline;
  // What the host does when a gate comes up, at the worst moment.
  second.beforeRange = async (table, { after } = {}) => {
    if (table.name === lanes.name && after && held.waiting > 0) await held.release();
  };
  expect(await second.pipeline.recover()).toMatchObject({ messages: PAGE });
  await eventually(async () => expect(await second.store.range(lanes, lanes.prefix())).toEqual([]), 120_000);
  await eventually(async () => expect(await second.waitingDeliveries()).toBe(0), 120_000);
  expect(await second.outbound('street', 'c')).toHaveLength(1);
});
