// What counts as revoked when files, signed lists and the store's memory are held together: monotonic until somebody lifts it, whatever the files say later.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { RememberedTrust } from '../../host/registry/remembered-trust.ts';
import { KeptScans } from '../../host/registry/scans.ts';
import { survey, type LastLook, type Understood } from '../../host/registry/survey.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { auditEntries } from '../../host/store/tables.ts';
import { generateKey } from '../../host/trust/keys.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { configOf, SKILL } from '../support/registry.ts';
import { aList, aSuccession, HOUR_MS, writeRevoker, writeTrust } from '../support/revocations.ts';
import { NO_HISTORY } from '../../host/registry/history.ts';

const NOW = systemClock.now();
const sec = generateKey('sec');

/** A home beside a real store, looked at as a starting host looks, again and again. */
async function aLookedAtHome(strict = false) {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await aHome([], { trust: { minimumReleaseAgeHours: 0 } }));
  const key = newTestKey('test');
  await writeTrustRecord(home.path, key);
  const store = stack.use(await openStore({ dir: join(home.path, 'data/store'), clock: systemClock }));
  const audit = stack.use(await openAuditLog({ config: configOf(home.path), store, clock: systemClock }));
  const remembered = await RememberedTrust.open({ store, clock: systemClock, audit });
  let understood: Understood | undefined;
  return {
    home,
    key,
    remembered,
    /** `running`: as a host looks that runs already, by what it understood before. */
    async look(now = NOW, memory = remembered, running?: Pick<LastLook, 'isUnsettled' | 'isRunning'>) {
      const found = await survey({ config: configOf(home.path, { strict }), history: NO_HISTORY, env: {}, now, secondOpinion: 'always', sightings: null, unlocked: true, scans: KeptScans.fresh(systemClock), memory, ...(running && understood ? { last: { ...running, targets: [], understood } } : {}) });
      understood = found.understood;
      await memory.learn(found.learned);
      return {
        states: Object.fromEntries([...found.plugins.map(({ instance }) => [instance, 'ok'] as const), ...found.refused.map(({ instance, state, code }) => [instance, state === 'revoked' ? 'revoked' : code] as const)]),
        findings: found.diagnostics.filter(({ instance }) => instance === undefined).map(({ code, severity }) => `${code} ${severity}`),
        changesAt: found.changesAt,
      };
    },
    /** Of the transparency log. */
    actions: async () => (await store.range(auditEntries, auditEntries.prefix())).map(({ value: { entry: { actor, action, resource } } }) => `${actor} ${action} ${resource}`).filter((each) => !each.includes('log.key')),
    /** What another process would read. */
    reopened: () => RememberedTrust.open({ store, clock: systemClock, audit }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const revocationsJson = (home: TestHome, content: object) => writeTrust(home.path, 'revocations.json', content);

describe('a revocation', () => {
  it('stays when its file forgets it, and says so, until it is lifted', async () => {
    await using it = await aLookedAtHome();
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    await revocationsJson(it.home, { plugins: [{ id: 'test.a', range: '<2', reason: 'it steals' }] });
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: [] });
    for (const content of [{}, { plugins: [{ id: 'test.a', range: '<0.1' }] }]) {
      await revocationsJson(it.home, content);
      expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: ['REVOCATION_VANISHED warning'] });
    }
    await rm(join(it.home.path, 'manifests/trust/revocations.json'));
    expect(await it.look(NOW, await it.reopened())).toMatchObject({ states: { a: 'revoked' }, findings: ['REVOCATION_VANISHED warning'] });
    await it.remembered.lift({ id: 'test.a', range: '<2' }, { actor: 'ada', reason: 'it was a mistake' });
    expect((await it.look()).states).toEqual({ a: 'ok' });
    expect((await it.look(NOW, await it.reopened())).states).toEqual({ a: 'ok' });
    expect(await it.actions()).toEqual(['file revocation.add plugin test.a <2', 'file revocation.add plugin test.a <0.1', 'ada revocation.lift plugin test.a <2']);
  });

  it('remembered counts beside a list that cannot be read, beside which nothing else starts', async () => {
    await using it = await aLookedAtHome();
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    await revocationsJson(it.home, '{' as unknown as object);
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: ['JSON_INVALID fatal'] });
  });
});

describe('a signed list', () => {
  it('revokes here, and what a newer one leaves out stays revoked', async () => {
    await using it = await aLookedAtHome();
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    await writeRevoker(it.home.path, sec);
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, NOW, { plugins: [{ id: 'test.a', range: '*' }] }));
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: [] });
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 2, NOW));
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: ['REVOCATION_VANISHED warning'] });
  });

  it('that is older than one before is refused, and the newer one goes on counting, also when it is gone', async () => {
    await using it = await aLookedAtHome();
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    await writeRevoker(it.home.path, sec);
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 9, NOW, { plugins: [{ id: 'test.a', range: '*' }] }));
    await it.look();
    const file = await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 8, NOW));
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: ['REVOCATION_LIST degraded'] });
    await rm(file);
    expect(await it.look()).toMatchObject({ states: { a: 'revoked' }, findings: [] });
    expect(await it.look(NOW + 2 * HOUR_MS)).toMatchObject({ findings: ['REVOCATIONS_STALE warning'] });
  });

  it('counts beside those of other revokers, each with its own numbers', async () => {
    await using it = await aLookedAtHome();
    const cert = generateKey('cert');
    for (const name of ['a', 'b']) await it.home.add({ name, kind: 'skill', source: SKILL });
    for (const key of [sec, cert]) await writeRevoker(it.home.path, key);
    await writeTrust(it.home.path, 'revocations/sec.dsse.json', aList(sec, 5, NOW, { plugins: [{ id: 'test.a', range: '*' }] }));
    await writeTrust(it.home.path, 'revocations/cert.dsse.json', aList(cert, 1, NOW, { plugins: [{ id: 'test.b', range: '*' }] }));
    expect(await it.look()).toMatchObject({ states: { a: 'revoked', b: 'revoked' }, findings: [] });
  });

  it('of a revoker whose key the operator revoked says nothing new', async () => {
    await using it = await aLookedAtHome();
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    await writeRevoker(it.home.path, sec);
    await revocationsJson(it.home, { keys: [sec.keyid] });
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, NOW, { plugins: [{ id: 'test.a', range: '*' }] }));
    expect(await it.look()).toMatchObject({ states: { a: 'ok' }, findings: ['REVOCATION_LIST degraded', 'REVOCATIONS_STALE warning'] });
  });

  it.each([[false, 'warning', 'ok'], [true, 'fatal', 'revoked']] as const)('that is not current is told; with strict %s that is %s', async (strict, severity, state) => {
    await using it = await aLookedAtHome(strict);
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    const digest = (await buildTestPackage({ dir: join(it.home.path, 'elsewhere'), id: 'test.a', kind: 'skill', source: SKILL })).packageDigest;
    await it.home.write('manifests/plugins/a.json', { plugin: 'test.a', instance: 'a', source: 'plugins/test.a-1.0.0', digest });
    await writeRevoker(it.home.path, sec);
    expect(await it.look()).toMatchObject({ states: { a: state }, findings: [`REVOCATIONS_STALE ${severity}`] }); // never had one
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, NOW));
    expect(await it.look()).toMatchObject({ states: { a: 'ok' }, findings: [], changesAt: NOW + HOUR_MS });
    expect(await it.look(NOW + HOUR_MS)).toMatchObject({ states: { a: state }, findings: [`REVOCATIONS_STALE ${severity}`] });
  });
});

describe('a running strict host whose list is not current any more', () => {
  it('goes on with what runs, and starts nothing', async () => {
    await using it = await aLookedAtHome(true);
    const digests = new Map<string, string>();
    for (const name of ['runs', 'waits']) {
      const packagePath = await it.home.add({ name, kind: 'skill', source: SKILL });
      const { packageDigest } = await signPackage(packagePath, { key: it.key, now: NOW, force: true });
      digests.set(name, packageDigest);
      await it.home.write(`manifests/plugins/${name}.json`, { plugin: `test.${name}`, digest: packageDigest });
    }
    await writeRevoker(it.home.path, sec);
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, NOW));
    expect((await it.look(NOW + 1000)).states).toEqual({ runs: 'ok', waits: 'ok' });
    const last = { isUnsettled: () => false, isRunning: (digest: string) => digest === digests.get('runs') };
    expect(await it.look(NOW + HOUR_MS, it.remembered, last)).toMatchObject({ states: { runs: 'ok', waits: 'revoked' }, findings: ['REVOCATIONS_STALE fatal'] });
  });
});

describe('a record of a revoker that cannot be read', () => {
  it.each([[false, 'ok', 'degraded'], [true, 'revoked', 'fatal']] as const)('is told, and a running host goes by its last records; with strict %s what does not run yet is %s, and the finding %s', async (strict, state, severity) => {
    await using it = await aLookedAtHome(strict);
    await it.home.add({ name: 'a', kind: 'skill', source: SKILL });
    const { packageDigest } = await signPackage(join(it.home.path, 'plugins/test.a-1.0.0'), { key: it.key, now: NOW, force: true });
    await it.home.write('manifests/plugins/a.json', { plugin: 'test.a', instance: 'a', source: 'plugins/test.a-1.0.0', digest: packageDigest });
    const record = await writeRevoker(it.home.path, sec);
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, NOW));
    expect(await it.look()).toMatchObject({ states: { a: 'ok' }, findings: [] });
    await writeFile(record, '{');
    const running = { isUnsettled: () => false, isRunning: () => true };
    expect(await it.look(NOW, it.remembered, running)).toMatchObject({ states: { a: 'ok' }, findings: [`TRUST_RECORD ${severity}`] });
    expect(await it.look(NOW, it.remembered, { ...running, isRunning: () => false })).toMatchObject({ states: { a: state } });
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 2, NOW, { digests: [packageDigest] }));
    expect(await it.look(NOW, it.remembered, running)).toMatchObject({ states: { a: 'revoked' }, findings: [`TRUST_RECORD ${severity}`] });
  });

  it('is fatal at a start in strict, where nothing starts beside it', async () => {
    await using it = await aLookedAtHome(true);
    await writeTrust(it.home.path, 'revokers/sec.json', '{');
    expect((await it.look()).findings).toEqual(['TRUST_RECORD fatal']);
  });
});

describe('a succession of keys', () => {
  it('lets a plugin run whose new key no record names, and falls with the old one', async () => {
    await using it = await aLookedAtHome();
    const [old, heir] = [newTestKey('acme'), newTestKey('acme')];
    await writeTrustRecord(it.home.path, old);
    await buildTestPackage({ dir: join(it.home.path, 'plugins/acme.x-1.0.0'), id: 'acme.x', kind: 'skill', source: SKILL, key: heir });
    await it.home.write('manifests/plugins/x.json', { plugin: 'acme.x', instance: 'x' });
    expect((await it.look()).states).toEqual({ x: 'KEY_UNTRUSTED' });
    await writeTrust(it.home.path, 'successions/acme.dsse.json', aSuccession(old, heir, NOW));
    expect((await it.look(NOW + 1000)).states).toEqual({ x: 'ok' });
    await revocationsJson(it.home, { keys: [old.keyid] });
    expect((await it.look(NOW + 1000)).states).toEqual({ x: 'KEY_UNTRUSTED' });
    await writeTrustRecord(it.home.path, heir);
    expect((await it.look(NOW + 1000)).states).toEqual({ x: 'ok' });
  });
});

describe('time', () => {
  it('that will change what counts is known: ends of keys, releases and lists', async () => {
    await using it = await aLookedAtHome();
    expect((await it.look()).changesAt).toBeUndefined();
    const key = newTestKey('acme');
    await writeTrustRecord(it.home.path, key, { notAfter: new Date(NOW + 3 * HOUR_MS).toISOString() });
    expect((await it.look()).changesAt).toBe(NOW + 3 * HOUR_MS + 1); // it counts until that millisecond is over
    await buildTestPackage({ dir: join(it.home.path, 'plugins/acme.x-1.0.0'), id: 'acme.x', kind: 'skill', source: SKILL, key, now: NOW, expiresAt: NOW + 2 * HOUR_MS });
    await it.home.write('manifests/plugins/x.json', { plugin: 'acme.x', instance: 'x' });
    expect((await it.look()).changesAt).toBe(NOW + 2 * HOUR_MS);
    expect((await it.look(NOW + 2 * HOUR_MS)).states).toEqual({ x: 'RELEASE_EXPIRED' });
  });
});

describe('whatever happens in the files later', () => {
  const key = newTestKey('acme');
  const heir = newTestKey('acme');
  /** Everything that a publisher, a revoker and a careless operator may do, but for the explicit command. */
  const step = fc.oneof(
    fc.constantFrom('list emptied', 'list gone', 'list of others', 'signed list gone', 'reinstalled', 'signed again', 'signed by the next key', 'key succeeded', 'record renewed', 'restarted').map((kind) => ({ kind, number: 0 })),
    fc.record({ kind: fc.constantFrom('signed list', 'version'), number: fc.integer({ min: 1, max: 20 }) }),
  );

  it('what was revoked does not run', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('digest', 'range', 'key', 'signed'), fc.array(step, { maxLength: 6 }), async (how, steps) => {
        await using at = await aLookedAtHome();
        const { home } = at;
        const folder = join(home.path, 'plugins/acme.x-1.0.0');
        const install = (version = '1.0.0') => buildTestPackage({ dir: folder, id: 'acme.x', kind: 'skill', source: SKILL, key, version, now: NOW });
        const { packageDigest } = await install();
        await writeTrustRecord(home.path, key);
        await writeRevoker(home.path, sec);
        await home.write('manifests/plugins/x.json', { plugin: 'acme.x', instance: 'x', source: 'plugins/acme.x-1.0.0' });
        expect((await at.look()).states).toEqual({ x: 'ok' });

        const revoked = { digest: { digests: [packageDigest] }, range: { plugins: [{ id: 'acme.x', range: '<2' }] }, key: { keys: [key.keyid] }, signed: {} }[how];
        await revocationsJson(home, revoked);
        if (how === 'signed') await writeTrust(home.path, 'revocations.dsse.json', aList(sec, 10, NOW, { digests: [packageDigest ?? ''], plugins: [{ id: 'acme.x', range: '<2' }] }));
        expect((await at.look()).states).toEqual({ x: 'revoked' });

        let memory = at.remembered;
        for (const { kind, number } of steps) {
          if (kind === 'list emptied') await revocationsJson(home, {});
          if (kind === 'list gone') await rm(join(home.path, 'manifests/trust/revocations.json'), { force: true });
          if (kind === 'list of others') await revocationsJson(home, { plugins: [{ id: 'acme.other', range: '*' }] });
          if (kind === 'signed list gone') await rm(join(home.path, 'manifests/trust/revocations.dsse.json'), { force: true });
          if (kind === 'signed list') await writeTrust(home.path, 'revocations.dsse.json', aList(sec, number, NOW));
          if (kind === 'reinstalled') await install();
          if (kind === 'signed again') await signPackage(folder, { key, now: NOW + 1000, force: true });
          if (kind === 'signed by the next key') await signPackage(folder, { key: heir, now: NOW + 1000, force: true });
          if (kind === 'key succeeded') await writeTrust(home.path, 'successions/acme.dsse.json', aSuccession(key, heir, NOW));
          if (kind === 'record renewed') await writeTrustRecord(home.path, key);
          if (kind === 'version' && how !== 'digest') await install(`1.${number}.0`);
          if (kind === 'restarted') memory = await at.reopened();
          const { states } = await at.look(NOW + 1000, memory);
          expect([kind, states]).not.toEqual([kind, { x: 'ok' }]);
        }
      }),
      { numRuns: 6 },
    );
  });
});
