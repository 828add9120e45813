// The registry over a real home and a real store: states, what outlives a restart, who takes part, switching on and off, release from quarantine.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { subscribe } from '../../host/events.ts';
import { createIds } from '../../host/ids.ts';
import { findingsOf } from '../../host/registry/instance.ts';
import { STRIKE_WINDOW_MS, Registry } from '../../host/registry/registry.ts';
import { plugins as pluginTable, transitions, verifications, versions } from '../../host/store/tables.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { disk } from '../chaos/disk.ts';
import { openStore } from '../chaos/faulty-store.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { SKILL, configOf, findings } from '../support/registry.ts';

/** A registry over a home, with a clock that can be turned. */
async function opened(plugins: readonly TestPlugin[]) {
  const home = await aHome(plugins);
  let aheadMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const open = async () => {
    const store = await openStore({ dir: join(home.path, 'data/store'), clock });
    const audit = await openAuditLog({ config: configOf(home.path), store, clock });
    return { store, audit, registry: await Registry.open({ config: configOf(home.path), store, audit, clock, ids: createIds(clock), env: {} }) };
  };
  let current = await open();
  return {
    home,
    get registry() {
      return current.registry;
    },
    get store() {
      return current.store;
    },
    turnClock: (ms: number) => void (aheadMs += ms),
    async restart() {
      await current.store[Symbol.asyncDispose]();
      current = await open();
    },
    async [Symbol.asyncDispose]() {
      await current.store[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const A: TestPlugin = { name: 'a', kind: 'skill', source: SKILL };
const operator = { actor: 'operator', reason: 'because' };
const host = { actor: 'host', reason: 'start' };

function run(registry: Registry, instance: string): void {
  registry.move(instance, 'starting', host);
  registry.move(instance, 'active', host);
}

const tamper = (home: TestHome, plugin: string) => writeFile(join(home.path, `plugins/${plugin}-1.0.0/plugin.js`), 'evil()');

describe('opening', () => {
  it('places what may run, what may not, and what is switched off', async () => {
    await using it = await opened([A, { ...A, name: 'b', enablement: { approvals: 1 } }, { ...A, name: 'c', enablement: { version: '^9.0.0', required: true } }, { ...A, name: 'd', enablement: { enabled: false } }, { ...A, name: 'e' }]);
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.e', range: '*' }] });
    await it.restart();
    expect(it.registry.list().map(({ instance, state, code }) => `${instance} ${state} ${code}`)).toEqual(['a approved undefined', 'b pending-approval APPROVAL_MISSING', 'c rejected VERSION_UNSATISFIED', 'd disabled undefined', 'e revoked REVOKED']);
    expect(findings(it.registry)).toEqual(['APPROVAL_MISSING degraded b', 'REVOKED degraded e', 'VERSION_UNSATISFIED fatal c']);
    expect(it.registry.degraded()).toMatchObject([{ instance: 'a', state: 'approved', code: 'PLUGIN_NOT_READY' }, { instance: 'b' }, { instance: 'c', message: expect.stringContaining('^9.0.0') }, { instance: 'e' }]);
    run(it.registry, 'a');
    expect(it.registry.degraded().map(({ instance }) => instance)).toEqual(['b', 'c', 'e']);
  });

  it('shows each instance as the control plane does', async () => {
    await using it = await opened([{ ...A, enablement: { required: true }, manifest: { capabilities: [{ name: 'kv', quotaBytes: 1000 }] } }]);
    run(it.registry, 'a');
    expect(it.registry.views()).toEqual([
      { instance: 'a', plugin: 'test.a', kind: 'skill', version: '1.0.0', digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), state: 'active', required: true, grants: [{ name: 'kv', quotaBytes: 1000 }], grantsDigest: expect.stringMatching(/^sha256:/), restarts: 0, strikes: 0, cpuMs: 0, calls: 0, scan: { outcome: 'pass', risk: 'low', findings: 3, at: expect.stringMatching(/Z$/) } },
    ]);
  });

  it('shows nothing of a tampered package that was never run', async () => {
    await using it = await opened([]);
    await it.home.add(A);
    await tamper(it.home, 'test.a');
    await it.restart();
    expect(it.registry.view('a')).toMatchObject({ kind: null, version: null, digest: null, state: 'rejected', code: 'RELEASE_FILES', grants: [] });
  });

  it('remembers envelopes that the second implementation confirmed, and only those in use', async () => {
    await using it = await opened([A]);
    const known = () => it.store.range(verifications, verifications.prefix());
    const first = await known();
    expect(first).toHaveLength(1);
    await it.restart();
    expect(await known()).toEqual(first);
    await it.home.add({ ...A, version: '1.0.1' });
    await it.restart();
    expect((await known()).map(({ key }) => key)).not.toEqual(first.map(({ key }) => key));
    expect(await known()).toHaveLength(1);
  });
});

describe('moves', () => {
  it('are seen at once, told as events, and kept with actor, reason, code and evidence', async () => {
    await using it = await opened([A]);
    const told: string[] = [];
    using _ = { [Symbol.dispose]: subscribe('plugin.state', ({ instance, from, to, actor, code }) => told.push(`${instance} ${from} ${to} ${actor} ${code}`)) };
    run(it.registry, 'a');
    it.registry.move('a', 'quarantined', { actor: 'reviewer', reason: 'odd traffic', code: 'REVOKED', evidenceDigest: 'sha256:1' });
    expect(it.registry.get('a')).toMatchObject({ state: 'quarantined', code: 'REVOKED', message: 'odd traffic' });
    expect(told).toEqual(['a approved starting host undefined', 'a starting active host undefined', 'a active quarantined reviewer REVOKED']);
    expect((await it.registry.history('a')).map(({ from, to }) => `${from} ${to}`)).toEqual(['active quarantined', 'starting active', 'approved starting', 'scanned approved', 'verified scanned', 'discovered verified']);
    expect((await it.registry.history('a', 1))[0]).toEqual({ from: 'active', to: 'quarantined', actor: 'reviewer', reason: 'odd traffic', code: 'REVOKED', evidenceDigest: 'sha256:1', at: expect.stringMatching(/Z$/) });
  });

  it('that are illegal change nothing and say so', async () => {
    await using it = await opened([A]);
    expect(() => it.registry.move('a', 'active', host)).toThrow(expect.objectContaining({ code: 'TRANSITION_ILLEGAL' }));
    expect(() => it.registry.move('nobody', 'active', host)).toThrow(expect.objectContaining({ code: 'PLUGIN_NOT_FOUND' }));
    expect(it.registry.get('a').state).toBe('approved');
    expect(await it.registry.history('a')).toHaveLength(3);
  });

  it('keep the newest two hundred of each instance', async () => {
    await using it = await opened([A, { ...A, name: 'b' }]);
    run(it.registry, 'a');
    for (let round = 0; round < 300; round += 1) {
      it.registry.move('a', round % 2 ? 'active' : 'impaired', { actor: 'host', reason: `round ${round}` });
      if (round % 50 === 0) await it.registry.written();
    }
    await it.registry.written();
    expect(await it.store.range(transitions, transitions.prefix('a'))).toHaveLength(200);
    expect(await it.store.range(transitions, transitions.prefix('b'))).toHaveLength(3);
    expect((await it.registry.history('a', 1))[0]?.reason).toBe('round 299');
    await it.restart();
    expect(await it.store.range(transitions, transitions.prefix('a'))).toHaveLength(200);
  });

  it('to active record the version, so that less is a rollback from then on', async () => {
    await using it = await opened([{ ...A, version: '1.4.0' }]);
    expect(await it.store.range(versions, versions.prefix())).toEqual([]);
    run(it.registry, 'a');
    await it.registry.written();
    expect((await it.store.get(versions, versions.key('test.a', '1.4.0')))?.value.digest).toBe(it.registry.view('a').digest);
    await it.home.add({ ...A, version: '1.3.0' });
    await it.restart();
    expect(it.registry.get('a')).toMatchObject({ state: 'rejected', code: 'ROLLBACK' });
    await it.home.add({ ...A, version: '1.3.0', enablement: { allowRollback: true } });
    await it.restart();
    run(it.registry, 'a');
    await it.registry.written();
    expect((await it.store.get(pluginTable, pluginTable.key('a')))?.value).toMatchObject({ version: '1.3.0', highestVersion: '1.4.0' });
  });

  it('that cannot be written stay in effect and are reported to whoever waits', async () => {
    await using it = await opened([A]);
    await it.store[Symbol.asyncDispose]();
    it.registry.move('a', 'quarantined', operator);
    expect(it.registry.get('a').state).toBe('quarantined');
    await expect(it.registry.written()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('strikes', () => {
  it('count within the hour, and survive a restart', async () => {
    await using it = await opened([A]);
    expect([it.registry.strike('a'), it.registry.strike('a')]).toEqual([1, 2]);
    await it.registry.written();
    await it.restart();
    expect(it.registry.view('a').strikes).toBe(2);
    it.turnClock(STRIKE_WINDOW_MS + 60_000);
    expect(it.registry.view('a').strikes).toBe(0);
    expect(it.registry.strike('a')).toBe(1);
  });
});

describe('quarantine', () => {
  it('outlives a restart, keeps a required instance from starting, and ends by release alone', async () => {
    await using it = await opened([{ ...A, enablement: { required: true } }]);
    run(it.registry, 'a');
    it.registry.strike('a');
    it.registry.move('a', 'quarantined', { actor: 'host', reason: 'three strikes', code: 'SANDBOX_DIED' });
    await it.registry.written();
    const since = (await it.store.get(pluginTable, pluginTable.key('a')))?.value.quarantine?.at;
    for (let boot = 0; boot < 2; boot += 1) {
      await it.restart();
      expect(it.registry.get('a')).toMatchObject({ state: 'quarantined', code: 'SANDBOX_DIED', message: expect.stringContaining(`since ${since}: three strikes`) });
      expect(findings(it.registry)).toEqual(['PLUGIN_QUARANTINED fatal a']);
    }
    expect(await it.registry.release('a', operator)).toMatchObject({ state: 'approved', code: undefined });
    expect(it.registry.view('a').strikes).toBe(0);
    await it.restart();
    expect(it.registry.get('a').state).toBe('approved');
    expect(it.registry.diagnostics).toEqual([]);
  });

  it('is not got rid of by switching the instance off and on', async () => {
    await using it = await opened([A]);
    it.registry.move('a', 'quarantined', operator);
    await it.registry.disable('a', operator);
    expect((await it.registry.enable('a', operator)).state).toBe('quarantined');
    await it.registry.disable('a', operator);
    await it.restart();
    expect(it.registry.get('a').state).toBe('disabled');
    await it.home.write('manifests/plugins/a.json', { plugin: 'test.a' });
    await it.restart();
    expect(it.registry.get('a').state).toBe('quarantined');
  });

  it('ends at pending-approval where approvals are asked for, and goes on to rejected for what may not run', async () => {
    await using it = await opened([{ ...A, enablement: { approvals: 1 } }, { ...A, name: 'b' }]);
    it.registry.move('a', 'quarantined', operator);
    it.registry.move('b', 'quarantined', operator);
    await tamper(it.home, 'test.b');
    expect(await it.registry.release('a', operator)).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING' });
    expect(await it.registry.release('b', operator)).toMatchObject({ state: 'rejected', code: 'RELEASE_FILES', resolved: undefined });
  });

  it('is all that can be released', async () => {
    await using it = await opened([A]);
    await expect(it.registry.release('a', operator)).rejects.toMatchObject({ code: 'TRANSITION_ILLEGAL' });
    await expect(it.registry.release('nobody', operator)).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  });
});

describe('switching on and off', () => {
  it('edits the enablement, and looks at the package again', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.registry.disable('a', operator);
    expect(JSON.parse(await readFile(join(it.home.path, 'manifests/plugins/a.json'), 'utf8'))).toMatchObject({ plugin: 'test.a', enabled: false });
    expect(it.registry.degraded()).toEqual([]);
    await it.restart();
    expect(it.registry.get('a').state).toBe('disabled');
    expect(await it.registry.history('a', 1)).toMatchObject([{ to: 'disabled', actor: 'operator' }]);
    await it.home.add({ ...A, version: '1.0.1' });
    await it.home.write('manifests/plugins/a.json', { plugin: 'test.a', enabled: false });
    const enabled = await it.registry.enable('a', operator);
    expect(enabled.state).toBe('approved');
    expect(enabled.resolved?.release.manifest.version).toBe('1.0.1');
  });

  it('is found in the file at the next start, and laid to the file', async () => {
    await using it = await opened([A]);
    await it.home.write('manifests/plugins/a.json', { plugin: 'test.a', enabled: false });
    await it.restart();
    expect(await it.registry.history('a', 1)).toMatchObject([{ from: 'discovered', to: 'disabled', actor: 'file' }]);
  });

  it('tells why what is switched on may not run', async () => {
    await using it = await opened([{ ...A, enablement: { enabled: false, source: 'plugins/nothing' } }]);
    expect(await it.registry.enable('a', operator)).toMatchObject({ state: 'rejected', code: 'PACKAGE_NOT_FOUND' });
  });

  it('refuses what is on already, and an enablement that is gone', async () => {
    await using it = await opened([A, { ...A, name: 'b' }]);
    await expect(it.registry.enable('a', operator)).rejects.toMatchObject({ code: 'TRANSITION_ILLEGAL' });
    const twice = await Promise.allSettled([it.registry.disable('a', operator), it.registry.disable('a', operator)]);
    expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    it.registry.move('b', 'quarantined', operator);
    await rm(join(it.home.path, 'manifests/plugins/b.json'));
    await expect(it.registry.release('b', operator)).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
    expect(it.registry.get('b').state).toBe('quarantined');
  });
});

describe('members', () => {
  const gate = (name: string, phase: string, more: Partial<TestPlugin> = {}, mode = 'gate', directions: string[] = ['inbound', 'outbound']): TestPlugin => ({ name, kind: 'moderation', source: SKILL, manifest: { moderation: Object({ mode, phase, directions }) }, ...more });
  const names = (instances: readonly { instance: string }[]) => instances.map(({ instance }) => instance);

  it('are gates by phase, then order, then id; skills by order, then id; tools by address', async () => {
    await using it = await opened([
      gate('telemetry', 'telemetry', { enablement: { order: 1 } }), gate('late', 'policy', { enablement: { order: 200 } }), gate('zed', 'policy'), gate('abe', 'policy'), gate('valid', 'validation', { enablement: { order: 900 } }), gate('auth', 'authorization'),
      gate('inbound-only', 'policy', {}, 'gate', ['inbound']), gate('watcher', 'policy', {}, 'observer', ['outbound']),
      { ...A, name: 'last', enablement: { order: 1000 } }, { ...A, name: 'second' }, { ...A, name: 'first' }, { ...A, name: 'clock', kind: 'tool' }, { ...A, name: 'web', kind: 'channel' },
    ]);
    const { gates, observers, skills, tools, channels } = it.registry.members;
    expect(names(gates.inbound)).toEqual(['valid', 'auth', 'abe', 'inbound-only', 'zed', 'late', 'telemetry']);
    expect(names(gates.outbound)).toEqual(['valid', 'auth', 'abe', 'zed', 'late', 'telemetry']);
    expect([names(observers.inbound), names(observers.outbound)]).toEqual([[], ['watcher']]);
    expect(names(skills)).toEqual(['first', 'second', 'last']);
    expect(tools.get('test.clock/run')?.instance).toBe('clock');
    expect(names(channels)).toEqual(['web']);
  });

  it('are the same object until something moves', async () => {
    await using it = await opened([A]);
    const before = it.registry.members;
    expect(it.registry.members).toBe(before);
    run(it.registry, 'a');
    expect(it.registry.members).not.toBe(before);
  });

  it('keep a gate that cannot run, so that it denies: quarantined, tampered with, or gone after it once ran', async () => {
    await using it = await opened([gate('quarantined', 'policy'), gate('tampered', 'policy'), gate('gone', 'policy'), gate('disguised', 'policy'), gate('off', 'policy', { enablement: { enabled: false } }), A]);
    for (const name of ['quarantined', 'gone', 'disguised']) run(it.registry, name);
    it.registry.move('quarantined', 'quarantined', operator);
    await it.registry.written();
    await tamper(it.home, 'test.tampered');
    await rm(join(it.home.path, 'plugins/test.gone-1.0.0'), { recursive: true });
    const disguise = join(it.home.path, 'plugins/test.disguised-1.0.0/plugin.json');
    const { moderation: _, ...manifest }: Record<string, unknown> = JSON.parse(await readFile(disguise, 'utf8'));
    await writeFile(disguise, JSON.stringify({ ...manifest, kind: 'skill' }));
    await it.restart();
    expect(names(it.registry.members.gates.inbound)).toEqual(['disguised', 'gone', 'quarantined', 'tampered']);
    expect(names(it.registry.members.skills)).toEqual(['a']);
    expect(it.registry.members.gates.inbound.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'quarantined', 'rejected']);
  });
});

describe('what the files say of a running host', () => {
  const settled = () => false;
  const look = async (registry: Registry, isUnsettled: (path: string) => boolean = settled) => await registry.inTurn(() => registry.look(isUnsettled));
  const told = (found: Awaited<ReturnType<typeof look>>) => findingsOf(found);

  it('is looked at without changing anything', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.home.add({ ...A, version: '1.1.0' });
    await it.home.add({ ...A, name: 'b' });
    const found = told(await look(it.registry));
    expect([...found.keys()]).toEqual(['a', 'b']);
    expect(found.get('a')?.resolved?.release.manifest.version).toBe('1.1.0');
    expect(it.registry.views()).toMatchObject([{ instance: 'a', version: '1.0.0', state: 'active' }]);
  });

  it('counts as it last did where it cannot be read, and is told', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.home.write('manifests/plugins/a.json', '{ "plugin":');
    await it.home.write('manifests/trust/publishers/other.json', '[]');
    await it.home.write('manifests/trust/revocations.json', '{');
    const found = await look(it.registry);
    expect(told(found).get('a')?.resolved?.release.manifest.id).toBe('test.a');
    expect(found.diagnostics.map(({ code }) => code)).toEqual(['JSON_INVALID', 'TRUST_RECORD', 'JSON_INVALID']);
  });

  it('lets nothing new begin while the list of revocations cannot be read', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.home.write('manifests/trust/revocations.json', '{');
    await it.home.add({ ...A, name: 'b' });
    const found = told(await look(it.registry));
    expect(found.get('a')?.resolved).toBeDefined();
    expect(found.get('b')?.refused).toMatchObject({ state: 'revoked', message: expect.stringContaining('cannot be read') });
  });

  it('takes back what it says while the store cannot commit, and gives nobody more', async () => {
    await using it = await opened([A, { ...A, name: 'b' }]);
    run(it.registry, 'a');
    it.registry.move('b', 'starting', host);
    it.registry.move('b', 'quarantined', host);
    await it.registry.written();
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.a', range: '*' }] });
    disk.refuse = Infinity;
    try {
      it.registry.move('a', 'impaired', host);
      const found = await look(it.registry);
      expect(told(found).get('a')?.refused).toMatchObject({ state: 'revoked' });
      expect(found.diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual(['REVOKED degraded', 'STORE_FAILED degraded']);
      await expect(it.registry.release('b', operator)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await expect(it.registry.lift({ id: 'test.a', range: '*' }, operator)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(it.registry.get('b').state).toBe('quarantined');
    } finally {
      disk.refuse = 0;
    }
    expect((await look(it.registry)).diagnostics.map(({ code }) => code)).toEqual(['REVOKED']);
    expect(it.registry.revocations()).toHaveLength(1);
  });

  it('goes on revoking what the last list revoked', async () => {
    await using it = await opened([]);
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.a', range: '*' }] });
    await look(it.registry);
    await it.home.write('manifests/trust/revocations.json', '{');
    await it.home.add(A);
    expect(told(await look(it.registry)).get('a')?.refused).toMatchObject({ state: 'revoked', message: expect.stringContaining('versions * are revoked') });
  });

  it('counts as it last did while it is being written, and nothing is said of it', async () => {
    await using it = await opened([A, { ...A, name: 'b' }]);
    await it.home.write('manifests/plugins/a.json', '{ "plu');
    await rm(join(it.home.path, 'manifests/plugins/b.json'));
    const found = await look(it.registry, (path) => path.includes('manifests/plugins/'));
    expect([...told(found).keys()]).toEqual(['a', 'b']);
    expect(found.diagnostics).toEqual([]);
    expect([...told(await look(it.registry)).keys()]).toEqual(['a']);
  });

  it('is what it was where something else than a file has taken its place', async () => {
    await using it = await opened([A]);
    const places = ['manifests/plugins/a.json', 'manifests/trust/publishers/test.json', 'manifests/trust/revocations.json'].map((file) => join(it.home.path, file));
    for (const [at, place] of places.entries()) {
      await rm(place, { force: true });
      if (at === 1) await mkdir(place);
      else execFileSync('mkfifo', [place]);
    }
    const found = await look(it.registry);
    expect(told(found).get('a')?.resolved).toBeDefined();
    expect(found.diagnostics.map(({ code }) => code)).toEqual(['JSON_INVALID', 'TRUST_RECORD', 'FILE_UNREADABLE']);
  });

  it('is what it was where a file has taken the place of a folder, beside which the list of revocations is read all the same', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.a', range: '*' }] });
    for (const folder of ['revokers', 'successions', 'revocations', 'reviewers']) await it.home.write(`manifests/trust/${folder}`, '');
    const found = await look(it.registry);
    expect(told(found).get('a')?.refused).toMatchObject({ state: 'revoked' });
    expect(findings(found)).toEqual(['FILE_UNREADABLE degraded -', 'FILE_UNREADABLE degraded -', 'FILE_UNREADABLE degraded -', 'FILE_UNREADABLE degraded -', 'REVOKED degraded a']);
    await it.restart();
    expect(findings(it.registry)).toEqual(['FILE_UNREADABLE fatal -', 'FILE_UNREADABLE fatal -', 'FILE_UNREADABLE fatal -', 'FILE_UNREADABLE fatal -', 'REVOKED degraded a']);
  });

  it('is what it was when a whole folder is gone', async () => {
    await using it = await opened([A]);
    await rm(join(it.home.path, 'manifests'), { recursive: true });
    const found = await look(it.registry);
    expect(told(found).get('a')?.resolved).toBeDefined();
    expect(found.diagnostics.map(({ code, rule }) => `${code} ${rule}`)).toEqual(['FILE_UNREADABLE enablement', 'FILE_UNREADABLE trust-record']);
  });

  it('is learned by an instance that goes on running, and its version is remembered', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    await it.home.add({ ...A, version: '1.2.0', enablement: { order: 3, required: true } });
    const now = told(await look(it.registry)).get('a');
    const { members } = it.registry;
    if (now) it.registry.learn(now);
    expect(it.registry.get('a')).toMatchObject({ state: 'active', order: 3, required: true });
    expect(it.registry.members).not.toBe(members);
    await it.registry.written();
    expect((await it.store.get(pluginTable, pluginTable.key('a')))?.value).toMatchObject({ version: '1.2.0', highestVersion: '1.2.0' });
    await it.home.add({ ...A, version: '1.1.0' });
    expect(told(await look(it.registry)).get('a')?.refused).toMatchObject({ code: 'ROLLBACK' });
  });

  it('places newcomers in their order, and those who come back', async () => {
    await using it = await opened([{ ...A, name: 'b' }, { ...A, name: 'c', enablement: { version: '^9.0.0' } }]);
    await it.home.add(A);
    await it.home.add({ ...A, name: 'c' });
    const found = told(await look(it.registry));
    for (const instance of ['a', 'c']) {
      const findings = found.get(instance);
      if (findings) it.registry.place(findings);
    }
    expect(it.registry.list().map(({ instance, state }) => `${instance} ${state}`)).toEqual(['a approved', 'b approved', 'c approved']);
    const running = found.get('b');
    expect(() => running && it.registry.place(running)).toThrow(expect.objectContaining({ code: 'TRANSITION_ILLEGAL' }));
  });

  it('is forgotten with its enablement, but not what the instance did', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    it.registry.strike('a');
    it.registry.move('a', 'quarantined', { actor: 'reviewer', reason: 'odd' });
    it.registry.forget('a');
    expect(it.registry.list()).toEqual([]);
    const findings = told(await look(it.registry)).get('a');
    if (findings) it.registry.place(findings);
    expect(it.registry.view('a')).toMatchObject({ state: 'quarantined', strikes: 1 });
  });

  it('has a leaving instance in no stage', async () => {
    await using it = await opened([A]);
    run(it.registry, 'a');
    it.registry.move('a', 'draining', { actor: 'file', reason: 'gone' });
    expect(it.registry.members.skills).toEqual([]);
    expect(it.registry.degraded()).toEqual([]);
  });
});
