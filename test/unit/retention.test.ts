// Retention: what is over and old goes, whole; what is in work, or a dead letter needs, stays; a kill or a clock that was set harms nothing; traffic goes on beside it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock, toTimestamp } from '../../host/clock.ts';
import { subscribe } from '../../host/events.ts';
import { createIds, type Ids } from '../../host/ids.ts';
import { forgetMessages, Retention } from '../../host/pipeline/retention.ts';
import { listMessages } from '../../host/pipeline/message-queries.ts';
import { counted, SessionBook, sessionOf } from '../../host/pipeline/sessions/sessions.ts';
import { WallClock } from '../../host/pipeline/wall-clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { endingOf } from '../../host/store/messages.ts';
import { put, type Put, type Store } from '../../host/store/store.ts';
import { conversations, dedupe, endings, messages, sessions, type MessageRow } from '../../host/store/tables.ts';
import { ConversationId, InstanceId, SessionKey } from '../../schemas/ids.ts';
import { RETENTION_DEFAULTS } from '../../schemas/retention.ts';
import { aHandClock, type HandClock } from '../support/hand-clock.ts';
import { silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const DAY_MS = 24 * 3600 * 1000;
const forever = new AbortController().signal;
const instance = InstanceId.of('webhook');

async function aWorld() {
  const dir = await tempDir();
  const clock = aHandClock();
  const store = await openStore({ dir: dir.path, clock });
  return {
    dir: dir.path, clock, store, ids: createIds(clock),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A message as the pipeline leaves it: its row, its line, and its ending when it has one. */
function aMessage({ ids, clock }: { readonly ids: Ids; readonly clock: HandClock }, outcome: MessageRow['outcome'], conversation = 'c', rest: Partial<MessageRow> = {}): Put[] {
  const id = ids.next();
  const inWork = outcome === 'accepted' || outcome === 'pending';
  const row: MessageRow = {
    id, instance, conversation: ConversationId.of(conversation), sessionKey: SessionKey.of(`webhook:${conversation}`), sender: { id: 's' }, direction: outcome === 'pending' || outcome === 'delivered' ? 'outbound' : 'inbound',
    outcome: inWork || outcome === 'dead-lettered' ? outcome : 'accepted', text: 'hello', mentions: [], media: [], flags: [], stages: [], at: toTimestamp(clock.now()), ...rest,
  };
  const place = row.direction === 'inbound' ? ids.next() : undefined;
  return [
    put(messages, messages.key(id), row),
    ...(inWork ? [] : [put(conversations, conversations.key(instance, conversation, place ?? id), { direction: row.direction, ...(place && { messageId: id }) })]),
    ...(inWork || outcome === 'dead-lettered' ? [] : [endingOf({ ...row, outcome, ...(place && { place }) })]),
  ];
}

/** Of each table, how many rows; and those that lead nowhere. */
async function survey(store: Store) {
  const [rows, ends, lines] = [await store.range(messages, []), await store.range(endings, []), await store.range(conversations, [])];
  const known = new Set(rows.map(({ key }) => String(key[1])));
  return { messages: rows.length, endings: ends.length, lines: lines.length, loose: [...ends.map(({ key }) => String(key[1])), ...lines.map(({ key, value }) => value.messageId ?? String(key.at(-1)))].filter((id) => !known.has(id)).length };
}

describe('retention', () => {
  it('forgets what is over and old with its ending and its line, and leaves what is young, in work, or needed by a dead letter', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    for (const outcome of ['answered', 'unanswered', 'delivered', 'dropped', 'accepted', 'pending', 'dead-lettered'] as const) await store.commit({ put: aMessage(world, outcome) });
    await store.commit({ put: [put(dedupe, dedupe.key('webhook', 'hash'), { messageId: 'x', outcome: 'accepted', atMs: clock.now() })] });
    clock.turn(10 * DAY_MS);
    await store.commit({ put: aMessage(world, 'answered') });
    expect(await forgetMessages({ store, clock: systemClock, beforeMs: clock.now() - 9 * DAY_MS, most: Infinity, signal: forever })).toBe(4);
    expect((await store.range(messages, [])).map(({ value }) => value.outcome)).toEqual(['accepted', 'pending', 'dead-lettered', 'accepted']);
    expect(await survey(store)).toEqual({ messages: 4, endings: 1, lines: 2, loose: 0 });
    expect(await store.range(dedupe, [])).toHaveLength(1);
    expect(await forgetMessages({ store, clock: systemClock, beforeMs: clock.now() - 9 * DAY_MS, most: Infinity, signal: forever })).toBe(0);
  });

  it('keeps at most so many, the newest, and never forgets the very last one', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    for (let n = 0; n < 30; n += 1) await store.commit({ put: Array.from({ length: 10 }, () => aMessage(world, 'answered')).flat() });
    expect(await store.count(messages)).toBe(300);
    expect(await forgetMessages({ store, clock: systemClock, beforeMs: Number.NEGATIVE_INFINITY, most: 120, signal: forever })).toBe(180);
    expect(await survey(store)).toEqual({ messages: 120, endings: 120, lines: 120, loose: 0 });
    clock.turn(DAY_MS);
    expect(await forgetMessages({ store, clock: systemClock, beforeMs: clock.now(), most: Infinity, signal: forever })).toBe(119);
    expect(await survey(store)).toEqual({ messages: 1, endings: 1, lines: 1, loose: 0 });
  });

  it('lets a message alone that is put back to work while it looks', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    const rows = aMessage(world, 'dropped');
    await store.commit({ put: [...rows, ...aMessage(world, 'answered')] });
    clock.turn(DAY_MS);
    const [{ key, value } = { key: [], value: undefined }] = await store.range(messages, []);
    // As a replay would write it between the look and the commit.
    const racing: Store = { ...wrapped(store), commit: async (commit) => (commit.remove?.length && value ? await store.commit({ put: [put(messages, key, { ...value, outcome: 'accepted', letter: 'l' })] }) : 'committed', await store.commit(commit)) };
    expect(await forgetMessages({ store: racing, clock: systemClock, beforeMs: clock.now(), most: Infinity, signal: forever })).toBe(0);
    expect((await store.get(messages, key))?.value).toMatchObject({ letter: 'l' });
  });

  it('leaves no half of a message behind when its process is killed in the middle, and goes on afterwards', async () => {
    await using world = await aWorld();
    for (let n = 0; n < 40; n += 1) await world.store.commit({ put: Array.from({ length: 100 }, () => aMessage(world, 'answered', `c${n}`)).flat() });
    await world.store[Symbol.asyncDispose]();
    for (let kill = 0; kill < 3; kill += 1) {
      const child = spawn(process.execPath, [join(import.meta.dirname, '../support/forgetter.ts'), world.dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: child.stdout });
      for (let commits = 0; commits < 3; commits += 1) await once(lines, 'line');
      child.kill('SIGKILL');
      await once(child, 'exit');
      await using store = await openStore({ dir: world.dir, clock: world.clock });
      const left = await survey(store);
      expect([left.loose, left.messages === left.endings, left.messages === left.lines, left.messages < 4000]).toEqual([0, true, true, true]);
    }
    await using store = await openStore({ dir: world.dir, clock: world.clock });
    await forgetMessages({ store, clock: systemClock, beforeMs: Infinity, most: Infinity, signal: forever });
    expect(await survey(store)).toEqual({ messages: 1, endings: 1, lines: 1, loose: 0 });
  });

  it('forgets sessions in which nobody wrote, and tells of its passes', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    const book = new SessionBook(store);
    const session = (key: string) => put(sessions, sessions.key(key), { startedAt: toTimestamp(clock.now()), lastAt: toTimestamp(clock.now()), messages: 1 });
    await store.commit({ put: [session('old'), ...aMessage(world, 'answered')] });
    clock.turn(400 * DAY_MS);
    await store.commit({ put: [session('young'), ...aMessage(world, 'answered')] });
    const retention = new Retention({ store, clock, wallClock: new WallClock({ store, clock, log: silentLog }), book, settings: RETENTION_DEFAULTS });
    expect(retention.view).toEqual({ settings: RETENTION_DEFAULTS });
    await retention.sweep(forever);
    expect(retention.view.last).toMatchObject({ messages: 1, sessions: 1, complete: true });
    expect((await store.range(sessions, [])).map(({ key }) => key[1])).toEqual(['young']);
  });

  it('forgets nothing by its age while the clock is doubted', async () => {
    await using world = await aWorld();
    const { store } = world;
    let aheadMs = 0;
    const clock = { now: () => world.clock.now() + aheadMs, monotonicMs: () => world.clock.monotonicMs() };
    await store.commit({ put: [...aMessage(world, 'answered'), ...aMessage(world, 'answered')] });
    const retention = new Retention({ store, clock, wallClock: new WallClock({ store, clock, log: silentLog }), book: new SessionBook(store), settings: RETENTION_DEFAULTS });
    aheadMs = 500 * DAY_MS;
    await retention.sweep(forever);
    expect(retention.view.last).toMatchObject({ messages: 0, skipped: 'clock-set' });
    aheadMs = 0; // somebody sees the warning
    await retention.sweep(forever);
    await retention.sweep(forever);
    expect(retention.view.last).toMatchObject({ messages: 0 });
    expect(await store.count(messages)).toBe(2);
  });
});

describe('a row that cannot be read', () => {
  it('stops neither retention nor the list, and is told of once', async () => {
    await using dir = await tempDir();
    const clock = aHandClock();
    const ids = createIds(clock);
    {
      await using store = await openStore({ dir: dir.path, clock });
      for (let n = 0; n < 250; n += 1) await store.commit({ put: aMessage({ ids, clock }, 'answered', 'c', { text: n % 50 === 49 || n === 99 ? 'BROKEN' : 'fine' }) });
    }
    const file = join(dir.path, 'data.mdb');
    const bytes = await readFile(file);
    for (let at = bytes.indexOf('"BROKEN"'); at !== -1; at = bytes.indexOf('"BROKEN"', at + 1)) bytes[at] = 0x21;
    await writeFile(file, bytes);
    clock.turn(DAY_MS);
    await using store = await openStore({ dir: dir.path, clock });
    const told: string[] = [];
    const stop = subscribe('store.unreadable', ({ table }) => told.push(table));
    let listed = 0;
    for (const sort of ['at', '-at'] as const) {
      let cursor: string | null | undefined;
      do {
        const page: Awaited<ReturnType<typeof listMessages>> = await listMessages(store, { sort, limit: 25, ...(cursor && { cursor }) });
        listed += page.items.length;
        cursor = page.cursor;
      } while (cursor);
    }
    expect(listed).toBe(2 * 245);
    expect(await forgetMessages({ store, clock: systemClock, beforeMs: clock.now(), most: Infinity, signal: forever })).toBe(245);
    stop();
    expect([told, await store.count(messages)]).toEqual([Array.from({ length: 5 }, () => 'messages'), 5]);
  });
});

describe('a session that is forgotten', () => {
  it('goes in commits of a hundred, and its id is never another session’s, also after a restart', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    const book = new SessionBook(store);
    const at = toTimestamp(clock.now());
    await store.commit({ put: Array.from({ length: 250 }, (_, n) => put(sessions, sessions.key(`webhook:${n}`), { startedAt: at, lastAt: at, messages: 1, ...(n === 7 && { generation: 4 }) })) });
    (await book.open('webhook:7'))[Symbol.dispose]();
    clock.turn(DAY_MS);
    const before = store.stats().committed;
    expect(await book.forget({ clock, beforeMs: clock.now(), signal: forever })).toBe(250);
    expect(store.stats().committed - before).toBe(3);
    for (const each of [book, new SessionBook(store)]) {
      using session = await each.open('webhook:7');
      expect(session.row).toBeUndefined();
      const row = counted(session.row, clock.now(), { policy: 'none' }, each.firstGeneration);
      expect(sessionOf('webhook:7', row)).toMatchObject({ id: 'webhook:7#5', messages: 1 });
    }
  });

  it('is reached in every pass, however many messages there are to forget', async () => {
    await using world = await aWorld();
    const { store, clock } = world;
    const book = new SessionBook(store);
    await store.commit({ put: [put(sessions, sessions.key('old'), { startedAt: toTimestamp(clock.now()), lastAt: toTimestamp(clock.now()), messages: 1 }), ...aMessage(world, 'answered'), ...aMessage(world, 'answered')] });
    clock.turn(400 * DAY_MS);
    await store.commit({ put: aMessage(world, 'answered') });
    // Their time is over before the first of them.
    const retention = new Retention({ store: { ...wrapped(store), count: async (table) => (await delay(20), await store.count(table)) }, clock, wallClock: { isBelieved: async () => true }, book, settings: RETENTION_DEFAULTS, times: { messages: 1, all: 60_000 } });
    await retention.sweep(forever);
    expect(retention.view.last).toMatchObject({ messages: 0, sessions: 1, complete: false });
  });
});

const wrapped = (store: Store): Store => ({
  get: (table, key) => store.get(table, key),
  range: (table, prefix, options) => store.range(table, prefix, options),
  count: (table) => store.count(table),
  commit: (commit) => store.commit(commit),
  watch: (table, onChange) => store.watch(table, onChange),
  [Symbol.asyncDispose]: async () => undefined,
});
