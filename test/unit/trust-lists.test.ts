// The operator's lists, `trust.allow` and `trust.deny`: whom they name, who wins, and what of a source counts as being below an address.
import { describe, expect, it } from 'vitest';
import { refusalByLists } from '../../host/registry/admission/lists.ts';
import { isUnderSource, seemsUnderSource } from '../../host/trust/provenance.ts';
import type { VerifiedRelease } from '../../host/trust/verify.ts';
import { compileSchema } from '../../host/schema.ts';
import { SourcePrefix, TrustPolicy } from '../../schemas/trust-policy.ts';
import { loadConfig } from '../../host/config.ts';
import { aHome } from '../support/home.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { SKILL, configOf, findings, surveyHome } from '../support/registry.ts';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { Registry } from '../../host/registry/registry.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { listEntries } from '../../host/trust/log/log-reads.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';

const COMMIT = 'c'.repeat(40);

/** As far as the lists look at it. */
const aRelease = (id: string, source?: string) =>
  ({ manifest: { id }, publisher: id.split('.')[0], ...(source === undefined ? {} : { provenance: { source, commit: COMMIT } }) }) as unknown as VerifiedRelease;

describe('the lists', () => {
  const weather = aRelease('acme.weather', 'https://git.example/acme/weather');
  it.each<[string, TrustPolicy, string]>([
    ['nothing said', {}, 'runs'],
    ['empty lists', { allow: { plugins: [], publishers: [], sources: [] }, deny: { plugins: [] } }, 'runs'],
    ['its id allowed', { allow: { plugins: ['acme.weather'] } }, 'runs'],
    ['the beginning of its id allowed', { allow: { plugins: ['acme.'] } }, 'runs'],
    ['its publisher allowed', { allow: { publishers: ['acme'] } }, 'runs'],
    ['its source allowed', { allow: { sources: ['https://git.example/acme'] } }, 'runs'],
    ['others allowed', { allow: { publishers: ['other'] } }, 'PLUGIN_NOT_ALLOWED'],
    ['others allowed in one list, itself in another', { allow: { publishers: ['other'], plugins: ['acme.weather'] } }, 'runs'],
    ['an id allowed that only begins alike', { allow: { plugins: ['acme.weath', 'acme.weather.more'] } }, 'PLUGIN_NOT_ALLOWED'],
    ['a source allowed that only begins alike', { allow: { sources: ['https://git.example/ac'] } }, 'PLUGIN_NOT_ALLOWED'],
    ['its id denied', { deny: { plugins: ['acme.weather'] } }, 'PLUGIN_DENIED_BY_LIST'],
    ['the beginning of its id denied', { deny: { plugins: ['acme.'] } }, 'PLUGIN_DENIED_BY_LIST'],
    ['its publisher denied', { deny: { publishers: ['acme'] } }, 'PLUGIN_DENIED_BY_LIST'],
    ['its source denied', { deny: { sources: ['https://git.example'] } }, 'PLUGIN_DENIED_BY_LIST'],
    ['others denied', { deny: { plugins: ['acme.weath', 'other.'], publishers: ['other'], sources: ['https://git.example/acme/w'] } }, 'runs'],
    ['allowed and denied', { allow: { plugins: ['acme.weather'] }, deny: { publishers: ['acme'] } }, 'PLUGIN_DENIED_BY_LIST'],
  ])('with %s', (_, policy, verdict) => {
    expect(refusalByLists(weather, policy)?.code ?? 'runs').toBe(verdict);
  });

  it('of sources say nothing for a release that names none', () => {
    const silent = aRelease('acme.weather');
    expect(refusalByLists(silent, { allow: { sources: ['https://git.example'] } })?.code).toBe('PLUGIN_NOT_ALLOWED');
    expect(refusalByLists(silent, { deny: { sources: ['https://git.example'] } })).toBeUndefined();
  });

  it('name the entry that denies', () => {
    expect(refusalByLists(weather, { deny: { plugins: ['other.', 'acme.'] } })?.message).toContain('plugins: acme.');
  });
});

describe('a source', () => {
  it.each([
    ['https://github.com/acme', true, true],
    ['https://github.com/acme/', true, true],
    ['https://github.com/acme/weather', true, true],
    ['https://github.com/acme-evil/weather', false, false],
    ['https://github.com.evil.example/acme', false, false],
    ['https://github.com/', false, false],
    ['https://github.com/evil/acme', false, false],
    // Spelled otherwise: no reason to let it run, and reason enough to stop it.
    ['https://github.com/ACME/weather', false, true],
    ['https://github.com/acme.git', false, true],
    ['http://github.com/acme/weather', false, true],
    ['https://github.com./acme/weather', false, true],
  ])('%s below https://github.com/acme: narrowly %s, widely %s', (source, narrowly, widely) => {
    expect([isUnderSource(source, 'https://github.com/acme'), seemsUnderSource(source, 'https://github.com/acme')]).toEqual([narrowly, widely]);
  });

  it('of another port is another place', () => {
    expect(seemsUnderSource('https://git.example:8443/acme', 'https://git.example/acme')).toBe(false);
  });
});

describe('an entry for sources', () => {
  const { is } = compileSchema(SourcePrefix);
  it.each(['https://github.com', 'https://github.com/acme', 'https://github.com/acme/', 'https://git.example:8443/a/b.c'])('may be %s', (prefix) => expect(is(prefix)).toBe(true));
  it.each(['http://github.com/acme', 'https://user@github.com/acme', 'https://GitHub.com/acme', 'https://github.com:443/acme', 'https://github.com/a/../b', 'https://github.com/./a', 'https://github.com/..', 'https://github.com/a%2fb', 'https://github.com//a', 'https://github.com/a?b', 'https://github.com/a#b', 'https://github.com/a\\b', 'github.com/acme', 'https://', 'https://github.com /a'])('may not be %s', (prefix) => expect(is(prefix)).toBe(false));
});

describe('a home', () => {
  it('whose lists leave a plugin out refuses it, with the others as they were', async () => {
    await using home = await aHome([{ name: 'a', kind: 'skill', source: SKILL, enablement: { required: true } }, { name: 'b', kind: 'skill', source: SKILL }]);
    const key = newTestKey('acme');
    await writeTrustRecord(home.path, key);
    await buildTestPackage({ dir: `${home.path}/plugins/acme.c-1.0.0`, id: 'acme.c', kind: 'skill', source: SKILL, key, provenance: { source: 'https://git.example/acme/c', commit: COMMIT } });
    await home.write('manifests/plugins/c.json', { plugin: 'acme.c' });
    const withLists = (trust: TrustPolicy) => surveyHome(home.path, { config: { trust } }).then(findings);
    expect(await withLists({})).toEqual([]);
    expect(await withLists({ deny: { plugins: ['test.a'] }, allow: { plugins: ['test.'] } })).toEqual(['PLUGIN_DENIED_BY_LIST fatal a', 'PLUGIN_NOT_ALLOWED degraded c']);
    expect(await withLists({ allow: { sources: ['https://git.example/acme'], plugins: ['test.'] } })).toEqual([]);
    expect(await withLists({ deny: { sources: ['https://git.example/acme'] } })).toEqual(['PLUGIN_DENIED_BY_LIST degraded c']);
  });

  it('whose lists change says so in the transparency log, once', async () => {
    await using home = await aHome([]);
    await using store = await openStore({ dir: `${home.path}/data/store`, clock: systemClock });
    const config = configOf(home.path);
    await using audit = await openAuditLog({ config, store, clock: systemClock });
    const told = async () => (await listEntries(store, { action: 'trust.lists' })).items.toSorted((a, b) => a.index - b.index).map(({ detail }) => detail);
    const open = (trust: TrustPolicy) => Registry.open({ config: { ...config, trust }, store, audit, clock: systemClock, ids: createIds(systemClock), env: {} });
    await open({});
    expect(await told()).toEqual([]);
    await open({ deny: { plugins: ['acme.'], sources: ['https://git.example'] } });
    await open({ deny: { plugins: ['acme.'], sources: ['https://git.example'] }, allow: {} });
    await open({});
    expect(await told()).toEqual([{ allow: [], deny: ['plugins: acme.', 'sources: https://git.example'] }, { allow: [], deny: [] }]);
  });

  it('may say it in host.json and in the environment', async () => {
    await using home = await aHome([], { trust: { deny: { plugins: ['acme.'] } } });
    expect(loadConfig({ home: home.path, env: { GATEHOUSE_TRUST_ALLOW_PUBLISHERS: 'gatehouse,acme' }, cwd: home.path }).trust).toMatchObject({ deny: { plugins: ['acme.'] }, allow: { publishers: ['gatehouse', 'acme'], plugins: [] } });
    expect(() => loadConfig({ home: home.path, env: { GATEHOUSE_TRUST_DENY_SOURCES: 'https://user@git.example' }, cwd: home.path })).toThrow(expect.objectContaining({ code: 'CONFIG_OVERRIDE' }));
  });
});
