// Letters on a real store: retention by age and by number, marks that outlive their letter, pages of a rare filter.
import { describe, expect, it } from 'vitest';
import { createIds } from '../../host/ids.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Store } from '../../host/store/store.ts';
import { deadLetters, messages, letterReplays, type DeadLetterRow, type MessageRow } from '../../host/store/tables.ts';
import { DeadLetters } from '../../host/pipeline/letters/dead-letters.ts';
import { LetterReplays } from '../../host/pipeline/letters/letter-replays.ts';
import { aHandClock, type HandClock } from '../support/hand-clock.ts';
import { conversationId, instanceId, messageId, sessionId, withIds } from '../support/ids.ts';
import { tempDir } from '../support/temp.ts';

const DAY_MS = 24 * 3600 * 1000;

interface World extends AsyncDisposable {
  readonly clock: HandClock;
  readonly store: Store;
  readonly letters: DeadLetters;
  readonly replays: LetterReplays;
  readonly enqueued: string[];
  add(id: string, more?: Partial<DeadLetterRow>): Promise<void>;
  ids(): Promise<string[]>;
}

async function aWorld(): Promise<World> {
  const dir = await tempDir();
  const clock = aHandClock();
  const store = await openStore({ dir: dir.path, clock });
  const enqueued: string[] = [];
  const letters = new DeadLetters({ store, clock, ids: createIds(clock), enqueueLane: (_, { messageId }) => void enqueued.push(messageId), enqueueDelivery: ({ messageId }) => void enqueued.push(messageId) });
  return {
    clock,
    store,
    letters,
    replays: new LetterReplays({ clock, store, deadLetters: letters, directory: { channel: (instance) => (instance === 'door' ? ({} as never) : undefined) } }),
    enqueued,
    async add(id, more = {}) {
      const at = new Date(clock.now()).toISOString();
      const letter: DeadLetterRow = { id, messageId: messageId(`m-${id}`), instance: instanceId('door'), conversation: conversationId('c'), direction: 'inbound', work: { kind: 'respond', sessionKey: sessionId('door:c') }, stage: 'respond', code: 'RESPOND_FAILED', reason: 'broken', attempts: 5, at, ...more };
      const message = withIds<MessageRow>({ id: `m-${id}`, instance: 'door', conversation: 'c', sessionKey: 'door:c', sender: { id: 's' }, direction: 'inbound', outcome: 'dead-lettered', text: 'hi', mentions: [], media: [], at, flags: [], stages: [] });
      await store.commit({ put: [put(deadLetters, deadLetters.key(id), letter), put(messages, messages.key(message.id), message)] });
    },
    ids: async () => (await letters.list({}, { limit: 200 })).items.map(({ id }) => id),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const never = new AbortController().signal;

describe('letters', () => {
  it('are forgotten by age: what is exactly as old as allowed stays', async () => {
    await using world = await aWorld();
    await world.add('a');
    world.clock.turn(DAY_MS);
    await world.add('b');
    expect(await world.letters.forget(world.clock.now() - DAY_MS, 100, never)).toBe(0);
    world.clock.turn(1);
    expect(await world.letters.forget(world.clock.now() - DAY_MS, 100, never)).toBe(1);
    expect(await world.ids()).toEqual(['b']);
    expect((await world.store.get(messages, messages.key('m-a')))?.value.outcome).toBe('dropped');
  });

  it('are forgotten by number, the oldest first', async () => {
    await using world = await aWorld();
    for (const id of ['a', 'b', 'c', 'd']) await world.add(id);
    expect(await world.letters.forget(0, 4, never)).toBe(0);
    expect(await world.letters.forget(0, 2, never)).toBe(2);
    expect(await world.ids()).toEqual(['d', 'c']);
  });

  it('are counted beyond a thousand too', async () => {
    await using world = await aWorld();
    const [{ key: _, value: one } = { key: [], value: undefined }] = (await world.add('a'), await world.store.range(deadLetters, []));
    if (!one) throw new Error('there is no letter');
    await world.store.commit({ put: Array.from({ length: 1204 }, (__, n) => put(deadLetters, deadLetters.key(`b${n}`), { ...one, id: `b${n}` })) });
    expect(await world.letters.count()).toBe(1205);
  });

  it('whose work is under way are neither listed nor forgotten', async () => {
    await using world = await aWorld();
    await world.add('a');
    await world.add('b');
    await world.letters.replay('a');
    expect([await world.ids(), await world.letters.count()]).toEqual([['b'], 1]);
    world.clock.turn(DAY_MS);
    expect(await world.letters.forget(world.clock.now(), 100, never)).toBe(1);
    expect((await world.letters.show('a')).letter.replayedAt).toBeDefined();
  });

  it('give short pages for a rare filter, and every letter in the end', async () => {
    await using world = await aWorld();
    for (let n = 0; n < 30; n += 1) await world.add(`l${String(n).padStart(2, '0')}`, { code: n % 10 === 0 ? 'DELIVERY_FAILED' : 'RESPOND_FAILED' });
    const found: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await world.letters.list({ code: 'DELIVERY_FAILED' }, { cursor, limit: 2 });
      found.push(...page.items.map(({ id }) => id));
      if (page.cursor === null) break;
      cursor = page.cursor;
    }
    expect(found).toEqual(['l20', 'l10', 'l00']);
  });
});

describe('replays', () => {
  it('guard what may have been delivered', async () => {
    await using world = await aWorld();
    await world.add('a', { direction: 'outbound', work: { kind: 'deliver' } });
    const key = messages.key('m-a');
    const message = (await world.store.get(messages, key))?.value as MessageRow;
    await world.store.commit({ put: [put(messages, key, { ...message, stages: [{ stage: 'send', decision: 'unknown', durationMs: 0 }] })] });
    await expect(world.replays.replay('a')).rejects.toMatchObject({ code: 'DEAD_LETTER_GUARDED', message: expect.stringContaining('may have been delivered') });
    expect(await world.replays.replay('a', { force: true })).toMatchObject({ status: 'replayed' });
    expect(world.enqueued).toEqual(['m-a']);
  });

  it('take up marks a bounded number at a time, and lose those whose letter is gone', async () => {
    await using world = await aWorld();
    for (let n = 0; n < 45; n += 1) await world.add(`l${String(n).padStart(2, '0')}`);
    expect(await world.replays.mark({}, { actor: 'token:x' })).toEqual({ marked: 45, guarded: {}, more: false });
    await world.store.commit({ put: [put(letterReplays, letterReplays.key('gone'), { force: false, actor: 'token:x' })] });
    let again = 0;
    const pass = () => world.replays.worker(() => void (again += 1)).run(never);
    await pass();
    expect(world.enqueued).toHaveLength(19); // and the mark whose letter is gone
    await pass();
    await pass();
    expect(world.enqueued).toHaveLength(45);
    expect(await world.store.range(letterReplays, letterReplays.prefix(), { limit: 10 })).toEqual([]);
  });

  it('mark no more than asked, and say that there are more', async () => {
    await using world = await aWorld();
    for (let n = 0; n < 5; n += 1) await world.add(`l${n}`);
    expect(await world.replays.mark({}, { actor: 'token:x', limit: 3 })).toEqual({ marked: 3, guarded: {}, more: true });
  });
});
