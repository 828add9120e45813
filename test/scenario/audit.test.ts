// The transparency log of a whole host: who did what by the API and by file, while it ran and while it did not; and the log is right afterwards.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../schemas/audit.ts';
import { auditEntries } from '../../host/store/tables.ts';
import { judged } from '../support/audit-export.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';

const SKILL = `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`;

const entriesOf = async ({ host }: Gatehouse): Promise<AuditEntry[]> => (await host.store.range(auditEntries, [])).map(({ value }) => value.entry);
const told = (entries: readonly AuditEntry[]) => entries.map(({ actor, action, resource }) => `${actor.replace(/^token:.*/, 'token')} ${action} ${resource}`);

describe('the log of a host', () => {
  it('tells what operators do by the API and by file, at once and over a stop', async () => {
    await using home = await aHome([{ name: 'echo', kind: 'skill', source: SKILL }, { name: 'other', kind: 'skill', source: SKILL }]);
    let before = 0;
    {
      await using gatehouse = await startGatehouse(home);
      expect(told(await entriesOf(gatehouse))).toEqual(expect.arrayContaining(['file file.add manifests/host.json', 'file file.add manifests/plugins/echo.json', 'file file.add manifests/trust/publishers/test.json', 'host file.add manifests/trust/log.json', 'host plugin.verify echo']));
      before = (await entriesOf(gatehouse)).length;
      expect((await gatehouse.api('/plugins/echo/quarantine', { method: 'POST', body: { reason: 'it looked odd' } })).status).toBe(200);
      expect((await gatehouse.api('/plugins/other/disable', { method: 'POST', body: { reason: 'not needed' } })).status).toBe(200);
      expect(told((await entriesOf(gatehouse)).slice(before))).toEqual([
        'token api.plugins.quarantine /plugins/echo/quarantine', 'token plugin.quarantine echo', 'token api.plugins.quarantine /plugins/echo/quarantine',
        'token api.plugins.disable /plugins/other/disable', 'token plugin.disable other', 'token api.plugins.disable /plugins/other/disable',
      ]);
      before = (await entriesOf(gatehouse)).length;
    }
    // Nobody runs, and somebody edits.
    await home.add({ name: 'third', kind: 'skill', source: SKILL });
    await rm(join(home.path, 'manifests/plugins/echo.json'));
    await writeFile(join(home.path, 'manifests/trust/revocations.json'), JSON.stringify({ digests: [`sha256:${'0'.repeat(64)}`] }));
    await using gatehouse = await startGatehouse(home);
    const since = told((await entriesOf(gatehouse)).slice(before));
    // The host's own write of `enabled` was told as its own before it stopped.
    expect(since[0]).toBe('host file.change manifests/plugins/other.json');
    expect(since.slice(1, 4).toSorted()).toEqual(['file file.add manifests/plugins/third.json', 'file file.add manifests/trust/revocations.json', 'file file.remove manifests/plugins/echo.json']);
    expect(since).toContain('host plugin.approve third');

    // And while it runs.
    before = (await entriesOf(gatehouse)).length;
    await writeFile(join(home.path, 'manifests/trust/revocations.json'), JSON.stringify({ plugins: [{ id: 'test.third', range: '*' }] }));
    await gatehouse.api('/reload', { method: 'POST' });
    await eventually(async () => expect(told((await entriesOf(gatehouse)).slice(before))).toEqual(expect.arrayContaining(['file file.change manifests/trust/revocations.json', 'host plugin.revoke third'])));

    const { cursor: _, ...page } = (await gatehouse.api('/audit?action=file.&limit=200')).json<{ items: AuditEntry[]; cursor: string | null }>();
    expect(page.items.every(({ action }) => action.startsWith('file.'))).toBe(true);
    const bytes = Buffer.from((await gatehouse.api('/audit/export')).text);
    expect(await judged(bytes, gatehouse.host.audit.key)).toMatchObject({ ok: true, entries: gatehouse.host.audit.head.size });
  });
});
