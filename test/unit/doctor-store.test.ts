// What `gatehouse doctor` says of a store, by breaking one that a real host filled.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import type { Finding } from '../../host/cli/doctor.ts';
import { examineStore } from '../../host/cli/doctor-store.ts';
import { openStore, type LmdbStore } from '../../host/store/lmdb.ts';
import { put } from '../../host/store/store.ts';
import { conversations, deadLetters, deliveries, endings, lanes, messages, meta } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { conversationId, instanceId } from '../support/ids.ts';
import { tempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';

const SOURCE = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => { if (message.text.includes('break')) throw new Error('broken'); if (message.text.includes('wait')) await new Promise(() => {}); return { replies: [{ text: message.text }] }; } } });`;

let home: TestHome;
let whole: string;
let besideItsHost: readonly Finding[];
beforeAll(async () => {
  home = await aHome([{ name: 'parrot', kind: 'skill', source: SOURCE, manifest: { skill: { triggers: { prefixes: ['say '] } }, limits: { wallMsPerCall: 60_000 } } }]);
  await addWebhook(home);
  await using gatehouse = await startGatehouse(home);
  const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
  for (const [id, text] of ['say this', 'say that', 'say break', 'say wait', 'nothing for anybody'].entries()) await client.post({ id: String(id), conversation: `c${id}`, text });
  const { store } = gatehouse.host;
  await eventually(async () => {
    const counts = [await store.count(deadLetters), await store.count(lanes), await store.count(deliveries)];
    if (counts.join() !== '1,1,0') throw new Error(`letters, lanes and deliveries are ${counts.join()}`);
  }, 120_000);
  whole = join(home.path, 'data/store');
  besideItsHost = await examineStore(whole, { clock: systemClock, deep: true });
});
afterAll(() => home[Symbol.asyncDispose]());

/** What is said of a copy, once it is broken. */
async function saidOf(harm: (store: LmdbStore) => Promise<unknown>, deep = true) {
  await using dir = await tempDir();
  const copy = join(dir.path, 'store');
  await cp(whole, copy, { recursive: true });
  {
    await using store = await openStore({ dir: copy, clock: systemClock });
    await harm(store);
  }
  return await examineStore(copy, { clock: systemClock, deep });
}

describe('doctor', () => {
  it('leaves the store of a running host alone, and says so', () => {
    expect(besideItsHost).toMatchObject([{ state: 'ok', detail: expect.stringContaining('running host') }]);
  });

  it.each([true, false])('finds nothing in the store of a host that answered, failed and was stopped at work (deep: %s)', async (deep) => {
    expect(await saidOf(async () => undefined, deep)).toEqual([
      { check: 'store', state: 'ok', detail: 'schema 1, as this Gatehouse writes it' },
      { check: 'store', state: 'ok', detail: expect.stringMatching(/^its tables agree \(all \d{2} rows\)$/) },
    ]);
  });

  it.each([
    ['a line of a conversation', async (store: LmdbStore) => ({ table: conversations, key: (await store.range(conversations, conversations.prefix()))[0]?.key ?? [] }), 'messages → conversations'],
    ['a place in a lane', async (store: LmdbStore) => ({ table: lanes, key: (await store.range(lanes, lanes.prefix()))[0]?.key ?? [] }), 'messages → lanes'],
  ] as const)('misses %s that is gone', async (_name, row, between) => {
    const said = await saidOf(async (store) => await store.commit({ remove: [await row(store)] }));
    expect(said.filter(({ state }) => state !== 'ok')).toEqual([{ check: 'store', state: 'failure', detail: expect.stringContaining(between), fix: expect.stringContaining('gatehouse restore') }]);
  });

  it('names everybody who speaks of a message that is gone, and a reply that no delivery waits for', async () => {
    const all = await saidOf(async (store) => {
      const rows = await store.range(messages, messages.prefix());
      await store.commit({ remove: rows.map(({ key }) => ({ table: messages, key })), put: [put(deliveries, deliveries.key('gone'), { instance: instanceId('webhook'), conversation: conversationId('c'), attempts: 0 })] });
    });
    const spoken = all.filter(({ state }) => state === 'failure').map(({ detail }) => detail.split(':')[0]);
    expect(spoken.toSorted()).toEqual(['conversations → messages', 'deadLetters → messages', 'deliveries → messages', 'endings → messages', 'lanes → messages']);
    const pending = await saidOf(async (store) => {
      const [reply] = (await store.range(messages, messages.prefix())).filter(({ value }) => value.direction === 'outbound');
      await store.commit({ put: reply ? [put(messages, reply.key, { ...reply.value, outcome: 'pending' })] : [], remove: reply ? [{ table: endings, key: endings.key(reply.value.id) }] : [] });
    });
    expect(pending.map(({ detail }) => detail)).toContainEqual(expect.stringContaining('messages → deliveries'));
  });

  it('says of another schema what a start would do, and leaves it as it is', async () => {
    const schema = async (version: number) => (await saidOf(async (store) => await store.commit({ put: [put(meta, meta.key('schema'), { schema: version })] })))[0];
    expect(await schema(0)).toMatchObject({ state: 'warning', detail: 'schema 0; a start brings it to 1, after a copy of it' });
    expect(await schema(9)).toMatchObject({ state: 'failure', detail: expect.stringContaining('schema 9'), fix: expect.stringContaining('copy') });
  });
});
