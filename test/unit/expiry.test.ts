// The age limit, to the millisecond, of messages and of deliveries that a start finds.
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { isExpired } from '../../host/pipeline/expiry.ts';
import { put } from '../../host/store/store.ts';
import { deadLetters, deliveries, messages, type MessageRow } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { withIds } from '../support/ids.ts';
import { aPipeline } from '../support/pipeline.ts';

const DAY_MS = 24 * 3600 * 1000;
const idOf = (epochMs: number) => createIds({ ...systemClock, now: () => epochMs }).next();

describe('isExpired', () => {
  const startMs = Date.UTC(2026, 0, 15);
  it.each([
    ['what waited just as long as it may', startMs, startMs - DAY_MS, false],
    ['what waited a millisecond longer', startMs, startMs - DAY_MS - 1, true],
    ['what came in since the start, however long ago', undefined, startMs - 2 * DAY_MS, false],
    ['what a clock that was set back since puts into the future', startMs, startMs + DAY_MS, false],
  ])('of %s', (_, recoveredAtMs, sinceMs, expired) => {
    expect(isExpired(recoveredAtMs, idOf(sinceMs), DAY_MS)).toBe(expired);
    expect(isExpired(recoveredAtMs, sinceMs, DAY_MS)).toBe(expired);
  });

  it('is false where the id does not tell', () => {
    expect(isExpired(startMs, 'no id of ours', DAY_MS)).toBe(false);
  });
});

describe('a reply that waits for its delivery when the host starts', () => {
  const reply = (id: string) => withIds<MessageRow>({ id, instance: 'hook', conversation: 'c', sessionKey: 'hook:c', sender: { id: 'skill' }, direction: 'outbound', outcome: 'pending', text: id, mentions: [], media: [], flags: [], stages: [], at: '2026-01-15T00:00:00.000Z' });

  it('is a dead letter when it waited for more than a day, and is sent when it is replayed', async () => {
    const sent: string[] = [];
    const hook = { kind: 'channel' as const, handlers: { send: ({ id }: { id: string }) => (sent.push(id), { actions: [] }) } };
    await using world = await aPipeline({ hook }, { recover: false });
    const [old, young, again] = [idOf(Date.now() - DAY_MS - 5000), idOf(Date.now() - DAY_MS + 60_000), idOf(Date.now() - 3 * DAY_MS)];
    const waits = (id: string, sinceMs?: number) => [put(messages, messages.key(id), reply(id)), put(deliveries, deliveries.key(id), { instance: reply(id).instance, conversation: reply(id).conversation, attempts: 0, ...(sinceMs !== undefined && { sinceMs }) })];
    // The last was replayed an hour ago: its age counts from there.
    await world.store.commit({ put: [...waits(old), ...waits(young), ...waits(again, Date.now() - 3_600_000)] });
    await world.pipeline.recover();
    await eventually(async () => expect(await world.waitingDeliveries()).toBe(0));
    expect(sent.toSorted()).toEqual([young, again].toSorted());
    const [letter] = await world.store.range(deadLetters, deadLetters.prefix());
    expect(letter?.value).toMatchObject({ messageId: old, code: 'MESSAGE_EXPIRED', work: { kind: 'deliver' } });
    await world.pipeline.letterDesk.replay(letter?.value.id ?? '', 'test', true);
    await eventually(() => expect(sent).toContain(old));
  });
});
