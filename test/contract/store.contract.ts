// What any engine behind the store port must do. `lmdb.test.ts` runs it; the next engine will too.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { put, scan, type Key, type Store, type Table } from '../../host/store/store.ts';
import { TABLES } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp.ts';

/** Two tables that exist, with rows of our own: the contract is about rows, not about what they mean. */
const items: Table<{ readonly value: unknown }> = { name: 'kv' };
const others: Table<{ readonly value: unknown }> = { name: 'sessions' };

export interface StoreEngine {
  readonly name: string;
  readonly open: (dir: string) => Promise<Store>;
  /** A script that opens the engine in `argv[2]`, commits pairs (see store-writer.ts) and prints each number once it is durable. */
  readonly writer: string;
}

export function storeContract({ name, open, writer }: StoreEngine): void {
  const item = (key: string): Key => ['default', 'shop', key];
  const shop: Key = ['default', 'shop'];
  const value = (of: unknown) => ({ value: of });

  async function opened(): Promise<AsyncDisposable & { store: Store; dir: string; reopen: () => Promise<Store> }> {
    const dir = await tempDir();
    let store = await open(dir.path);
    return {
      get store() {
        return store;
      },
      dir: dir.path,
      async reopen() {
        await store[Symbol.asyncDispose]();
        store = await open(dir.path);
        return store;
      },
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await dir[Symbol.asyncDispose]();
      },
    };
  }

  const write = (store: Store, key: Key, of: unknown) => store.commit({ put: [put(items, key, value(of))] });
  const read = async (store: Store, key: Key) => (await store.get(items, key))?.value.value;
  const versionOf = async (store: Store, key: Key) => (await store.get(items, key))?.version ?? 'absent';
  const keysUnder = async (store: Store, prefix: Key, options = {}) => (await store.range(items, prefix, options)).map(({ key }) => key);

  describe(`store contract: ${name}`, () => {
    describe('commit', () => {
      it('writes and removes rows of several tables at once', async () => {
        await using it = await opened();
        await write(it.store, item('old'), 1);
        expect(await it.store.commit({ put: [put(items, item('new'), value('é\0😀')), put(others, shop, value('other'))], remove: [{ table: items, key: item('old') }] })).toBe('committed');
        expect(await read(it.store, item('new'))).toBe('é\0😀');
        expect((await it.store.get(others, shop))?.value).toEqual(value('other'));
        expect(await it.store.get(items, item('old'))).toBeUndefined();
      });

      it('is seen by a read as soon as it resolves', async () => {
        await using it = await opened();
        for (let round = 0; round < 50; round += 1) {
          await write(it.store, item('same'), round);
          expect(await read(it.store, item('same'))).toBe(round);
        }
      });

      it('writes nothing and says conflict when any one expectation fails', async () => {
        await using it = await opened();
        await write(it.store, item('there'), 1);
        const version = await versionOf(it.store, item('there'));
        const attempts = [
          { key: item('there'), version: 'absent' as const },
          { key: item('missing'), version: 12 },
          { key: item('there'), version: Number(version) + 1 },
        ];
        for (const attempt of attempts) {
          const outcome = await it.store.commit({
            expect: [{ table: items, key: item('there'), version }, { table: items, ...attempt }],
            put: [put(items, item('there'), value(2)), put(others, shop, value(2))],
            remove: [{ table: items, key: item('there') }],
          });
          expect(outcome).toBe('conflict');
        }
        expect(await read(it.store, item('there'))).toBe(1);
        expect(await it.store.get(others, shop)).toBeUndefined();
      });

      it('writes nothing when a later row is too large or a later key too long', async () => {
        await using it = await opened();
        await expect(it.store.commit({ put: [put(items, item('first'), value(1)), put(items, item('big'), value('x'.repeat(8 * 1024 * 1024)))] })).rejects.toMatchObject({ code: 'STORE_ROW_TOO_LARGE' });
        await expect(it.store.commit({ put: [put(items, item('first'), value(1)), put(items, item('k'.repeat(2000)), value(1))] })).rejects.toMatchObject({ code: 'STORE_KEY' });
        await expect(it.store.commit({ put: [put(items, item('first'), value(1))], remove: [{ table: items, key: [] }] })).rejects.toMatchObject({ code: 'STORE_KEY' });
        expect(await it.store.get(items, item('first'))).toBeUndefined();
      });

      it('keeps a row of many mebibytes whole', async () => {
        await using it = await opened();
        const large = 'é'.repeat(3 * 1024 * 1024);
        await write(it.store, item('large'), large);
        expect(await read(it.store, item('large'))).toBe(large);
        expect(await read(await it.reopen(), item('large'))).toBe(large);
      });

      it('lets a thousand racing compare-and-set increments lose nothing', async () => {
        await using it = await opened();
        const key = item('counter');
        await write(it.store, key, 0);
        const increment = async (): Promise<void> => {
          for (;;) {
            const current = await it.store.get(items, key);
            const next = Number(current?.value.value) + 1;
            if ((await it.store.commit({ expect: [{ table: items, key, version: current?.version ?? 'absent' }], put: [put(items, key, value(next))] })) === 'committed') return;
          }
        };
        await Promise.all(Array.from({ length: 1000 }, increment));
        expect(await read(it.store, key)).toBe(1000);
      });

      it('admits exactly one of many who expect a row to be absent', async () => {
        await using it = await opened();
        const outcomes = await Promise.all(Array.from({ length: 100 }, (_, who) => it.store.commit({ expect: [{ table: items, key: item('once'), version: 'absent' }], put: [put(items, item('once'), value(who))] })));
        expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(1);
        expect(await read(it.store, item('once'))).toBe(outcomes.indexOf('committed'));
      });
    });

    describe('versions', () => {
      it('differ after a row is removed and written again', async () => {
        await using it = await opened();
        await write(it.store, item('row'), 1);
        const before = await versionOf(it.store, item('row'));
        await it.store.commit({ remove: [{ table: items, key: item('row') }] });
        await write(it.store, item('row'), 1);
        const outcome = await it.store.commit({ expect: [{ table: items, key: item('row'), version: before }], put: [put(items, item('row'), value(2))] });
        expect(outcome).toBe('conflict');
      });

      it('are kept over a restart and never used again after it', async () => {
        await using it = await opened();
        const seen = new Set<unknown>();
        for (let boot = 0; boot < 3; boot += 1) {
          for (let round = 0; round < 5; round += 1) {
            await it.store.commit({ remove: [{ table: items, key: item('row') }] });
            await write(it.store, item('row'), round);
            seen.add(await versionOf(it.store, item('row')));
          }
          const last = await versionOf(it.store, item('row'));
          expect(await versionOf(await it.reopen(), item('row'))).toBe(last);
        }
        expect(seen.size).toBe(15);
      });
    });

    describe('keys', () => {
      it('never meet, whatever their parts contain', async () => {
        await using it = await opened();
        const long = 'l'.repeat(64);
        const keys: Key[] = [
          ['a:b'], ['a', 'b'], ['a\0b'], ['a', '\0b'], ['a\0', 'b'], ['a', '', 'b'], ['a', ''], ['a'], ['', 'a'], ['a/b'],
          [`${long}\0b`], [long, 'b'], [`${long}\0`, 'b'], [long, '\0', 'b'], [`${long}\u0001b`], [`${long}\u0000\u00ffb`], [`${long}\u00ffb`],
          ['1'], [1], ['1', 1], [1, '1'], [-1], [0], [0.5], ['\uffff'], ['😀'], ['\u0000'], ['\u0000\u0000'], ['\u001b'], ['\u0004\u0000'], ['\u00ff'],
        ];
        await it.store.commit({ put: keys.map((key, index) => put(items, ['default', ...key], value(index))) });
        expect(await Promise.all(keys.map((key) => read(it.store, ['default', ...key])))).toEqual(keys.map((_, index) => index));
        const listed = await keysUnder(it.store, ['default']);
        expect(listed).toHaveLength(keys.length);
        expect(new Set(listed.map((key) => JSON.stringify(key)))).toEqual(new Set(keys.map((key) => JSON.stringify(['default', ...key]))));
      });

      it('sort numbers by value, strings by bytes, strings before numbers and shorter paths before longer ones', async () => {
        await using it = await opened();
        const sorted: Key[] = [
          ['t', ''], ['t', '', 'x'], ['t', '\0'], ['t', 'Z'], ['t', 'a'], ['t', 'a', -5], ['t', 'a', 5], ['t', 'a\0'], ['t', 'aa'], ['t', 'b'], ['t', 'é'], ['t', '\uffff'], ['t', '😀'],
          ['t', -1e300], ['t', -256], ['t', -1], ['t', -0.5], ['t', 0], ['t', 1e-300], ['t', 1], ['t', 2], ['t', 10], ['t', 256], ['t', 65_536], ['t', Number.MAX_SAFE_INTEGER],
        ];
        const shuffled = sorted.map((key, index) => ({ key, rank: (index * 7) % sorted.length })).sort((a, b) => a.rank - b.rank);
        await it.store.commit({ put: shuffled.map(({ key }) => put(items, key, value(1))) });
        expect(await keysUnder(it.store, ['t'])).toEqual(sorted);
        expect(await keysUnder(it.store, ['t'], { reverse: true })).toEqual(sorted.toReversed());
      });

      it.each([
        ['a lone surrogate', ['t', 'a\ud800']],
        ['not a number', ['t', Number.NaN]],
        ['two thousand characters', ['t', 'x'.repeat(2000)]],
        ['a path too long in all', ['t', ...Array.from({ length: 40 }, () => 'x'.repeat(50))]],
        ['nothing', []],
      ])('refuses %s by name instead of bending it', async (_, key) => {
        await using it = await opened();
        await expect(it.store.commit({ put: [put(items, key, value(1))] })).rejects.toMatchObject({ code: 'STORE_KEY' });
        await expect(it.store.get(items, key)).rejects.toMatchObject({ code: 'STORE_KEY' });
      });

      it('take the longest that the grammars of instance, conversation and ids allow', async () => {
        await using it = await opened();
        const path = ['default', 'i'.repeat(64), '€'.repeat(256), '€'.repeat(256)];
        await write(it.store, path, 1);
        expect(await keysUnder(it.store, path.slice(0, 3))).toEqual([path]);
        expect(await keysUnder(it.store, path.slice(0, 3), { after: path })).toEqual([]);
      });
    });

    it('counts the rows of a table without reading them', async () => {
      await using it = await opened();
      expect(await it.store.count(items)).toBe(0);
      await write(it.store, item('a'), 1);
      await write(it.store, item('b'), 2);
      await it.store.commit({ put: [put(items, item('a'), value(3))], remove: [{ table: items, key: item('b') }] });
      expect(await it.store.count(items)).toBe(1);
    });

    describe('range', () => {
      const letters = ['a', 'b', 'c', 'd', 'e'];
      const filled = async (store: Store) => {
        await store.commit({ put: [...letters.map((letter) => put(items, item(letter), value(letter))), put(items, ['default', 'shop2', 'z'], value('other')), put(items, ['default', 'shoo', 'z'], value('other'))] });
      };
      it.each([
        [{}, letters],
        [{ limit: 2 }, ['a', 'b']],
        [{ limit: 0 }, []],
        [{ reverse: true, limit: 2 }, ['e', 'd']],
        [{ from: item('b'), to: item('d') }, ['b', 'c']],
        [{ from: item('b'), to: item('d'), reverse: true }, ['c', 'b']],
        [{ from: item('bb') }, ['c', 'd', 'e']],
        [{ to: item('bb') }, ['a', 'b']],
        [{ after: item('b') }, ['c', 'd', 'e']],
        [{ after: item('b'), limit: 1 }, ['c']],
        [{ after: item('e') }, []],
        [{ from: item('d'), to: item('b') }, []],
        [{ from: ['a'], to: ['zzz'] }, letters],
        [{ to: item('c'), reverse: true, limit: 1 }, ['b']],
      ])('%j under a prefix yields %j and nothing of its neighbours', async (options, expected) => {
        await using it = await opened();
        await filled(it.store);
        expect((await it.store.range(items, shop, options)).map(({ value: row }) => row.value)).toEqual(expected);
      });

      it('includes a row that is the prefix itself, and children of the page before its next sibling', async () => {
        await using it = await opened();
        await it.store.commit({ put: [put(items, ['t', 'a'], value(1)), put(items, ['t', 'a', 'child'], value(2)), put(items, ['t', 'b'], value(3))] });
        expect(await keysUnder(it.store, ['t', 'a'])).toEqual([['t', 'a'], ['t', 'a', 'child']]);
        expect(await keysUnder(it.store, ['t'], { after: ['t', 'a'] })).toEqual([['t', 'a', 'child'], ['t', 'b']]);
      });

      it('carries versions that a commit accepts', async () => {
        await using it = await opened();
        await filled(it.store);
        const entries = await it.store.range(items, shop);
        expect(await it.store.commit({ expect: entries.map(({ key, version }) => ({ table: items, key, version })), remove: entries.map(({ key }) => ({ table: items, key })) })).toBe('committed');
        expect(await it.store.range(items, shop)).toEqual([]);
        expect(await it.store.range(items, [])).toHaveLength(2);
      });

      it('is walked page by page by scan, each row once and in order', async () => {
        await using it = await opened();
        const names = Array.from({ length: 2500 }, (_, index) => `k${String(index).padStart(5, '0')}`);
        await it.store.commit({ put: names.map((key) => put(items, item(key), value(key))) });
        const pages: number[] = [];
        const seen: unknown[] = [];
        for await (const page of scan(it.store, items, shop)) {
          pages.push(page.length);
          seen.push(...page.map(({ value: row }) => row.value));
        }
        expect(pages).toEqual([1000, 1000, 500]);
        expect(seen).toEqual(names);
      });
    });

    describe('watch', () => {
      it('hints at changes of its table, and only of its table, until stopped', async () => {
        await using it = await opened();
        let hints = 0;
        let elsewhere = 0;
        const stop = it.store.watch(items, () => (hints += 1));
        it.store.watch(others, () => (elsewhere += 1));
        await write(it.store, item('x'), 1);
        await eventually(() => expect(hints).toBe(1));
        await it.store.commit({ remove: [{ table: items, key: item('x') }] });
        await eventually(() => expect(hints).toBe(2));
        stop();
        let after = 0;
        it.store.watch(items, () => (after += 1));
        await write(it.store, item('x'), 2);
        await eventually(() => expect(after).toBe(1));
        expect(hints).toBe(2);
        expect(elsewhere).toBe(0);
      });

      it('hints after the change can be read', async () => {
        await using it = await opened();
        const seen = new Promise((resolve) => it.store.watch(items, () => resolve(read(it.store, item('x')))));
        await write(it.store, item('x'), 'news');
        expect(await seen).toBe('news');
      });
    });

    describe('closing', () => {
      it('waits for commits under way and refuses what comes after', async () => {
        await using it = await opened();
        const underWay = Array.from({ length: 50 }, (_, index) => write(it.store, item(`k${index}`), index));
        const closed = it.store[Symbol.asyncDispose]();
        await expect(write(it.store, item('late'), 1)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
        await expect(it.store.get(items, item('late'))).rejects.toMatchObject({ code: 'STORE_CLOSED' });
        await expect(it.store.range(items, [])).rejects.toMatchObject({ code: 'STORE_CLOSED' });
        expect(await Promise.all(underWay)).toEqual(underWay.map(() => 'committed'));
        await closed;
        expect(await (await it.reopen()).range(items, shop)).toHaveLength(50);
      });

      it('may be done twice', async () => {
        await using it = await opened();
        await it.store[Symbol.asyncDispose]();
        await it.store[Symbol.asyncDispose]();
        await expect(it.store.get(items, item('x'))).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      });
    });

    it('opens every table', async () => {
      await using it = await opened();
      for (const table of TABLES) expect(await it.store.get(table, ['default', 'nothing'])).toBeUndefined();
    });

    it('has every acknowledged commit, and none by half, after its process is killed', async () => {
      await using dir = await tempDir();
      for (const acknowledgements of [1, 150, 1200]) {
        const child = spawn(process.execPath, [writer, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
        const acknowledged: string[] = [];
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged.push(line);
          if (acknowledged.length === acknowledgements) child.kill('SIGKILL');
        }
        const store = await open(dir.path);
        const rows = await store.range(items, ['default', 'writer']);
        const values = new Set(rows.map(({ value: row }) => String(row.value)));
        expect(acknowledged.length).toBeGreaterThanOrEqual(acknowledgements);
        expect(acknowledged.filter((number) => !values.has(number))).toEqual([]);
        expect((await store.range(others, ['default', 'writer'])).map(({ value: row }) => String(row.value)).sort()).toEqual([...values].sort());
        await store.commit({ remove: rows.flatMap(({ key }) => [{ table: items, key }, { table: others, key }]) });
        await store[Symbol.asyncDispose]();
      }
    });
  });
}
