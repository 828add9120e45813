// A strict host from start to stop: it runs what the lock names and nothing else, and trusts no development key.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examineConfinement } from '../../host/sandbox/demand.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { SKILL } from '../support/registry.ts';
import { runCommand } from '../support/run-command.ts';

const LOCK = 'manifests/gatehouse.lock.json';
const STRICT: HostConfig = { listen: '127.0.0.1:0', strict: true, sandbox: { jitless: true }, reload: { quietMs: 50, mostMs: 200 }, log: { level: 'error' }, trust: { minimumReleaseAgeHours: 0 } };
const kv = (quotaBytes: number): Grant => ({ name: 'kv', quotaBytes });

// Strict demands more walls than some machines have; what it does there is test/unit/sandbox-demand.test.ts.
const { diagnostics: weaknesses } = await examineConfinement({ strict: true, sandbox: { jitless: true } });

async function edit(home: TestHome, changes: Record<string, unknown>): Promise<void> {
  const file = join(home.path, 'manifests/plugins/skill.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }));
}

/** Pinned, as strict asks for, and not locked. */
async function aStrictHome(development = false): Promise<TestHome> {
  const home = await aHome([], STRICT);
  const key = newTestKey('acme');
  await writeTrustRecord(home.path, key, { development });
  const { packageDigest } = await buildTestPackage({ dir: join(home.path, 'plugins/acme.skill-1.0.0'), id: 'acme.skill', kind: 'skill', source: SKILL, key, manifest: { capabilities: [kv(1000)] } });
  await home.write('manifests/plugins/skill.json', { plugin: 'acme.skill', instance: 'skill', source: 'plugins/acme.skill-1.0.0', digest: packageDigest, required: true, grants: [kv(1000)] });
  return home;
}

const lock = async (home: TestHome) => expect((await runCommand(['lock', '--home', home.path])).code).toBe(0);

describe.skipIf(weaknesses.length > 0)('a strict host', () => {
  it('starts what the lock names, and refuses to start without a lock', async () => {
    await using home = await aStrictHome();
    await expect(startGatehouse(home)).rejects.toMatchObject({ name: 'HostRefused', diagnostics: [{ code: 'LOCK_MISSING', severity: 'fatal', instance: 'skill' }] });
    await lock(home);
    await using gatehouse = await startGatehouse(home);
    expect(gatehouse.host.plugins.show('skill').state).toBe('active');
  });

  it('goes by the lock while it runs: less at once, more only once it is locked, and nothing that is locked no more', async () => {
    await using home = await aStrictHome();
    await lock(home);
    await using gatehouse = await startGatehouse(home);
    await eventually(async () => expect((await gatehouse.host.status()).reload).toMatchObject({ watching: true }));
    const standing = () => {
      const { state, code, grants } = gatehouse.host.plugins.show('skill');
      return { state, code, grants };
    };
    await edit(home, { grants: [kv(10)] });
    await eventually(() => expect(standing()).toEqual({ state: 'impaired', code: 'LOCK_MISMATCH', grants: [kv(10)] }));
    await lock(home);
    await eventually(() => expect(standing()).toEqual({ state: 'active', code: undefined, grants: [kv(10)] }));
    await edit(home, { grants: [kv(500)], required: false });
    await eventually(() => expect(standing()).toEqual({ state: 'impaired', code: 'LOCK_MISMATCH', grants: [kv(10)] }));
    await home.write(LOCK, '{ "lockVersion": 1, "inst');
    await gatehouse.host.reload();
    expect(standing()).toMatchObject({ state: 'impaired', grants: [kv(10)] }); // what cannot be read takes nothing away
    await home.write(LOCK, { lockVersion: 1, instances: {} });
    await eventually(() => expect(standing()).toMatchObject({ state: 'rejected', code: 'LOCK_MISSING' }));
  });

  it('refuses the development trust root, whatever is locked', async () => {
    await using home = await aStrictHome(true);
    await home.write('manifests/host.json', { ...STRICT, strict: false });
    await lock(home);
    await home.write('manifests/host.json', STRICT);
    await expect(startGatehouse(home)).rejects.toMatchObject({ name: 'HostRefused', diagnostics: expect.arrayContaining([expect.objectContaining({ code: 'KEY_DEVELOPMENT', severity: 'fatal' })]) });
    expect((await runCommand(['lock', '--home', home.path, '--json']))).toMatchObject({ code: 3, stdout: expect.stringContaining('development') });
  });
});
