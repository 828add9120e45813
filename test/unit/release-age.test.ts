// How long a release must be known before it runs: what counts as its age, who is exempt, and that the first sighting outlives everything.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createIds } from '../../host/ids.ts';
import { NO_HISTORY } from '../../host/registry/history.ts';
import { Registry } from '../../host/registry/registry.ts';
import { openSightings } from '../../host/registry/sightings.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { sightings as table } from '../../host/store/tables.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { configOf, findings, SKILL, surveyHome } from '../support/registry.ts';
import { tempDir } from '../support/temp.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 15);
const key = newTestKey('acme');

/** A home with one package, issued so many hours before NOW. */
async function homeWith(issuedHoursAgo: number) {
  const home = await aHome();
  await writeTrustRecord(home.path, key);
  const { packageDigest } = await buildTestPackage({ dir: join(home.path, 'plugins/acme.a-1.0.0'), id: 'acme.a', kind: 'skill', source: SKILL, key, now: NOW - issuedHoursAgo * HOUR });
  await home.write('manifests/plugins/a.json', { plugin: 'acme.a', digest: packageDigest });
  return { path: home.path, digest: `${packageDigest}`, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

const seen = (hoursAgo: number) => ({ see: () => NOW - hoursAgo * HOUR });
const at = (hours: number) => new Date(NOW + hours * HOUR).toISOString();

interface Case {
  readonly issued: number;
  /** Null where files alone are known. */
  readonly sighted: number | null;
  readonly hours: number | null;
  readonly strict?: boolean;
}

function surveyOf(path: string, { sighted, hours, strict = false }: Case) {
  return surveyHome(path, { now: NOW, config: { strict, trust: { minimumReleaseAgeHours: hours } }, sightings: sighted === null ? null : seen(sighted), unlocked: true });
}

describe('a release is held back', () => {
  it.each<[string, Case, { readonly until: string; readonly because: string }]>([
    ['for two days in strict where nothing else is said', { issued: 10, sighted: 4, hours: null, strict: true }, { until: at(44), because: 'first saw it' }],
    ['while it was issued too lately', { issued: 5, sighted: 100, hours: 24 }, { until: at(19), because: `issued at ${at(-5)}` }],
    ['by its first sighting, however far it is backdated', { issued: 10_000, sighted: 1, hours: 24 }, { until: at(23), because: `first saw it at ${at(-1)}` }],
    ['by what its publisher says where files alone are known, and that is said', { issued: 5, sighted: null, hours: 24 }, { until: at(19), because: 'files alone cannot tell' }],
  ])('%s', async (_, given, { until, because }) => {
    await using home = await homeWith(given.issued);
    const { refused, diagnostics } = await surveyOf(home.path, given);
    expect(refused).toMatchObject([{ state: 'pending-approval', code: 'RELEASE_TOO_FRESH', untilMs: Date.parse(until), wouldRun: { instance: 'a' } }]);
    expect(diagnostics.map(({ message }) => message)).toEqual([expect.stringMatching(`until ${until}: .*${because}`)]);
  });

  it.each<[string, Case]>([
    ['not at all where nothing says so', { issued: 0, sighted: 0, hours: null }],
    ['not in strict where the operator says so', { issued: 0, sighted: 0, hours: 0, strict: true }],
    ['no longer than it must', { issued: 24, sighted: 24, hours: 24 }],
  ])('%s', async (_, given) => {
    await using home = await homeWith(given.issued);
    expect(findings(await surveyOf(home.path, given))).toEqual([]);
  });

  it('but not what has run here, so that switching it on stops nothing', async () => {
    await using home = await homeWith(0);
    const config = { trust: { minimumReleaseAgeHours: 24 } };
    const ran = (digest: string) => surveyHome(home.path, { now: NOW, config, sightings: seen(0), history: { ...NO_HISTORY, digestOf: () => digest } });
    expect(findings(await ran(home.digest))).toEqual([]);
    expect(findings(await ran(`sha256:${'0'.repeat(64)}`))).toEqual(['RELEASE_TOO_FRESH degraded a', 'SAME_VERSION_CHANGED degraded a']);
  });

  it('from the first look on, whether or not the policy was on at the time', async () => {
    await using home = await homeWith(1000);
    const clock = aHandClock(NOW);
    const open = async (hours: number) => {
      const store = await openStore({ dir: join(home.path, 'data/store'), clock });
      const config = configOf(home.path, { trust: { minimumReleaseAgeHours: hours } });
      const audit = await openAuditLog({ config, store, clock });
      const registry = await Registry.open({ config, store, audit, clock, ids: createIds(clock), env: {} });
      const { state, code } = registry.get('a');
      await store[Symbol.asyncDispose]();
      return { state, code };
    };
    expect(await open(0)).toEqual({ state: 'approved', code: undefined }); // seen, and never started
    clock.turn(10 * HOUR);
    expect(await open(12)).toEqual({ state: 'pending-approval', code: 'RELEASE_TOO_FRESH' });
    clock.turn(2 * HOUR);
    expect(await open(12)).toEqual({ state: 'approved', code: undefined });
  });
});

it('the newest ten thousand sightings are kept', async () => {
  await using dir = await tempDir();
  const clock = aHandClock(NOW);
  await using store = await openStore({ dir: dir.path, clock });
  const digest = (n: number) => `sha256:${String(n).padStart(64, '0')}`;
  const sightings = await openSightings(store, () => clock.now());
  for (let n = 0; n < 10_002; n++) {
    clock.turn(1);
    sightings.see(digest(n));
    if (n === 10_000) await sightings.save();
  }
  await sightings.save();
  expect(await store.range(table, table.prefix())).toHaveLength(10_000);
  const again = await openSightings(store, () => clock.now());
  expect(again.see(digest(10_001))).toBe(NOW + 10_002);
});
