// kv over a real store: which keys it takes, how pages follow each other, and what an instance is charged when commits fail, meet or come twice.
import { describe, expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.ts';
import type { CallScope } from '../../host/broker/call-scope.ts';
import { MinuteQuotas } from '../../host/broker/quota.ts';
import { KvLedger, type KvRows } from '../../host/capabilities/kv-ledger.ts';
import { kvOperations } from '../../host/capabilities/kv.ts';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { createLog } from '../../host/log.ts';
import { PluginWrites } from '../../host/pipeline/plugin-writes.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { Store } from '../../host/store/store.ts';
import { kvUsage } from '../../host/store/tables.ts';
import { tempDir } from '../support/temp.ts';

const QUOTA_BYTES = 4096;

async function aKv() {
  const dir = await tempDir();
  const store = await openStore({ dir: dir.path, clock: systemClock });
  const ledger = new KvLedger(store);
  const writes = new PluginWrites({ directory: { isFrozen: () => false }, store, ledger, ids: createIds(systemClock), onSent: () => undefined });
  const broker = new Broker({ operations: kvOperations(store, ledger), quotas: new MinuteQuotas(systemClock), log: createLog('error') });
  let calls = 0;

  const open = () => broker.open(`c${++calls}`);
  const ask = (scope: CallScope, op: string, args: unknown, instance = 'shop') =>
    broker.serve({ instance, plugin: 'test.shop', grants: [{ name: 'kv', quotaBytes: QUOTA_BYTES }] }, { callId: scope.callId, attemptKey: '', op, args });
  return {
    store,
    ledger,
    writes,
    broker,
    open,
    ask,
    /** One call that sets what is given, closed and waiting for its commit. */
    async called(entries: Readonly<Record<string, unknown>>, instance = 'shop') {
      const scope = open();
      for (const [key, value] of Object.entries(entries)) expect(await ask(scope, 'kv.set', { key, value }, instance)).toMatchObject({ ok: true });
      broker.close(scope);
      return scope;
    },
    async commit(scope: CallScope) {
      const rows = await ledger.rowsOf(scope);
      expect(await store.commit({ put: rows.put, remove: rows.remove })).toBe('committed');
      rows.done(true);
      scope.release();
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Bytes of an entry whose value is a number of one digit. */
const size = (key: string) => Buffer.byteLength(key) + 1;

describe('kv keys', () => {
  const wrong = { 'a lone surrogate': '\ud800', 'a control character': 'a\u0000b', 'delete as a character': 'a\u007f', 'more than 512 bytes of UTF-8': 'é'.repeat(257) };

  it.for(Object.entries(wrong))('refuses %s in every operation', async ([, key]) => {
    await using kv = await aKv();
    const scope = kv.open();
    const requests: [string, object, string][] = [['kv.get', { key }, '/key'], ['kv.set', { key, value: 1 }, '/key'], ['kv.delete', { key }, '/key'], ['kv.list', { prefix: key }, '/prefix'], ['kv.list', { after: key }, '/after']];
    for (const [op, args, path] of requests) expect([op, await kv.ask(scope, op, args)]).toMatchObject([op, { ok: false, code: 'CAPABILITY_ARGUMENT', message: expect.stringContaining(path) }]);
    expect(scope.hasWrites).toBe(false);
  });

  it('refuses an empty key, and takes an empty prefix', async () => {
    await using kv = await aKv();
    const scope = kv.open();
    for (const op of ['kv.get', 'kv.set', 'kv.delete']) expect(await kv.ask(scope, op, { key: '', ...(op === 'kv.set' && { value: 1 }) })).toMatchObject({ code: 'CAPABILITY_ARGUMENT' });
    expect(await kv.ask(scope, 'kv.list', { prefix: '', after: '' })).toMatchObject({ ok: true });
  });

  it('takes a key of exactly 512 bytes through to the store', async () => {
    await using kv = await aKv();
    const key = 'é'.repeat(256);
    await kv.commit(await kv.called({ [key]: 7 }));
    expect(await kv.ask(kv.open(), 'kv.get', { key })).toMatchObject({ ok: true, value: 7 });
  });
});

describe('kv.list', () => {
  const KEYS = ['o', 'p', 'pa', 'p\uFFFD', 'p😀', 'p\u{10ffff}x', 'q'];

  /** Keys of every page, two at a time. */
  async function pages(kv: Awaited<ReturnType<typeof aKv>>, scope: CallScope, prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let after: string | null = '';
    while (after !== null) {
      const reply = await kv.ask(scope, 'kv.list', { prefix, after, limit: 1 });
      const page = (reply as { value: { items: { key: string }[]; cursor: string | null } }).value;
      keys.push(...page.items.map((each) => each.key));
      after = page.cursor;
    }
    return keys;
  }

  it('shows every key once over its pages, in the order of the store, beyond the basic plane too', async () => {
    await using kv = await aKv();
    await kv.commit(await kv.called(Object.fromEntries(KEYS.map((key) => [key, 1]))));
    const scope = kv.open();
    expect(await pages(kv, scope, 'p')).toEqual(['p', 'pa', 'p\uFFFD', 'p😀', 'p\u{10ffff}x']);
    expect(await pages(kv, scope, '')).toEqual(KEYS);
    expect(await pages(kv, scope, 'p\u{10ffff}')).toEqual(['p\u{10ffff}x']);
  });

  it('does the same for writes that only this call sees yet', async () => {
    await using kv = await aKv();
    const scope = kv.open();
    for (const key of KEYS) await kv.ask(scope, 'kv.set', { key, value: 1 });
    expect(await pages(kv, scope, 'p')).toEqual(['p', 'pa', 'p\uFFFD', 'p😀', 'p\u{10ffff}x']);
  });
});

describe('the kv ledger', () => {
  const persisted = async (store: Store) => (await store.get(kvUsage, kvUsage.key('shop')))?.value.bytes;

  it('charges a committed call once, however often its scope is settled again', async () => {
    await using kv = await aKv();
    const scope = await kv.called({ a: 1 });
    await kv.commit(scope);
    expect(await kv.ledger.used('shop')).toBe(size('a'));
    await kv.commit(await kv.called({ a: 'longer' }));
    await kv.commit(scope);
    expect(await kv.ledger.used('shop')).toBe('a'.length + '"longer"'.length);
    expect(await kv.ask(kv.open(), 'kv.get', { key: 'a' })).toMatchObject({ value: 'longer' });
  });

  it('takes back what a commit that failed would have added or removed', async () => {
    await using kv = await aKv();
    await kv.commit(await kv.called({ a: 1 }));
    const failed = await kv.called({ a: 'longer', b: 2 });
    const rows = await kv.ledger.rowsOf(failed);
    rows.done(false);
    rows.done(false);
    failed.release();
    expect(await kv.ledger.used('shop')).toBe(size('a'));

    const removal = kv.open();
    await kv.ask(removal, 'kv.delete', { key: 'a' });
    (await kv.ledger.rowsOf(removal)).done(false);
    expect(await kv.ledger.used('shop')).toBe(size('a'));

    // The same writes, tried again: counted once.
    await kv.commit(failed);
    expect(await kv.ledger.used('shop')).toBe('a'.length + '"longer"'.length + size('b'));
    expect(await persisted(kv.store)).toBe(await kv.ledger.used('shop'));
  });

  it('stays exact when two commits of one key are under way and the first fails', async () => {
    await using kv = await aKv();
    await kv.commit(await kv.called({ a: 1 }));
    const first = await kv.called({ a: 'first' });
    const second = await kv.called({ a: 'the second' });
    const firstRows = await kv.ledger.rowsOf(first);
    const secondRows = await kv.ledger.rowsOf(second);
    firstRows.done(false);
    first.release();
    await kv.store.commit({ put: secondRows.put });
    secondRows.done(true);
    second.release();
    expect(await kv.ledger.used('shop')).toBe('a'.length + '"the second"'.length);
  });

  it('stays exact when the second of two commits of one key fails', async () => {
    await using kv = await aKv();
    const first = await kv.called({ a: 'first' });
    const second = await kv.called({ a: 'the second' });
    const firstRows = await kv.ledger.rowsOf(first);
    const secondRows = await kv.ledger.rowsOf(second);
    await kv.store.commit({ put: firstRows.put });
    firstRows.done(true);
    secondRows.done(false);
    for (const each of [first, second]) each.release();
    expect(await kv.ledger.used('shop')).toBe('a'.length + '"first"'.length);
  });

  it('leaves nothing counted when a later instance of the same call cannot be settled', async () => {
    await using kv = await aKv();
    const scope = await kv.called({ a: 1 });
    // What no broker would let through: the ledger must not trust it.
    const damaged = kv.open();
    damaged.write('shop', 'b', { value: 1, sizeBytes: 2 });
    damaged.write('other', '\ud800', { value: 1, sizeBytes: 2 });
    await expect(kv.ledger.rowsOf(damaged)).rejects.toMatchObject({ code: 'STORE_KEY' });
    await kv.commit(scope);
    expect(await kv.ledger.used('shop')).toBe(size('a'));
  });

  it('leaves nothing counted or reserved when a later call of the same commit cannot be settled', async () => {
    await using kv = await aKv();
    const scope = await kv.called({ a: 1 });
    const damaged = kv.open();
    damaged.write('shop', '\ud800', null);
    await expect(kv.writes.of([scope, damaged])).rejects.toMatchObject({ code: 'STORE_KEY' });
    expect(await kv.ledger.used('shop')).toBe(0);
  });

  it('gives reservations back with the outcome, whichever it is', async () => {
    await using kv = await aKv();
    for (const committed of [false, true]) {
      const scope = await kv.called({ a: 1 });
      expect(await kv.ledger.used('shop')).toBe(size('a'));
      const carried = await kv.writes.of([scope]);
      if (committed) await kv.store.commit(carried?.rows() ?? {});
      carried?.done(committed);
      expect(await kv.ledger.used('shop')).toBe(committed ? size('a') : 0);
    }
  });

  it('adds no row for a call that wrote nothing', async () => {
    await using kv = await aKv();
    expect(await kv.ledger.rowsOf(kv.open())).toMatchObject({ put: [], remove: [] } satisfies Partial<KvRows>);
  });
});
