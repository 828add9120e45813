// Evidence on disk: what is withheld and masked, that its digest holds it, and how much of it is kept.
import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { toTimestamp } from '../../host/clock.ts';
import { bundleOf, digestOf, findEvidence, readEvidence, sweepEvidence, textOf, writeBundle, type Findings } from '../../host/quarantine/evidence.ts';
import { Recent } from '../../host/quarantine/recent.ts';
import { publish } from '../../host/events.ts';
import { systemClock } from '../../host/clock.ts';
import { tempDir } from '../support/temp.ts';

const AT = '2026-11-21T08:00:00.000Z';
const SECRET = 'a-secret/with=parts';

const findings = (changes: Partial<Findings> = {}): Findings => ({
  instance: 'weather', plugin: 'acme.weather', kind: 'skill', version: '1.0.0', packageDigest: `sha256:${'a'.repeat(64)}`, at: AT, state: 'quarantined', trigger: 'egress', code: 'PLUGIN_QUARANTINED', reason: 'it reached', actor: 'host',
  enablement: { file: 'manifests/plugins/weather.json', required: false }, grants: [{ name: 'kv', quotaBytes: 1000 }], secrets: { key: { env: 'WEATHER_KEY' } },
  counters: { calls: 1, cpuMs: 1.5, restarts: 0, strikes: 0, egressBytesToday: 12 },
  host: { version: '1.0.0', hostApi: '1.0.0', node: 'v24', platform: 'linux x64', profile: 'local', strict: false, confinement: null, startedAt: AT },
  lately: { history: [], refused: [], log: [] }, secretValues: [SECRET],
  ...changes,
});
const logged = (...texts: string[]) => findings({ lately: { history: [], refused: [], log: texts.map((text) => ({ at: AT, level: 'info', text })) } });
const parsed = (bundle: { readonly bytes: Buffer }) => readEvidence(bundle.bytes, 'a test');

describe('a bundle', () => {
  it('holds what it was given, and comes to the same bytes when it is read and written again', () => {
    const bundle = bundleOf('/data', findings());
    expect(parsed(bundle)).toMatchObject({ evidenceVersion: 1, instance: 'weather', trigger: 'egress', secrets: { key: { env: 'WEATHER_KEY' } } });
    expect(digestOf(textOf(parsed(bundle)))).toBe(bundle.digest);
    expect(bundle.file).toBe('/data/evidence/weather-2026-11-21T080000.000Z.json');
  });

  it.each([
    ['as it is', SECRET],
    ['encoded for an address', encodeURIComponent(SECRET)],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
    ['behind more than is kept of a line', `${'x'.repeat(BOUNDS.evidenceTextLength - 5)}${SECRET}`],
  ])('withholds a secret %s, wherever it stands', (_, spelled) => {
    const lately = { history: [{ at: AT, event: 'plugin.strike', deep: { detail: `died of ${spelled}` } }], refused: [{ at: AT, value: `GET https://x.example/${spelled}` }], log: [{ at: AT, level: 'info', text: `it is ${spelled}` }] };
    const bundle = bundleOf('/data', findings({ lately, reason: `because of ${spelled}` }));
    expect(bundle.bytes.includes(spelled.slice(-12))).toBe(false);
    expect(bundle.bytes.toString().match(/withheld/g)).toHaveLength(4);
  });

  it('masks in lines what looks like somebody’s, and cuts them', () => {
    const { log } = parsed(bundleOf('/data', logged('from Ada <ada@example.org>', 'card 4111 1111 1111 1111 of', 'call +49 (30) 1234567', 'Bearer eyJhbGciOiJIUzI1NiJ9abcdef', 'at 10:15 it took 250 ms', 'y'.repeat(5000))));
    expect(log.map(({ text }) => text)).toEqual(['from Ada <[address]>', 'card [number] of', expect.stringMatching(/^call [^\d]*\[number\]$/), 'Bearer [token]', 'at 10:15 it took 250 ms', `${'y'.repeat(BOUNDS.evidenceTextLength)}…`]);
  });
});

describe('evidence on disk', () => {
  it('is found by its digest among others of the instance, and of instances with like names', async () => {
    await using dir = await tempDir();
    const bundles = [findings(), findings({ at: '2026-11-21T09:00:00.000Z' }), findings({ instance: 'weather-2' })].map((each) => bundleOf(dir.path, each));
    for (const bundle of bundles) writeBundle(bundle);
    for (const [index, { digest, file }] of bundles.entries()) expect(await findEvidence(dir.path, index === 2 ? 'weather-2' : 'weather', digest)).toMatchObject({ state: 'intact', file });
    expect(await findEvidence(dir.path, 'weather', bundles[2]?.digest ?? '')).toMatchObject({ state: 'changed', file: bundles[1]?.file, actual: bundles[1]?.digest });
  });

  it('that was edited, or is gone, is told from what was written', async () => {
    await using dir = await tempDir();
    const bundle = bundleOf(dir.path, findings());
    expect(await findEvidence(dir.path, 'weather', bundle.digest)).toEqual({ state: 'missing' });
    writeBundle(bundle);
    await appendFile(bundle.file, ' ');
    expect(await findEvidence(dir.path, 'weather', bundle.digest)).toMatchObject({ state: 'changed', file: bundle.file });
    await rm(bundle.file);
    expect(await findEvidence(dir.path, 'weather', bundle.digest)).toEqual({ state: 'missing' });
  });

  it('is bounded in number: the oldest go, but for the last of whoever is still stopped', async () => {
    await using dir = await tempDir();
    const folder = join(dir.path, 'evidence');
    await mkdir(folder);
    const nameOf = (instance: string, n: number) => `${instance}-${toTimestamp(Date.parse(AT) + n).replaceAll(':', '')}.json`;
    await writeFile(join(folder, nameOf('stopped', 0)), '{}');
    await writeFile(join(folder, nameOf('stopped', -1)), '{}');
    await writeFile(join(folder, nameOf('released', 0)), '{}');
    await writeFile(join(folder, 'notes.txt'), 'not ours');
    for (let n = 1; n <= BOUNDS.evidenceFiles; n += 1) await writeFile(join(folder, nameOf('noisy', n)), '{}');
    sweepEvidence(dir.path, new Set(['stopped']));
    const left = await readdir(folder);
    expect(left).toHaveLength(BOUNDS.evidenceFiles + 2);
    expect(left).toEqual(expect.arrayContaining([nameOf('stopped', 0), nameOf('noisy', 1), 'notes.txt']));
    expect(left).not.toContain(nameOf('released', 0));
  });
});

describe('what is remembered of an instance', () => {
  it('is bounded for each kind, and nobody else’s', () => {
    using recent = new Recent(systemClock);
    for (let n = 0; n < 200; n += 1) {
      publish('plugin.log', { instance: 'loud', plugin: 'acme.loud', level: 'info', text: `line ${n}` });
      publish('capability.denied', { instance: 'loud', capability: 'kv', code: 'CAPABILITY_DENIED' });
    }
    publish('plugin.strike', { instance: 'loud', plugin: 'acme.loud', cause: 'cpu', strikes: 1 });
    const { history, refused, log } = recent.of('loud');
    expect([history.length, refused.length, log.length, log.at(-1)?.text]).toEqual([1, BOUNDS.evidenceFacts, BOUNDS.evidenceLogLines, 'line 199']);
    expect(recent.of('quiet')).toEqual({ history: [], refused: [], log: [] });
  });
});
