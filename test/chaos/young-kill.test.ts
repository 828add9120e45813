// kill -9 at the moments that are not about messages: a host that has hardly begun, a quarantine, a file being switched on and off. What is found afterwards is whole, one thing or the other.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put, type Table } from '../../host/store/store.ts';
import { meta } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { TEST_MIGRATIONS } from '../support/store-migrator.ts';
import { tempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';
import { exportMessages, startUnderFire, underFire } from './under-fire.ts';

async function api<Answer>({ address }: HostProcess, home: TestHome, path: string, body?: unknown): Promise<Answer> {
  const token = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();
  const response = await fetch(`${address}/api/v1${path}`, { headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** What is left beside the finished files: drafts that a kill cut short. None may carry the name of a finished one. */
const filesIn = async (folder: string) => (await readdir(folder)).filter((name) => !name.startsWith('.'));

describe('a host that is killed within its first 200 ms, ten times over', () => {
  it('starts afterwards from a home it had never finished starting in', async () => {
    await using fire = await underFire();
    for (let kill = 0; kill < 10; kill += 1) await fire.stillborn(20 * (kill + 1));
    await fire.host();
    await fire.traffic.send(8);
    expect(await fire.verdict()).toMatchObject({ ok: true, faults: [] });
    expect((await readFile(join(fire.home.path, 'data/admin-token'), 'utf8')).trim()).toMatch(/^ght_/);
  });

  it('goes on with the work it was killed over', async () => {
    await using fire = await underFire();
    const host = await fire.host();
    const struck = host.strike('host killed', 'conclude', 10);
    const sent = fire.traffic.send(8);
    await struck;
    for (let kill = 0; kill < 10; kill += 1) await fire.stillborn(randomInt(20, 200) + 40 * kill);
    await fire.through(sent);
    expect(await fire.verdict()).toMatchObject({ ok: true, faults: [] });
    expect((await readdir(join(fire.home.path, 'data/store'))).filter((name) => name.startsWith('owner-'))).toHaveLength(1);
  });
});

describe('a kill while a plugin is quarantined', () => {
  it('leaves it running, or in quarantine with its evidence; in quarantine if the operator was told so', async () => {
    await using home = await aHome();
    await addWebhook(home, { required: true });
    await addFirstParty(home, 'echo');
    let host = await startProcess(home.path);
    const states: string[] = [];
    for (let kill = 0; kill < 8; kill += 1) {
      const reason = `number ${kill}`;
      let told = false;
      const asked = api(host, home, '/plugins/echo/quarantine', { reason }).then(() => (told = true), () => undefined);
      // The first and the last wait for the answer, the others do not.
      if (kill % 7 === 0) await asked;
      else await sleep(kill * 3);
      host.child.kill('SIGKILL');
      await Promise.all([asked, host.exited]);
      host = await startProcess(home.path);
      const state = await eventually(async () => {
        const { state } = await api<{ state: string }>(host, home, '/plugins/echo');
        expect(['active', 'quarantined']).toContain(state);
        return state;
      });
      states.push(state);
      expect(told ? state : 'quarantined').toBe('quarantined');
      if (state !== 'quarantined') continue;
      const names = await filesIn(join(home.path, 'data/evidence'));
      const bundles = await Promise.all(names.filter((name) => name.endsWith('.json')).map(async (name) => JSON.parse(await readFile(join(home.path, 'data/evidence', name), 'utf8')) as { reason: string }));
      expect(bundles).toContainEqual(expect.objectContaining({ instance: 'echo', code: 'PLUGIN_QUARANTINED', reason }));
      await api(host, home, '/plugins/echo/release', { reason: 'again' });
    }
    await using _ = host;
    expect(states[0]).toBe('quarantined');
    expect(await webhookClient(host.address, WEBHOOK_SECRET).post({ id: '1', conversation: 'c', text: 'echo there' })).toMatchObject({ status: 202 });
  });
});

describe('a kill while an enablement is switched on or off', () => {
  it('leaves the old file or the new one, never a part of either', async () => {
    await using home = await aHome();
    await addWebhook(home, { required: true });
    await addFirstParty(home, 'echo');
    const file = join(home.path, 'manifests/plugins/echo.json');
    const original = JSON.parse(await readFile(file, 'utf8')) as object;
    let host = await startProcess(home.path);
    for (let kill = 0; kill < 8; kill += 1) {
      const busy = (async () => {
        for (;;) for (const verb of ['disable', 'enable']) await api(host, home, `/plugins/echo/${verb}`, verb === 'disable' ? { reason: 'r' } : {});
      })().catch(() => undefined);
      await sleep(randomInt(1, 60));
      host.child.kill('SIGKILL');
      await Promise.all([busy, host.exited]);
      const { enabled = true, ...rest } = JSON.parse(await readFile(file, 'utf8')) as { enabled?: boolean };
      expect(rest).toEqual(original);
      host = await startProcess(home.path);
      await eventually(async () => expect((await api<{ state: string }>(host, home, '/plugins/echo')).state).toBe(enabled ? 'active' : 'disabled'));
    }
    await host[Symbol.asyncDispose]();
  });
});

describe('a store', () => {
  it('that is killed while it opens and migrates opens afterwards, migrated once', async () => {
    await using dir = await tempDir();
    const kv: Table<{ readonly value: number }> = { name: 'kv' };
    const old = await openStore({ dir: dir.path, clock: systemClock, migrations: [] });
    await Promise.all(Array.from({ length: 500 }, (_, n) => old.commit({ put: [put(kv, ['default', 'shop', `${n}`], { value: n })] })));
    await old[Symbol.asyncDispose]();
    const script = join(import.meta.dirname, '../support/store-migrator.ts');
    for (let kill = 0; kill < 12; kill += 1) {
      const child = spawn(process.execPath, [script, dir.path], { stdio: ['ignore', 'ignore', 'inherit'] });
      await Promise.race([sleep(60 + kill * 12), once(child, 'exit')]);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    await using store = await openStore({ dir: dir.path, clock: systemClock, migrations: TEST_MIGRATIONS });
    const values = (await store.range(kv, ['default', 'shop'])).map(({ value }) => value.value);
    expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => 1_000_000 + n));
    expect((await store.get(meta, meta.key('schema')))?.value).toEqual({ schema: 2 });
  });

  it('opens after thirty kills, whose readers left their places in its table taken', async () => {
    await using dir = await tempDir();
    const writer = join(import.meta.dirname, '../support/store-writer.ts');
    // Each killed process leaves its places behind; LMDB makes the table anew when nobody else has it open.
    for (let kill = 0; kill < 30; kill += 1) {
      const child = spawn(process.execPath, [writer, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(createInterface({ input: child.stdout }), 'line');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await using store = await openStore({ dir: dir.path, clock: systemClock });
    expect((await store.range({ name: 'kv' }, ['default', 'writer'])).length).toBeGreaterThanOrEqual(30);
  });

  it('that is copied while the host runs and nobody writes opens with everything', async () => {
    await using fire = await underFire();
    await fire.host();
    await fire.traffic.send(8);
    const before = await fire.verdict();
    await using copy = await tempDir();
    await cp(fire.home.path, copy.path, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    for (const name of await readdir(join(copy.path, 'data/store'))) if (name.startsWith('owner-')) await rm(join(copy.path, 'data/store', name));
    await using host = await startUnderFire(copy.path);
    expect((await exportMessages(host.address, copy.path)).length).toBe(before.counts.acknowledged - before.counts.denied + before.counts.replies);
  });
});
