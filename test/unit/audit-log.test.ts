// The transparency log on a real store: what is appended is durable, ordered, signed once a commit, and never half written.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, type LmdbStore } from '../../host/store/lmdb.ts';
import { put } from '../../host/store/store.ts';
import { auditEntries, auditHeads, auditKey, auditNodes, kvUsage } from '../../host/store/tables.ts';
import { AuditLog, type AuditDraft } from '../../host/trust/log/audit-log.ts';
import { entryBytes } from '../../host/trust/log/entry.ts';
import { logKeyFile, logTrustFile, openLogKey, publishLogKey } from '../../host/trust/log/log-key.ts';
import { listEntries, readEntry } from '../../host/trust/log/log-reads.ts';
import { Frontier, leafHash } from '../../host/trust/log/merkle.ts';
import { isHeadGenuine } from '../../host/trust/log/tree-head.ts';
import { generateKey, type SigningKey } from '../../host/trust/keys.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { tempDir } from '../support/temp.ts';

const clock = aHandClock();
const aDraft = (changes: Partial<AuditDraft> = {}): AuditDraft => ({ actor: 'host', action: 'plugin.quarantine', resource: 'echo', outcome: 'done', ...changes });

interface Opened extends AsyncDisposable {
  readonly store: LmdbStore;
  readonly log: AuditLog;
}

async function open(dir: string, key: SigningKey): Promise<Opened> {
  await using parts = new AsyncDisposableStack();
  const store = parts.use(await openStore({ dir, clock }));
  const log = parts.use(await AuditLog.open({ store, clock, key }));
  const stack = parts.move();
  return { store, log, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe('the log', () => {
  const key = generateKey('gatehouse-log');

  it('begins with its key, gives each entry its place, and signs the root of exactly these entries', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const { log, store } = opened;
    const entry = await log.append(aDraft({ detail: { reason: 'it looked odd', code: 'PLUGIN_QUARANTINED', at: undefined } }));
    expect(entry).toEqual({ index: 1, at: '2026-01-15T00:00:00.000Z', actor: 'host', action: 'plugin.quarantine', resource: 'echo', outcome: 'done', detail: { reason: 'it looked odd', code: 'PLUGIN_QUARANTINED' } });
    const first = await readEntry(store, 0, log.head.size);
    expect(first.entry).toMatchObject({ action: 'log.key', resource: key.keyid });
    expect(log.head.size).toBe(2);
    expect(isHeadGenuine(log.head, key.publicKey)).toBe(true);
    const root = [first.entry, entry].reduce((frontier, each) => frontier.append(leafHash(entryBytes(each))), new Frontier()).root();
    expect(log.head.root).toBe(root.toString('hex'));
    expect((await store.get(auditHeads, auditHeads.key('latest')))?.value).toEqual(log.head);
    await expect(readEntry(store, 2, log.head.size)).rejects.toMatchObject({ code: 'AUDIT_ENTRY_NOT_FOUND' });
  });

  it('writes many at once with one commit and one signature, in the order they were asked for', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const { log, store } = opened;
    const written: Events['audit.written'][] = [];
    const unsubscribe = subscribe('audit.written', (each) => written.push(each));
    const committed = store.stats().committed;
    const entries = await Promise.all(Array.from({ length: 300 }, (_, at) => log.append(aDraft({ resource: `r${at}` }))));
    unsubscribe();
    expect(entries.map(({ index, resource }) => [index, resource])).toEqual(Array.from({ length: 300 }, (_, at) => [at + 1, `r${at}`]));
    expect(store.stats().committed - committed).toBe(1);
    expect(written).toEqual([expect.objectContaining({ entries: 300, size: 301, outcome: 'written' })]);
  });

  it('goes on over a restart where it was, and over a change of its key says so', async () => {
    await using dir = await tempDir();
    {
      await using opened = await open(dir.path, key);
      for (let at = 0; at < 20; at += 1) await opened.log.append(aDraft({ resource: `r${at}` }));
    }
    {
      await using opened = await open(dir.path, key);
      expect(opened.log.head.size).toBe(21);
      expect((await opened.log.append(aDraft())).index).toBe(21);
    }
    const other = generateKey('gatehouse-log');
    await using opened = await open(dir.path, other);
    expect((await readEntry(opened.store, 22, opened.log.head.size)).entry).toMatchObject({ action: 'log.key', resource: other.keyid, detail: { previous: key.keyid } });
    expect(isHeadGenuine(opened.log.head, other.publicKey)).toBe(true);
  });

  it('commits entries and what they speak of together, or neither', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const { log, store } = opened;
    await log.commit([aDraft({ resource: 'both' })], { put: [put(kvUsage, kvUsage.key('both'), { bytes: 1 })] });
    expect((await store.get(kvUsage, kvUsage.key('both')))?.value).toEqual({ bytes: 1 });
    // A row that no store takes: nothing of the commit is there, the log goes on as if it had not been asked.
    const before = log.head;
    await expect(log.commit([aDraft({ resource: 'neither' })], { put: [put(kvUsage, kvUsage.key('x'.repeat(5000)), { bytes: 1 })] })).rejects.toMatchObject({ code: 'STORE_KEY' });
    expect(log.head).toBe(before);
    expect(await store.get(auditEntries, auditKey(before.size))).toBeUndefined();
    expect((await log.append(aDraft({ resource: 'after' }))).index).toBe(before.size);
  });

  it('refuses what is no entry before anybody shares a commit with it, and cuts what is only too long', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const { log } = opened;
    const [bad, good] = await Promise.allSettled([log.append(aDraft({ action: 'Not An Action' })), log.append(aDraft({ detail: { reason: '\u{1f600}'.repeat(2000), many: Array.from({ length: 60 }, () => 'x'.repeat(300)) } }))]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'INTERNAL' } });
    const detail = good.status === 'fulfilled' ? good.value.detail : undefined;
    expect(String(detail?.['reason'])).toMatch(/^\u{1f600}+…$/u);
    expect(String(detail?.['reason']).length).toBeLessThanOrEqual(1000);
    expect(detail?.['many']).toHaveLength(50);
    const { entry, leaf } = await readEntry(opened.store, 1, log.head.size);
    expect(leafHash(entryBytes(entry)).toString('base64')).toBe(leaf);
  });

  it('takes so many and no more while they wait, and tells whoever comes too late', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const asked = await Promise.allSettled(Array.from({ length: 10_001 }, () => opened.log.append(aDraft())));
    expect(asked.filter(({ status }) => status === 'rejected')).toEqual([{ status: 'rejected', reason: expect.objectContaining({ code: 'AUDIT_BUSY' }) }]);
    expect(opened.log.head.size).toBe(10_001);
  });

  it.each([
    { what: 'an entry behind its end', harm: (store: LmdbStore) => store.commit({ put: [put(auditEntries, auditKey(9), { entry: { index: 9, at: '2026-01-15T00:00:00.000Z', actor: 'x', action: 'x', resource: 'x', outcome: 'done' }, leaf: '' })] }) },
    { what: 'another hash of a subtree', harm: (store: LmdbStore) => store.commit({ put: [put(auditNodes, auditNodes.key(2, 0), Buffer.alloc(32).toString('base64'))] }) },
    { what: 'a hash less', harm: (store: LmdbStore) => store.commit({ remove: [{ table: auditNodes, key: auditNodes.key(2, 0) }] }) },
    { what: 'a head that nobody signed', harm: async (store: LmdbStore) => store.commit({ put: [put(auditHeads, auditHeads.key('latest'), { ...(await store.get(auditHeads, auditHeads.key('latest')))!.value, at: '2025-01-15T00:00:00.000Z' })] }) },
  ])('does not open on a store that somebody else gave $what', async ({ harm }) => {
    await using dir = await tempDir();
    {
      await using opened = await open(dir.path, key);
      for (let at = 0; at < 4; at += 1) await opened.log.append(aDraft());
      await harm(opened.store);
    }
    await expect(open(dir.path, key)).rejects.toMatchObject({ code: 'AUDIT_BROKEN' });
  });

  it('is listed newest first, through filters, page by page', async () => {
    await using dir = await tempDir();
    await using opened = await open(dir.path, key);
    const { log, store } = opened;
    for (const [at, action] of ['plugin.enable', 'plugin.quarantine', 'approval.add', 'plugin.enable'].entries()) await log.append(aDraft({ action, resource: at === 0 ? 'a' : 'b', actor: at === 2 ? 'token:x' : 'host' }));
    const list = async (query: Parameters<typeof listEntries>[1]) => (await listEntries(store, query)).items.map(({ index }) => index);
    expect(await list({})).toEqual([4, 3, 2, 1, 0]);
    expect(await list({ action: 'plugin.enable' })).toEqual([4, 1]);
    expect(await list({ action: 'plugin.' })).toEqual([4, 2, 1]);
    expect(await list({ resource: 'b', actor: 'token:x' })).toEqual([3]);
    expect(await list({ since: '2026-01-15T00:00:00.001Z' })).toEqual([]);
    const first = await listEntries(store, { limit: 2 });
    expect((await listEntries(store, { limit: 2, cursor: first.cursor ?? '' })).items.map(({ index }) => index)).toEqual([2, 1]);
  });
});

describe('the key of the log', () => {
  it('is made once, readable by its owner alone, and published beside the keys of other data directories', async () => {
    await using home = await tempDir();
    const file = logTrustFile(join(home.path, 'manifests'));
    const told: string[] = [];
    const publish = async (data: string) => {
      const key = await openLogKey(join(home.path, data));
      expect(await publishLogKey(key, { file, since: '2026-01-15T00:00:00.000Z', onWriting: (path, text) => told.push(path, text) })).toBeUndefined();
      return key;
    };
    const first = await publish('data');
    expect((await stat(logKeyFile(join(home.path, 'data')))).mode & 0o777).toBe(0o600);
    expect((await publish('data')).keyid).toBe(first.keyid);
    const second = await publish('elsewhere');
    expect((JSON.parse(await readFile(file, 'utf8')) as { keys: { keyid: string }[] }).keys.map(({ keyid }) => keyid)).toEqual([first.keyid, second.keyid]);
    expect(told).toEqual([file, expect.stringContaining(first.keyid), file, await readFile(file, 'utf8')]);
  });
});
