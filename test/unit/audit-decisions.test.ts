// Decisions of the registry and their entries in the transparency log: which moves are decisions, and that neither is ever on disk without the other.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { createIds } from '../../host/ids.ts';
import { Registry } from '../../host/registry/registry.ts';
import { openStore } from '../../host/store/lmdb.ts';
import type { Commit, Store } from '../../host/store/store.ts';
import { auditEntries, transitions, type AuditEntryRow, type TransitionRow } from '../../host/store/tables.ts';
import type { AuditEntry } from '../../schemas/audit.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { SKILL, configOf } from '../support/registry.ts';

/** A registry and its log over a store that tells each commit, and can be out of order. */
async function opened(home: TestHome) {
  const config = configOf(home.path);
  const real = await openStore({ dir: join(home.path, 'data/store'), clock: systemClock });
  const commits: Commit[] = [];
  const trouble = { isBroken: false };
  const store: Store = {
    get: (table, key) => real.get(table, key),
    range: (table, prefix, options) => real.range(table, prefix, options),
    count: (table) => real.count(table),
    watch: (table, onChange) => real.watch(table, onChange),
    async commit(commit) {
      if (trouble.isBroken) throw new GatehouseError('STORE_FAILED', { problem: 'the disk is full' });
      commits.push(commit);
      return real.commit(commit);
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  const audit = await openAuditLog({ config, store, clock: systemClock });
  const registry = await Registry.open({ config, store, audit, clock: systemClock, ids: createIds(systemClock), env: {} });
  const entries = async (): Promise<AuditEntry[]> => (await real.range(auditEntries, [])).map(({ value }) => value.entry);
  const moves = async () => (await real.range(transitions, [])).map(({ value }) => value.to);
  return { registry, commits, trouble, entries, moves, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const told = (entries: readonly AuditEntry[]) => entries.map(({ actor, action, resource, outcome }) => `${actor} ${action} ${resource} ${outcome}`);
const operator = { actor: 'token:x', reason: 'by hand' };

describe('decisions about trust', () => {
  it('are told from the start to the release from quarantine, with who decided', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: SKILL }, { name: 'bad', kind: 'skill', source: SKILL }]);
    await writeFile(join(home.path, 'plugins/test.bad-1.0.0/plugin.js'), 'changed');
    await using at = await opened(home);
    const { registry } = at;
    registry.move('echo', 'starting', { actor: 'host', reason: 'it starts' });
    registry.move('echo', 'active', { actor: 'host', reason: 'it is ready' });
    registry.move('echo', 'quarantined', { ...operator, code: 'PLUGIN_QUARANTINED', evidenceDigest: `sha256:${'0'.repeat(64)}` });
    await registry.release('echo', operator);
    await registry.disable('echo', operator);
    await registry.enable('echo', operator);
    const entries = (await at.entries()).filter(({ action }) => action.startsWith('plugin.') && action !== 'plugin.scan');
    expect(told(entries)).toEqual([
      'host plugin.reject bad refused',
      'host plugin.verify echo done', 'host plugin.approve echo done',
      'token:x plugin.quarantine echo done', 'token:x plugin.release echo done',
      'token:x plugin.disable echo done', 'token:x plugin.enable echo done', 'host plugin.verify echo done', 'host plugin.approve echo done',
    ]);
    expect(entries[0]?.detail).toMatchObject({ plugin: 'test.bad', code: 'RELEASE_FILES' });
    expect(entries[3]?.detail).toMatchObject({ plugin: 'test.echo', version: '1.0.0', from: 'active', reason: 'by hand', evidenceDigest: `sha256:${'0'.repeat(64)}` });
  });

  it('are told of an older release that an enablement permits', async () => {
    await using home = await aHome([{ name: 'aging', kind: 'skill', source: SKILL, version: '2.0.0' }]);
    {
      await using at = await opened(home);
      at.registry.move('aging', 'starting', { actor: 'host', reason: 'it starts' });
      at.registry.move('aging', 'active', { actor: 'host', reason: 'it is ready' });
      await at.registry.written();
    }
    await rm(join(home.path, 'plugins/test.aging-2.0.0'), { recursive: true });
    await home.add({ name: 'aging', kind: 'skill', source: SKILL, version: '1.0.0', enablement: { allowRollback: true } });
    await using at = await opened(home);
    const rollback = (await at.entries()).find(({ action }) => action === 'plugin.rollback');
    expect(rollback).toMatchObject({ resource: 'aging', detail: { version: '1.0.0', highestVersion: '2.0.0' } });
  });

  it('are written with their transition in one commit, and what is no decision has no entry', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: SKILL }]);
    await using at = await opened(home);
    at.registry.move('echo', 'starting', { actor: 'host', reason: 'it starts' });
    await at.registry.written();
    at.registry.move('echo', 'quarantined', { actor: 'host', reason: 'three strikes', code: 'PLUGIN_QUARANTINED' });
    await at.registry.written();
    const together = at.commits.map(({ put = [] }) => ({
      moves: put.flatMap(({ table, value }) => (table.name === transitions.name ? [(value as TransitionRow).to] : [])),
      entries: put.flatMap(({ table, value }) => (table.name === auditEntries.name ? [(value as AuditEntryRow).entry.action].filter((action) => action.startsWith('plugin.')) : [])),
    })).filter(({ moves }) => moves.length > 0);
    const decided: Readonly<Record<string, string>> = { verified: 'plugin.verify', scanned: 'plugin.scan', approved: 'plugin.approve', quarantined: 'plugin.quarantine' };
    expect(together.flatMap(({ moves }) => moves)).toEqual(['verified', 'scanned', 'approved', 'starting', 'quarantined']);
    for (const { moves, entries } of together) expect(entries).toEqual(moves.flatMap((to) => decided[to] ?? []));
  });

  it('are on disk with their transition or not at all, and come when the disk takes them again', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: SKILL }]);
    await using at = await opened(home);
    const before = (await at.entries()).length;
    at.trouble.isBroken = true;
    at.registry.move('echo', 'quarantined', { actor: 'host', reason: 'three strikes', code: 'PLUGIN_QUARANTINED' });
    await expect(at.registry.written()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await at.entries()).toHaveLength(before);
    expect(await at.moves()).not.toContain('quarantined');
    at.trouble.isBroken = false;
    await at.registry.written();
    expect(told((await at.entries()).slice(before))).toEqual(['host plugin.quarantine echo done']);
    expect(await at.moves()).toContain('quarantined');
  });
});
