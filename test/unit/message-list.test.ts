// Pages of messages over a real store: filters, spans, and the work of a page that finds little.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIds } from '../../host/ids.ts';
import { listDeliveries } from '../../host/pipeline/delivery/delivery-queries.ts';
import { listMessages, type MessageFilter } from '../../host/pipeline/message-queries.ts';
import { openStore, type LmdbStore } from '../../host/store/lmdb.ts';
import { endingOf } from '../../host/store/messages.ts';
import { put, type Put } from '../../host/store/store.ts';
import { messages, type MessageRow } from '../../host/store/tables.ts';
import { systemClock, toTimestamp } from '../../host/clock.ts';
import { ConversationId, InstanceId, SessionKey } from '../../schemas/ids.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const COUNT = 21_000;
const MINUTE = 60_000;

describe('pages of messages', () => {
  let dir: TempDir;
  let store: LmdbStore;
  const made: MessageRow[] = [];

  beforeAll(async () => {
    dir = await tempDir();
    store = await openStore({ dir: join(dir.path, 'store'), clock: systemClock });
    const clock = aHandClock();
    const ids = createIds(clock);
    let rows: Put[] = [];
    for (let at = 0; at < COUNT; at += 1) {
      clock.turn(MINUTE);
      const instance = InstanceId.of(at === 3 ? 'quiet' : 'busy');
      const conversation = ConversationId.of(`room-${at % 7}`);
      const row: MessageRow = { id: ids.next(), instance, conversation, sessionKey: SessionKey.of(`${instance}:${conversation}`), sender: { id: 'p' }, direction: at % 2 === 0 ? 'inbound' : 'outbound', outcome: 'accepted', text: `t${at}`, mentions: [], media: [], flags: [], stages: [{ stage: 'admit', decision: 'pass', durationMs: 1 }], at: toTimestamp(clock.now()) };
      made.push(row);
      rows.push(put(messages, messages.key(row.id), row));
      if (at % 10 !== 0) rows.push(endingOf({ ...row, outcome: 'answered', stages: [...row.stages, { stage: 'respond', decision: 'pass', durationMs: 2 }] }));
      if (rows.length > 4000) {
        await store.commit({ put: rows });
        rows = [];
      }
    }
    await store.commit({ put: rows });
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  const textsOf = async (filter: MessageFilter) => (await listMessages(store, filter)).items.map(({ text }) => text);

  it('are newest first, with the ending and the whole record of each', async () => {
    const { items } = await listMessages(store, { limit: 2 });
    expect(items).toMatchObject([{ text: `t${COUNT - 1}`, outcome: 'answered', stages: [{ stage: 'admit' }, { stage: 'respond' }] }, { text: `t${COUNT - 2}` }]);
  });

  it('newest first before a moment go on page by page to the end', async () => {
    const until = toTimestamp(Date.parse(made[10]?.at ?? ''));
    const texts: string[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 10; pages += 1) {
      const page = await listMessages(store, { until, limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      texts.push(...page.items.map(({ text }) => String(text)));
      if (page.cursor === null) break;
      ({ cursor } = page);
    }
    expect(texts).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((at) => `t${at}`));
  });

  it('of deliveries that are over begin where their span begins, and not with the oldest of all', async () => {
    const since = made[COUNT - 5]?.at ?? '';
    const { items, cursor } = await listDeliveries(store, { state: 'dead-lettered', since });
    expect([items.map(({ id }) => id), cursor]).toEqual([made.slice(-5).filter(({ direction }) => direction === 'outbound').map(({ id }) => id), null]);
  });

  it('go on where the page before ended, whatever came meanwhile', async () => {
    const first = await listMessages(store, { limit: 3 });
    const second = await listMessages(store, { limit: 3, cursor: first.cursor ?? '' });
    expect(second.items.map(({ text }) => text)).toEqual([COUNT - 4, COUNT - 5, COUNT - 6].map((at) => `t${at}`));
  });

  it('hold what fits every filter at once', async () => {
    const { items } = await listMessages(store, { instance: 'busy', conversation: 'room-2', direction: 'inbound', outcome: 'accepted', limit: 5 });
    expect(items).toHaveLength(5);
    for (const item of items) expect(item).toMatchObject({ instance: 'busy', conversation: 'room-2', direction: 'inbound', outcome: 'accepted' });
  });

  it('of a span begin and end where it does', async () => {
    const [since, until] = [made[1000]?.at ?? '', made[1004]?.at ?? ''];
    expect(await textsOf({ since, until })).toEqual(['t1003', 't1002', 't1001', 't1000']);
    expect(await textsOf({ until: made[2]?.at ?? '' })).toEqual(['t1', 't0']);
  });

  it('that find little end after a bounded look, with a cursor that leads on', async () => {
    const first = await listMessages(store, { instance: 'quiet' });
    expect(first).toEqual({ items: [], cursor: expect.any(String) });
    expect(await listMessages(store, { instance: 'quiet', cursor: first.cursor ?? '' })).toMatchObject({ items: [{ text: 't3' }], cursor: null });
  });
});
