// What the scanner's word means where plugins are to run: blocked, held for reviewers, or only reported; asked once for the same bytes, kept with a bounded history, asked again when it should be.
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostConfig } from '../../schemas/host-config.ts';
import { createIds } from '../../host/ids.ts';
import { KeptScans, SCANS_KEPT, type Place } from '../../host/registry/scans.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { put } from '../../host/store/store.ts';
import { scans } from '../../host/store/tables.ts';
import { systemClock } from '../../host/clock.ts';
import { RULES_VERSION } from '../../host/trust/scan/rules.ts';
import type { VerifiedRelease } from '../../host/trust/verify.ts';
import type { AuditDraft } from '../../host/trust/log/audit-log.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { findings, SKILL, surveyHome } from '../support/registry.ts';
import { contentOf } from '../support/scan-cases.ts';
import { tempDir } from '../support/temp.ts';

const CLEAN: TestPlugin = { name: 'clean', kind: 'skill', source: SKILL };
const ODD: TestPlugin = { name: 'odd', kind: 'skill', source: `${SKILL}\nconst run = new Function('return 1');` };
const APPROVAL = { trust: { scan: { onWarn: 'approval' } } } satisfies HostConfig;

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

async function lookAt(plugins: readonly TestPlugin[], config: HostConfig = APPROVAL) {
  await using home = await aHome(plugins, config);
  return await surveyHome(home.path);
}

describe('a plugin that the scanner', () => {
  it('lets pass runs, with what was noted beside it', async () => {
    const found = await lookAt([CLEAN]);
    expect(findings(found)).toEqual([]);
    expect(found.plugins).toMatchObject([{ instance: 'clean', scan: { outcome: 'pass', rules: RULES_VERSION } }]);
  });

  it('warns of waits for reviewers, and says where to look', async () => {
    const found = await lookAt([CLEAN, ODD]);
    expect(findings(found)).toEqual(['SCAN_WARNING degraded odd']);
    expect(found.refused).toMatchObject([{ instance: 'odd', state: 'pending-approval', code: 'SCAN_WARNING', message: expect.stringMatching(/risk high.*dynamic-code \(plugin\.js:2\): /), wouldRun: { instance: 'odd' } }]);
  });

  it('warns of runs where warnings are only reported', async () => {
    const found = await lookAt([ODD], { trust: { scan: { onWarn: 'report' } } });
    expect(findings(found)).toEqual(['SCAN_WARNING warning odd']);
    expect(found.plugins).toHaveLength(1);
  });

  it('blocks never runs, whatever is reported or approved', async () => {
    await using home = await aHome([CLEAN, ODD]);
    const [clean] = (await surveyHome(home.path)).plugins;
    await home.write('manifests/host.json', { trust: { scan: { onWarn: 'report', knownBad: [clean?.release.packageDigest] } } });
    const found = await surveyHome(home.path);
    expect(found.refused).toMatchObject([{ instance: 'clean', state: 'rejected', code: 'SCAN_BLOCKED', message: expect.stringContaining('known-bad') }]);
    expect(found.refused[0]).not.toHaveProperty('wouldRun');
    expect(found.plugins).toMatchObject([{ instance: 'odd' }]);
  });

  it('does not find the provenance that the operator demands is blocked', async () => {
    const found = await lookAt([CLEAN], { trust: { requireProvenance: true } });
    expect(found.refused).toMatchObject([{ code: 'SCAN_BLOCKED', message: expect.stringContaining('trust.requireProvenance') }]);
  });
});

/** A clock by hand and a store, and what would be written to the transparency log. */
async function aMemory() {
  const dir = stack.use(await tempDir());
  const clock = aHandClock();
  const store = stack.use(await openStore({ dir: join(dir.path, 'store'), clock: systemClock }));
  const told: AuditDraft[] = [];
  const audit = {
    async commit(drafts: readonly AuditDraft[], beside = {}) {
      told.push(...drafts);
      await store.commit(beside);
      return [];
    },
  };
  const ids = createIds(systemClock);
  const open = () => KeptScans.open(store, clock, ids);
  const rows = async () => (await store.range(scans, scans.prefix())).map(({ value }) => value);
  return { clock, store, audit, told, open, rows };
}

const PLACE: Place = { trust: {}, records: [], installed: [], isSettled: false };
const bad = (digest: string): Place => ({ ...PLACE, trust: { scan: { knownBad: [digest] } } });

function aRelease(script: string, digit = '1'): VerifiedRelease {
  const { files, manifest } = contentOf({ script });
  return { files, manifest, packageDigest: `sha256:${digit.padStart(64, '0')}`, publisher: 'acme', keyid: '', development: false, issuedAt: '', source: script, path: '' };
}

describe('scans that are remembered', () => {
  it('are not made again by a start, and are not told again', async () => {
    const { open, audit, told, rows } = await aMemory();
    const first = await open();
    const release = aRelease('eval(x);');
    expect(await first.of(release, PLACE)).toMatchObject({ outcome: 'warn' });
    await first.save({ audit });
    expect(told).toMatchObject([{ action: 'scan.verdict', resource: 'acme.weather', outcome: 'done', detail: { verdict: 'warn', findings: ['dynamic-code'] } }]);

    const second = await open();
    const { files: _, ...rest } = release;
    expect(await second.of({ ...rest, files: new Map() }, PLACE)).toMatchObject({ outcome: 'warn' }); // no bytes to look at
    await second.save({ audit });
    expect(told).toHaveLength(1);
    expect(await rows()).toHaveLength(1);
  });

  it('are made again when the rules are others', async () => {
    const { open, audit, rows, store } = await aMemory();
    const release = aRelease('eval(x);');
    const { manifest: { id: plugin, version }, packageDigest } = release;
    const old = { plugin, version, packageDigest, outcome: 'pass' as const, risk: 'none' as const, findings: [], rules: '0-of-yesterday', at: '2026-01-01T00:00:00.000Z' };
    await store.commit({ put: [put(scans, scans.key('01'), old)] });
    const kept = await open();
    expect(await kept.of(release, PLACE)).toMatchObject({ outcome: 'warn', rules: RULES_VERSION });
    await kept.save({ audit });
    expect((await rows()).map(({ outcome }) => outcome)).toEqual(['pass', 'warn']);
  });

  it('count at once what the lists of now say, without looking at the bytes', async () => {
    const { open, audit, told, rows } = await aMemory();
    const kept = await open();
    const release = aRelease('run();');
    expect(await kept.of(release, PLACE)).toMatchObject({ outcome: 'pass' });
    expect(kept.verdict(release, bad(release.packageDigest))).toMatchObject({ outcome: 'block', risk: 'critical' });
    expect(await kept.of(release, bad(release.packageDigest))).toMatchObject({ outcome: 'block' });
    await kept.save({ audit });
    expect((await rows()).map(({ outcome }) => outcome)).toEqual(['pass', 'block']);
    expect(told.map(({ outcome }) => outcome)).toEqual(['done', 'refused']);
  });

  it('are made again on a running host when they are old, and only then', async () => {
    const { open, audit, clock, rows } = await aMemory();
    const kept = await open();
    const release = aRelease('run();');
    const daily: Place = { ...PLACE, trust: { scan: { everyHours: 24 } } };
    const at = async () => (await kept.of(release, daily, { isWaited: false }))?.at;
    const first = await at();
    clock.turn(23 * 3_600_000);
    expect(await at()).toBe(first);
    clock.turn(2 * 3_600_000);
    expect(await at()).not.toBe(first);
    await kept.save({ audit });
    expect(await rows()).toHaveLength(1); // the same verdict is one row, with the time it was last found
  });

  it('of a big package are waited for at a start, and not by a running host', async () => {
    const { open } = await aMemory();
    const kept = await open();
    const release = aRelease(`// ${'x'.repeat(40_000)}\neval(x);`);
    expect(await kept.of(release, PLACE, { isWaited: false })).toBeUndefined();
    expect(kept.verdict(release, PLACE)).toBeUndefined();
    expect(await kept.scanned()).toBe(true);
    expect(await kept.of(release, PLACE, { isWaited: false })).toMatchObject({ outcome: 'warn', findings: [{ rule: 'dynamic-code', line: 2 }] });
    expect(await kept.scanned()).toBe(false);
  });

  it('are kept for each plugin up to a bound, the newest', async () => {
    const { open, audit, rows } = await aMemory();
    const kept = await open();
    for (let version = 0; version < SCANS_KEPT + 5; version += 1) {
      await kept.of(aRelease('run();', String(version)), PLACE);
      await kept.save({ audit });
    }
    const all = await rows();
    expect(all).toHaveLength(SCANS_KEPT);
    expect(all.at(-1)?.packageDigest).toMatch(new RegExp(`0${SCANS_KEPT + 4}$`));
  });
});
