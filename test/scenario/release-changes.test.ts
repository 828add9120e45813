// What may not simply follow on what runs: a release nobody has known for long, one by another signer, an older one. The host goes on with what it has, says why, and takes up what got less.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aClockAhead } from '../support/hand-clock.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { SKILL } from '../support/registry.ts';

const HOUR = 3_600_000;
const KV = [{ name: 'kv', quotaBytes: 1000 } as const];
const reload = { quietMs: 50, mostMs: 200 };
const skill: Omit<TestPlugin, 'version'> = { name: 'skill', kind: 'skill', source: SKILL };

const edit = async (home: string, changes: Record<string, unknown>) => {
  const file = join(home, 'manifests/plugins/skill.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }));
};

/** A release of the same publisher by a key that is trusted as well. */
async function byAnotherKey(home: string, version: string, manifest = {}) {
  const key = newTestKey('test');
  await writeTrustRecord(home, key);
  const source = `plugins/test.skill-${version}`;
  await buildTestPackage({ dir: join(home, source), id: 'test.skill', kind: 'skill', source: SKILL, version, key, manifest });
  return { key, source };
}

async function running(plugins: readonly TestPlugin[] = [skill]) {
  const home = await aHome(plugins, { reload });
  const clock = aClockAhead();
  let gatehouse = await startGatehouse(home, { clock });
  return {
    home, clock,
    /** Code of its trouble, and the version that runs. */
    standing: async () => {
      const { state, version, code } = gatehouse.host.plugins.show('skill');
      return { state, version, ...(code === undefined ? {} : { code }) };
    },
    get host() {
      return gatehouse.host;
    },
    async restart() {
      await gatehouse[Symbol.asyncDispose]();
      gatehouse = await startGatehouse(home, { clock });
    },
    async [Symbol.asyncDispose]() {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe('a fresh release', () => {
  it('is held back while the older one goes on, and taken up by itself when its time has come', async () => {
    await using it = await running();
    expect(await it.standing()).toEqual({ state: 'active', version: '1.0.0' });
    await it.home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, reload, trust: { minimumReleaseAgeHours: 48 } });
    await it.home.add({ ...skill, version: '1.1.0' });
    const held = await eventually(async () => {
      expect(await it.standing()).toEqual({ state: 'impaired', version: '1.0.0', code: 'RELEASE_TOO_FRESH' });
      return it.host.plugins.show('skill').message ?? '';
    });
    const until = Date.parse(/until (\S+Z):/.exec(held)?.[1] ?? '');
    expect(Math.abs(until - it.clock.now() - 48 * HOUR)).toBeLessThan(60_000);
    it.clock.turn(until - it.clock.now() - 300);
    await it.host.reload();
    expect(await it.standing()).toMatchObject({ version: '1.0.0', code: 'RELEASE_TOO_FRESH' });
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' })); // nobody asks it to look
  });

  it('waits at a start, too, by when it was first seen, and starts by itself; what was taken from it meanwhile is gone at once', async () => {
    await using it = await running([{ ...skill, manifest: { capabilities: KV } }]);
    await it.home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, reload, trust: { minimumReleaseAgeHours: 48 } });
    await it.home.add({ ...skill, version: '1.1.0', manifest: { capabilities: KV } });
    await eventually(async () => expect(await it.standing()).toMatchObject({ version: '1.0.0', code: 'RELEASE_TOO_FRESH' }));
    await edit(it.home.path, { grants: [{ name: 'kv', quotaBytes: 10 }] });
    await eventually(() => expect(it.host.plugins.show('skill').grants).toEqual([{ name: 'kv', quotaBytes: 10 }]));
    expect(await it.standing()).toMatchObject({ version: '1.0.0', code: 'RELEASE_TOO_FRESH' });

    it.clock.turn(47 * HOUR);
    await it.restart();
    expect(await it.standing()).toEqual({ state: 'pending-approval', version: '1.1.0', code: 'RELEASE_TOO_FRESH' });
    it.clock.turn(HOUR);
    await it.host.reload();
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' }));
  });
});

describe('a release by another signer', () => {
  it('waits until somebody agrees, whatever else it brings is told with it, and what was taken away is gone at once', async () => {
    await using it = await running([{ ...skill, manifest: { capabilities: KV } }]);
    const { key, source } = await byAnotherKey(it.home.path, '1.1.0', { capabilities: [...KV, { name: 'message.read', conversations: 'own' }] });
    await edit(it.home.path, { source, grants: [{ name: 'kv', quotaBytes: 10 }, { name: 'message.read', conversations: 'own' }] });
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'impaired', version: '1.0.0', code: 'SIGNER_CHANGED' }));
    expect(it.host.plugins.show('skill')).toMatchObject({ message: expect.stringMatching(`${key.keyid}.*given more: added: read the conversations`), grants: [{ name: 'kv', quotaBytes: 10 }] });
    await it.host.plugins.enable('skill', 'operator');
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' }));
    expect(it.host.plugins.show('skill').grants).toHaveLength(2);
  });

  it('is agreed to by no restart, and once agreed to is remembered', async () => {
    await using it = await running();
    await it.home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, reload: { ...reload, watch: false } });
    await it.restart();
    const { source } = await byAnotherKey(it.home.path, '1.1.0');
    await edit(it.home.path, { source });
    await it.restart();
    expect(await it.standing()).toEqual({ state: 'pending-approval', version: '1.1.0', code: 'SIGNER_CHANGED' });
    await it.host.plugins.enable('skill', 'operator');
    expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' });
    await it.restart();
    expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' });
  });

  it('of a release that waits for its time as well needs to be agreed to only once', async () => {
    await using it = await running();
    await it.home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, reload, trust: { minimumReleaseAgeHours: 48 } });
    const { source } = await byAnotherKey(it.home.path, '1.1.0');
    await edit(it.home.path, { source });
    await eventually(async () => expect(await it.standing()).toMatchObject({ version: '1.0.0', code: 'SIGNER_CHANGED' }));
    await it.host.plugins.enable('skill', 'operator');
    expect(await it.standing()).toMatchObject({ version: '1.0.0', code: 'RELEASE_TOO_FRESH' });
    it.clock.turn(49 * HOUR);
    await it.host.reload();
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' }));
  });

  it('takes nobody’s place by itself, even where what ran is revoked', async () => {
    await using it = await running();
    const { source } = await byAnotherKey(it.home.path, '1.1.0');
    await it.host.reload();
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.skill', range: '<1.1.0' }] });
    await edit(it.home.path, { source });
    await eventually(async () => expect((await it.standing()).state).toBe('revoked'));
    await it.host.reload();
    // Seen in one look, the revocation is what counts; in two, the release by another key waits for agreement.
    expect(['revoked', 'pending-approval']).toContain((await it.standing()).state);
    await it.host.plugins.enable('skill', 'operator');
    expect(await it.standing()).toEqual({ state: 'active', version: '1.1.0' });
  });
});

describe('an older version', () => {
  it('is refused, and where the enablement permits it waits until somebody agrees', async () => {
    await using it = await running([{ ...skill, version: '1.1.0' }]);
    await it.home.add({ ...skill, version: '1.0.0' });
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'impaired', version: '1.1.0', code: 'ROLLBACK' }));
    await edit(it.home.path, { allowRollback: true });
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'impaired', version: '1.1.0', code: 'ROLLBACK_HELD' }));
    await it.host.plugins.enable('skill', 'operator');
    await eventually(async () => expect(await it.standing()).toEqual({ state: 'active', version: '1.0.0' }));
  });
});
